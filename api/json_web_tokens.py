"""JSON Web Tokens that the LMS signs: they name the caller, and the roster says what the caller may do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import jwt
import structlog

from api.errors import InvalidTokenError, UnavailableError
from models.access.tokens import Caller
from models.settings import Settings

# Only algorithms with a private key: with HS256, anyone could sign with the public key as the secret.
ALGORITHMS = ("RS256", "ES256")
LEEWAY_SECONDS = 30
_MOST_KEY_SET_BYTES = 256 * 1024
_FETCH_SECONDS = 3.0
_MOST_LMS_ID = 2**63 - 1

_log = structlog.stdlib.get_logger(__name__)


def fetch_keys(url: str) -> Mapping[str, Any]:
    """Fetch a JSON Web Key Set; raise httpx.HTTPError or ValueError if that fails.

    A redirect is a failure: only the setting says where the keys come from.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    with (
        httpx.Client(timeout=_FETCH_SECONDS, follow_redirects=False) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        keys = json.loads(_read_all(response.raise_for_status()))
    if not isinstance(keys, dict):
        raise ValueError("the key set is not an object")
    return keys


def _read_all(response: httpx.Response) -> bytes:
    """Read a body; one that is compressed, large or slow is a ValueError."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ValueError("the key set is compressed")
    deadline = time.monotonic() + _FETCH_SECONDS
    body = b""
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > _MOST_KEY_SET_BYTES or time.monotonic() > deadline:
            raise ValueError("the key set is too large or arrives too slowly")
    return body


class KeySet(jwt.PyJWKClient):
    """The signing keys that the LMS publishes, kept and looked up by PyJWKClient.

    An unknown key id causes another fetch, so that rotated keys work at once. Clients can invent key ids, so
    there is a pause between fetches. Known keys remain valid while the LMS is unavailable.
    """

    FRESH_SECONDS = 300.0
    PAUSE_SECONDS = 10.0

    def __init__(self, url: str, *, fetch: Callable[[str], Mapping[str, Any]] = fetch_keys) -> None:
        # PyJWKClient counts its pause from successful fetches only; `fetch_data` counts it from every fetch.
        super().__init__(url, lifespan=self.FRESH_SECONDS, cooldown_duration=0)
        self._fetch = fetch
        self._lock = threading.Lock()
        self._published: Mapping[str, Any] | None = None
        self._fetched_at = -float("inf")

    def key(self, key_id: str | None) -> jwt.PyJWK:
        """Return the key of this id.

        Raises InvalidTokenError if there is none, and UnavailableError if no keys could be fetched so far.
        """
        try:
            if key_id is None:
                # An LMS that publishes a single key does not have to name it.
                (only,) = self.get_signing_keys()
                return only
            return self.get_signing_key(key_id)
        except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError) as error:
            raise UnavailableError("the signing keys of the LMS cannot be fetched") from error
        except (jwt.PyJWKClientError, ValueError) as error:
            raise InvalidTokenError("unknown signing key") from error

    def fetch_data(self) -> Mapping[str, Any]:
        """Return the key set as last fetched; raises PyJWKClientConnectionError if no fetch has succeeded."""
        with self._lock:
            if time.monotonic() - self._fetched_at >= self.PAUSE_SECONDS:
                self._fetched_at = time.monotonic()
                try:
                    self._published = self._fetch(self.uri)
                except (httpx.HTTPError, ValueError, RecursionError) as error:
                    # The rest of the address may hold a password.
                    host = httpx.URL(self.uri).host
                    _log.warning("signing_keys_not_fetched", host=host, reason=type(error).__name__)
        if self._published is None:
            raise jwt.PyJWKClientConnectionError("no keys have been fetched")
        return self._published


class TokenReader:
    """Reads the tokens of one issuer for one audience."""

    def __init__(self, settings: Settings, keys: KeySet | None = None) -> None:
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._keys = keys
        if keys is None and settings.jwt_jwks_url and settings.jwt_issuer and settings.jwt_audience:
            self._keys = KeySet(settings.jwt_jwks_url)

    def read(self, token: str) -> Caller:
        """Return the caller, or raise InvalidTokenError."""
        if self._keys is None:
            raise InvalidTokenError("no JSON Web Tokens are accepted")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise InvalidTokenError("algorithm not accepted")
            key = self._keys.key(header.get("kid"))
            if key.algorithm_name != header["alg"]:
                raise InvalidTokenError("the key is for another algorithm")
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, RecursionError, ValueError) as error:
            raise InvalidTokenError(type(error).__name__) from error
        return _caller(claims)


def signed_part(token: str) -> str:
    """Return what is signed of a JSON Web Token; one signature can be written in many ways."""
    return token.rpartition(".")[0]


def _caller(claims: Mapping[str, Any]) -> Caller:
    subject, scope = claims["sub"], claims.get("scope", "")
    is_id = isinstance(subject, str) and subject.isascii() and subject.isdigit() and len(subject) < 20
    if not is_id or int(subject) > _MOST_LMS_ID or not isinstance(scope, str):
        raise InvalidTokenError("the token names no user")
    return Caller(user_id=int(subject), is_admin=False, scopes=frozenset(scope.split()))
