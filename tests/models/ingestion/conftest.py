"""The database that tests of ingestion push to, directly or through the API."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.lms import ApiLms, Lms, make_api_lms


@pytest.fixture
def school(lms: Lms) -> Lms:
    """An LMS that has pushed a course and a quiz."""
    lms.set_up()
    return lms


@pytest.fixture
def api_lms(app: Flask) -> ApiLms:
    """An LMS that has pushed two courses with a quiz each through the API."""
    lms = make_api_lms(app)
    lms.set_up()
    return lms
