"""The database that the tests of data in push to."""

from __future__ import annotations

import pytest

from models.db.session import Database
from tests.pushes import Lms


@pytest.fixture
def lms(database: Database) -> Lms:
    """An LMS that has pushed nothing yet."""
    return Lms(database)


@pytest.fixture
def school(lms: Lms) -> Lms:
    """An LMS that has pushed a course and a quiz."""
    lms.set_up()
    return lms
