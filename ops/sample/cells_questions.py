"""The questions of the sample quiz "Cells": every type there is, and two that attempts draw from a bank."""

from __future__ import annotations

from ops.sample.course import Json

(
    CHOICE,
    TRUE_FALSE,
    SHORT,
    BLANKS,
    SEVERAL,
    DROPDOWNS,
    MATCHING,
    NUMERICAL,
    CALCULATED,
    ESSAY,
    UPLOAD,
    TEXT_ONLY,
) = range(4100001, 4100013)
DRAWN_CHOICE, DRAWN_TRUE_FALSE = 41000141, 41000142


def questions() -> list[Json]:
    """List what the quiz is made of, in its order; the last entry is the group that is drawn from."""
    return [
        *_choices(),
        *_blanks(),
        *_matched_and_counted(),
        *_written(),
        {"entry_type": "quiz_group", "id": 510, "name": "Drawn from a bank", "pick_count": 1},
    ]


def presented(drawn: int, variables: Json | None = None) -> list[Json]:
    """List the questions as an attempt saw them: with numbers of its own, and the question it drew."""
    seen = [entry for entry in questions() if "entry_type" not in entry]
    if variables is not None:
        calculated = next(entry for entry in seen if entry["id"] == CALCULATED)
        calculated["answers"] = [_calculated_answer(variables)]
    return [*seen, next(question for question in _drawn() if question["id"] == drawn)]


def _question(id_: int, kind: str, points: float, text: str, answers: list[Json], **more: object) -> Json:
    question = {"id": id_, "question_type": f"{kind}_question", "question_text": text}
    position = {} if id_ > TEXT_ONLY else {"position": id_ - CHOICE + 1}
    return {**question, **position, "points_possible": points, "answers": answers, **more}


def _answer(id_: int, text: str, weight: float = 0, **more: object) -> Json:
    return {"id": id_, "text": text, "weight": weight, **more}


def _choices() -> list[Json]:
    return [
        _question(
            CHOICE,
            "multiple_choice",
            1.0,
            "<p>Which one makes most of a cell&rsquo;s ATP?</p>",
            [
                _answer(81001, "Mitochondrion", 100),
                _answer(81002, "", html="<em>Ribosome</em>"),
                _answer(81003, "Golgi apparatus, trans side"),
            ],
        ),
        _question(
            TRUE_FALSE,
            "true_false",
            1.0,
            "Is 6 &lt; 7?",
            [_answer(82001, "True", 100), _answer(82002, "False")],
        ),
        _question(
            SHORT,
            "short_answer",
            1.0,
            "<p>Name the process.</p><p>It needs light.</p>",
            [_answer(83001, "photosynthesis", 100), _answer(83002, "Photosynthesis", 100)],
        ),
    ]


def _blanks() -> list[Json]:
    return [
        _question(
            BLANKS,
            "fill_in_multiple_blanks",
            2.0,
            "Adenine pairs with [dna] in DNA, with [rna] in RNA.",
            [
                _answer(84001, "thymine", 100, blank_id="dna"),
                _answer(84002, "uracil", 100, blank_id="rna"),
            ],
        ),
        _question(
            SEVERAL,
            "multiple_answers",
            2.0,
            "Which are bases?",
            [
                _answer(85001, "adenine", 100),
                _answer(85002, "guanine, a purine", 100),
                _answer(85003, "glucose"),
            ],
        ),
        _question(
            DROPDOWNS,
            "multiple_dropdowns",
            2.0,
            "A [cell] has a [part].",
            [
                _answer(86001, "plant cell", 100, blank_id="cell"),
                _answer(86002, "bacterium", blank_id="cell"),
                _answer(86003, "wall, of cellulose", 100, blank_id="part"),
                _answer(86004, "carapace", blank_id="part"),
            ],
        ),
    ]


def _matched_and_counted() -> list[Json]:
    return [
        _question(
            MATCHING,
            "matching",
            2.0,
            "Match them.",
            [
                _answer(87001, "nucleus", 100, match_id=901),
                _answer(87002, "a => b", 100, match_id=902),
            ],
            matches=[
                {"match_id": 901, "text": "holds DNA"},
                {"match_id": 902, "text": "an arrow, from a to b"},
                {"match_id": 903, "text": "neither"},
            ],
        ),
        _question(
            NUMERICAL,
            "numerical",
            1.0,
            "How many chromosomes has a human cell?",
            [_answer(88001, "46", 100)],
        ),
        _question(
            CALCULATED,
            "calculated",
            1.0,
            "How much is [x] + [y]?",
            [_calculated_answer({"x": 4.3, "y": 21})],
        ),
    ]


def _calculated_answer(variables: Json) -> Json:
    named = [{"name": name, "value": value} for name, value in variables.items()]
    return _answer(89001, str(sum(variables.values())), 100, variables=named)


def _written() -> list[Json]:
    return [
        _question(ESSAY, "essay", 3.0, "<p>Describe mitosis.</p>", []),
        _question(UPLOAD, "file_upload", 2.0, "Draw a cell.", []),
        _question(TEXT_ONLY, "text_only", 0.0, "The last question is drawn from a bank.", []),
    ]


def _drawn() -> list[Json]:
    return [
        _question(
            DRAWN_CHOICE,
            "multiple_choice",
            1.0,
            "Where is chlorophyll?",
            [_answer(90001, "In the chloroplast", 100), _answer(90002, "In the nucleus")],
        ),
        _question(
            DRAWN_TRUE_FALSE,
            "true_false",
            1.0,
            "A virus is a cell.",
            [_answer(90101, "True"), _answer(90102, "False", 100)],
        ),
    ]
