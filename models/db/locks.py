"""Advisory locks: held by name until the end of the transaction."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_LOCK_SHARED: Final = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")


def lock(transaction: Session | Connection, name: str) -> None:
    """Wait until no other transaction holds the lock of this name, shared or not, then take it."""
    transaction.execute(_LOCK, {"name": name})


def lock_shared(transaction: Session | Connection, name: str) -> None:
    """Wait until no other transaction holds the lock of this name exclusively, then share it."""
    transaction.execute(_LOCK_SHARED, {"name": name})
