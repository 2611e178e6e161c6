"""Entries of the same JSON are read once, as long as they are few and short, and never without a check."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import msgspec
import pytest

from models.content.questions import Answer, Question
from models.content.responses import ResponseParser
from models.errors import InvalidInputError
from models.lms.quizzes import QuestionType
from models.payloads import entries
from models.payloads.entries import EntryReader, PushedEntry, encoded

PLACE = "quiz_submissions[0].submission_data"
CHOICE = b'{"question_id":1,"answer_id":8001}'


def test_an_entry_that_was_read_before_is_the_same() -> None:
    reader = EntryReader()

    [first] = reader.read(b"[%b]" % CHOICE, PLACE)
    [second, other] = reader.read(b'[%b, {"question_id": 2}]' % CHOICE, PLACE)

    assert second is first
    assert first.value == msgspec.json.decode(CHOICE)
    assert other.value == {"question_id": 2}


def test_the_json_of_an_entry_is_that_of_its_value_and_not_of_its_spelling() -> None:
    [first, second, other] = EntryReader().read(
        b'[{"points": 1.0, "text": "\\u00e9"}, {"text":"\xc3\xa9","points":1.0}, {"text": "e"}]', PLACE
    )

    assert joined([first]) == joined([second])
    assert joined([first]) != joined([other])


def joined(entries: list[PushedEntry]) -> bytes:
    return b"".join(encoded(entries))


@pytest.mark.parametrize("piece", [1, 20, 2**16])
@pytest.mark.parametrize("count", range(4))
def test_the_pieces_of_entries_are_the_json_of_their_list(
    monkeypatch: pytest.MonkeyPatch, piece: int, count: int
) -> None:
    monkeypatch.setattr(entries, "_PIECE_BYTES", piece)
    source = [{"question_id": 1}, {"odd": [1, None, {}]}, {"text": "\U0001f600" * 200}][:count]

    found = EntryReader().read(msgspec.json.encode(source), PLACE)

    assert joined(found) == msgspec.json.encode(source)


def is_kept(reader: EntryReader, entry: bytes) -> bool:
    [first], [second] = reader.read(b"[%b]" % entry, PLACE), reader.read(b"[%b]" % entry, PLACE)
    assert first.value == second.value
    assert first.is_known == second.is_known == (first is second)
    return first is second


def test_long_entries_are_not_kept_and_no_more_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "_MOST_KNOWN_BYTES", 20)
    monkeypatch.setattr(entries, "_MOST_MEMORY", 1_000)
    reader = EntryReader()

    assert not is_kept(reader, b'{"text":"%b"}' % (b"a" * 20))
    assert is_kept(reader, b'{"question_id":1}')
    assert is_kept(reader, b'{"question_id":2}')
    assert not is_kept(reader, b'{"question_id":3}')


def test_a_reading_is_kept_if_it_fits_beside_the_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "_MOST_MEMORY", 2_000)
    reader = EntryReader()
    [entry, unknown] = reader.read(b'[%b,{"odd":[]}]' % CHOICE, PLACE)
    kept = []
    # What a reading took is free once another has its place.
    for memory in (900, 2_000, 900, 900, 1):
        entry.keep(reading := object(), memory)
        kept.append(entry.reading is reading)
    unknown.keep("reading", 0)

    assert kept == [True, False, True, True, True]
    assert unknown.reading is None
    assert is_kept(reader, b'{"question_id":2}')


EMOJI = "\U0001f600" * 400
SEVERAL = Question(
    1, QuestionType.MULTIPLE_ANSWERS, answers=tuple(Answer(number, text=EMOJI) for number in (1, 2))
)
# How many of each kind are read, which are more than are kept, and how each is made.
DISTINCT: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "tiny": (10_000, lambda number: b'{"":%d}' % number),
    "of many keys": (
        2_500,
        lambda number: b"{%b}" % b",".join(b'"%x":0' % (40 * number + key) for key in range(40)),
    ),
    "of keys and texts of two bytes": (
        2_500,
        lambda number: msgspec.json.encode(
            {chr(0x4E00 + number) + chr(0x4E00 + key): "ā" for key in range(25)}
        ),
    ),
    "of long labels": (
        2_500,
        lambda number: b'{"question_id":1,"answer_1":"1","answer_2":"1","":%d}' % number,
    ),
    "choices": (
        10_000,
        lambda number: b'{"question_id":1,"answer_1":"0","points":%d.5,"correct":true}' % number,
    ),
}


@pytest.mark.cost
@pytest.mark.no_cover
@pytest.mark.parametrize(("count", "entry"), DISTINCT.values(), ids=DISTINCT.keys())
def test_known_entries_take_no_more_memory_than_their_bound(
    count: int, entry: Callable[[int], bytes]
) -> None:
    parser = ResponseParser([SEVERAL])
    reader = EntryReader()
    tracemalloc.start()
    try:
        for number in range(count):
            parser.read(reader.read(b"[%b]" % entry(number), PLACE), {}, PLACE)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert 2 * 2**20 < taken < 9 * 2**20


@pytest.mark.parametrize(
    "entry", [b'{"text":"a","text":"b"}', b'{"text":"\\u0000"}', b'{"x":%b}' % (b"[" * 20 + b"]" * 20)]
)
def test_what_is_refused_is_refused_again(entry: bytes) -> None:
    reader = EntryReader()

    for _ in range(2):
        with pytest.raises(InvalidInputError):
            reader.read(b"[%b,%b]" % (CHOICE, entry), PLACE)


def test_more_entries_than_a_quiz_has_questions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MOST_QUESTIONS", 2)

    with pytest.raises(InvalidInputError, match="has more than 2 entries"):
        EntryReader().read(b"[1,2,3]", PLACE)
