"""The OpenAPI 3.1 document, made from what each route declares: its rule, its scope, its description."""

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
from api.openapi.decorators import JSON, Answer, Content, Description, Parameter, description_of
from api.openapi.request_bodies import Anything, Boolean, BooleanText
from api.openapi.schemas import Error
from api.params import TRUE_OR_FALSE
from models.payloads.json_values import Id, Text

_SCHEMA: Final = "#/components/schemas/{name}"
_TRUE_OR_FALSE: Final = {"type": "string", "pattern": TRUE_OR_FALSE}
_NUMBER: Final = {"type": "string", "pattern": "^-?[0-9]{1,19}$"}
# What a part of a path is called, which texts it may be, what it means, and one that could stand there.
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
    "X-Request-Id": ("Names this request in the service's log.", True),
    "Link": (
        "The pages of the list: `current`, `first`, `last`, and `next` and `prev` where there are any.",
        True,
    ),
    "ETag": ("Names this state; send it as `If-None-Match` to be told when nothing has changed.", True),
    "Retry-After": ("After how many seconds to ask again.", False),
    "Location": ("Where the file is for the next five minutes.", True),
    "Content-Disposition": ("The name to save the file under.", True),
    "Content-Range": ("Which part of the file this is.", True),
    "WWW-Authenticate": ("How to show who you are; absent where the token lacks the scope.", False),
    "X-Rate-Limit-Remaining": ("Requests left to this token in this minute, where there is a limit.", False),
}
_HEADERS_OF_REFUSALS: Final = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_WHENEVER: Final = (400, 413, 415, 500, 503)
REFUSALS: Final[Mapping[int, str]] = {
    400: "The request can not be understood; the message says which part.",
    401: "No credentials, a token that is not good, or one that lacks the route's scope.",
    403: "The caller may not do this.",
    404: "No such thing, or not below that course.",
    405: "The path has no such method.",
    409: "Not now: something else is under way.",
    413: "The body is too large.",
    415: "The body is of a type or an encoding that is not read here.",
    422: "Understood, and refused.",
    429: "The token was used too often in this minute.",
    500: "An error in the service.",
    503: "The service is busy or being restarted.",
}
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
        "description": "The same in the query; it may stand in a form, too.",
    },
    "verifier": {
        "type": "apiKey",
        "in": "query",
        "name": "verifier",
        "description": "Stands in a File's `url`; good for that file and for an hour.",
    },
}
_ABOUT: Final = """\
Canvas-compatible quiz reports: student_analysis and item_analysis.

Ask for a report, follow its Progress, download its file. Ids are integers; with
`Accept: application/json+canvas-string-ids` each is a string. `Accept: application/vnd.api+json` gives
reports in Canvas's early form of JSON-API. Unknown keys and unknown values of `include` are ignored."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Route:
    """One method of one path, and what its view declares."""

    method: str
    rule: Rule
    view: Callable[..., Any]

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it."""
        return re.sub(r"<(\w+)>", r"{\1}", self.rule.rule)

    @property
    def scope(self) -> str | None:
        """The scope that a token needs; None where nobody is asked for a token."""
        return scope_of(self.view)

    @property
    def description(self) -> Description:
        """What the view declares; RuntimeError if it declares nothing."""
        described = description_of(self.view)
        if described is None:
            raise RuntimeError(f"{self.rule.endpoint} has no description")
        return described


def routes(app: Flask) -> Iterator[Route]:
    """List every route of an application, but for what Flask answers by itself: HEAD and OPTIONS."""
    for rule in app.url_map.iter_rules():
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
    """Turns types into JSON schemas, and gathers those that have names."""

    def __init__(self) -> None:
        self.components: Json = {}

    def of(self, kind: Any) -> Json:
        """Return the schema of a type; a mapping is one already."""
        if isinstance(kind, Mapping):
            return dict(kind)
        (schema,), found = msgspec.json.schema_components([kind], schema_hook=_leaf, ref_template=_SCHEMA)
        for name, component in found.items():
            if self.components.setdefault(name, component) != component:
                raise RuntimeError(f"two types are called {name}")
        return schema


def _leaf(kind: type[Any]) -> Json:
    if kind is Id:
        return {"anyOf": [{"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, _NUMBER]}
    if kind is Text:
        return {"type": ["string", "number", "null"]}
    if kind is BooleanText:
        return dict(_TRUE_OR_FALSE)
    if kind is Boolean:
        return {"anyOf": [{"type": ["boolean", "null"]}, {"enum": [0, 1]}, _TRUE_OR_FALSE]}
    if kind is Anything:
        return {"description": (Anything.__doc__ or "").strip()}
    raise NotImplementedError(kind)


def _operation(route: Route, schemas: _Schemas) -> Json:
    described = route.description
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
            "required": described.body_is_needed,
            "content": _contents(described.body, schemas),
        }
    return operation


def _security(route: Route) -> list[Json]:
    if route.scope is None:
        return []
    ways: list[Json] = [{"bearer": [route.scope]}, {"accessToken": [route.scope]}]
    return [*ways, {"verifier": []}] if route.description.takes_verifier else ways


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
    written: Json = {
        "name": parameter.name,
        "in": parameter.path,
        "description": parameter.text,
        "schema": schemas.of(parameter.kind),
    }
    return written if parameter.example is None else {**written, "example": parameter.example}


def _contents(contents: Mapping[str, Content], schemas: _Schemas) -> Json:
    return {
        media_type: {"schema": schemas.of(content.kind)}
        | ({} if content.example is None else {"example": content.example})
        for media_type, content in contents.items()
    }


def _responses(route: Route, schemas: _Schemas) -> Iterator[tuple[str, Json]]:
    described = route.description
    for status, answer in described.answers.items():
        yield str(status), _answer(answer, schemas)
    known = dict.fromkeys(_WHENEVER)
    if route.scope is not None:
        known |= dict.fromkeys((401, 403, 404, 429))
    for status in sorted({*known, *described.refusals} - set(described.answers)):
        if text := described.refusals.get(status):
            yield str(status), _refusal(status, text, schemas)
        else:
            yield str(status), {"$ref": f"#/components/responses/Refused{status}"}


def _answer(answer: Answer, schemas: _Schemas) -> Json:
    written: Json = {
        "description": answer.text,
        "headers": {name: _reference(name) for name in ("X-Request-Id", *answer.headers)},
    }
    if answer.content:
        written["content"] = _contents(answer.content, schemas)
    if answer.links:
        written["links"] = {
            name: {"operationId": link.endpoint, "parameters": dict(link.parameters)}
            for name, link in answer.links.items()
        }
    return written


def _refusal(status: int, text: str, schemas: _Schemas) -> Json:
    return _answer(Answer(text, {JSON: Content(Error)}, _HEADERS_OF_REFUSALS.get(status, ())), schemas)


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _header(name: str) -> Json:
    text, always = _HEADERS[name]
    return {"description": text, "required": always, "schema": {"type": "string"}}
