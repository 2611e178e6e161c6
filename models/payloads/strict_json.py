"""What pushed JSON must not contain, whatever its type: NUL, lone surrogates, repeated keys, endless lists.

The checks scan the text, and build no objects from a large one; only what is suspicious is examined closely.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, Literal

from models.errors import InvalidInputError, IssueKind, ValidationIssue

MOST_DEPTH: Final = 20
MOST_ENTRIES: Final = 500_000

# Not every issue of a text with more values is named, since all its values would have to be built.
_MOST_VALUES: Final = 1_000_000
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

# A closing quote is not required: searching for it from every quote would take for ever if there is none.
_STRING: Final = r'"[^"\\]*+(?:\\(?s:.)[^"\\]*+)*+"?+'
# An object without others in it; a key; a bracket; or all that comes before the next of them, with empty
# objects and lists. What is repeated may only fail before it has read anything: before 3.11.5, Python goes on
# behind what a possessive repeat has read in vain.
_TOKEN: Final = re.compile(
    rf'(\{{[^"\[\]{{}}]*+(?:{_STRING}[^"\[\]{{}}]*+)++\}})|({_STRING})\s*+:|([\[\]{{}}])|(?:(?!{_STRING}\s*+:){_STRING}|\{{\}}|\[\]|[^"\[\]{{}}]++)++'
)
_NOT_BRACKETS: Final = re.compile(r"[^\[\]{}]+")
_INNERMOST: Final = re.compile(r"\[\]|\{\}")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SUSPICIOUS: Final = re.compile("[\0\ud800-\udfff]")
_MOST_KEY_CHARACTERS: Final = 100


def require_strict(source: bytes, path: str, *, above: int = 0) -> None:
    """Raise InvalidInputError if JSON is nested deeply, is not UTF-8, or contains a NUL or a key twice.

    It may be a part of a document, with `above` levels of nesting around it. Malformed JSON passes unless it
    is deep: its decoder will report where the error is.
    """
    text = _text(source, path)
    holds_nul, may_be_built = "\\u0000" in text, is_small(source)
    if source.count(b",") >= MOST_ENTRIES:
        repeats_key = _scan(text, MOST_DEPTH - above, path)
    elif is_deep(text, MOST_DEPTH - above):
        raise InvalidInputError([_issue(path, f"is nested deeper than {MOST_DEPTH}")])
    else:
        # This is faster, but builds what it reads. What holds a NUL is examined closely anyway.
        repeats_key = not (holds_nul and may_be_built) and _repeats_key(text)
    if not holds_nul and not repeats_key:
        return
    if not may_be_built:
        reason = "holds a key twice" if repeats_key else "holds a NUL character"
        raise InvalidInputError([_issue(path, reason)])
    try:
        tree = _tree(text)
    except ValueError:
        return
    if issues := list(_not_strict(tree, path)):
        raise InvalidInputError(issues)


def explain(source: bytes, path: str, error: Exception) -> list[ValidationIssue]:
    """Tell why msgspec could not decode JSON; return an empty list if Python's own parser finds no reason."""
    try:
        require_strict(source, path)
    except InvalidInputError as refused:
        return list(refused.issues)
    try:
        tree = _tree(source.decode()) if is_small(source) else None
    except ValueError:
        tree = None
    if tree is None:
        return [_issue(path, f"is not valid JSON: {str(error).removeprefix('JSON is malformed: ')}")]
    return list(_not_strict(tree, path))


def is_small(source: bytes) -> bool:
    """Whether JSON is small enough to be decoded as a whole."""
    return sum(map(source.count, (b",", b"{", b"["))) <= _MOST_VALUES


def is_deep(text: str, most: int = MOST_DEPTH) -> bool:
    """Whether JSON is nested deeper than `most`."""
    brackets = _NOT_BRACKETS.sub("", re.sub(_STRING, "", text))
    for _ in range(most):
        outer = _INNERMOST.sub("", brackets)
        if len(outer) == len(brackets):
            # Nothing is left, or only what has no counterpart.
            return len(outer) > most
        brackets = outer
    return bool(brackets)


def may_hide_something(source: bytes) -> bool:
    """Whether a NUL, or a colon that would not be counted, may be written as an escape."""
    return b"\\" in source and any(escape in source for escape in (b"\\u0000", b"\\u003a", b"\\u003A"))


