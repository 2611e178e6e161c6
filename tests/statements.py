"""The statements that an action sends to the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


def statements_of(action: Callable[[], Any]) -> list[str]:
    """Return the statements that the action sends."""
    with _sent_statements() as statements:
        action()
    return statements


@contextmanager
def _sent_statements() -> Iterator[list[str]]:
    """Note what every engine of this process sends, whichever pool it comes from."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)
