"""The entries of `submission_data`; one that was read before, as most choices were, is not parsed again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from sys import getsizeof
from typing import Any, Final

import msgspec

from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.payloads.json_values import UNREADABLE, refusal
from models.payloads.questions import MOST_QUESTIONS
from models.payloads.strict_json import MOST_ENTRIES, may_hide_something, require_strict

# Choices are shorter, and most essays, which seldom repeat, are longer.
_MOST_KNOWN_BYTES: Final = 400
# The memory of all known entries of a request, with what was read from them; the last may exceed it.
_MOST_MEMORY: Final = 8 * 2**20
# An entry's objects, that of its reading, and its share of the table of all.
_MEMORY_OF_ENTRY: Final = 512

# So much JSON is digested at once, and more only if one entry is longer.
_PIECE_BYTES: Final = 2**16

# One object for each question; brackets in texts are counted, too.
_MOST_OBJECTS: Final = 100_000


class MemoryBudget:
    """How many bytes the known entries of a request may still take."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


class PushedEntry:
    """One entry of an attempt's `submission_data`, which several attempts may share.

    `json` is the same for the same value, however it was spelled; only a known entry keeps it. `reading` is
    for the parser of responses: what a known entry says to the question that it was last read for.
    """

    __slots__ = ("_budget", "_reading_memory", "json", "reading", "value")

    def __init__(self, value: Any, json: bytes | None = None, budget: MemoryBudget | None = None) -> None:
        self.value = value
        self.json = json
        self.reading: Any = None
        self._budget = budget
        self._reading_memory = 0

    @property
    def is_known(self) -> bool:
        """Whether other attempts may share it."""
        return self._budget is not None

    def keep(self, reading: Any, memory: int) -> None:
        """Keep a reading, whose texts take so many bytes of memory, if the entry is known and they fit."""
        if self._budget is None:
            return
        added = memory - self._reading_memory
        if added > 0 and added > self._budget.left:
            reading, memory, added = None, 0, -self._reading_memory
        self._budget.left -= added
        self.reading, self._reading_memory = reading, memory


class EntryReader:
    """Reads the entries of many attempts, and knows the first short ones that it met."""

    def __init__(self) -> None:
        self._known: dict[bytes, PushedEntry] = {}
        self._budget = MemoryBudget(_MOST_MEMORY)

    def read(self, source: bytes, path: str) -> list[PushedEntry]:
        """Read `submission_data`, the list at `path`; raise InvalidInputError.

        Entries are objects, whose keys depend on the question; others are left to the parser of responses.
        """
        try:
            if _may_be_built(source):
                return self._read(source, path)
            require_strict(source, path, above=1)
            # What is nested in the entries is left out.
            return [PushedEntry(_decode_flat(raw)) for raw in _split(source, path)]
        except UNREADABLE as error:
            raise refusal(source, list[Any] | None, path, error) from None

    def _read(self, source: bytes, path: str) -> list[PushedEntry]:
        is_strict = True
        entries: list[PushedEntry] = []
        for raw in _split(source, path):
            entry_source = bytes(raw)
            if (entry := self._known.get(entry_source)) is None:
                value = _decode_entry(entry_source)
                if not _is_surely_strict(entry_source, value):
                    is_strict = False
                    entry = PushedEntry(value)
                elif len(entry_source) <= _MOST_KNOWN_BYTES and self._budget.left > 0:
                    entry = self._known[entry_source] = self._make_known(entry_source, value)
                else:
                    entry = PushedEntry(value)
            entries.append(entry)
        if not is_strict:
            require_strict(source, path, above=1)
        return entries

    def _make_known(self, source: bytes, value: dict[str, Any]) -> PushedEntry:
        json = _encode(value)
        objects = (source, json, value, *value, *value.values())
        self._budget.left -= _MEMORY_OF_ENTRY + sum(map(getsizeof, objects))
        return PushedEntry(value, json, self._budget)


def encoded(entries: Iterable[PushedEntry]) -> Iterator[bytes]:
    """Encode entries as one list of JSON, in pieces; it is the same for the same values."""
    separator = b"["
    parts: list[bytes] = []
    size = 0
    for entry in entries:
        json = entry.json or _encode(entry.value)
        parts.append(json)
        size += len(json)
        if size >= _PIECE_BYTES:
            yield separator
            yield b",".join(parts)
            separator, parts, size = b",", [], 0
    if parts or separator == b"[":
        yield separator
        yield b",".join(parts)
    yield b"]"


def _may_be_built(source: bytes) -> bool:
    """Whether responses are few enough to be decoded at once; commas in texts are counted, too."""
    if len(source) <= _MOST_OBJECTS:
        return True
    return source.count(b"{") + source.count(b"[") <= _MOST_OBJECTS and source.count(b",") < MOST_ENTRIES


def _split(source: bytes, path: str) -> list[msgspec.Raw]:
    entries = _decode_raw_entries(source) or []
    if len(entries) > MOST_QUESTIONS:
        raise InvalidInputError(
            [ValidationIssue(path, f"has more than {MOST_QUESTIONS} entries", IssueKind.TOO_LONG)]
        )
    return entries


def _decode_flat(entry: msgspec.Raw) -> Any:
    if not bytes(entry).startswith(b"{"):
        # The parser of the responses reports that it must be an object.
        return None
    return {
        key: msgspec.json.decode(value)
        for key, value in _decode_pairs(entry).items()
        if key == "attachment_ids" or not bytes(value).startswith((b"{", b"["))
    }


def _is_surely_strict(source: bytes, value: Any) -> bool:
    """Whether an entry is surely strict: an object whose values are neither objects nor lists."""
    if type(value) is not dict or may_hide_something(source):
        return False
    if b"[" in source or source.count(b"{") != 1:
        return False
    colons = source.count(b":") - len(value)
    return colons == 0 or colons == sum(text.count(":") for text in value.values() if type(text) is str)


_decode_raw_entries: Final[Callable[[bytes], list[msgspec.Raw] | None]] = msgspec.json.Decoder(
    list[msgspec.Raw] | None
).decode
_decode_entry: Final[Callable[[bytes], Any]] = msgspec.json.Decoder().decode
_decode_pairs: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
