"""Hostile JSON to typed values: everything that is wrong becomes an issue with its path.

Refused are not only malformed JSON but also NaN, infinities, numbers out of range, NUL, lone surrogates,
duplicate keys, deep nesting, and values of the wrong type: a number is not a boolean, nor a boolean a number.
Unknown keys are skipped.
"""

from __future__ import annotations

import datetime
import itertools
import re
import types
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from models.db.ids import MAX_ID, MIN_ID
from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.payloads.strict_json import explain, is_small, require_strict

_DIGITS: Final = re.compile("-?[0-9]{1,19}", re.ASCII)

# PostgreSQL stores more years than Python reads, and a time zone may move a time by a day.
_MIN_YEAR: Final = 1900
_MAX_YEAR: Final = 9998

# What msgspec raises; a ValidationError is a DecodeError.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

MOST_NAME_CHARACTERS: Final = 255
MOST_TEXT_BYTES: Final = 8 * 2**20
MOST_NUMBER: Final = 1e12

# The name or title of something, or its id in another system. Some have an index, whose entries are limited
# in size; Canvas has the same limit.
Name = Annotated[str, msgspec.Meta(max_length=MOST_NAME_CHARACTERS)]

# A score, points or a weight, bounded so that all results computed from it are finite.
Number = Annotated[float, msgspec.Meta(ge=-MOST_NUMBER, le=MOST_NUMBER)]

Timestamp = Annotated[datetime.datetime, msgspec.Meta(tz=True)]

_PATH_IN_MESSAGE: Final = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_ABOUT_A_TIME: Final = re.compile("Invalid RFC3339|Expected `datetime")
_NOT_A_TIME: Final = "must be a date and a time with its time zone, such as 2026-09-10T09:12:31Z"

Value = TypeVar("Value")


class Id(int):
    """A 64-bit id of the LMS, written as an integer or as a string of digits."""

    # Without attributes it takes half the memory, and garbage collection leaves it out.
    __slots__ = ()


class Text(str):
    """A text; the LMS may also write a number or null."""

    __slots__ = ()


def decode_document(body: bytes, kind: type[Value]) -> Value:
    """Read a whole JSON document; raise InvalidInputError with up to twenty issues."""
    require_strict(body, "")
    return decode(body, kind, "")


def decode(source: bytes | msgspec.Raw, kind: type[Value], path: str) -> Value:
    """Read strict JSON as a type; raise InvalidInputError with an issue for every part that does not fit."""
    try:
        return msgspec.json.decode(source, type=kind, dec_hook=convert_leaf)
    except UNREADABLE as error:
        raise refusal(bytes(source), kind, path, error) from None


def decoder(kind: type[Value]) -> msgspec.json.Decoder[Value]:
    """Make a decoder that is used many times; `refusal` turns its errors into issues."""
    return msgspec.json.Decoder(kind, dec_hook=convert_leaf)


def refusal(source: bytes, kind: Any, path: str, error: Exception) -> InvalidInputError:
    """Make the error with every issue of JSON that could not be read as a type."""
    if not isinstance(error, msgspec.ValidationError):
        return InvalidInputError(explain(source, path, error))
    mismatch = _mismatch(error, path)
    if not is_small(source):
        return InvalidInputError([mismatch])
    try:
        value = msgspec.json.decode(source)
    except UNREADABLE as worse:
        return InvalidInputError(explain(source, path, worse) or [mismatch])
    issues = list(itertools.islice(find_issues(value, kind, path), InvalidInputError.MOST_ISSUES))
    return InvalidInputError(issues or [mismatch])


def find_issues(value: Any, kind: Any, path: str) -> Iterator[ValidationIssue]:
    """Find every part of a decoded value that does not fit a type, inside structs and lists as well."""
    if _is_unparsed(value, kind):
        # It is checked when it is parsed.
        return
    try:
        msgspec.convert(value, kind, dec_hook=convert_leaf)
    except msgspec.ValidationError as error:
        inner = _inner_issues(value, kind, path)
        yield next(inner, None) or _mismatch(error, path, _words(kind))
        yield from inner


