"""Sessions of people who look at pages: a signed cookie that names a user, for one course and two hours."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer

SESSION_SECONDS: Final = 7200
# The machines of the API may differ in their clocks, so a session may seem to come from the future.
_LEEWAY_SECONDS: Final = 60


@dataclass(frozen=True)
class PageSession:
    """A user who opened a page link, and the course whose pages they may ask for.

    What they see there is decided at each request, by the roster of that moment.
    """

    session_id: str
    user_id: int
    course_id: int


class PageSessions:
    """Signs and reads the cookies and the tokens of forms; the clock gives seconds since 1970."""

    def __init__(self, secret_key: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._cookies = _serializer(secret_key, "page-session")
        self._forms = _serializer(secret_key, "page-form")

    def issue(self, user_id: int, course_id: int) -> str:
        """Begin a session, and return its cookie."""
        return _text(self._cookies.dumps([secrets.token_hex(16), user_id, course_id, int(self._clock())]))

    def read(self, cookie: str) -> PageSession | None:
        """Return the session of a cookie, or None if it is forged or has ended."""
        try:
            session_id, user_id, course_id, began = self._cookies.loads(cookie)
        except (BadSignature, UnicodeError):
            return None
        if not -_LEEWAY_SECONDS <= int(self._clock()) - began <= SESSION_SECONDS:
            return None
        return PageSession(session_id, user_id, course_id)

    def form_token(self, session: PageSession) -> str:
        """Return what a form of a session carries, so that no other site can send it."""
        return _text(self._forms.dumps(session.session_id))

    def is_form_token(self, session: PageSession, token: str) -> bool:
        """Whether a form was made for this session."""
        expected = self.form_token(session)
        return hmac.compare_digest(expected.encode(), token.encode("utf-8", "surrogatepass"))


def _serializer(secret_key: str, salt: str) -> URLSafeSerializer:
    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(secret_key, salt=salt, signer_kwargs=options)


def _text(signed: str | bytes) -> str:
    return signed if isinstance(signed, str) else signed.decode()
