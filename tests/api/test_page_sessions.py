"""Sessions of the pages: what a cookie says, and for how long."""

from __future__ import annotations

import pytest

from api.page_sessions import SESSION_SECONDS, PageSessions

KEY = "a secret that only the tests share"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> PageSessions:
    return PageSessions(KEY, clock)


def test_a_cookie_names_its_user_and_course(sessions: PageSessions) -> None:
    session = sessions.read(sessions.issue(7, 101))
    assert session is not None
    assert (session.user_id, session.course_id) == (7, 101)


@pytest.mark.parametrize(
    ("seconds", "is_read"), [(-61, False), (-60, True), (SESSION_SECONDS, True), (SESSION_SECONDS + 1, False)]
)
def test_it_ends_after_two_hours_and_clocks_may_differ_by_a_minute(
    sessions: PageSessions, clock: Clock, seconds: int, *, is_read: bool
) -> None:
    cookie = sessions.issue(7, 101)
    clock.now += seconds
    assert (sessions.read(cookie) is not None) is is_read


@pytest.mark.parametrize("cookie", ["", ".", "x.y", "é\udc80", "W10.abc", "a" * 5000])
def test_what_was_not_signed_is_not_read(sessions: PageSessions, cookie: str) -> None:
    assert sessions.read(cookie) is None


def test_a_cookie_of_another_key_and_a_form_token_are_not_read(sessions: PageSessions) -> None:
    session = sessions.read(sessions.issue(7, 101))
    assert session is not None
    assert sessions.read(PageSessions(KEY + "!").issue(7, 101)) is None
    assert sessions.read(sessions.form_token(session)) is None


def test_a_form_token_belongs_to_one_session(sessions: PageSessions) -> None:
    one, other = (sessions.read(sessions.issue(7, 101)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert sessions.is_form_token(one, sessions.form_token(one))
    assert not sessions.is_form_token(other, sessions.form_token(one))
    assert not sessions.is_form_token(one, "\udc80")
