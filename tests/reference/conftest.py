"""Where the reference data lies."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

REFERENCE_DATA = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture
def reference_file() -> Callable[[str], Path]:
    """Finds a file of the reference data; without it a test is skipped, or fails if the data is required."""

    def find(name: str) -> Path:
        path = REFERENCE_DATA / name
        if path.exists():
            return path
        if os.environ.get("REQUIRE_REFERENCE_DATA") == "1":
            pytest.fail(f"the reference data is required, but {path} does not exist")
        pytest.skip(f"{path} does not exist")

    return find
