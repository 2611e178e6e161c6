"""The database that tests of ingestion push to, directly or through the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.settings import Settings
from tests.lms import ApiLms, Lms, open_api_lms


@pytest.fixture
def school(lms: Lms) -> Lms:
    """An LMS that has pushed a course and a quiz."""
    lms.set_up()
    return lms


@pytest.fixture
def api_lms(settings: Settings) -> Iterator[ApiLms]:
    """An LMS that has pushed two courses with a quiz each through the API."""
    with open_api_lms(settings) as lms:
        lms.set_up()
        yield lms
