"""The application: its blueprints, and what happens before and after each request."""

from __future__ import annotations

import re
import socket
import threading
import time
import uuid
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Protocol

import structlog
from flask import Flask, g, request
from werkzeug import Response
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix

from api.auth import check_token_before_body
from api.errors import UnsupportedContentError, register_error_handlers
from api.metrics import count_request
from api.overload import refuse_overdue_request
from api.pages.blueprint import pages
from api.pages.documentation import documentation
from api.routes.courses import courses
from api.routes.files import files
from api.routes.health import health
from api.routes.ingestion import ingestion
from api.routes.new_quiz_reports import new_quiz_reports
from api.routes.page_links import page_links
from api.routes.progress import progress
from api.routes.quiz_reports import quiz_reports
from api.routes.statistics import statistics
from api.services import Services, services
from models.logs import configure_logging
from models.settings import Settings

_MOST_BODY_BYTES = 2**20
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_MOST_HOST_LENGTH = 255
# How long the rest of a refused body is read.
_DISCARD_SECONDS = 10
_CHUNK_BYTES = 2**18
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

_log = structlog.stdlib.get_logger(__name__)


def create_app(settings: Settings) -> Flask:
    """Make the application; it connects to servers when a request first needs them."""
    if settings.jwt_jwks_url:
        settings.require("jwt_issuer", "jwt_audience")
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _MOST_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    Services(settings).register(app)
    register_error_handlers(app)
    for blueprint in (
        quiz_reports,
        new_quiz_reports,
        statistics,
        progress,
        files,
        courses,
        ingestion,
        page_links,
        pages,
        health,
        documentation,
    ):
        app.register_blueprint(blueprint)
    app.before_request(_begin)
    app.before_request(_require_valid_host)
    if settings.trusted_proxies:
        app.before_request(refuse_overdue_request)
    app.before_request(_read_body)
    app.after_request(_finish)
    app.after_request(_require_https)
    if settings.trusted_proxies:
        app.after_request(_read_what_the_proxy_sends)
    if hops := settings.trusted_proxies:
        # Only the headers that the proxy overwrites: it passes on a client's port and prefix unchanged.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    return app


def from_env() -> Flask:
    """Make the application from the environment, for a WSGI server."""
    settings = Settings.from_env(require=("database_url", "redis_url", "storage_url", "secret_key"))
    configure_logging(settings)
    return create_app(settings)


def _begin() -> None:
    g.began = time.perf_counter()
    request.environ["wsgi.input"] = _BodyInput(request.environ["wsgi.input"])
    given_id = request.headers.get("X-Request-Id", "")
    g.request_id = given_id if _REQUEST_ID.fullmatch(given_id) else uuid.uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class _BodyInput:
    """The input stream of the server; a body that cannot be read is a bad request."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes; raises BadRequest for a broken chunk or a closed connection."""
        try:
            return self._stream.read(size)
        except Exception as error:
            # Each server has its own exceptions for invalid HTTP.
            raise BadRequest from error


def _require_valid_host() -> None:
    # Links contain it if no public address is set. A request of HTTP/1.0 may omit it.
    header = request.environ.get("HTTP_HOST")
    # Werkzeug returns an empty host for a header that is not a host and a port.
    if header is not None and (not request.host or len(header) > _MOST_HOST_LENGTH):
        raise BadRequest


def _read_body() -> None:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedContentError("The body must not be compressed.")
    if request.method == "PUT":
        # Its route receives the body, which may be large.
        return
    if request.method == "POST" and request.content_length != 0:
        check_token_before_body()
    # The body is read before a route takes a connection, so a slow client occupies none.
    body = request.get_data()
    # Werkzeug silently cuts a body of unknown length at the limit.
    if request.content_length is None and len(body) >= _MOST_BODY_BYTES:
        raise RequestEntityTooLarge


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    if (left := g.get("requests_left")) is not None:
        response.headers["X-Rate-Limit-Remaining"] = str(left)
    for name, value in _HEADERS.items():
        if name not in response.headers:
            response.headers.add(name, value)
    seconds = time.perf_counter() - g.began
    route = request.url_rule.rule if request.url_rule else "none"
    # Clients can invent methods, and each would add a time series.
    method = request.method if request.method in _METHODS else "other"
    count_request(method, route, response.status_code, seconds)
    _log.info(
        "request",
        method=request.method,
        path=request.path,
        route=route,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
        user_id=g.get("user_id"),
    )
    return response


def _read_what_the_proxy_sends(response: Response) -> Response:
    # If the connection closed while the proxy still sends the body, the proxy would answer 502 instead.
    # The proxy has the whole body, so it sends fast; without one a slow client would occupy the thread.
    connection = request.environ.get("gunicorn.socket")
    if response.status_code >= HTTPStatus.BAD_REQUEST and connection is not None and _has_body():
        response.call_on_close(partial(_discard, request.environ["wsgi.input"], connection))
    return response


def _has_body() -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _discard(body: _Readable, connection: socket.socket) -> None:
    # However slowly the body comes, it then ends. A timeout of the socket would begin anew with each byte.
    limit = threading.Timer(_DISCARD_SECONDS, _end_reading, [connection])
    limit.start()
    try:
        # The proxy closes the connection when it has the response; then there is nothing more to read.
        while body.read(_CHUNK_BYTES):
            pass
    except BadRequest:
        pass
    finally:
        limit.cancel()


def _end_reading(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


def _require_https(response: Response) -> Response:
    # Without a trusted proxy, only the public address tells whether clients use HTTPS.
    if request.is_secure or services().settings.public_url.startswith("https://"):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
