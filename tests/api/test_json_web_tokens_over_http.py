"""Contract, section 5: tokens that the LMS signs, with keys fetched over HTTP."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
import redis
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import QueuePool

from api.app import create_app
from api.json_web_tokens import TokenReader
from api.rate_limit import RateLimit
from api.services import Services
from models.access.tokens import Caller
from tests.factories import CALLERS, COURSE_ID, Api, reports_path

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER, AUDIENCE = "https://lms.test", "quiz-reports"
COURSE = f"/api/v1/courses/{COURSE_ID}"


class _Lms(BaseHTTPRequestHandler):
    def __init__(self, body: bytes, encoding: str, *args: Any) -> None:
        self._body = body
        self._encoding = encoding
        # The constructor of the base handles the request.
        super().__init__(*args)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self._body)))
        self.send_header("Content-Encoding", self._encoding)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(self._body)

    def log_message(self, *_: object) -> None: ...


def key_set() -> bytes:
    entry = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    return json.dumps({"keys": [{**entry, "kid": "one", "use": "sig", "alg": "RS256"}]}).encode()


@contextmanager
def serving(body: bytes, encoding: str = "identity") -> Iterator[str]:
    """Serve a body as the key set of the LMS, and give its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Lms, body, encoding)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/jwks"
        server.shutdown()
        thread.join()


@pytest.fixture
def jwks_url() -> Iterator[str]:
    with serving(key_set()) as url:
        yield url


@pytest.fixture
def api(api: Api, jwks_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    # The LMS is a thread of this process, which a busy machine may hold up for longer than three seconds.
    monkeypatch.setattr("api.json_web_tokens._FETCH_SECONDS", 60.0)
    settings = replace(api.settings, jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks_url=jwks_url)
    app = create_app(settings)
    yield replace(api, app=app, settings=settings)
    Services.of(app).close()


def bearer(caller: str, **claims: Any) -> dict[str, str]:
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(CALLERS[caller][0]), "exp": int(time.time()) + 60}
    return {"Authorization": f"Bearer {jwt.encode(body | claims, KEY, 'RS256', headers={'kid': 'one'})}"}


@pytest.mark.parametrize("caller", [caller for caller in CALLERS if caller != "admin"])
@pytest.mark.contract("5 Tokens", "JSON Web Tokens of the LMS; roles from the roster")
def test_the_roster_says_what_they_may(api: Api, caller: str) -> None:
    may = caller in {"teacher", "second_teacher", "ta"}
    response = api.get(COURSE, None, headers=bearer(caller, roles=["Administrator"], admin=True))
    assert response.status_code == (200 if may else 403)


def test_a_report_belongs_to_who_asked(api: Api) -> None:
    report = api.post(
        reports_path(), None, headers=bearer("ta"), json={"quiz_report": {"report_type": "item_analysis"}}
    ).json
    path = report["progress_url"].removeprefix("http://quiz-reports.test")
    assert api.get(path, None, headers=bearer("ta")).json["user_id"] == CALLERS["ta"][0]


@pytest.mark.contract("5 Tokens", "JSON Web Tokens of the LMS; roles from the roster")
def test_its_scopes_limit_it(api: Api) -> None:
    headers = bearer("teacher", scope="url:GET|/api/v1/courses/:id")
    assert api.get(COURSE, None, headers=headers).status_code == 200
    assert api.get(reports_path(), None, headers=headers).status_code == 401


@pytest.mark.contract("5 Tokens", "JSON Web Tokens of the LMS; roles from the roster")
def test_an_expired_one_is_refused(api: Api) -> None:
    response = api.get(COURSE, None, headers=bearer("teacher", exp=1))
    assert (response.status_code, response.json) == (401, {"errors": [{"message": "Invalid access token."}]})


def test_opaque_tokens_work_beside_them(api: Api) -> None:
    assert api.get(COURSE, "teacher").status_code == 200


def test_keys_that_cannot_be_fetched_are_a_503(api: Api) -> None:
    settings = replace(api.settings, jwt_jwks_url="http://127.0.0.1:1/jwks")
    response = replace(api, app=create_app(settings)).get(COURSE, None, headers=bearer("teacher"))
    assert (response.status_code, response.json["status"]) == (503, "service_unavailable")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"[]", "identity"),
        (b"no JSON", "identity"),
        # A small body may become a large one.
        (gzip.compress(key_set()), "gzip"),
        (key_set() + b" " * 2**21, "identity"),
    ],
    ids=["no object", "no JSON", "compressed", "large"],
)
def test_what_is_no_acceptable_key_set_is_a_503(api: Api, body: bytes, encoding: str) -> None:
    with serving(body, encoding) as url:
        settings = replace(api.settings, jwt_jwks_url=url)
        response = replace(api, app=create_app(settings)).get(COURSE, None, headers=bearer("teacher"))
    assert (response.status_code, response.json["status"]) == (503, "service_unavailable")


def test_no_connection_is_held_while_keys_are_fetched(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services.of(api.app)
    held: list[int] = []

    def read(token: str) -> Caller:
        pool = services.database.engine.pool
        assert isinstance(pool, QueuePool)
        held.append(pool.checkedout())
        return TokenReader(api.settings).read(token)

    monkeypatch.setattr(services.tokens, "read", read)
    assert api.get(COURSE, None, headers=bearer("teacher")).status_code == 200
    assert api.get(reports_path(), None, headers=bearer("teacher")).status_code == 200
    assert held == [0, 0]


def test_a_token_counts_as_one_however_its_signature_is_written(api: Api, redis_url: str) -> None:
    settings = replace(api.settings, rate_limit=3)
    app = create_app(settings)
    Services.of(app).rate_limit.close()
    # A minute that does not end while the test runs.
    Services.of(app).rate_limit = RateLimit(settings, clock=lambda: 600.0)
    limited = replace(api, app=app, settings=settings)
    token = bearer("teacher")["Authorization"]

    # The padding of base64 is optional.
    responses = [
        limited.get(COURSE, None, headers={"Authorization": token + "==" * (number % 2)}).status_code
        for number in range(5)
    ]

    assert responses == [200, 200, 200, 429, 429]
    with redis.Redis.from_url(redis_url) as broker:
        assert len(broker.keys("quiz-reports:*")) == 1
    Services.of(app).close()
