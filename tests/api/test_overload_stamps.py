"""How long a request waited, by the stamp that a proxy gave it."""

from __future__ import annotations

import pytest

from api.overload import seconds_since

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    "stamp",
    [
        *("t=1799999998.500", "1799999998.5", "t=1799999998500", "1799999998500.0"),
        *("t=1799999998500000", "1799999998500000", " t=1799999998.500 "),
    ],
)
def test_seconds_milliseconds_and_microseconds_are_read(stamp: str) -> None:
    assert seconds_since(stamp, NOW) == pytest.approx(1.5)


@pytest.mark.parametrize(
    "stamp",
    ["", "t=", "now", "t=-1799999998", "t=1799999998.5, t=1799999998.5", "nan", "1e9", "t=٣", "9" * 400],
)
def test_what_cannot_be_read_is_no_wait(stamp: str) -> None:
    assert seconds_since(stamp, NOW) == 0


def test_a_clock_that_is_ahead_is_no_wait() -> None:
    assert seconds_since("t=1800000003.000", NOW) == 0
