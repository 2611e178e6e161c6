"""Under overload, requests that have waited too long for the server are refused at once.

The client of such a request has most likely given up, or will retry. Serving it would make all later
requests wait as long. The waiting time is known if a trusted proxy stamps each request.
"""

from __future__ import annotations

import re
import time

from flask import request

from api.errors import UnavailableError

# `t=1700000000.123` as nginx writes it; others write milliseconds or microseconds, with or without `t=`.
_STAMP = re.compile(r"(?:t=)?(\d{1,17}(?:\.\d{1,9})?)", re.ASCII)
# Microseconds, milliseconds, seconds: what times of today exceed in each, and the number of them in a second.
_UNITS = ((1e14, 1e6), (1e11, 1e3), (0.0, 1.0))

# Reads are cheap to retry, so they wait at most half a second. Changes wait longer: a hundred simultaneous
# requests for one report must all get a response, and a push would have to be sent again as a whole.
_MOST_SECONDS = {"GET": 0.5, "HEAD": 0.5}
_MOST_SECONDS_OF_CHANGES = 10.0
# An overloaded service must still be observed, and restarting it would not help.
_NEVER_REFUSED = frozenset({"health.alive", "health.ready", "health.metrics"})


def refuse_overdue_request() -> None:
    """Raise UnavailableError if the request has waited too long since the trusted proxy stamped it."""
    if request.endpoint in _NEVER_REFUSED:
        return
    waited = seconds_since(request.headers.get("X-Request-Start", ""), time.time())
    if waited > _MOST_SECONDS.get(request.method, _MOST_SECONDS_OF_CHANGES):
        raise UnavailableError(f"waited {waited:.1f} s for the server")


def seconds_since(stamp: str, now: float) -> float:
    """Return the seconds since a proxy stamped a request.

    Zero if the stamp cannot be read, or if it lies in the future because the clocks differ.
    """
    if (found := _STAMP.fullmatch(stamp.strip())) is None:
        return 0.0
    number = float(found[1])
    unit = next(unit for least, unit in _UNITS if number >= least)
    return max(0.0, now - number / unit)
