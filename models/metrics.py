"""Metrics that several processes of one server add up: each writes to a file in PROMETHEUS_MULTIPROC_DIR.

Import this module before a metric is made: only then do the names of `name_process` apply to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Metric, multiprocess, values
from prometheus_client.registry import Collector

_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_process_name: Callable[[], object] = os.getpid


def name_process(name: Callable[[], str]) -> None:
    """Let a function name this process and the ones that it forks, instead of their pids.

    A worker replaces its children now and then. Named by their slots, they go on in the file of the one
    before, and the number of files does not grow. No two living processes may have the same name.
    """
    global _process_name
    _process_name = name


if os.environ.get(_FOLDER):
    values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
        process_identifier=lambda: _process_name()
    )


def collected_registry(*others: Collector) -> CollectorRegistry:
    """Make a registry of the metrics of all processes that share a folder, or of this one, and of others."""
    registry = CollectorRegistry()
    if os.environ.get(_FOLDER):
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_ThisProcess())
    for other in others:
        registry.register(other)
    return registry


class _ThisProcess(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
