"""The range of an id: a 64-bit integer, the LMS's as well as the service's.

It stands apart from the tables, so that reading an id from JSON or an option does not load SQLAlchemy.
"""

from __future__ import annotations

from typing import Final

MIN_ID: Final = -(2**63)
MAX_ID: Final = 2**63 - 1
