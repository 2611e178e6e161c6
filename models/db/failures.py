"""What a failed connection to PostgreSQL means to an operator: the fault in words, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

POOLER_FAULT: Final = "a pooler such as PgBouncer drops the settings of the service's connections"


@dataclass(frozen=True)
class ConnectionFailure:
    """A fault, and what to do about it."""

    fault: str
    remedy: str


# The server's messages have no code before a session exists, so they are told apart by their words.
_FAILURES: Final = (
    (
        ("unsupported startup parameter", POOLER_FAULT),
        ConnectionFailure(POOLER_FAULT, "let DATABASE_URL name PostgreSQL itself, see ops/README.md"),
    ),
    (
        ("too many", "remaining connection slots", "connection limit"),
        ConnectionFailure("PostgreSQL has no connection left", "see Connections in ops/README.md"),
    ),
    (
        ("starting up", "shutting down", "recovery mode"),
        ConnectionFailure("PostgreSQL is starting or stopping", "wait until it has started"),
    ),
    (
        ("FATAL", "no password supplied"),
        ConnectionFailure(
            "PostgreSQL refuses the user, the password or the database",
            "check DATABASE_URL, and that the database exists",
        ),
    ),
)
_NO_RESPONSE: Final = ConnectionFailure("PostgreSQL does not respond", "start it, or check DATABASE_URL")


def connection_failure(error: BaseException) -> ConnectionFailure:
    """Tell what the error of a connection means; the fault contains neither a user nor an address."""
    message = str(error)
    return next(
        (failure for words, failure in _FAILURES if any(word in message for word in words)), _NO_RESPONSE
    )
