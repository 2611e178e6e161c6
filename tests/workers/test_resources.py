"""Connections of a worker: made on first use, so that none crosses a fork."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import text

from models.settings import Settings
from workers.resources import Resources


def test_nothing_is_opened_before_it_is_used(settings: Settings) -> None:
    resources = Resources(settings)

    assert set(vars(resources)) == {"settings"}
    assert resources.store is resources.store
    assert set(vars(resources)) == {"settings", "store"}


def test_a_statement_ends_before_half_a_lease(settings: Settings) -> None:
    resources = Resources(replace(settings, lease_seconds=20.0))

    with resources.database.transaction() as session:
        assert session.execute(text("SHOW statement_timeout")).scalar_one() == "10s"
    resources.database.dispose()
