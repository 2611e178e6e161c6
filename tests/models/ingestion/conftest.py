"""Two courses with a quiz each, to which an LMS pushes through the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.settings import Settings
from tests.pushing import Lms, pushing_lms


@pytest.fixture
def lms(settings: Settings) -> Iterator[Lms]:
    with pushing_lms(settings) as lms:
        lms.set_up()
        yield lms
