"""Parts that die come back, and nothing outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ops.local.supervisor import ChildProcess, Supervisor
from tests.waiting import still_running, wait_for

pytestmark = pytest.mark.integration

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def child(script: str, log: Path | None = None) -> ChildProcess:
    return ChildProcess("a part", [sys.executable, "-c", script], os.environ, log)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def gone(pid: int) -> bool:
    return not still_running(process for process in psutil.process_iter() if process.pid == pid)


def test_a_part_that_dies_is_started_again_after_a_pause_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append, first_pause=0.01)
    log = tmp_path / "logs" / "part.log"
    supervisor.start(child("print('hello')", log))

    def has_come_back_twice() -> bool:
        supervisor.poll()
        return len(lines(log)) >= 3

    wait_for(has_come_back_twice)
    supervisor.stop()

    assert said[:2] == [
        f"a part has ended: it is started again in 0.01 s (see {log})",
        f"a part has ended: it is started again in 0.02 s (see {log})",
    ]


def test_stopping_also_ends_a_part_that_does_not_listen_and_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
print(os.getpid(), file=open({str(pids)!r}, "a"), flush=True)
time.sleep(600)
"""
    supervisor = Supervisor(print, patience=0.1)
    supervisor.start(child(script))
    wait_for(lambda: len(lines(pids)) == 2)

    supervisor.stop()

    wait_for(lambda: all(gone(int(pid)) for pid in lines(pids)))


def test_a_part_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"""
import os, time
from ops.local.supervisor import ChildProcess
part = ChildProcess("a part", {SLEEP!r}, os.environ)
part.start()
print(part._process.pid, file=open({str(pid_file)!r}, "w"), flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", script])
    (pid,) = wait_for(lambda: lines(pid_file))
    # The signal must be in place: until then the part's command line is that of setpriv.
    wait_for(lambda: "setpriv" not in " ".join(psutil.Process(int(pid)).cmdline()))

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    wait_for(lambda: gone(int(pid)))
