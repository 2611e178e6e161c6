"""The stages of a job that overlap: a chunk is read, the one before it analysed, the one before that stored.

Each stage has one chunk at a time, so memory stays bounded. A thread begins when its stage does, in the child
that runs the job, and has ended when its block ends, however that happens. A failure of a stage is raised in
the job's own thread, at the next chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")


@contextmanager
def read_ahead(items: Generator[_Item]) -> Iterator[Iterator[_Item]]:
    """Fetch the next item in a thread while the present one is used."""
    with closing(items), ThreadPoolExecutor(1, "read-ahead") as thread:
        yield _fetched(thread, items)


def _fetched(thread: ThreadPoolExecutor, items: Iterator[_Item]) -> Iterator[_Item]:
    ahead = thread.submit(next, items, None)
    while (item := ahead.result()) is not None:
        ahead = thread.submit(next, items, None)
        yield item
        # The consumer has finished with it. Kept until the next is here, it would be a chunk more.
        del item


@contextmanager
def write_behind(
    write: Callable[[_Item], None], is_short: Callable[[_Item], bool] = lambda _: False
) -> Iterator[Callable[[_Item], None]]:
    """Write each item in a thread while the next one is made; the last is written when the block ends.

    A short item is written at once, in less time than it takes to wake a thread.
    """
    with ThreadPoolExecutor(1, "write-behind") as thread:
        behind: Future[None] | None = None

        def hand_over(item: _Item) -> None:
            nonlocal behind
            if behind is not None:
                behind.result()
                behind = None
            if is_short(item):
                write(item)
            else:
                behind = thread.submit(write, item)

        yield hand_over
        if behind is not None:
            behind.result()
