"""Transactions and the advisory locks that they hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models.db.session import Database, lock, lock_shared

Lock = Callable[[Session, str], None]


def is_free(database: Database, take: Lock, name: str) -> bool:
    """Whether another transaction gets the lock without waiting."""
    with database.transaction() as session:
        session.execute(text("SET LOCAL lock_timeout = '50ms'"))
        try:
            take(session, name)
        except OperationalError:
            session.rollback()
            return False
    return True


@pytest.mark.parametrize(
    ("held", "wanted", "free"),
    [
        (lock, lock, False),
        (lock, lock_shared, False),
        (lock_shared, lock, False),
        (lock_shared, lock_shared, True),
    ],
)
def test_only_shared_locks_of_a_name_go_together(
    database: Database, held: Lock, wanted: Lock, free: bool
) -> None:
    with database.transaction() as session:
        held(session, "quiz:1")
        assert is_free(database, wanted, "quiz:1") is free
        assert is_free(database, wanted, "quiz:2")


def test_a_transaction_may_take_its_lock_again(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("SET LOCAL lock_timeout = '50ms'"))
        lock(session, "quiz:1")
        lock(session, "quiz:1")
        lock_shared(session, "quiz:1")


@pytest.mark.parametrize("end", [Session.commit, Session.rollback])
def test_a_lock_ends_with_its_transaction(database: Database, end: Callable[[Session], None]) -> None:
    with database.transaction() as session:
        lock(session, "quiz:1")
        end(session)
        assert is_free(database, lock, "quiz:1")
