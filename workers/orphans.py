"""Orphans: objects in the store that belong to no file and to no running job, and the brake on deleting them.

A few come from workers that were killed. Many mean that the database is older than the store, as after a
restore, or that two deployments share one store; deleting them could not be undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from models.db.session import Database
from models.reports import jobs
from models.storage import BlobStore

# Longer than any job may run: a running job may still write to a younger object.
ORPHANED_AFTER: Final = timedelta(days=1)
# So many may always be deleted; beyond it, at most this share of all objects.
_ALWAYS_ALLOWED: Final = 100
_MOST_SHARE: Final = 0.05
# What is more waits for the next turn, so that one turn ends.
_MOST_AT_ONCE: Final = 10_000


@dataclass
class Orphans:
    """The keys of the orphans, at most ten thousand of them, and the numbers of orphans and of objects."""

    listed: int = 0
    found: int = 0
    keys: list[str] = field(default_factory=list)

    @property
    def are_too_many(self) -> bool:
        """Whether there are more than killed workers leave."""
        return self.found > max(_ALWAYS_ALLOWED, _MOST_SHARE * self.listed)


def find_orphans(
    store: BlobStore, database: Database, *, after_batch: Callable[[], None] = lambda: None
) -> Orphans:
    """Compare the store with the rows; objects younger than a day only count as listed."""
    orphans = Orphans()
    before = datetime.now(UTC) - ORPHANED_AFTER
    for batch in store.list("reports"):
        orphans.listed += len(batch)
        if old := [stored.key for stored in batch if stored.last_modified < before]:
            with database.transaction() as session:
                found = jobs.unreferenced(session, old)
            orphans.found += len(found)
            orphans.keys += found[: _MOST_AT_ONCE - len(orphans.keys)]
        after_batch()
    return orphans
