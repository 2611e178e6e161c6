"""Hostile JSON: refused with the place and the reason, never a crash."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import InvalidInputError, ValidationIssue
from models.payloads.json_values import Id, Text, Timestamp, decode_document, to_id
from tests.cost import cpu_seconds

SECONDS = 20


class Pupil(msgspec.Struct):
    id: Id
    name: str
    is_new: bool = False
    score: float | None = None
    born_at: Timestamp | None = None
    nickname: Text = Text()


class School(msgspec.Struct):
    pupils: list[Pupil] | msgspec.UnsetType = msgspec.UNSET


class Document(msgspec.Struct):
    school: School


def issues(body: bytes | str) -> list[ValidationIssue]:
    with pytest.raises(InvalidInputError) as caught:
        decode_document(body.encode() if isinstance(body, str) else body, Document)
    return list(caught.value.issues)


def of_pupil(fields: str) -> list[ValidationIssue]:
    return issues(f'{{"school": {{"pupils": [{{"id": 1, "name": "a"}}, {{{fields}}}]}}}}')


def pupil(fields: str) -> Pupil:
    body = f'{{"school": {{"pupils": [{{{fields}}}]}}}}'.encode()
    pupils = decode_document(body, Document).school.pupils
    assert isinstance(pupils, list)
    return pupils[0]


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ('"id": true, "name": "a"', "id", "must be an integer, or a string of digits"),
        ('"id": 1.0, "name": "a"', "id", "must be an integer, or a string of digits"),
        ('"id": "x1", "name": "a"', "id", "must be an integer, or a string of digits"),
        ('"id": 9223372036854775808, "name": "a"', "id", "must be a 64-bit integer"),
        ('"id": "9223372036854775808", "name": "a"', "id", "must be a 64-bit integer"),
        ('"id": null, "name": "a"', "id", "must be an integer, or a string of digits"),
        ('"id": 1, "name": 5', "name", "expected `str`, got `int`"),
        ('"id": 1, "name": "a", "is_new": 1', "is_new", "expected `bool`, got `int`"),
        ('"id": 1, "name": "a", "is_new": "true"', "is_new", "expected `bool`, got `str`"),
        ('"id": 1, "name": "a", "score": true', "score", "expected `float | null`, got `bool`"),
        ('"id": 1, "name": "a", "score": "1"', "score", "expected `float | null`, got `str`"),
        ('"id": 1, "name": "a", "score": NaN', "score", "is not a finite number"),
        ('"id": 1, "name": "a", "score": -Infinity', "score", "is not a finite number"),
        ('"id": 1, "name": "a", "score": 1e400', "score", "is not a finite number"),
        ('"id": 1, "name": "a\\u0000b"', "name", "holds a NUL character"),
        ('"id": 1, "name": "a", "unknown": "\\u0000"', "unknown", "holds a NUL character"),
        ('"id": 1, "name": "\\ud800"', "name", "holds half of a surrogate pair"),
        ('"id": 1, "name": "\\udc00\\ud800"', "name", "holds half of a surrogate pair"),
        ('"id": 1, "name": "a", "name": "b"', "name", "is given twice"),
        ('"id": 1, "name": "a", "na\\u006de": "b"', "name", "is given twice"),
        *(
            (
                f'"id": 1, "name": "a", "born_at": {value}',
                "born_at",
                "must be a date and a time with its time zone, such as 2026-09-10T09:12:31Z",
            )
            for value in ('"2026-01-01"', '"2026-01-01T00:00:00"', '"yesterday"', "1767225600")
        ),
        ('"id": 1, "name": "a", "nickname": true', "nickname", "must be a text"),
        ('"id": 1', "name", "is missing"),
    ],
)
def test_a_wrong_value_is_refused_at_its_place(fields: str, path: str, reason: str) -> None:
    assert of_pupil(fields) == [ValidationIssue(f"school.pupils[1].{path}", reason)]


def test_every_wrong_place_is_named() -> None:
    body = '{"school": {"pupils": [{"id": true, "name": 1}, {"name": "a", "is_new": 0}, 7]}}'

    assert [issue.path for issue in issues(body)] == [
        "school.pupils[0].id",
        "school.pupils[0].name",
        "school.pupils[1].id",
        "school.pupils[1].is_new",
        "school.pupils[2]",
    ]


def test_no_more_than_twenty_places_are_named() -> None:
    body = '{"school": {"pupils": [' + ",".join(["7"] * 1000) + "]}}"

    assert len(issues(body)) == 20


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is not valid JSON: Input data was truncated"),
        (b'{"school": {}', "is not valid JSON: Input data was truncated"),
        (b'{"school": {},}', "is not valid JSON: trailing comma in object (byte 14)"),
        (b'{"school": {}} x', "is not valid JSON: trailing characters (byte 16)"),
        (b"{'school': {}}", "is not valid JSON: object keys must be strings (byte 1)"),
        (b'\xef\xbb\xbf{"school": {}}', "begins with a byte order mark"),
        (b'{"school": {"x": "\xff"}}', "is not valid UTF-8 (byte 18)"),
        (b'{"school": {"x": "\xed\xa0\x80"}}', "is not valid UTF-8 (byte 18)"),
        (b'{"school": {"x": "\x00"}}', "is not valid JSON: invalid character (byte 18)"),
        (b'{"school": {"x": "\n"}}', "is not valid JSON: invalid character (byte 18)"),
        ('{"school": {}}'.encode("utf-16"), "is not valid UTF-8 (byte 0)"),
        (b"[]", "expected `object`, got `array`"),
    ],
)
def test_what_is_no_json_document_is_refused_as_a_whole(body: bytes, reason: str) -> None:
    assert issues(body) == [ValidationIssue("", reason)]


def test_an_integer_of_thousands_of_digits_is_refused() -> None:
    assert of_pupil('"id": ' + "9" * 5_000)[0].path == "school.pupils[1].id"


def test_ids_are_read_from_integers_and_from_strings() -> None:
    assert pupil('"id": "9223372036854775807", "name": "a"').id == 2**63 - 1
    assert pupil('"id": 7, "name": "a"').id == 7


def test_texts_are_read_from_numbers_as_python_writes_them() -> None:
    assert pupil('"id": 1, "name": "a", "nickname": 4.3').nickname == "4.3"
    assert pupil('"id": 1, "name": "a", "nickname": 21').nickname == "21"
    assert pupil('"id": 1, "name": "a", "nickname": null').nickname == ""


@pytest.mark.cost
@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 400_000,
        b"[" * 800_000,
        b"[]" * 200_000,
        b'{"a":"b"},' * 50_000,
        b'"' * 400_000,
        b"\\" * 400_000,
        b'{"school": {"pupils": [' + b'{"a":1},' * 50_000 + b"{}]}}",
    ],
    ids=lambda body: body[:10].decode(),
)
def test_a_large_hostile_document_is_refused_soon(body: bytes) -> None:
    assert cpu_seconds(lambda: issues(body)) < SECONDS
    assert issues(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "name", "pupils", "x"]), inner),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    body = json.dumps({"school": {"pupils": [{"id": 1, "name": "a", "x": value}, value]}}).encode()

    with contextlib.suppress(InvalidInputError):
        decode_document(body, Document)


@given(st.binary(max_size=60))
@example(b"f\\u0000")
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for source in (body, b'{"school": {"pupils": [' + body + b"]}}"):
        with contextlib.suppress(InvalidInputError):
            decode_document(source, Document)


@pytest.mark.parametrize("value", ["", "-", "1_0", "１", " 1", "1\n", "0x1", 1.0, None, [], True])
def test_what_is_no_integer_is_no_id(value: object) -> None:
    with pytest.raises(ValueError, match="must be an integer"):
        to_id(value)


def test_a_type_without_a_reader_is_a_fault_of_the_program_and_not_of_the_json() -> None:
    with pytest.raises(NotImplementedError, match="complex"):
        decode_document(b"1", complex)


def test_of_large_json_only_the_first_issue_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    body = '{"school": {"pupils": [{"id": "x", "name": 1}]}}'
    assert [issue.path for issue in issues(body)] == ["school.pupils[0].id", "school.pupils[0].name"]
    monkeypatch.setattr("models.payloads.strict_json._MOST_VALUES", 1)

    assert [issue.path for issue in issues(body)] == ["school.pupils[0].id"]
