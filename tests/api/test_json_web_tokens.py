"""JSON Web Tokens: which are believed, and how the keys are kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from api.errors import InvalidTokenError, UnavailableError
from api.json_web_tokens import KeySet, TokenReader
from models.access.tokens import Caller
from models.settings import Settings

ISSUER, AUDIENCE, URL = "https://lms.test", "quiz-reports", "https://lms.test/jwks"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
SETTINGS = Settings(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_jwks_url=URL)


def published(**keys: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """What an LMS publishes: its public keys by their ids."""
    entries = []
    for key_id, key in keys.items():
        if isinstance(key, rsa.RSAPrivateKey):
            entry = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            entry["alg"] = "RS256"
        else:
            entry = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
            entry["alg"] = "ES256"
        entries.append({**entry, "kid": key_id, "use": "sig"})
    return {"keys": entries}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "7", "iat": now, "exp": now + 60} | changes
    return {name: value for name, value in body.items() if value is not None}


def token(key: Any = RSA_KEY, algorithm: str = "RS256", key_id: str | None = "rsa", **changes: Any) -> str:
    headers = {} if key_id is None else {"kid": key_id}
    return jwt.encode(claims(**changes), key, algorithm, headers=headers)


class Lms:
    """An LMS whose key set can be changed and taken away."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self.keys: Mapping[str, Any] | Exception = keys
        self.fetched = 0

    def fetch(self, url: str) -> Mapping[str, Any]:
        assert url == URL
        self.fetched += 1
        if isinstance(self.keys, Exception):
            raise self.keys
        return self.keys

    def reader(self) -> TokenReader:
        return TokenReader(SETTINGS, KeySet(URL, fetch=self.fetch))


@pytest.fixture
def lms() -> Lms:
    return Lms(published(rsa=RSA_KEY, ec=EC_KEY))