def _scan(text: str, most_depth: int, path: str) -> bool:
    """Tell whether an object has a key twice; raise InvalidInputError for deep nesting and endless lists."""
    # The keys of each open object, None for each open list; and how many entries each has at least.
    keys: list[set[str] | None] = []
    counts = [0]
    repeats_key = False
    for token in _TOKEN.finditer(text):
        flat, key, bracket = token.groups()
        if flat is not None:
            # Most objects are such, and one look at each is faster than one at each key.
            counts[-1] += keys[-1:] == [None]
            _require_depth(len(keys), most_depth, path)
            _require_few(_commas(flat), path)
            repeats_key = repeats_key or (flat.count(":") > 1 and _repeats_key(flat))
        elif key is not None:
            if keys and (seen := keys[-1]) is not None:
                key = _unescaped(key) if "\\" in key else key
                repeats_key = repeats_key or key in seen
                seen.add(key)
                counts[-1] += 1
        elif bracket is None:
            counts[-1] += _commas(token[0])
        elif bracket in "{[":
            counts[-1] += keys[-1:] == [None]
            _require_depth(len(keys), most_depth, path)
            keys.append(set() if bracket == "{" else None)
            counts.append(0)
        elif keys:
            keys.pop()
            counts.pop()
        _require_few(counts[-1], path)
    return repeats_key


def _require_depth(depth: int, most: int, path: str) -> None:
    if depth >= most:
        raise InvalidInputError([_issue(path, f"is nested deeper than {MOST_DEPTH}")])


def _require_few(n_entries: int, path: str) -> None:
    if n_entries > MOST_ENTRIES:
        raise InvalidInputError(
            [ValidationIssue(path, f"holds a list of more than {MOST_ENTRIES} entries", IssueKind.TOO_LONG)]
        )


def _commas(part: str) -> int:
    return re.sub(_STRING, "", part).count(",") if len(part) > MOST_ENTRIES else 0


def _unescaped(key: str) -> str:
    try:
        return f'"{json.loads(key)}"'
    except ValueError:
        # The decoder will report it.
        return key


def _text(source: bytes, path: str) -> str:
    if source.startswith(_BYTE_ORDER_MARK):
        raise InvalidInputError([_issue(path, "begins with a byte order mark")])
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError([_issue(path, f"is not valid UTF-8 (byte {error.start})")]) from None


class _RepeatedKeyError(Exception):
    """Some object has a key twice."""


def _require_distinct_keys(pairs: list[tuple[str, Any]]) -> None:
    # Nothing is returned, so nothing of the document is kept.
    if len({key for key, _ in pairs}) != len(pairs):
        raise _RepeatedKeyError


# Integers are not read: Python refuses those of thousands of digits.
_DISTINCT_KEYS: Final = json.JSONDecoder(object_pairs_hook=_require_distinct_keys, parse_int=len)


def _repeats_key(text: str) -> bool:
    try:
        _DISTINCT_KEYS.decode(text)
    except _RepeatedKeyError:
        return True
    except ValueError:
        return False
    return False


class _Pairs(list[tuple[str, Any]]):
    """An object's keys and values as they were written, so that a repeated key is still there."""


def _pairs_unless_strict(pairs: list[tuple[str, Any]]) -> _Pairs | Literal[True]:
    # Most objects are strict, and need neither be kept nor examined again.
    keys = set()
    for key, value in pairs:
        if key in keys or not (_is_plain(key) and _is_plain(value)):
            return _Pairs(pairs)
        keys.add(key)
    return True


def _tree(text: str) -> Any:
    """Parse JSON for `_not_strict`; True stands for an object that is surely strict."""
    return json.loads(text, object_pairs_hook=_pairs_unless_strict, parse_int=len)


def _not_strict(value: Any, path: str) -> Iterator[ValidationIssue]:
    # The recursion is no deeper than MOST_DEPTH, which was checked.
    if isinstance(value, str):
        yield from _not_strict_text(value, path)
    elif isinstance(value, float) and not math.isfinite(value):
        yield _issue(path, "is not a finite number")
    elif isinstance(value, _Pairs):
        seen = set()
        for key, inner in value:
            # Most are, and their paths need not be written.
            if key not in seen and _is_plain(key) and _is_plain(inner):
                seen.add(key)
                continue
            inner_path = f"{path}.{_shown(key)}" if path else _shown(key)
            if key in seen:
                yield _issue(inner_path, "is given twice")
            seen.add(key)
            yield from _not_strict_text(key, inner_path)
            yield from _not_strict(inner, inner_path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if not _is_plain(item):
                yield from _not_strict(item, f"{path}[{index}]")


def _is_plain(value: Any) -> bool:
    """Whether a value is surely strict: neither an object nor a list, nor a suspicious text or number."""
    kind = type(value)
    if kind is str:
        return (value.isascii() and "\0" not in value) or _SUSPICIOUS.search(value) is None
    return value is None or kind is int or kind is bool or (kind is float and math.isfinite(value))


def _not_strict_text(text: str, path: str) -> Iterator[ValidationIssue]:
    if "\0" in text:
        yield _issue(path, "holds a NUL character")
    if _LONE_SURROGATE.search(text):
        yield _issue(path, "holds half of a surrogate pair")


def _shown(key: str) -> str:
    # Paths are shown to people and written as UTF-8.
    return _LONE_SURROGATE.sub("\ufffd", key[:_MOST_KEY_CHARACTERS].replace("\0", "\ufffd"))


def _issue(path: str, reason: str) -> ValidationIssue:
    return ValidationIssue(path, reason, IssueKind.INVALID_JSON)
