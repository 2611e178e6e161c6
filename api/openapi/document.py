"""The OpenAPI 3.1 document, made from what each route declares: its path, its scope, its operation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from api.auth import scope_of
from api.media_types import JSON
from api.openapi.decorators import Content, Operation, Parameter, ResponseSpec, operation_of
from api.openapi.request_bodies import (
    Anything,
    Boolean,
    BooleanText,
    ObjectKey,
    SectionIds,
    SectionIdsText,
    SubmissionLine,
    SubmissionRow,
)
from api.openapi.schemas import Error
from api.params import TRUE_OR_FALSE
from models.payloads.json_values import Id, Text

_SCHEMA: Final = "#/components/schemas/{name}"
_TRUE_OR_FALSE: Final = {"type": "string", "pattern": TRUE_OR_FALSE}
_NUMBER: Final = {"type": "string", "pattern": "^-?[0-9]{1,19}$"}
_ID: Final = {"anyOf": [{"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, _NUMBER]}
_SECTION_IDS: Final = {"type": "string", "pattern": r"^\s*(-?[0-9]{1,19})?\s*(,\s*(-?[0-9]{1,19})?\s*)*$"}
# The types that msgspec does not know.
_LEAVES: Final[Mapping[type[Any], dict[str, Any]]] = {
    Id: _ID,
    ObjectKey: {"type": ["integer", "string"]},
    Text: {"type": ["string", "number", "null"]},
    BooleanText: _TRUE_OR_FALSE,
    Boolean: {"anyOf": [{"type": ["boolean", "null"]}, {"enum": [0, 1]}, _TRUE_OR_FALSE]},
    SectionIdsText: _SECTION_IDS,
    SectionIds: {
        "anyOf": [
            {"type": "array", "items": {"anyOf": [_ID, _SECTION_IDS]}},
            _ID,
            _SECTION_IDS,
            {"type": "null"},
        ]
    },
    Anything: {"description": (Anything.__doc__ or "").strip()},
}
# Each parameter of a path: its schema, its meaning and an example.
_PATH: Final[Mapping[str, tuple[Mapping[str, Any], str, str]]] = {
    "course_id": (
        {"type": "string", "pattern": "^(-?[0-9]{1,19}|sis_course_id:[^/\u0000]+)$"},
        "The course: its id, or `sis_course_id:` and its SIS id.",
        "101",
    ),
    "quiz_id": (_NUMBER, "The quiz.", "201"),
    "assignment_id": (_NUMBER, "The assignment of the quiz.", "900"),
    "report_id": (_NUMBER, "The report.", "1"),
    "progress_id": (_NUMBER, "The Progress.", "1"),
    "file_id": (_NUMBER, "The File.", "1"),
    "page_part": ({"type": "string"}, "The file's name.", "swagger-ui.css"),
}
_HEADERS: Final = {
    "X-Request-Id": ("Identifies this request in the service's log.", True),
    "Link": (
        "The pages of the list: `current`, `first`, `last`, and `next` and `prev` where there are any.",
        True,
    ),
    "ETag": (
        "Identifies this state. A request with it as `If-None-Match` gets a 304 while nothing has changed.",
        True,
    ),
    "Retry-After": ("The number of seconds to wait before the next request.", False),
    "Location": ("Where the file is for the next five minutes.", True),
    "Content-Disposition": ("The name of the file.", True),
    "Content-Range": ("The part of the file that this is.", True),
    "WWW-Authenticate": ("How to authenticate; absent if the token lacks the scope.", False),
    "X-Rate-Limit-Remaining": (
        "How many requests this token has left in this minute, if there is a limit.",
        False,
    ),
}
_HEADERS_OF_REFUSALS: Final = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_ALWAYS_POSSIBLE: Final = (400, 413, 415, 500, 503)
REFUSALS: Final[Mapping[int, str]] = {
    400: "The request cannot be understood; the message says which part.",
    401: "No credentials, an invalid token, or one that lacks the scope of the route.",
    403: "The caller may not do this.",
    404: "The object does not exist, or does not belong to the course.",
    405: "The path has no such method.",
    409: "The state of the object does not allow it now.",
    413: "The body is too large.",
    415: "The type or the encoding of the body is not supported.",
    422: "The request is understood, but its content is invalid or the state does not allow it.",
    429: "The token has been used too often in this minute.",
    500: "An error in the service.",
    503: "The service is busy or being restarted.",
}
# Pages are for people: their addresses and forms may change without notice.
_PAGES: Final = "pages."
_SECURITY: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of this service, or a JSON Web Token that the LMS signed.",
    },
    "accessToken": {
        "type": "apiKey",
        "in": "query",
        "name": "access_token",
        "description": "The same token as a parameter of the query; it may also be a field of a form.",
    },
    "verifier": {
        "type": "apiKey",
        "in": "query",
        "name": "verifier",
        "description": "A parameter of a File's `url`, valid for that file and for one hour.",
    },
}
_ABOUT: Final = """\
Canvas-compatible quiz reports: student_analysis and item_analysis.

