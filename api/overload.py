"""More requests than can be answered: those that waited too long in line are refused at once.

The client of such a request has most likely given up or will ask again; to answer it nevertheless would let
all that stand behind it wait as long.
"""

from __future__ import annotations

from flask import request

from api.errors import UnavailableError

# Where the server tells in the WSGI environment how long a request waited for a thread.
WAITED_SECONDS = "quiz_reports.waited_seconds"

# Who only looks can look again. What changes something waits longer: of a hundred who ask for one report at
# the same time each gets its answer, and a push would have to be sent again as a whole.
_MOST_SECONDS = {"GET": 0.5, "HEAD": 0.5}
_MOST_SECONDS_OF_CHANGES = 10.0
# Who asks for these must be told how things are, above all now; and to restart what is busy helps nobody.
_NEVER_REFUSED = frozenset({"health.alive", "health.ready", "health.metrics"})


def refuse_what_waited_too_long() -> None:
    """Raise UnavailableError for a request that waited for longer than it may."""
    waited: float = request.environ.get(WAITED_SECONDS, 0.0)
    most = _MOST_SECONDS.get(request.method, _MOST_SECONDS_OF_CHANGES)
    if waited > most and request.endpoint not in _NEVER_REFUSED:
        raise UnavailableError(f"waited {waited:.1f} s for a thread")
