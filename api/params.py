"""Canvas's many spellings of parameters, read into frozen values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from flask import request

from api.errors import InvalidParameterError, UnsupportedContentError
from models.db.base import MAX_ID, MIN_ID
from models.errors import InvalidInputError, NotFoundError
from models.payloads.strict_json import require_strict

_TRUE = frozenset({"true", "1", "on", "yes", "t"})
_FALSE = frozenset({"false", "0", "off", "no", "f", ""})
# The same as a pattern of JSON Schema, which knows no way to ignore upper and lower case.
TRUE_OR_FALSE = r"^\s*({})\s*$".format(
    "|".join(
        "".join(f"[{letter.upper()}{letter}]" if letter.isalpha() else letter for letter in word)
        for word in sorted(_TRUE | _FALSE, reverse=True)
    )
)
_ID = re.compile("-?[0-9]{1,19}")
_SIS_COURSE = "sis_course_id:"
_INCLUDABLE = frozenset({"file", "progress"})
_MOST_PER_PAGE = 100
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


@dataclass(frozen=True)
class ReportWish:
    """What a request for a report asks for; the type is as it came, since only a quiz can judge it."""

    report_type: object
    includes_all_versions: bool
    format: object
    include: frozenset[str]


@dataclass(frozen=True)
class ListWish:
    """What a request for a quiz's reports, or for one of them, asks for."""

    includes_all_versions: bool
    include: frozenset[str]


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many entries come before it."""
        return (self.number - 1) * self.size


def object_id(text: str) -> int:
    """Read an id of a path; one that is no integer names nothing."""
    if not is_object_id(text):
        raise NotFoundError
    return int(text)


def is_object_id(text: str) -> bool:
    """Whether a part of a path can be an id."""
    return _ID.fullmatch(text) is not None and MIN_ID <= int(text) <= MAX_ID


def course_key(text: str) -> int | str:
    """Read a course of a path: an id, or `sis_course_id:` and the SIS id as a text."""
    if not text.startswith(_SIS_COURSE):
        return object_id(text)
    sis_id = text.removeprefix(_SIS_COURSE)
    if not sis_id or "\0" in sis_id:
        raise NotFoundError
    return sis_id


def report_wish() -> ReportWish:
    """Read a request for a report: form, multipart, query, JSON or JSON-API."""
    sources = _Sources()
    return ReportWish(
        report_type=sources.nested("report_type"),
        includes_all_versions=_all_versions(sources),
        format=sources.nested("format"),
        include=_include(sources),
    )


def list_wish() -> ListWish:
    """Read a request for reports that stand already; a GET may have its parameters in its body, too."""
    sources = _Sources()
    return ListWish(includes_all_versions=_all_versions(sources), include=_include(sources))


def cancel_message() -> str | None:
    """Read why a job is cancelled."""
    message = _Sources().top("message")
    if message is None or isinstance(message, str):
        return message
    raise InvalidParameterError("message must be a text")


def page() -> Page:
    """Read which page of a list is asked for; what makes no sense counts as absent, as in Canvas."""
    number, size = (_natural(request.args.get(name, "")) for name in ("page", "per_page"))
    return Page(number or 1, min(size or 10, _MOST_PER_PAGE))


def _natural(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


class _Sources:
    """A request's parameters: those of the query stand before those of the body, as in Canvas."""

    def __init__(self) -> None:
        self._flat = [request.args]
        self._json: Mapping[str, Any] = {}
        if body := request.get_data():
            self._read_body(body)
        if any("\0" in text for source in self._flat for text in _texts(source)):
            raise InvalidParameterError("The request holds a NUL character.")

    def _read_body(self, body: bytes) -> None:
        if request.mimetype in FORMS:
            self._flat.append(request.form)
        elif request.mimetype == "application/json" or request.mimetype.endswith("+json"):
            self._json = _read_json(body)
        else:
            raise UnsupportedContentError("The body must be a form or JSON.")

    def top(self, name: str) -> object:
        """Return a parameter at the top level; the last of several, None if there is none."""
        for source in self._flat:
            if values := source.getlist(name):
                return values[-1]
        return self._json.get(name)

    def nested(self, name: str) -> object:
        """Return a parameter of the report that is asked for; None if there is none."""
        for key in (f"quiz_report[{name}]", f"quiz_reports[][{name}]", f"quiz_reports[0][{name}]"):
            if (value := self.top(key)) is not None:
                return value
        return self._json_report.get(name)

    def all(self, name: str) -> Iterator[object]:
        """Give every value of a parameter that may be a list, in any of its spellings."""
        for source in self._flat:
            yield from source.getlist(name)
            yield from source.getlist(f"{name}[]")
        value = self._json.get(name)
        yield from value if isinstance(value, list) else [value]

    @cached_property
    def _json_report(self) -> Mapping[str, Any]:
        several = self._json.get("quiz_reports")
        first = several[0] if isinstance(several, list) and several else several
        for report in (self._json.get("quiz_report"), first):
            if isinstance(report, dict):
                return report
        return {}


def _all_versions(sources: _Sources) -> bool:
    value = sources.nested("includes_all_versions")
    if value is None:
        value = sources.top("includes_all_versions")
    return _boolean("includes_all_versions", value)


def _boolean(name: str, value: object) -> bool:
    if value is None:
        return False
    text = str(value).strip().lower() if isinstance(value, (str, int)) else "an object"
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidParameterError(f"{name} must be true or false")


def _include(sources: _Sources) -> frozenset[str]:
    names = {
        name.strip()
        for value in sources.all("include")
        if isinstance(value, str)
        for name in value.split(",")
    }
    return _INCLUDABLE & names


def _texts(source: Any) -> Iterator[str]:
    for name, value in source.items(multi=True):
        yield name
        yield value


def _read_json(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object: no NaN, no NUL, no lone surrogates, no key twice, not too deep."""
    try:
        require_strict(body, "")
        value = msgspec.json.decode(body)
    except InvalidInputError as error:
        raise InvalidParameterError(f"The body {error.issues[0].reason}.") from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidParameterError("The body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise InvalidParameterError("The body must be a JSON object.")
    return value
