"""The folder of the API's metrics outlives no later start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.settings import Settings
from ops.serve.metrics_folder import make_metrics_folder
from tests.web_process import running_web_process


def folders(parent: Path) -> set[Path]:
    return set(parent.glob("quiz-reports-metrics-*"))


@contextmanager
def running_server(parent: Path, *, children: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that makes a folder and becomes another one, as a server does, until its input ends."""
    script = (
        "import os, sys, pathlib; from ops.serve.metrics_folder import make_metrics_folder;"
        " folder = make_metrics_folder(pathlib.Path(sys.argv[1]));"
        f" all(os.fork() for _ in range({children})) and print(folder, flush=True); os.execvp('cat', ['cat'])"
    )
    command = [sys.executable, "-c", script, str(parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert Path(process.stdout.readline().decode().strip()) in folders(parent)
        yield process
        process.kill()


@pytest.mark.integration
def test_what_a_killed_server_left_goes_at_the_next_start(tmp_path: Path) -> None:
    with running_server(tmp_path):
        (left,) = folders(tmp_path)
        with running_server(tmp_path):
            # The first server still uses its own.
            assert len(folders(tmp_path)) == 2
            assert left in folders(tmp_path)
    assert len(folders(tmp_path)) == 2
    with running_server(tmp_path):
        assert left not in folders(tmp_path)
        assert len(folders(tmp_path)) == 1


@pytest.mark.integration
def test_a_child_that_outlives_its_server_keeps_the_folder(tmp_path: Path) -> None:
    with running_server(tmp_path, children=1) as server:
        server.kill()
        server.wait()
        (left,) = folders(tmp_path)
        with running_server(tmp_path):
            assert left in folders(tmp_path)
        # The child ends with its input, and the end of its output tells when it has ended.
        assert server.stdin is not None
        server.stdin.close()
        assert server.stdout is not None
        assert server.stdout.read() == b""
        with running_server(tmp_path):
            assert left not in folders(tmp_path)


@pytest.mark.integration
def test_servers_that_start_at_once_leave_each_other_their_folders(tmp_path: Path) -> None:
    # Locks belong to open files, so threads are like processes here, and start closer together.
    script = (
        "import pathlib, sys; from concurrent.futures import ThreadPoolExecutor;"
        " from ops.serve.metrics_folder import make_metrics_folder;"
        " parents = [pathlib.Path(sys.argv[1])] * 100;"
        " made = list(ThreadPoolExecutor(8).map(make_metrics_folder, parents));"
        " assert all(folder.is_dir() for folder in made)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert len(folders(tmp_path)) == 100


def test_a_server_that_ends_deletes_its_own(settings: Settings, tmp_path: Path) -> None:
    with running_web_process(settings, "--processes", "1", TMPDIR=str(tmp_path)):
        assert len(folders(tmp_path)) == 1
    assert folders(tmp_path) == set()


def test_a_link_of_that_name_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (tmp_path / "quiz-reports-metrics-link").symlink_to(kept)
    folder = make_metrics_folder(tmp_path)
    assert (kept / "file").exists()
    assert folder.stat().st_mode & 0o077 == 0
