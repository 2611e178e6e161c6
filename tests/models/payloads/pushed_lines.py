"""Lines of attempts, and what is read from them."""

from __future__ import annotations

from typing import Any

import msgspec

from models.errors import InvalidInputError, ValidationIssue
from models.payloads.attempts import PushedAttempt
from models.payloads.batches import read_lines
from models.payloads.entries import EntryReader

MOST_LINE_BYTES = 10_000


def attempt(**fields: Any) -> dict[str, Any]:
    return {
        "id": 501,
        "attempt": 1,
        "user_id": 7,
        "workflow_state": "complete",
        "updated_at": "2026-09-10T09:12:31Z",
        **fields,
    }


def lines(*sources: bytes) -> tuple[list[PushedAttempt], list[ValidationIssue]]:
    batches = read_lines(iter(sources), MOST_LINE_BYTES)
    attempts = [attempt for batch in batches for attempt in batch.attempts]
    try:
        batches.issues.finish()
    except InvalidInputError as error:
        return attempts, list(error.issues)
    return attempts, []


def line(**fields: Any) -> bytes:
    return msgspec.json.encode(attempt(**fields))


def of_line(source: bytes) -> list[ValidationIssue]:
    """What is wrong with a line, and with the answers in it, which are read later."""
    attempts, issues = lines(source)
    try:
        for found in attempts:
            found.read_entries(EntryReader())
    except InvalidInputError as error:
        issues += error.issues
    return issues


def values(found: PushedAttempt) -> list[Any]:
    return [entry.value for entry in found.read_entries(EntryReader())]


def read(**fields: Any) -> PushedAttempt:
    attempts, issues = lines(line(**fields))
    assert issues == []
    return attempts[0]
