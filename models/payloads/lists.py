"""Lists of a pushed course or quiz: each entry is read by itself, so that an invalid one can be skipped."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.issues import Issues
from models.payloads.json_values import UNREADABLE, at, decode, decoder, refusal

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class PushedList(Generic[Entry]):
    """The valid entries of a list by their index in it, and the keys of the skipped ones by theirs.

    The list replaces what is stored, except that a skipped entry stays as it is stored. If even the key of a
    skipped entry cannot be read, its key is None, and nothing may be deleted.
    """

    path: str
    entries: Mapping[int, Entry]
    skipped: Mapping[int, Any] = field(default_factory=dict)

    @property
    def may_delete(self) -> bool:
        """Whether what is neither an entry nor skipped may be deleted."""
        return None not in self.skipped.values()

    def without(
        self,
        find: Callable[[Entry, str], Iterable[ValidationIssue]],
        key: Callable[[Entry], Any],
        issues: Issues,
    ) -> PushedList[Entry]:
        """Skip the entries in which `find`, given an entry and its path, finds issues."""
        entries, skipped = dict(self.entries), dict(self.skipped)
        for index, entry in self.entries.items():
            if found := list(find(entry, at(self.path, index))):
                issues.skip(found)
                skipped[index] = key(entries.pop(index))
        return PushedList(self.path, entries, skipped)


@dataclass(frozen=True)
class EntryKind(Generic[Entry]):
    """How the entries of a list are read.

    `read` raises InvalidInputError. `key` must differ from entry to entry; `repeated` is the reason that is
    given at the field `name` if it does not. `read_key` reads what is left of the key of an invalid entry.
    """

    read: Callable[[msgspec.Raw, str], Entry]
    key: Callable[[Entry], Hashable]
    read_key: Callable[[msgspec.Raw], Any]
    name: str
    repeated: str = "is given twice in this list"

    def read_list(self, sources: Sequence[msgspec.Raw], path: str, issues: Issues) -> PushedList[Entry]:
        """Read a list, until the issues are full."""
        entries: dict[int, Entry] = {}
        skipped: dict[int, Any] = {}
        seen: set[Hashable] = set()
        for index, source in enumerate(sources):
            if issues.is_full:
                # What was not read must not count as deleted.
                skipped[index] = None
                break
            entry_path = at(path, index)
            try:
                entry = self.read(source, entry_path)
            except InvalidInputError as error:
                issues.skip(error.issues)
                # Of a repeated key the first entry counts, be it valid or skipped.
                if (key := self.read_key(source)) is None or key not in seen:
                    skipped[index] = key
                    seen.add(key)
                continue
            if (key := self.key(entry)) in seen:
                issues.skip([ValidationIssue(at(entry_path, self.name), self.repeated, IssueKind.REPEATED)])
                continue
            seen.add(key)
            entries[index] = entry
        return PushedList(path, entries, skipped)


def entry_reader(kind: type[Entry]) -> Callable[[msgspec.Raw, str], Entry]:
    """Make a function that reads an entry of a type; it raises InvalidInputError."""
    decode_entry = decoder(kind).decode

    def read(source: msgspec.Raw, path: str) -> Entry:
        try:
            return decode_entry(source)
        except UNREADABLE as error:
            raise refusal(bytes(source), kind, path, error) from None

    return read


def key_reader(kind: type[msgspec.Struct], key: Callable[[Any], Any]) -> Callable[[msgspec.Raw], Any]:
    """Make a function that reads the key of an invalid entry by a type that has nothing else."""
    decode_key = decoder(kind).decode

    def read(source: msgspec.Raw) -> Any:
        try:
            return key(decode_key(source))
        except UNREADABLE:
            return None

    return read


def read_sources(source: msgspec.Raw, path: str, issues: Issues) -> Sequence[msgspec.Raw] | None:
    """Read the entries of a list as JSON; None if the list is left out, or skipped since it is none."""
    if not bytes(source):
        return None
    try:
        return decode(source, list[msgspec.Raw], path)
    except InvalidInputError as error:
        issues.skip(error.issues)
        return None
