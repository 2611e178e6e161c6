"""Scenarios run against the whole service, or as its clients."""

from __future__ import annotations

# Faults need the machine for themselves: `make chaos`.
collect_ignore = ["chaos"]
