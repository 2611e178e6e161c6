"""The threads of a worker's process take memory from one heap, however many they are."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

# Allocates in three threads at a time, and prints the C library's description of its heaps.
_PROGRAM = """
import ctypes, sys, threading
if sys.argv[1] == "worker":
    import workers.app
everybody = threading.Barrier(3)

def allocate():
    everybody.wait()
    blocks = [bytes(2_000) for _ in range(1_000)]
    everybody.wait()

threads = [threading.Thread(target=allocate) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
output = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, output)
libc.fflush(output)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have one heap")
@pytest.mark.parametrize(("how", "heaps"), [("worker", 1), ("other process", 4)])
def test_the_threads_of_a_worker_share_a_heap(how: str, heaps: int) -> None:
    described = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True
    ).stdout

    assert described.count("<heap nr=") == heaps
