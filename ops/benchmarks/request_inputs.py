"""What comes in beside pushes: parameters, headers and small bodies, each as a whole request to the API."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from api.app import create_app
from ops.benchmarks.population import Course, Population
from ops.benchmarks.stack import BenchmarkStack

Prepare = Callable[[int], Callable[[], object]]

_COURSE, _QUIZ = 310, 3_100
_REPORTS: Final = f"/api/v1/courses/{_COURSE}/quizzes/{_QUIZ}/reports"
_PAGE_LINKS: Final = "/api/v1/page_links"
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
# The limits of gunicorn for a request's line and for a header, of Werkzeug for forms, of the API for bodies.
_LONGEST_QUERY, _LONGEST_HEADER, _LARGEST_FORM, _MOST_PARTS, _LARGEST_JSON = (
    8_000,
    8_000,
    500_000,
    1_000,
    10**6,
)


@dataclass(frozen=True)
class _Request:
    """A request: a GET without a body, else a POST."""

    path: str = _REPORTS
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""


def request_inputs(stack: BenchmarkStack) -> Mapping[str, tuple[int, Prepare]]:
    """Return each input's largest size, and what prepares a request of a size.

    A POST is refused after its parameters were read, so that no request starts a report.
    """
    population = Population(Course(_COURSE, 1), _QUIZ, attempts=1, questions=1)
    stack.loader.load_course(population.course)
    stack.loader.load_quiz(population)
    app = create_app(stack.settings)
    bearer = f"Bearer {stack.admin_token}"

    def sender(make: Callable[[int], _Request]) -> Prepare:
        def prepare(size: int) -> Callable[[], object]:
            request = make(size)
            environ = EnvironBuilder(
                request.path,
                method="POST" if request.body else "GET",
                query_string=request.query,
                headers=Headers({"Authorization": bearer, **request.headers}),
                content_type=request.content_type or None,
            ).get_environ()
            length = str(len(request.body))

            def send() -> object:
                body = io.BytesIO(request.body)
                return run_wsgi_app(app, {**environ, "wsgi.input": body, "CONTENT_LENGTH": length})

            return send

        return prepare

    return {name: (largest, sender(make)) for name, (largest, make) in _REQUESTS.items()}


def _query(make: Callable[[int], str]) -> Callable[[int], _Request]:
    return lambda size: _Request(query=make(size))


def _header(name: str, make: Callable[[int], str]) -> Callable[[int], _Request]:
    return lambda size: _Request(headers={name: make(size)})


def _body(content_type: str, make: Callable[[int], bytes]) -> Callable[[int], _Request]:
    return lambda size: _Request(body=make(size), content_type=content_type)


def _json(make: Callable[[int], Mapping[str, Any]], path: str = _REPORTS) -> Callable[[int], _Request]:
    return lambda size: _Request(path=path, body=msgspec.json.encode(make(size)), content_type=_JSON)


def _page_link(make: Callable[[int], Any]) -> Callable[[int], _Request]:
    return _json(
        lambda size: {"page_link": {"user_id": make(size), "course_id": 1, "quiz_id": 1}}, _PAGE_LINKS
    )


def _numbers(size: int) -> str:
    """Write so many characters of a list of numbers."""
    texts = (f"{number}," for number in itertools.count())
    return "".join(itertools.islice(texts, size // 4))[:size].rstrip(",")


def _pairs(size: int) -> str:
    return urlencode({f"a{number}": 1 for number in range(size // 7)})


def _parts(size: int) -> bytes:
    part = '--x\r\nContent-Disposition: form-data; name="a{}"\r\n\r\n1\r\n'
    return "".join([*(part.format(number) for number in range(size)), "--x--\r\n"]).encode()


def _digits(size: int) -> _Request:
    return _Request(
        path=_PAGE_LINKS, body=b'{"page_link": {"user_id": %b}}' % (b"9" * size), content_type=_JSON
    )


_REQUESTS: Final[Mapping[str, tuple[int, Callable[[int], _Request]]]] = {
    "characters of a query": (_LONGEST_QUERY, _query(lambda size: f"include={'a' * size}")),
    "parameters of a query": (_LONGEST_QUERY, _query(_pairs)),
    "section_ids of a query": (_LONGEST_QUERY, _query(lambda size: f"section_ids={_numbers(size)}")),
    "include of a query": (_LONGEST_QUERY, _query(lambda size: f"include={'file,' * (size // 5)}")),
    "characters of a path": (
        _LONGEST_QUERY,
        lambda size: _Request(path=f"/api/v1/courses/{quote('sis_course_id:' + 'a' * size)}/quizzes"),
    ),
    "languages of Accept-Language": (
        _LONGEST_HEADER,
        _header("Accept-Language", lambda size: ",".join(["xx;q=0.5"] * (size // 9))),
    ),
    "media types of Accept": (
        _LONGEST_HEADER,
        _header("Accept", lambda size: ",".join(["a/b"] * (size // 4))),
    ),
    "characters of a Bearer": (
        _LONGEST_HEADER,
        _header("Authorization", lambda size: f"Bearer {'a' * size}"),
    ),
    "spaces of a Bearer": (_LONGEST_HEADER, _header("Authorization", lambda size: f"Bearer{' ' * size}a b")),
    "tags of If-None-Match": (
        _LONGEST_HEADER,
        lambda size: _Request(
            path="/openapi.json", headers={"If-None-Match": ",".join(['"a"'] * (size // 4))}
        ),
    ),
    "cookies": (_LONGEST_HEADER, _header("Cookie", lambda size: "; ".join(["a=b"] * (size // 5)))),
    "characters of X-Request-Id": (_LONGEST_HEADER, _header("X-Request-Id", lambda size: "a" * size)),
    "fields of a form": (_LARGEST_FORM, _body(_FORM, lambda size: _pairs(size).encode())),
    "characters of a form's field": (_LARGEST_FORM, _body(_FORM, lambda size: b"a=" + b"%41" * (size // 3))),
    "parts of a multipart form": (_MOST_PARTS, _body("multipart/form-data; boundary=x", _parts)),
    "keys of a JSON body": (
        _LARGEST_JSON,
        _json(lambda size: {f"a{number}": 1 for number in range(size // 11)}),
    ),
    "section_ids of a JSON body": (_LARGEST_JSON, _json(lambda size: {"section_ids": [*range(size // 7)]})),
    "include of a JSON body": (_LARGEST_JSON, _json(lambda size: {"include": ["file"] * (size // 7)})),
    "objects of a JSON body": (_LARGEST_JSON, _json(lambda size: {"quiz_reports": [{}] * (size // 3)})),
    "characters of a page_link's user": (_LARGEST_JSON, _page_link(lambda size: "9" * size)),
    "characters of a page_link's SIS id": (
        _LARGEST_JSON,
        _page_link(lambda size: f"sis_user_id:{'a' * size}"),
    ),
    "characters of a cancellation's message": (
        _LARGEST_JSON,
        _json(lambda size: {"message": "a" * size}, "/api/v1/progress/0/cancel"),
    ),
    "digits of a number of a page_link": (_LARGEST_JSON, _digits),
}
