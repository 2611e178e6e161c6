"""What a push changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PushCounts:
    """How many things a push created, updated, left unchanged and deleted, and the revision after it."""

    created: int
    updated: int
    unchanged: int
    deleted: int
    revision: int


@dataclass
class PushCounter:
    """Counts the changes of a push while it is applied."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0

    @property
    def has_changes(self) -> bool:
        """Whether anything was created, updated or deleted."""
        return bool(self.created or self.updated or self.deleted)

    def at_revision(self, revision: int) -> PushCounts:
        """Return the final counts."""
        return PushCounts(self.created, self.updated, self.unchanged, self.deleted, revision)
