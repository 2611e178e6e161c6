"""The CPU time of all that comes in, at 1, 10 and 100 times the size, and that of refusals and checks."""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from models.content.html_text import plain_text, strip_tags
from models.content.questions import Question
from models.content.responses import ResponseParser
from models.errors import InvalidInputError
from models.ingestion.attempt_questions import QuizDataReader
from models.ingestion.attempts import apply_attempts
from models.issues import MOST_CHECK_SECONDS, Checked
from models.payloads.batches import Batches, read_document, read_lines
from models.payloads.courses import read_course
from models.payloads.entries import EntryReader
from models.payloads.json_values import convert_leaf
from models.payloads.questions import PushedQuestion
from models.payloads.quizzes import read_quiz
from ops.benchmarks.exam import Json
from ops.benchmarks.measure import Comparison, Outcome, Spread, at_most, interleaved
from ops.benchmarks.population import BLOCK, Course, Population, students_of
from ops.benchmarks.request_inputs import request_inputs
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, log_line
from workers.analysis.frames import Item, Option
from workers.analysis.item_analysis import ItemAnalysis

_STEPS = (1, 10, 100)
_MOST_EXPONENT = 1.1
_MOST_TIMES_PARAGRAPHS = 2.0
_MOST_OF_VALID = 0.2
_MOST_OF_CHECKED = 1.5
_COURSE, _QUIZ = 300, 3_000
_REFUSED_ATTEMPTS = 20_000
_CHECKED_ATTEMPTS = 100_000
_QUESTIONS = 50
_RUNS = 5
_MOST_LINE_BYTES = 32 * 2**20
_CHUNK_BYTES = 2**18
# The clock of a process is coarse: short work is repeated until it has run for so long.
_LEAST_SECONDS = 0.02

Work = Callable[[], object]

_LARGEST_MARKUP = 1_000_000


