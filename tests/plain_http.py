"""How tests speak to servers of their own: without a proxy, and without certificates."""

from __future__ import annotations

from typing import Any, Final

# Any other client of httpx reads the certificates of all authorities: 60 ms of computing for one request.
PLAIN_HTTP: Final[dict[str, Any]] = {"trust_env": False, "verify": False}
