"""The database that tests of ingestion push to, directly or through the API."""

from __future__ import annotations

import pytest
from flask import Flask

from models.db.session import Database
from tests.lms import ApiLms, Lms, make_api_lms
from tests.servers import KeptRows


@pytest.fixture(scope="session")
def rows_of_lms(migrated_database: Database) -> KeptRows[None]:
    return KeptRows(migrated_database.engine, "lms")


@pytest.fixture(scope="session")
def rows_of_api_lms(migrated_database: Database) -> KeptRows[str]:
    """What an LMS has pushed through the API, and its token."""
    return KeptRows(migrated_database.engine, "api_lms")


@pytest.fixture
def school(lms: Lms, rows_of_lms: KeptRows[None]) -> Lms:
    """An LMS that has pushed a course and a quiz."""
    rows_of_lms.put(lms.set_up)
    return lms


@pytest.fixture
def api_lms(app: Flask, database: Database, rows_of_api_lms: KeptRows[str]) -> ApiLms:
    """An LMS that has pushed two courses with a quiz each through the API."""

    def push() -> str:
        lms = make_api_lms(app)
        lms.set_up()
        return lms.token

    return ApiLms(database, app, rows_of_api_lms.put(push))
