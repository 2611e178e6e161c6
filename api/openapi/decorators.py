"""How a route declares what it reads and what it returns; the OpenAPI document is made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

_VIEW_OPERATION: Final = "quiz_reports_operation"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query; its kind is a type that msgspec knows."""

    name: str
    kind: Any
    text: str
    example: Any = None


@dataclass(frozen=True)
class Content:
    """A body of one media type: its type, and an example."""

    kind: Any
    example: Any = None


@dataclass(frozen=True)
class Link:
    """A route that a response leads to, and where its path parameters are in the response."""

    endpoint: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class ResponseSpec:
    """What a route returns with one status; `api.openapi.document` describes the headers."""

    text: str
    content: Mapping[str, Content] = field(default_factory=dict)
    headers: Sequence[str] = ()
    links: Mapping[str, Link] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """What a route reads and returns, beside its path and its scope.

    `refusals` are the error statuses that are particular to this route, each with its reason. The document
    adds those that follow from the scope, the path and the body.
    """

    responses: Mapping[int, ResponseSpec]
    parameters: Sequence[Parameter] = ()
    body: Mapping[str, Content] = field(default_factory=dict)
    body_is_required: bool = True
    refusals: Mapping[int, str] = field(default_factory=dict)
    notes: str = ""
    accepts_verifier: bool = False


def describe(operation: Operation) -> Callable[[View], View]:
    """Declare what a route reads and returns."""

    def declare(view: View) -> View:
        setattr(view, _VIEW_OPERATION, operation)
        return view

    return declare


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """Return what a route declares, or None if it declares nothing."""
    return getattr(view, _VIEW_OPERATION, None)
