"""The memory that the threads of a job take from the C library."""

from __future__ import annotations

import ctypes
from typing import Final

# From malloc.h of the GNU C library; others have neither the option nor heaps of threads.
_M_ARENA_MAX: Final = -8


def share_heap() -> None:
    """Let all threads of this process and of its children take memory from one heap.

    The GNU C library gives each thread a heap of its own. The stages of a job hand chunks to each other, so
    each heap would be left with holes, and the memory of a child would grow from report to report.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)
