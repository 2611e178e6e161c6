"""More requests than can be answered: those that waited too long for the server are refused at once.

The client of such a request has most likely given up or will ask again; to answer it nevertheless would let
all that stand behind it wait as long. How long a request waited is known where a proxy stamps it.
"""

from __future__ import annotations

import re
import time

from flask import request

from api.errors import UnavailableError
from api.services import services

# `t=1700000000.123` as nginx writes it; others write milliseconds or microseconds, with or without `t=`.
_STAMP = re.compile(r"(?:t=)?(\d{1,17}(?:\.\d{1,9})?)", re.ASCII)
# Times of our day in each unit lie above the first number and below the next.
_UNITS = ((1e14, 1e6), (1e11, 1e3), (0.0, 1.0))

# Reads are cheap to retry. A change waits longer: of a hundred requests for one report at the same time each
# is to get its answer, and a push would have to be sent again as a whole.
_MOST_SECONDS = {"GET": 0.5, "HEAD": 0.5}
_MOST_SECONDS_OF_CHANGES = 10.0
# These tell how things are, above all now; and to restart what is busy helps nobody.
_NEVER_REFUSED = frozenset({"health.alive", "health.ready", "health.metrics"})


def refuse_what_waited_too_long() -> None:
    """Raise UnavailableError for a request that waited for longer than it may."""
    if not services().settings.trusted_proxies or request.endpoint in _NEVER_REFUSED:
        return
    waited = seconds_since(request.headers.get("X-Request-Start", ""), time.time())
    if waited > _MOST_SECONDS.get(request.method, _MOST_SECONDS_OF_CHANGES):
        raise UnavailableError(f"waited {waited:.1f} s for the server")


def seconds_since(stamp: str, now: float) -> float:
    """Tell how long ago a proxy stamped a request.

    Zero where the stamp cannot be read, or where it lies ahead because the clocks differ.
    """
    if (found := _STAMP.fullmatch(stamp.strip())) is None:
        return 0.0
    number = float(found[1])
    unit = next(unit for least, unit in _UNITS if number >= least)
    return max(0.0, now - number / unit)