def _paragraphs(size: int) -> str:
    return "<p>a</p>" * (size // len("<p>a</p>"))


_MARKUP: Final[Mapping[str, Callable[[int], str]]] = {
    "attributes of a tag": lambda size: "<p " + " ".join(f"a{n}=1" for n in range(size // 9)) + ">a",
    "nested tags": lambda size: "<div>" * (size // 5),
    "nested tags with end tags": lambda size: "<b>" * (size // 7) + "</b>" * (size // 7),
    "tags never closed": lambda size: "<p><b><i>" * (size // 9),
    "entities": lambda size: "&amp;<b>&lt;</b>" * (size // 16),
    "rows of a table": lambda size: "<tr><td>a" * (size // 9),
    "nested tables": lambda size: "<table><tr><td>" * (size // 15),
    "list items": lambda size: "<li>a</li>" * (size // 10),
    "nested lists": lambda size: "<ul><li>a" * (size // 9),
    "links": lambda size: "<a href=x>a" * (size // 11),
    "comments": lambda size: "<!-- x -->" * (size // 10),
    "a long character reference": lambda size: f"<p>&#{'9' * size};",
}

_ATTEMPT: Final[Json] = {
    "id": 1, "user_id": 1, "attempt": 1, "workflow_state": "complete", "updated_at": "2026-09-10T09:12:31Z",
}  # fmt: skip


def measure_inputs(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure markup, then texts, lists, maps and item_analysis, then requests, then refused pushes."""
    # A full garbage collection would also go through what this process held before, whatever comes in.
    gc.collect()
    gc.freeze()
    try:
        yield from _markup()
        for name, (largest, prepare) in {**_READERS, **request_inputs(stack)}.items():
            log_line(f"reading {name}")
            times = _times(largest, prepare)
            bare = _times(largest, _BARE[name]) if name in _BARE else ()
            yield _growth(name, largest, times, bare)
        yield from _refusals(stack)
    finally:
        gc.unfreeze()


def cpu_seconds(work: Work) -> float:
    """Return the CPU time of this process that some work takes."""
    began, repeats = time.process_time(), 0
    while (took := time.process_time() - began) < _LEAST_SECONDS:
        work()
        repeats += 1
    return took / repeats


def _times(largest: int, prepare: Callable[[int], Work]) -> list[float]:
    """Return the CPU time at each size: minima, since load only adds to it."""
    works = [prepare(largest * step // _STEPS[-1]) for step in _STEPS]
    return [spread.least for spread in interleaved(_RUNS, *(partial(cpu_seconds, work) for work in works))]


def _growth(name: str, largest: int, times: Sequence[float], bare: Sequence[float] = ()) -> Outcome:
    """Compare how the CPU time grows with the limit, or with how that of `bare` work grows."""
    goal = at_most(_MOST_EXPONENT, Comparison.ALONE)
    if bare:
        goal = at_most(_MOST_EXPONENT - 1, Comparison.DIFFERENCE)
    return Outcome(
        figure=f"inputs/{name}",
        work=f"{name}, up to {largest:,}: exponent of the CPU time",
        unit="",
        measured=Spread([_exponent(times)]),
        reference_work=_BARE_WORK.get(name, ""),
        reference=Spread([_exponent(bare)]) if bare else None,
        goal=goal,
        remark=", ".join(f"{1000 * seconds:.3g}" for seconds in times) + " ms",
    )


def _exponent(times: Sequence[float]) -> float:
    # What does not depend on the size hides the growth between the two lower sizes.
    _, middle, large = times
    return math.log10(large / middle)


def _markup() -> Iterator[Outcome]:
    # Once is enough: it is far from the limit, and takes longer than most of what it is compared with.
    paragraphs = cpu_seconds(_render(_paragraphs)(_LARGEST_MARKUP))
    for name, markup in _MARKUP.items():
        log_line(f"markup: {name}")
        times = _times(_LARGEST_MARKUP, _render(markup))
        yield _growth(f"markup: {name}", _LARGEST_MARKUP, times)
        yield Outcome(
            figure=f"inputs/markup: {name}/1 MB",
            work=f"1 MB of markup: {name}",
            unit="s",
            measured=Spread([times[-1]]),
            reference_work="1 MB of `<p>a</p>`",
            reference=Spread([paragraphs]),
            goal=at_most(_MOST_TIMES_PARAGRAPHS),
        )
        times = _times(_LARGEST_MARKUP, _render(markup, strip_tags))
        yield _growth(f"markup of a header: {name}", _LARGEST_MARKUP, times)


def _render(markup: Callable[[int], str], read: Callable[[str], str] = plain_text) -> Callable[[int], Work]:
    return lambda size: partial(read, markup(size))


def _course(key: str, entry: Callable[[int], Json]) -> Callable[[int], Work]:
    def prepare(size: int) -> Work:
        body = msgspec.json.encode({"course": {"name": "a", key: [entry(n) for n in range(size)]}})
        return lambda: read_course(body)

    return prepare


def _quiz(fields: Callable[[int], Json]) -> Callable[[int], Work]:
    def prepare(size: int) -> Work:
        body = msgspec.json.encode({"quiz": {"title": "a", "quiz_type": "survey", **fields(size)}})
        return lambda: read_quiz(body)

    return prepare


def _question(
    fields: Callable[[int], Json], question_type: str = "matching_question"
) -> Callable[[int], Work]:
    return _quiz(lambda size: {"questions": [{"id": 1, "question_type": question_type, **fields(size)}]})


def _digits_of_a_number(size: int) -> Work:
    body = b'{"quiz": {"title": "a", "quiz_type": "survey", "points_possible": %b}}' % (b"9" * size)
    return lambda: read_quiz(body)


def _refused(prepare: Callable[[int], Work]) -> Callable[[int], Work]:
    """Prepare work that ends with a refusal; other work fails if its input is refused."""

    def prepare_refused(size: int) -> Work:
        work = prepare(size)

        def refuse() -> None:
            try:
                work()
            except InvalidInputError:
                return
            raise BenchmarkError("an input that is invalid was taken")

        return refuse

    return prepare_refused


def _attempt(fields: Callable[[int], Json]) -> Callable[[int], Work]:
    def prepare(size: int) -> Work:
        body = msgspec.json.encode({"quiz_submissions": [{**_ATTEMPT, **fields(size)}]})
        return lambda: _read_attempts(body)

    return prepare


def _read_attempts(body: bytes) -> None:
    _read_batches(read_document(body))


def _read_batches(batches: Batches, parser: ResponseParser | None = None) -> None:
    reader = EntryReader()
    for batch in batches:
        quiz_data = QuizDataReader(dict)
        for attempt in batch.attempts:
            entries = attempt.read_entries(reader)
            attempt.digest(entries, b"")
            if parser is not None:
                _, issues = parser.read(entries, attempt.attachments, attempt.path)
                batches.issues.skip(issues)
            if attempt.quiz_data is not None:
                quiz_data.read(attempt.quiz_data, attempt.path)
    batches.issues.finish()


def _attempts(size: int) -> Work:
    body = msgspec.json.encode(
        {"quiz_submissions": [{**_ATTEMPT, "id": n, "submission_data": [_entry(1)]} for n in range(size)]}
    )
    return lambda: _read_attempts(body)


def _lines_of_attempts(size: int) -> Work:
    lines = _lines([{**_ATTEMPT, "id": n, "submission_data": [_entry(1)]} for n in range(size)], {})
    return lambda: _read_batches(read_lines(_chunks(lines), _MOST_LINE_BYTES))


def _empty_lines(size: int) -> Work:
    lines = b"\n" * size
    return lambda: _read_batches(read_lines(_chunks(lines), _MOST_LINE_BYTES))


def _line(size: int) -> Work:
    lines = _lines([{**_ATTEMPT, "comment": "a" * size}], {})
    return lambda: _read_batches(read_lines(_chunks(lines), _MOST_LINE_BYTES))


def _responses(
    question_type: str,
    fields: Callable[[int], Json],
    answers: Callable[[int], Sequence[Json]] = lambda _: (),
) -> Callable[[int], Work]:
    """Read an entry as the response to a question, as JSON and as the text of its cell."""

    def prepare(size: int) -> Work:
        pushed = {"id": 1, "question_type": question_type, "answers": answers(size)}
        question = Question.of(msgspec.convert(pushed, PushedQuestion, dec_hook=convert_leaf))
        parser = ResponseParser([question])
        entry = {"question_id": 1, "correct": True, "points": 1.0, **fields(size)}
        body = msgspec.json.encode({"quiz_submissions": [{**_ATTEMPT, "submission_data": [entry]}]})
        return lambda: _read_batches(read_document(body), parser)

    return prepare


def _entry(number: int) -> Json:
    return {"question_id": number, "correct": True, "points": 1.0, "answer_id": 8001, "text": "8001"}


def _choice_question(number: int) -> Json:
    answers = [{"id": n, "text": "<p>Ribosome</p>", "weight": 0} for n in range(4)]
    return {"id": number, "question_type": "multiple_choice_question", "answers": answers}


def _keys_of_an_entry(size: int) -> Json:
    return {"submission_data": [{f"answer_{n}": "1" for n in range(size)}]}


def _bare_keys_of_an_entry(size: int) -> Work:
    """Decode and encode a map in the order of its keys, and do nothing else."""
    body = msgspec.json.encode(_keys_of_an_entry(size))
    return lambda: msgspec.json.encode(msgspec.json.decode(body), order="deterministic")


def _unknown_keys(size: int) -> Json:
    return {f"key{n}": n for n in range(size)}


def _unknown_keys_with_lists(size: int) -> Json:
    return {f"key{n}": [n] for n in range(size)}


def _entries_under_an_unknown_key(size: int) -> Json:
    return {"other": [{"a": 1}] * size}


def _bare(fields: Callable[[int], Json]) -> Callable[[int], Work]:
    """Decode an object with these fields, and do nothing else."""

    def prepare(size: int) -> Work:
        body = msgspec.json.encode(fields(size))
        return lambda: msgspec.json.decode(body)

    return prepare


def _bare_line(size: int) -> Work:
    """Join the chunks of a line, decode it, and do nothing else."""
    lines = _lines([{**_ATTEMPT, "comment": "a" * size}], {})
    return lambda: b"".join(_chunks(lines)).decode()


def _empty_attempts(size: int) -> Work:
    body = msgspec.json.encode({"quiz_submissions": [{}] * size})
    return lambda: _read_attempts(body)


def _item_analysis(size: int) -> Work:
    """Analyze an item with so many options, each of which one student chose."""
    item = Item(1, "a", 1.0, 1, True, tuple(Option(n, "a", float(n == 0)) for n in range(size)))
    scores = np.arange(size, dtype=np.float64) % 2
    answer_ids = pd.arrays.ArrowExtensionArray(pa.array([[n] for n in range(size)]))
    attempts = pd.DataFrame({"score": scores, "question_set_id": 1, "answer_ids": answer_ids})

    def analyze() -> None:
        analysis = ItemAnalysis([item], {1: [1]}, scores)
        analysis.add(attempts)
        analysis.rows()

    return analyze


_Reader = tuple[int, Callable[[int], Work]]
_READERS: Final[Mapping[str, _Reader]] = {
    "users of a course": (
        100_000,
        _course("users", lambda n: {"id": n, "name": "Ann Lee", "sis_user_id": f"s{n}"}),
    ),
    "sections of a course": (100_000, _course("sections", lambda n: {"id": n, "name": "Section A"})),
    "enrollments of a course": (
        100_000,
        _course("enrollments", lambda n: {"user_id": n, "section_id": 1, "type": "StudentEnrollment"}),
    ),
    "questions of a quiz": (
        10_000,
        _quiz(lambda size: {"questions": [_choice_question(n) for n in range(size)]}),
    ),
    "answers of a question": (
        5_000,
        _question(lambda size: {"answers": [{"id": n, "left": "a", "match_id": n} for n in range(size)]}),
    ),
    "matches of a question": (
        100_000,
        _question(lambda size: {"matches": [{"match_id": n, "text": "a"} for n in range(size)]}),
    ),
    "sets of variables of a question": (
        5_000,
        _question(
            lambda size: {
                "answers": [{"id": n, "variables": [{"name": "x", "value": n}]} for n in range(size)]
            },
            "calculated_question",
        ),
    ),
    "variables of a set": (
        100_000,
        _question(
            lambda size: {"answers": [{"id": 1, "variables": [{"name": f"x{n}"} for n in range(size)]}]},
            "calculated_question",
        ),
    ),
    "blanks of a question": (
        5_000,
        _question(
            lambda size: {"answers": [{"id": n, "blank_id": f"b{n}", "text": "a"} for n in range(size)]},
            "fill_in_multiple_blanks_question",
        ),
    ),
    "groups of a quiz": (
        10_000,
        _quiz(
            lambda size: {
                "questions": [
                    {"id": n, "entry_type": "quiz_group", "question_points": 1} for n in range(size)
                ]
            }
        ),
    ),
    "characters of a name": (8_000_000, _refused(_quiz(lambda size: {"title": "a" * size}))),
    "characters of a date": (
        8_000_000,
        _quiz(lambda size: {"published_at": f"2026-09-01T08:00:00.{'0' * size}Z"}),
    ),
    "digits of a number": (8_000_000, _refused(_digits_of_a_number)),
    "characters of a question's text": (8_000_000, _question(lambda size: {"question_text": "a" * size})),
    "attempts of a document": (50_000, _attempts),
    "attempts of lines": (50_000, _lines_of_attempts),
    "empty lines": (1_000_000, _empty_lines),
    "characters of a line": (8_000_000, _line),
    "entries of submission_data": (
        10_000,
        _attempt(lambda size: {"submission_data": [_entry(n) for n in range(size)]}),
    ),
    "keys of an entry": (100_000, _attempt(_keys_of_an_entry)),
    "attachments": (
        100_000,
        _attempt(lambda size: {"attachments": [{"id": n, "display_name": "essay.pdf"} for n in range(size)]}),
    ),
    "attachment_ids of an entry": (
        100_000,
        _responses("file_upload_question", lambda size: {"attachment_ids": [""] * size}),
    ),
    "characters of an essay": (
        8_000_000,
        _responses("essay_question", lambda size: {"text": "a b " * (size // 4)}),
    ),
    "selections of an entry": (
        5_000,
        _responses(
            "multiple_answers_question",
            lambda size: {f"answer_{n}": "1" for n in range(1, size + 1)},
            lambda size: [{"id": n, "text": "a"} for n in range(1, size + 1)],
        ),
    ),
    "matches of an entry": (
        5_000,
        _responses(
            "matching_question",
            lambda size: {f"answer_{n}": "1" for n in range(1, size + 1)},
            lambda size: [{"id": n, "text": "a", "match_id": 1} for n in range(1, size + 1)],
        ),
    ),
    "blanks of an entry": (
        5_000,
        _responses(
            "fill_in_multiple_blanks_question",
            lambda size: {f"answer_for_b{n}": "a" for n in range(1, size + 1)},
            lambda size: [{"id": n, "text": "a", "blank_id": f"b{n}"} for n in range(1, size + 1)],
        ),
    ),
    "questions of quiz_data": (
        10_000,
        _attempt(lambda size: {"quiz_data": [_choice_question(n) for n in range(size)]}),
    ),
    "unknown keys with lists": (200_000, _quiz(_unknown_keys_with_lists)),
    "unknown keys": (400_000, _quiz(_unknown_keys)),
    "entries under an unknown key": (400_000, _quiz(_entries_under_an_unknown_key)),
    "refused attempts of a document": (400_000, _refused(_empty_attempts)),
    "options of an item in item_analysis": (5_000, _item_analysis),
}
# Beyond the caches of a processor each byte takes longer in any program, and sorting takes n log n.
_BARE: Final[Mapping[str, Callable[[int], Work]]] = {
    "keys of an entry": _bare_keys_of_an_entry,
    "characters of a line": _bare_line,
    "unknown keys": _bare(_unknown_keys),
    "unknown keys with lists": _bare(_unknown_keys_with_lists),
    "entries under an unknown key": _bare(_entries_under_an_unknown_key),
}
_BARE_WORK: Final[Mapping[str, str]] = {
    "keys of an entry": "msgspec alone, which decodes and encodes them",
    "characters of a line": "joining and decoding it",
    "unknown keys": "msgspec alone, which decodes them",
    "unknown keys with lists": "msgspec alone, which decodes them",
    "entries under an unknown key": "msgspec alone, which decodes them",
}


def _refusals(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Compare the push of an exam with pushes, and checks, of the same attempts that all have one fault."""
    size = min(_REFUSED_ATTEMPTS, stack.plan.main_size)
    log_line(f"refusing and checking {size:,} attempts")
    population = Population(Course(_COURSE, students_of(size)), _QUIZ, attempts=size, questions=_QUESTIONS)
    stack.loader.load_course(population.course)
    stack.loader.load_quiz(population)
    blocks = [population.block(start) for start in range(0, size, BLOCK)]
    attempts = [population.pushed(block, row) for block in blocks for row in range(len(block.number))]
    push = partial(_push, stack, population)
    valid = Spread([cpu_seconds(partial(push, _lines(attempts, {}), _RollBackError))])
    faults: Mapping[str, Json] = {
        "an attempt that is 0": {"attempt": 0},
        "an unknown user": {"user_id": 1},
        "an entry that is no object": {"submission_data": [1]},
    }
    for name, fault in faults.items():
        yield Outcome(
            figure=f"inputs/refused: {name}",
            work=f"a refused push of {size:,} attempts: {name}",
            unit="s",
            measured=Spread([cpu_seconds(partial(push, _lines(attempts, fault), InvalidInputError))]),
            reference_work="the same attempts, valid",
            reference=valid,
            goal=at_most(_MOST_OF_VALID),
        )
    check = partial(_check, stack, population)
    to_checked_size = _CHECKED_ATTEMPTS / size
    checked = Spread([cpu_seconds(partial(check, _lines(attempts, {})))]).times(to_checked_size)
    for name, fault in {**faults, "a NUL": {"comment": "\0"}}.items():
        yield Outcome(
            figure=f"inputs/check: {name}",
            work=f"a check of {_CHECKED_ATTEMPTS:,} attempts, by that of {size:,}: {name}",
            unit="s",
            measured=Spread([cpu_seconds(partial(check, _lines(attempts, fault)))]).times(to_checked_size),
            reference_work="the same attempts, valid",
            reference=checked,
            goal=at_most(_MOST_OF_CHECKED),
            remark=f"a check ends after {MOST_CHECK_SECONDS:.0f} s",
        )


def _lines(attempts: Sequence[Json], fault: Json) -> bytes:
    return msgspec.json.Encoder().encode_lines([{**attempt, **fault} for attempt in attempts])


class _RollBackError(Exception):
    """A valid push is rolled back, so that the next one finds the same database."""


def _push(stack: BenchmarkStack, population: Population, lines: bytes, expected: type[Exception]) -> None:
    batches = read_lines(_chunks(lines), _MOST_LINE_BYTES)
    with contextlib.suppress(expected), stack.database.transaction() as session:
        apply_attempts(session, population.course.id, population.quiz_id, batches)
        raise _RollBackError


def _check(stack: BenchmarkStack, population: Population, lines: bytes) -> None:
    """Check all attempts, however long it takes and however many issues they have."""
    issues = Checked(most_issues=len(lines), most_seconds=math.inf)
    batches = read_lines(_chunks(lines), _MOST_LINE_BYTES, issues)
    with contextlib.suppress(_RollBackError), stack.database.transaction() as session:
        apply_attempts(session, population.course.id, population.quiz_id, batches)
        raise _RollBackError


def _chunks(lines: bytes) -> Iterator[bytes]:
    return (lines[start : start + _CHUNK_BYTES] for start in range(0, len(lines), _CHUNK_BYTES))
