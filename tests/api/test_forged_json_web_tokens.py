"""Whatever stands in a JSON Web Token's header or claims, the token is refused and nothing crashes."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from api.errors import InvalidTokenError
from api.json_web_tokens import KeySet, TokenReader
from models.settings import Settings

ISSUER, AUDIENCE, URL = "https://lms.test", "quiz-reports", "https://lms.test/jwks"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_ENTRY = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
KEYS = {"keys": [{**_ENTRY, "kid": "one", "use": "sig", "alg": "RS256"}]}

# As JSON, since Python could not write some of them.
ODD = [
    "null",
    "true",
    "1",
    "-1",
    "1e400",
    "NaN",
    "[]",
    "{}",
    '["RS256"]',
    '""',
    '"x"',
    '"' + "x" * 10_000 + '"',
]
ODD_CLAIMS = [*ODD, "9" * 400, '{"a": "quiz-reports"}', '[["quiz-reports"]]', '"\\ud800"']
SEGMENTS = [
    "",
    ".",
    "..",
    "...",
    "a.b.c",
    "a.b.c.d.e",
    "e30.e30.",
    "e30..e30",
    "é.é.é",
    "\0.\0.\0",
    "=.=.=",
    "W10.W10.W10",
]


@pytest.fixture(scope="module")
def reader() -> TokenReader:
    settings = Settings(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks_url=URL)
    return TokenReader(settings, KeySet(URL, fetch=lambda _: KEYS))


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: bytes, claims: bytes) -> str:
    content = f"{encode(header)}.{encode(claims)}"
    algorithm = jwt.get_algorithm_by_name("RS256")
    return f"{content}.{encode(algorithm.sign(content.encode(), KEY))}"


def as_json(values: dict[str, Any], name: str, odd: str) -> bytes:
    others = {key: value for key, value in values.items() if key != name}
    return f'{json.dumps(others)[:-1]}, "{name}": {odd}}}'.encode()


def header() -> dict[str, Any]:
    return {"alg": "RS256", "kid": "one", "typ": "JWT"}


def claims() -> dict[str, Any]:
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "7", "exp": int(time.time()) + 60}


def test_the_token_that_the_others_are_made_from_is_good(reader: TokenReader) -> None:
    assert reader.read(signed(json.dumps(header()).encode(), json.dumps(claims()).encode())).user_id == 7


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["alg", "kid", "crit", "b64", "zip", "enc"])
def test_odd_headers(reader: TokenReader, name: str, odd: str) -> None:
    token = signed(as_json(header(), name, odd), json.dumps(claims()).encode())
    try:
        assert reader.read(token).user_id == 7
    except InvalidTokenError:
        return
    # What RFC 7515 lets a reader disregard, and a single key that need not be named.
    assert name in {"zip", "enc", "b64"} or (name, odd) in {("kid", "null"), ("crit", "null")}


@pytest.mark.parametrize("odd", ODD_CLAIMS)
@pytest.mark.parametrize("name", ["exp", "nbf", "iss", "aud", "sub", "scope"])
def test_odd_claims(reader: TokenReader, name: str, odd: str) -> None:
    token = signed(json.dumps(header()).encode(), as_json(claims(), name, odd))
    try:
        reader.read(token)
    except InvalidTokenError:
        return
    # A number far away ends no token, one in the past begins it, and any text is a list of scopes.
    texts = {'""', '"x"', '"' + "x" * 10_000 + '"', '"\\ud800"'}
    accepted = {"exp": {"9" * 400}, "nbf": {"1", "-1", "true"}, "scope": texts}
    assert odd in accepted.get(name, set())


@pytest.mark.parametrize("token", SEGMENTS)
def test_odd_segments(reader: TokenReader, token: str) -> None:
    with pytest.raises(InvalidTokenError):
        reader.read(token)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"1", b"null", b'"x"', b"[" * 100_000, b"9" * 10_000]
)
def test_odd_contents(reader: TokenReader, content: bytes) -> None:
    for token in (
        signed(content, json.dumps(claims()).encode()),
        signed(json.dumps(header()).encode(), content),
    ):
        with pytest.raises(InvalidTokenError):
            reader.read(token)


def test_a_token_within_a_token(reader: TokenReader) -> None:
    inner = signed(json.dumps(header()).encode(), json.dumps(claims()).encode())
    nested = json.dumps({**header(), "cty": "JWT"}).encode()
    with pytest.raises(InvalidTokenError):
        reader.read(signed(nested, inner.encode()))
