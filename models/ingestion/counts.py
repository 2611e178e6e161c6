"""What a push changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """How many things a push created, updated, left as they were and deleted, and the revision after it."""

    created: int
    updated: int
    unchanged: int
    deleted: int
    revision: int


@dataclass
class Tally:
    """The same while it is being counted."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0

    @property
    def is_change(self) -> bool:
        """Whether anything is not as it was."""
        return bool(self.created or self.updated or self.deleted)

    def at_revision(self, revision: int) -> Counts:
        """Finish the count."""
        return Counts(self.created, self.updated, self.unchanged, self.deleted, revision)
