"""The parameters of a request, in all of Canvas's spellings, read into frozen values.

An invalid parameter is a 400, but 401, 403 and 404 take precedence. Routes therefore read parameters that may
be invalid after they have found what the path names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from flask import request

from api.errors import InvalidParameterError, TooManySectionsError, UnsupportedContentError
from api.media_types import FORMS, JSON
from models.db.ids import MAX_ID, MIN_ID
from models.errors import InvalidInputError, NotFoundError
from models.issues import Checked, Issues, RefusedWhole, Skipped
from models.payloads.strict_json import require_strict
from models.reports.variants import MOST_SECTIONS

_TRUE = frozenset({"true", "1", "on", "yes", "t"})
_FALSE = frozenset({"false", "0", "off", "no", "f", ""})
# The same as a pattern of JSON Schema, which cannot ignore case.
TRUE_OR_FALSE = r"^\s*({})\s*$".format(
    "|".join(
        "".join(f"[{letter.upper()}{letter}]" if letter.isalpha() else letter for letter in word)
        for word in sorted(_TRUE | _FALSE, reverse=True)
    )
)
_ID = re.compile("-?[0-9]{1,19}")
_SIS_COURSE = "sis_course_id:"
_SIS_USER = "sis_user_id:"
# How forms and queries name the requested object, by its name in the singular.
_SPELLINGS = ("{}", "{}s[]", "{}s[0]")
_REPORT = "quiz_report"
_INCLUDABLE = frozenset({"file", "progress"})
_MOST_PER_PAGE = 100
_SKIP = "skip"


@dataclass(frozen=True)
class ReportParams:
    """The parameters of a request for a report; `models.reports.variants` reads its type and its format."""

    report_type: object
    includes_all_versions: bool
    section_ids: frozenset[int]
    format: object
    include: frozenset[str]


@dataclass(frozen=True)
class ListParams:
    """The parameters of a request that lists or shows reports."""

    includes_all_versions: bool
    section_ids: frozenset[int]
    include: frozenset[str]


_NO_LIST_PARAMS: Final = ListParams(includes_all_versions=False, section_ids=frozenset(), include=frozenset())


@dataclass(frozen=True)
class PageLinkParams:
    """The parameters of a request for a link to the pages: whom it signs in, and to which quiz.

    A course and a user are an id, or an SIS id as a string; `self` is the caller, here None.
    """

    user: int | str | None
    course: int | str
    quiz_id: int


@dataclass(frozen=True)
class PushParams:
    """What the invalid parts of a push lead to: it is refused, they are skipped, or it is only checked."""

    is_check: bool
    skips: bool

    def new_issues(self) -> Issues:
        """Make the policy for one try of the push."""
        if self.is_check:
            return Checked()
        return Skipped() if self.skips else RefusedWhole()


@dataclass(frozen=True)
class StatisticsParams:
    """The parameters of a request for statistics."""

    all_versions: bool
    section_ids: frozenset[int]


@dataclass(frozen=True)
class Page:
    """A page of a list, as a request asks for it."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """The number of entries before the page."""
        return (self.number - 1) * self.size


def object_id(text: str) -> int:
    """Read an id in a path; raises NotFoundError if it is not an integer of 64 bits."""
    if (number := object_id_or_none(text)) is None:
        raise NotFoundError
    return number


def object_id_or_none(text: str) -> int | None:
    """Read an id in a path, or return None if it is not an integer of 64 bits."""
    if _ID.fullmatch(text) is None or not MIN_ID <= int(text) <= MAX_ID:
        return None
    return int(text)


def course_key(text: str) -> int | str:
    """Read a course in a path: its id, or its SIS id as a string after `sis_course_id:`."""
    return _key(text, _SIS_COURSE)


def course_key_or_none(text: str) -> int | str | None:
    """Read a course in a path as `course_key` does, or return None if it cannot be one."""
    try:
        return course_key(text)
    except NotFoundError:
        return None


def report_params() -> ReportParams:
    """Read a request for a report: form, multipart, query, JSON or JSON-API."""
    sources = _Sources()
    return ReportParams(
        report_type=sources.nested("report_type"),
        includes_all_versions=_all_versions(sources),
        section_ids=_section_ids(sources),
        format=sources.nested_or_top("format"),
        include=_include(sources),
    )


def list_params() -> ListParams:
    """Read a request that lists or shows reports; the body of a GET may also hold its parameters."""
    if not (request.query_string or request.get_data()):
        return _NO_LIST_PARAMS
    sources = _Sources()
    return ListParams(
        includes_all_versions=_all_versions(sources),
        section_ids=_section_ids(sources),
        include=_include(sources),
    )


def push_params() -> PushParams:
    """Read how a push treats what is invalid; the body holds no parameters."""
    on_error = request.args.get("on_error", "")
    if on_error not in {"", _SKIP}:
        raise InvalidParameterError(f"on_error must be {_SKIP}")
    return PushParams(is_check=_boolean("check", request.args.get("check")), skips=on_error == _SKIP)


def statistics_params() -> StatisticsParams:
    """Read a request for statistics."""
    sources = _Sources()
    return StatisticsParams(
        all_versions=_boolean("all_versions", sources.top("all_versions")),
        section_ids=_section_ids(sources),
    )


def cancel_message() -> str | None:
    """Read the reason for a cancellation."""
    message = _Sources().top("message")
    if message is None or isinstance(message, str):
        return message
    raise InvalidParameterError("message must be a string")


def page_link_params() -> PageLinkParams:
    """Read a request for a link to the pages."""
    sources = _Sources()
    user, course, quiz = (
        _id_text(f"page_link[{name}]", sources.nested(name, "page_link"))
        for name in ("user_id", "course_id", "quiz_id")
    )
    return PageLinkParams(
        user=None if user == "self" else _key(user, _SIS_USER),
        course=course_key(course),
        quiz_id=object_id(quiz),
    )


def page() -> Page:
    """Read which page of a list is requested; as in Canvas, invalid numbers are ignored."""
    number, size = (_natural(request.args.get(name, "")) for name in ("page", "per_page"))
    return Page(number or 1, min(size or 10, _MOST_PER_PAGE))


def _natural(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def _key(text: str, sis_prefix: str) -> int | str:
    """Read an id, or an SIS id as a string after its prefix."""
    if not text.startswith(sis_prefix):
        return object_id(text)
    sis_id = text.removeprefix(sis_prefix)
    if not sis_id or "\0" in sis_id:
        raise NotFoundError
    return sis_id


def _id_text(name: str, value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        # JSON has one kind of number, and some writers add a fraction to each.
        return str(int(value))
    if isinstance(value, str) or type(value) is int:
        return str(value)
    raise InvalidParameterError(f"{name} must be an id")


class _Sources:
    """A request's parameters; as in Canvas, the query takes precedence over the body."""

    def __init__(self) -> None:
        self._flat = [request.args]
        self._json: Mapping[str, Any] = {}
        if body := request.get_data():
            self._read_body(body)
        if any("\0" in text for source in self._flat for text in _texts(source)):
            raise InvalidParameterError("The request contains a NUL character.")

    def _read_body(self, body: bytes) -> None:
        if request.mimetype in FORMS:
            self._flat.append(request.form)
        elif request.mimetype == JSON or request.mimetype.endswith("+json"):
            self._json = _read_json(body)
        else:
            raise UnsupportedContentError("The body must be a form or JSON.")

    def top(self, name: str) -> object:
        """Return a parameter at the top level, the last of several, or None."""
        for source in self._flat:
            if values := source.getlist(name):
                return values[-1]
        return self._json.get(name)

    def nested(self, name: str, parent: str = _REPORT) -> object:
        """Return a parameter of the requested object, or None."""
        for spelling in _SPELLINGS:
            if (value := self.top(f"{spelling.format(parent)}[{name}]")) is not None:
                return value
        return self._json_object(parent).get(name)

    def nested_or_top(self, name: str) -> object:
        """Return a parameter of the requested report, else the one at the top level, or None."""
        value = self.nested(name)
        return self.top(name) if value is None else value

    def all(self, name: str) -> Iterator[object]:
        """Yield every value of a parameter that may be a list, in any of its spellings."""
        yield from self._listed(name)
        yield from _as_list(self._json.get(name))

    def all_nested(self, name: str) -> Iterator[object]:
        """Yield every value of a parameter of the requested report that may be a list."""
        for spelling in _SPELLINGS:
            yield from self._listed(f"{spelling.format(_REPORT)}[{name}]")
        yield from _as_list(self._json_object(_REPORT).get(name))

    def _listed(self, name: str) -> Iterator[str]:
        for source in self._flat:
            yield from source.getlist(name)
            yield from source.getlist(f"{name}[]")

    def _json_object(self, name: str) -> Mapping[str, Any]:
        several = self._json.get(f"{name}s")
        first = several[0] if isinstance(several, list) and several else several
        for value in (self._json.get(name), first):
            if isinstance(value, dict):
                return value
        return {}


def _all_versions(sources: _Sources) -> bool:
    return _boolean("includes_all_versions", sources.nested_or_top("includes_all_versions"))


def _boolean(name: str, value: object) -> bool:
    if value is None:
        return False
    text = str(value).strip().lower() if isinstance(value, (str, int)) else "an object"
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidParameterError(f"{name} must be true or false")


def _section_ids(sources: _Sources) -> frozenset[int]:
    values = [*sources.all_nested("section_ids")] or [*sources.all("section_ids")]
    texts = (text.strip() for value in values for text in str(value).split(","))
    ids = {object_id_or_none(text) for text in texts if text}
    if None in ids:
        raise InvalidParameterError("section_ids must be integers")
    if len(ids) > MOST_SECTIONS:
        raise TooManySectionsError
    return frozenset(section_id for section_id in ids if section_id is not None)


def _include(sources: _Sources) -> frozenset[str]:
    names = {
        name.strip()
        for value in sources.all("include")
        if isinstance(value, str)
        for name in value.split(",")
    }
    return _INCLUDABLE & names


def _as_list(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


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