def at(path: str, key: str | int) -> str:
    """Return the path of a key of the object, or of an index of the list, at a path."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def find_invalid_time(time: datetime.datetime | None, path: str) -> Iterator[ValidationIssue]:
    """Find a time that could not be stored, and read back in any time zone."""
    if time is not None and not _MIN_YEAR <= time.year <= _MAX_YEAR:
        yield ValidationIssue(path, f"must lie between the years {_MIN_YEAR} and {_MAX_YEAR}")


def convert_leaf(kind: type[Any], value: object) -> Any:
    """Read an `Id` or a `Text`; raise ValueError if the value is not one."""
    if kind is Id:
        return Id(to_id(value))
    if kind is Text:
        return Text(to_text(value))
    # So msgspec's hooks say that they do not know a type; a TypeError would pass for a fault of the value.
    raise NotImplementedError(kind)


def to_id(value: object) -> int:
    """Read an id written as an integer or as digits; raise ValueError if the value is not an id."""
    if type(value) is int or (isinstance(value, str) and _DIGITS.fullmatch(value)):
        if MIN_ID <= (number := int(value)) <= MAX_ID:
            return number
        raise ValueError("must be a 64-bit integer")
    raise ValueError("must be an integer, or a string of digits")


def to_number(value: object) -> float:
    """Read a score or points; raise ValueError if the value is not a number, or is out of range."""
    if type(value) is not int and type(value) is not float:
        raise ValueError("must be a number or null")
    if not -MOST_NUMBER <= value <= MOST_NUMBER:
        raise ValueError("must lie between -1e12 and 1e12")
    return float(value)


def to_text(value: object) -> str:
    """Read a text that may be written as a number or as null; raise ValueError if it is something else."""
    if isinstance(value, str):
        if len(value) > MOST_TEXT_BYTES // 4 and len(value.encode()) > MOST_TEXT_BYTES:
            raise ValueError(f"is longer than {MOST_TEXT_BYTES} bytes")
        return value
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError("must be a text")


def _inner_issues(value: Any, kind: Any, path: str) -> Iterator[ValidationIssue]:
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, msgspec.Struct) and isinstance(value, dict):
            for field in _fields(option):
                inner = at(path, field.encode_name)
                if field.encode_name in value:
                    yield from find_issues(value[field.encode_name], field.type, inner)
                elif field.required:
                    yield ValidationIssue(inner, "is missing", IssueKind.MISSING)
        elif get_origin(option) is list and isinstance(value, list):
            for index, item in enumerate(value):
                yield from find_issues(item, get_args(option)[0], at(path, index))


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[FieldInfo, ...]:
    # msgspec resolves the annotations each time.
    return msgspec.structs.fields(kind)


def _is_unparsed(value: Any, kind: Any) -> bool:
    is_raw, is_list_of_raw = _unparsed_parts(kind)
    return is_raw or (is_list_of_raw and isinstance(value, list))


@cache
def _unparsed_parts(kind: Any) -> tuple[bool, bool]:
    """Tell whether values of a type are left as JSON, and whether the entries of its lists are."""
    options = _options(kind)
    lists = [option for option in options if get_origin(option) is list]
    return msgspec.Raw in options, any(get_args(option)[0] is msgspec.Raw for option in lists)


@cache
def _options(kind: Any) -> tuple[Any, ...]:
    origin = get_origin(kind)
    if origin is Annotated:
        return _options(get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return tuple(option for inner in get_args(kind) for option in _options(inner))
    return (kind,)


@cache
def _words(kind: Any) -> str:
    """List the words that a type allows; empty if it is not an enumeration."""
    enums = (option for option in _options(kind) if isinstance(option, type) and issubclass(option, Enum))
    return ", ".join(sorted(word.value for enum in enums for word in enum))


def _mismatch(error: Exception, path: str, words: str = "") -> ValidationIssue:
    text = str(error)
    if found := _PATH_IN_MESSAGE.search(text):
        text, path = text[: found.start()], f"{path}{found[1]}" if path else found[1].removeprefix(".")
    if _ABOUT_A_TIME.match(text):
        text = _NOT_A_TIME
    elif words and text.startswith("Invalid enum value"):
        text = f"{text}, must be one of {words}"
    kind = IssueKind.INVALID_VALUE
    if text.startswith("Object missing required field"):
        kind = IssueKind.MISSING
    elif " of length <= " in text or " is longer than " in text:
        kind = IssueKind.TOO_LONG
    return ValidationIssue(path, text[:1].lower() + text[1:], kind)
