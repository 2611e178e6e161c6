"""Strict JSON: what no document may contain is refused with its path and the reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from models.errors import InvalidInputError, ValidationIssue
from models.payloads import strict_json
from models.payloads.json_values import decode_document
from models.payloads.strict_json import MOST_DEPTH, require_strict


class Document(msgspec.Struct):
    school: dict[str, Any]


def issues(body: bytes | str) -> list[ValidationIssue]:
    with pytest.raises(InvalidInputError) as caught:
        decode_document(body.encode() if isinstance(body, str) else body, Document)
    return list(caught.value.issues)


def value(source: str) -> Any:
    return decode_document(f'{{"school": {{"x": {source}}}}}'.encode(), Document).school["x"]


@pytest.mark.parametrize("depth", [19, 100, 5_000, 100_000])
@pytest.mark.parametrize("pair", [("[", "]"), ('{"x":', "}"), ('{"x":', "")])
def test_nesting_deeper_than_twenty_is_refused(depth: int, pair: tuple[str, str]) -> None:
    inner = pair[0] * depth + "1" + pair[1] * depth
    refused = issues(f'{{"school": {{"x": {inner}}}}}')

    assert len(refused) == 1
    if pair[1] or depth > 40:
        assert refused == [ValidationIssue("", "is nested deeper than 20")]


def test_nesting_of_twenty_is_read_and_brackets_in_a_text_do_not_count() -> None:
    assert value("[" * 18 + '"' + "[" * 30 + '"' + "]" * 18)


@pytest.mark.parametrize(
    ("source", "path", "reason"),
    [
        (b'{"a": {"b": 1, "b": 2}}', "x.a.b", "is given twice"),
        (b'{"a": ["\\u0000"]}', "x.a[0]", "holds a NUL character"),
        (b'{"a\\u0000": 1}', "x.a\N{REPLACEMENT CHARACTER}", "holds a NUL character"),
    ],
)
def test_what_is_not_strict_is_named_at_its_path(source: bytes, path: str, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        require_strict(source, "x")
    assert caught.value.issues == (ValidationIssue(path, reason),)


def test_levels_above_a_part_count() -> None:
    part = b"[" * (MOST_DEPTH - 3) + b"]" * (MOST_DEPTH - 3)

    require_strict(part, "", above=3)
    with pytest.raises(InvalidInputError, match="nested deeper"):
        require_strict(part, "", above=4)


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert value('"\\\\u0000"') == "\\u0000"


def test_escaped_pairs_of_surrogates_are_characters() -> None:
    assert value('"\\ud83d\\ude00"') == "😀"


def test_a_place_can_be_written_as_utf_8_whatever_its_key() -> None:
    refused = issues('{"school": {"a\\ud800\\u0000": "\\u0000"}}')

    assert refused
    assert all("\0" not in issue.path and issue.path.encode() for issue in refused)


def verdict(source: bytes) -> tuple[ValidationIssue, ...]:
    try:
        require_strict(source, "x")
    except InvalidInputError as error:
        return error.issues
    return ()


@pytest.mark.parametrize(
    "value",
    [
        '{"a": 1, "b": [1, {"c": {}}]}',
        '{"a": [{"b": 1, "b": 2}]}',
        '{"a": [], "b": 1, "\\u0061": {}}',
        '{"a": [], "\\x": {}}',
        '{"a": {"a": []}, "b": {"a": [1]}}',
        '{"a": "]}, \\" ,[{", "b": []}',
        '["\\u0000", {"a": [1]}]',
        "[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1),
        "[" * MOST_DEPTH + '{"a": 1}' + "]" * MOST_DEPTH,
        "[" * MOST_DEPTH + "]" * MOST_DEPTH,
        '"a": [1]}}}]]',
    ],
)
def test_what_is_scanned_is_judged_as_what_is_built(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    built = verdict(value.encode())
    # Everything is scanned, and no list is too long.
    monkeypatch.setattr(strict_json, "MOST_ENTRIES", 0)
    monkeypatch.setattr(strict_json, "_require_few", lambda *_: None)

    assert verdict(value.encode()) == built


@pytest.mark.parametrize(
    ("source", "is_refused"),
    [
        ("[1, 2, 3]", False),
        ("[1, 2, 3, 4, 5]", True),
        ("[[], [], [], [], []]", True),
        ('[{"a": 1}, {"a": 1}, {"a": 1}, {"a": 1}]', True),
        ('{"a": {"b": []}, "c": [], "d": {}, "e": []}', True),
    ],
)
def test_a_list_or_an_object_of_too_many_entries_is_refused_before_it_is_built(
    monkeypatch: pytest.MonkeyPatch, source: str, *, is_refused: bool
) -> None:
    monkeypatch.setattr(strict_json, "MOST_ENTRIES", 3)

    found = [issue.reason for issue in verdict(source.encode())]

    assert found == (["holds a list of more than 3 entries"] if is_refused else [])