class Clock:
    """The clock that PyJWKClient reads, which can be turned on by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(("key", "algorithm", "key_id"), [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec")])
def test_a_token_that_the_lms_signed(lms: Lms, key: Any, algorithm: str, key_id: str) -> None:
    assert lms.reader().read(token(key, algorithm, key_id)) == Caller(7, is_admin=False, scopes=frozenset())


def test_its_scopes_count_and_its_roles_do_not(lms: Lms) -> None:
    caller = lms.reader().read(token(scope="url:GET|/a url:GET|/b", admin=True, roles=["admin"]))
    assert caller == Caller(7, is_admin=False, scopes=frozenset({"url:GET|/a", "url:GET|/b"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.test"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"sub": None},
        {"sub": "ann"},
        {"sub": "-7"},
        {"sub": "٣"},
        {"sub": "9" * 30},
        {"sub": ""},
        {"nbf": 2**40},
        {"scope": ["a"]},
    ],
    ids=str,
)
def test_claims_that_are_not_believed(lms: Lms, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        lms.reader().read(token(**changes))


def test_clocks_may_differ_a_little(lms: Lms) -> None:
    lms.reader().read(token(exp=int(time.time()) - 10))
    lms.reader().read(token(nbf=int(time.time()) + 10))
    with pytest.raises(InvalidTokenError):
        lms.reader().read(token(exp=int(time.time()) - 60))


def test_a_signature_of_another_key(lms: Lms) -> None:
    with pytest.raises(InvalidTokenError):
        lms.reader().read(token(OTHER_RSA_KEY))


def test_none_is_no_algorithm(lms: Lms) -> None:
    with pytest.raises(InvalidTokenError):
        lms.reader().read(jwt.encode(claims(), "", "none", headers={"kid": "rsa"}))


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_public_key_is_no_shared_secret(lms: Lms, encoding: Encoding) -> None:
    secret = RSA_KEY.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)

    def part(value: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "kid": "rsa"}) + b"." + part(claims())
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).rstrip(b"=")
    with pytest.raises(InvalidTokenError):
        lms.reader().read((signed + b"." + signature).decode())


def test_a_key_serves_its_own_algorithm_only(lms: Lms) -> None:
    for key, algorithm, key_id in (
        (RSA_KEY, "RS256", "ec"),
        (EC_KEY, "ES256", "rsa"),
        (RSA_KEY, "PS256", "rsa"),
    ):
        with pytest.raises(InvalidTokenError):
            lms.reader().read(token(key, algorithm, key_id))


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "ü.ü.ü", "e30.e30.e30", "." * 1000, "W10.e30.x"])
def test_nonsense(lms: Lms, text: str) -> None:
    with pytest.raises(InvalidTokenError):
        lms.reader().read(text)


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, jwt_issuer=""),
        replace(SETTINGS, jwt_audience=""),
        replace(SETTINGS, jwt_jwks_url=""),
    ],
    ids=["no issuer", "no audience", "no keys"],
)
def test_without_settings_no_token_is_accepted(settings: Settings) -> None:
    with pytest.raises(InvalidTokenError):
        TokenReader(settings).read(token())


@pytest.mark.parametrize("algorithm", [["RS256"], {}, None, 7, "rs256"], ids=str)
def test_a_header_whose_algorithm_is_none_of_ours(lms: Lms, algorithm: Any) -> None:
    header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "rsa"}).encode()).rstrip(b"=")
    with pytest.raises(InvalidTokenError):
        lms.reader().read(".".join([header.decode(), *token().split(".")[1:]]))


class TestKeys:
    def test_are_fetched_once_and_kept(self, lms: Lms) -> None:
        reader = lms.reader()
        for _ in range(3):
            reader.read(token())
        assert lms.fetched == 1

    def test_are_fetched_again_after_a_while(self, lms: Lms, clock: Clock) -> None:
        reader = lms.reader()
        reader.read(token())
        clock.now += KeySet.FRESH_SECONDS + 1
        lms.keys = published(ec=EC_KEY)
        with pytest.raises(InvalidTokenError):
            reader.read(token())
        assert lms.fetched == 2

    def test_a_rotated_key_works_at_once(self, lms: Lms, clock: Clock) -> None:
        reader = lms.reader()
        reader.read(token())
        clock.now += KeySet.PAUSE_SECONDS + 1
        lms.keys = published(next=OTHER_RSA_KEY)
        assert reader.read(token(OTHER_RSA_KEY, key_id="next")).user_id == 7

    def test_invented_key_ids_do_not_flood_the_lms(self, lms: Lms) -> None:
        reader = lms.reader()
        reader.read(token())
        for number in range(20):
            with pytest.raises(InvalidTokenError):
                reader.read(token(key_id=f"invented {number}"))
        assert lms.fetched == 1

    @pytest.mark.parametrize("trouble", [httpx.ConnectTimeout("slow"), ValueError("no JSON")])
    def test_known_keys_go_on_while_the_lms_is_away(self, lms: Lms, clock: Clock, trouble: Exception) -> None:
        reader = lms.reader()
        reader.read(token())
        lms.keys = trouble
        clock.now += KeySet.FRESH_SECONDS + 1
        assert reader.read(token()).user_id == 7

    def test_without_any_key_the_service_is_unavailable(self, clock: Clock) -> None:
        lms = Lms({})
        lms.keys = httpx.ConnectError("away")
        reader = lms.reader()
        with pytest.raises(UnavailableError):
            reader.read(token())
        lms.keys = published(rsa=RSA_KEY)
        clock.now += KeySet.PAUSE_SECONDS + 1
        assert reader.read(token()).user_id == 7

    def test_a_single_key_needs_no_id(self) -> None:
        assert Lms(published(rsa=RSA_KEY)).reader().read(token(key_id=None)).user_id == 7

    def test_of_several_one_must_be_named(self, lms: Lms) -> None:
        with pytest.raises(InvalidTokenError):
            lms.reader().read(token(key_id=None))

    @pytest.mark.parametrize(
        "strange",
        [
            {"keys": None},
            {"keys": [None, 7, {}, {"kty": "RSA"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"}]},
        ],
    )
    def test_what_is_no_usable_key_is_passed_over(self, strange: dict[str, Any]) -> None:
        with pytest.raises((InvalidTokenError, UnavailableError)):
            Lms(strange).reader().read(token())

    def test_a_key_for_encryption_signs_nothing(self) -> None:
        keys = published(rsa=RSA_KEY)
        keys["keys"][0]["use"] = "enc"
        with pytest.raises((InvalidTokenError, UnavailableError)):
            Lms(keys).reader().read(token())


def test_the_log_names_the_host_of_keys_that_cannot_be_fetched_and_no_password() -> None:
    def fail(_: str) -> Mapping[str, Any]:
        raise httpx.ConnectError("refused")

    with capture_logs() as logged, pytest.raises(UnavailableError):
        KeySet("https://u:canary@lms.test/keys", fetch=fail).key("rsa")

    assert [line["host"] for line in logged] == ["lms.test"]
    assert "canary" not in str(logged)