Request a report, follow its Progress, download its file. Ids are integers; with
`Accept: application/json+canvas-string-ids` each is a string. `Accept: application/vnd.api+json` gives
reports in Canvas's early form of JSON-API. Unknown keys and unknown values of `include` are ignored."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Route:
    """One method of one path, with the view that serves it."""

    method: str
    rule: Rule
    view: Callable[..., Any]

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it."""
        return re.sub(r"<(\w+)>", r"{\1}", self.rule.rule)

    @property
    def scope(self) -> str | None:
        """The scope that a token needs, or None if the route needs no token."""
        return scope_of(self.view)

    @property
    def operation(self) -> Operation:
        """What the view declares; raises RuntimeError if it declares nothing."""
        operation = operation_of(self.view)
        if operation is None:
            raise RuntimeError(f"{self.rule.endpoint} has no description")
        return operation


def routes(app: Flask) -> Iterator[Route]:
    """List the routes of the API, without the pages, and without HEAD and OPTIONS, which Flask adds."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(_PAGES):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield Route(method, rule, app.view_functions[rule.endpoint])


def document(app: Flask) -> Json:
    """Describe an application."""
    schemas = _Schemas()
    paths: Json = {}
    for route in routes(app):
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Quiz Reports", "version": metadata.version("quiz-reports"), "description": _ABOUT},
        "paths": paths,
        "components": {
            "securitySchemes": _SECURITY,
            "headers": {name: _header(name) for name in _HEADERS},
            "responses": {
                f"Refused{status}": _refusal(status, text, schemas) for status, text in REFUSALS.items()
            },
            "schemas": schemas.components,
        },
    }


class _Schemas:
    """Turns types into JSON schemas and collects the named ones."""

    def __init__(self) -> None:
        self.components: Json = {}

    def of(self, kind: Any) -> Json:
        """Return the schema of a type; a mapping already is a schema."""
        if isinstance(kind, Mapping):
            return dict(kind)
        (schema,), found = msgspec.json.schema_components(
            [kind], schema_hook=self._leaf, ref_template=_SCHEMA
        )
        for name, component in found.items():
            if self.components.setdefault(name, component) != component:
                raise RuntimeError(f"two types are called {name}")
        return schema

    def _leaf(self, kind: type[Any]) -> Json:
        if kind is SubmissionRow:
            return {"anyOf": [self.of(SubmissionLine), *SubmissionRow.WITHOUT_ATTEMPT]}
        return _LEAVES[kind]


def _operation(route: Route, schemas: _Schemas) -> Json:
    described = route.operation
    operation: Json = {
        "operationId": route.rule.endpoint,
        "summary": (route.view.__doc__ or "").strip().splitlines()[0].rstrip("."),
        "tags": [route.rule.endpoint.split(".")[0].replace("_", " ").capitalize()],
        "security": _security(route),
        "responses": dict(_responses(route, schemas)),
    }
    texts = [described.notes, f"Scope: `{route.scope}`" if route.scope else ""]
    if any(texts):
        operation["description"] = "\n\n".join(filter(None, texts))
    parameters = [_path_parameter(name) for name in re.findall(r"<(\w+)>", route.rule.rule)]
    parameters += [_parameter(parameter, schemas) for parameter in described.parameters]
    if parameters:
        operation["parameters"] = parameters
    if described.body:
        operation["requestBody"] = {
            "required": described.body_is_required,
            "content": _contents(described.body, schemas),
        }
    return operation


def _security(route: Route) -> list[Json]:
    if route.scope is None:
        return []
    ways: list[Json] = [{"bearer": [route.scope]}, {"accessToken": [route.scope]}]
    return [*ways, {"verifier": []}] if route.operation.accepts_verifier else ways


def _path_parameter(name: str) -> Json:
    schema, text, example = _PATH[name]
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": text,
        "schema": schema,
        "example": example,
    }


def _parameter(parameter: Parameter, schemas: _Schemas) -> Json:
    spec: Json = {
        "name": parameter.name,
        "in": "query",
        "description": parameter.text,
        "schema": schemas.of(parameter.kind),
    }
    return spec if parameter.example is None else {**spec, "example": parameter.example}


def _contents(contents: Mapping[str, Content], schemas: _Schemas) -> Json:
    return {
        media_type: {"schema": schemas.of(content.kind)}
        | ({} if content.example is None else {"example": content.example})
        for media_type, content in contents.items()
    }


def _responses(route: Route, schemas: _Schemas) -> Iterator[tuple[str, Json]]:
    described = route.operation
    for status, response in described.responses.items():
        yield str(status), _response(response, schemas)
    known = dict.fromkeys(_ALWAYS_POSSIBLE)
    if route.scope is not None:
        known |= dict.fromkeys((401, 403, 404, 429))
    for status in sorted({*known, *described.refusals} - set(described.responses)):
        if text := described.refusals.get(status):
            yield str(status), _refusal(status, text, schemas)
        else:
            yield str(status), {"$ref": f"#/components/responses/Refused{status}"}


def _response(response: ResponseSpec, schemas: _Schemas) -> Json:
    spec: Json = {
        "description": response.text,
        "headers": {name: _reference(name) for name in ("X-Request-Id", *response.headers)},
    }
    if response.content:
        spec["content"] = _contents(response.content, schemas)
    if response.links:
        spec["links"] = {
            name: {"operationId": link.endpoint, "parameters": dict(link.parameters)}
            for name, link in response.links.items()
        }
    return spec


def _refusal(status: int, text: str, schemas: _Schemas) -> Json:
    headers = _HEADERS_OF_REFUSALS.get(status, ())
    return _response(ResponseSpec(text, {JSON: Content(Error)}, headers), schemas)


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _header(name: str) -> Json:
    text, always = _HEADERS[name]
    return {"description": text, "required": always, "schema": {"type": "string"}}
