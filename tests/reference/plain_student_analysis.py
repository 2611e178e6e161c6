"""The student_analysis once more, slow and plain: from what was pushed, by the letter of the contract.

Nothing here comes from the analysis that it is held against, and nothing is done for speed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from pathlib import Path
from typing import BinaryIO

from tests.reference.pushed import DifferenceError, Json, Pushed


def check_student_analysis(pushed: Pushed, file: Path) -> None:
    """Compare a file with all attempts row by row; raise DifferenceError at the first difference."""
    with file.open("rb") as content:
        for number, line in enumerate(student_analysis(pushed)):
            _check_line(content, number, line)
        if rest := content.read(200):
            raise DifferenceError(f"the student_analysis goes on after its end: {rest!r}")


def _check_line(content: BinaryIO, number: int, line: bytes) -> None:
    if (found := content.read(len(line))) != line:
        path = next(i for i, pair in enumerate(itertools.zip_longest(found, line)) if pair[0] != pair[1])
        part = slice(max(0, path - 80), path + 80)
        raise DifferenceError(f"row {number} of the student_analysis: {found[part]!r} is not {line[part]!r}")


def student_analysis(pushed: Pushed) -> Iterator[bytes]:
    """Yield the header and the rows of the student_analysis with all attempts and SIS ids."""
    yield _line(_header(pushed.questions))
    for attempt in pushed.newest_first():
        yield _line(_row(pushed, attempt))


def _header(questions: Sequence[Json]) -> list[str]:
    names = ["name", "id", "sis_id", "section", "section_id", "section_sis_id", "submitted", "attempt"]
    for question in questions:
        names.append(f"{question['id']}: {_without_tags(question['question_text'])}")
        names.append(repr(float(question["points_possible"])))
    return [*names, "n correct", "n incorrect", "score"]


def _row(pushed: Pushed, attempt: Json) -> list[str | None]:
    user = pushed.users[attempt["user_id"]]
    sections = pushed.sections_of[attempt["user_id"]]
    sis_ids = [section.get("sis_section_id") for section in sections]
    cells = [
        user["name"],
        str(user["id"]),
        user.get("sis_user_id"),
        ", ".join(section["name"] for section in sections),
        ", ".join(str(section["id"]) for section in sections),
        sis_ids[0] if len(sis_ids) == 1 else ", ".join(sis_id or "" for sis_id in sis_ids),
        attempt["finished_at"].replace("T", " ").replace("Z", " UTC"),
        str(attempt["attempt"]),
    ]
    entries = attempt["submission_data"]
    for question, entry in zip(pushed.questions, entries, strict=True):
        cells += [_CELLS[question["question_type"]](question, entry), repr(entry["points"])]
    wrong = sum(entry["correct"] in (False, "false", None) for entry in entries)
    return [*cells, str(len(entries) - wrong), str(wrong), repr(attempt["score"])]


def _line(cells: Sequence[str | None]) -> bytes:
    return (",".join(_field(cell) for cell in cells) + "\n").encode()


def _field(cell: str | None) -> str:
    if cell is None:
        return ""
    if cell == "" or any(sign in cell for sign in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _without_tags(html: str) -> str:
    return unescape(re.sub("<[^>]*>", "", html))


def _chosen(question: Json, entry: Json) -> str:
    return "".join(answer["text"] for answer in question["answers"] if answer["id"] == entry.get("answer_id"))


def _written(_: Json, entry: Json) -> str:
    paragraphs = re.findall("<p>(.*?)</p>", entry["text"])
    return "\n\n".join(unescape(paragraph) for paragraph in paragraphs)


def _filled(question: Json, entry: Json) -> str:
    blanks = dict.fromkeys(answer["blank_id"] for answer in question["answers"])
    values = [entry.get(f"answer_for_{blank}") for blank in blanks]
    return ",".join(value.replace(",", "\\,") for value in values if value is not None)


def _dropped_down(question: Json, entry: Json) -> str:
    texts = {str(answer["id"]): answer["text"] for answer in question["answers"]}
    blanks = dict.fromkeys(answer["blank_id"] for answer in question["answers"])
    chosen = [entry.get(f"answer_for_{blank}") for blank in blanks]
    return ",".join(texts[str(value)].replace(",", "\\,") for value in chosen if value not in (None, ""))


def _ticked(question: Json, entry: Json) -> str:
    return ",".join(
        answer["text"].replace(",", "\\,")
        for answer in question["answers"]
        if entry.get(f"answer_{answer['id']}") == "1"
    )


def _matched(question: Json, entry: Json) -> str:
    texts = {str(match["match_id"]): match["text"] for match in question["matches"]}
    pairs = [(answer["left"], str(entry.get(f"answer_{answer['id']}"))) for answer in question["answers"]]
    return ",".join(f"{left}=>{texts.get(match_id, '')}" for left, match_id in pairs)


_CELLS: dict[str, Callable[[Json, Json], str]] = {
    "multiple_choice_question": _chosen,
    "true_false_question": _chosen,
    "missing_word_question": _chosen,
    "essay_question": _written,
    "fill_in_multiple_blanks_question": _filled,
    "multiple_dropdowns_question": _dropped_down,
    "multiple_answers_question": _ticked,
    "matching_question": _matched,
}
