"""How a route says what it takes and gives: declared beside its scope, read by the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

JSON: Final = "application/json"
JSON_API: Final = "application/vnd.api+json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
HTML: Final = "text/html"
PLAIN: Final = "text/plain"

_VIEW_DESCRIPTION: Final = "quiz_reports_description"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Parameter:
    """A parameter outside the path and the body; its kind is a type that msgspec knows."""

    name: str
    kind: Any
    text: str
    example: Any = None
    path: str = "query"


@dataclass(frozen=True)
class Content:
    """A body of one media type: what it looks like, and an example of it."""

    kind: Any
    example: Any = None


@dataclass(frozen=True)
class Link:
    """Where an answer leads: another route, and which parts of the answer are its path's parameters."""

    endpoint: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What a route answers with one status; headers name those that `api.openapi.document` explains."""

    text: str
    content: Mapping[str, Content] = field(default_factory=dict)
    headers: Sequence[str] = ()
    links: Mapping[str, Link] = field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """What a route takes and gives beyond its path and its scope.

    `refusals` are the statuses of errors that this route alone has, each with the case; those that follow
    from its scope, its path and its body are known without.
    """

    answers: Mapping[int, Answer]
    parameters: Sequence[Parameter] = ()
    body: Mapping[str, Content] = field(default_factory=dict)
    body_is_needed: bool = True
    refusals: Mapping[int, str] = field(default_factory=dict)
    notes: str = ""
    takes_verifier: bool = False


def describe(answers: Mapping[int, Answer], **more: Any) -> Callable[[View], View]:
    """Declare what a route answers and takes; the keywords are the fields of `Description`."""
    description = Description(answers, **more)

    def declare(view: View) -> View:
        setattr(view, _VIEW_DESCRIPTION, description)
        return view

    return declare


def description_of(view: Callable[..., Any]) -> Description | None:
    """Tell what a route declares."""
    return getattr(view, _VIEW_DESCRIPTION, None)
