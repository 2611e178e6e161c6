"""`quiz-reports up`: the whole service with real processes, however it is treated."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from ops.local.postgres_programs import ProgramsCopy
from tests.waiting import wait_for

UP = [sys.executable, "-P", "-m", "ops.cli", "up", "--port", "0", "--workers", "1", "--data-dir"]


def descendants_of(folder: Path) -> list[psutil.Process]:
    """All processes that belong to a stack: its servers stand in it, its own processes carry its mark."""
    found = []
    for process in psutil.process_iter():
        try:
            stands_in = Path(process.cwd()).is_relative_to(folder)
            is_marked = process.environ().get("QUIZ_REPORTS_UP") == str(folder)
            if (stands_in or is_marked) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@contextmanager
def up(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start a stack, and give it once it is ready."""
    process = subprocess.Popen(
        [*UP, str(folder), *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_for(lambda: (folder / "ready.json").exists() or process.poll() is not None, seconds=120)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        output, _ = process.communicate(timeout=60)
        # Shown by pytest when the test fails.
        sys.stdout.write(output)
    assert descendants_of(folder) == []


def ready(folder: Path) -> dict[str, Any]:
    note: dict[str, Any] = json.loads((folder / "ready.json").read_text())
    return note


def status_with_token(note: dict[str, Any]) -> int:
    """Ask for a course that is not there: 404 with a good token, 401 with a bad one."""
    answer = httpx.get(
        f"{note['base_url']}/api/v1/courses/1", headers={"Authorization": f"Bearer {note['admin_token']}"}
    )
    return answer.status_code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "data of a stack"


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with up(folder) as process:
        yield process


@pytest.mark.contract(
    "9 Commands", "up writes ready.json for its owner; a part that dies is started again; signals stop all"
)
def test_ready_json_tells_how_to_reach_it_and_only_its_owner(
    stack: subprocess.Popen[str], folder: Path
) -> None:
    note = ready(folder)
    assert set(note) == {"base_url", "admin_token", "database_url", "redis_url", "pid"}
    assert note["pid"] == stack.pid
    assert (folder / "ready.json").stat().st_mode & 0o777 == 0o600
    assert httpx.get(f"{note['base_url']}/readyz").status_code == httpx.codes.OK
    assert status_with_token(note) == httpx.codes.NOT_FOUND


def test_the_doctor_finds_it_well(stack: subprocess.Popen[str], folder: Path) -> None:
    command = [sys.executable, "-P", "-m", "ops.cli", "doctor", "--data-dir", str(folder)]

    def is_well() -> bool:
        # Ready means that the API answers; a worker takes a moment longer.
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    wait_for(is_well)


def test_a_second_one_on_the_same_folder_is_refused_in_one_line(
    stack: subprocess.Popen[str], folder: Path
) -> None:
    second = subprocess.run([*UP, str(folder)], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"(pid {stack.pid})" in second.stderr
    assert (folder / "ready.json").exists()


@pytest.mark.parametrize("part", ["api", "worker", "sweeper", "postgres", "valkey-server"])
@pytest.mark.contract(
    "9 Commands", "up writes ready.json for its owner; a part that dies is started again; signals stop all"
)
def test_a_part_that_dies_is_started_again(stack: subprocess.Popen[str], folder: Path, part: str) -> None:
    def is_it(child: psutil.Process) -> bool:
        with suppress(psutil.Error):
            started_as = child.cmdline()[3:5]
            # The command for the API becomes its web server.
            is_api = part == "api" and started_as[:1] == ["gunicorn"]
            return is_api or part == child.name() or started_as == ["ops.cli", part]
        return False

    def find() -> psutil.Process | None:
        return next((child for child in psutil.Process(stack.pid).children() if is_it(child)), None)

    first = wait_for(find)
    first.kill()

    wait_for(lambda: (again := find()) and again.pid != first.pid)
    wait_for(lambda: answers(ready(folder)["base_url"]))


def answers(base_url: str) -> bool:
    try:
        return httpx.get(f"{base_url}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def stop(process: subprocess.Popen[str], folder: Path, stop_signal: signal.Signals) -> None:
    process.send_signal(stop_signal)
    assert process.wait(60) == 0
    assert not (folder / "ready.json").exists()
    assert descendants_of(folder) == []


@pytest.mark.contract(
    "9 Commands", "up writes ready.json for its owner; a part that dies is started again; signals stop all"
)
def test_either_signal_stops_all_and_a_second_start_keeps_the_data(tmp_path: Path) -> None:
    with up(tmp_path) as process:
        first = ready(tmp_path)
        stop(process, tmp_path, signal.SIGTERM)
    with up(tmp_path) as process:
        second = ready(tmp_path)
        assert second["admin_token"] == first["admin_token"]
        assert second["database_url"] == first["database_url"]
        assert status_with_token(second) == httpx.codes.NOT_FOUND
        stop(process, tmp_path, signal.SIGINT)


def kill(process: subprocess.Popen[str], folder: Path) -> None:
    process.kill()
    process.wait()
    # Only the process itself could have taken the note back.
    (folder / "ready.json").unlink()


def test_no_part_outlives_a_kill_and_a_start_right_after_it_is_well(tmp_path: Path) -> None:
    with up(tmp_path) as process:
        left = descendants_of(tmp_path)
        kill(process, tmp_path)
        with up(tmp_path) as again:
            assert not [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
            assert status_with_token(ready(tmp_path)) == httpx.codes.NOT_FOUND
            kill(again, tmp_path)
            wait_for(lambda: not descendants_of(tmp_path))
    # The next start would do so.
    ProgramsCopy(tmp_path / "postgres" / "programs").remove()


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = subprocess.run(
            [*UP, str(tmp_path), "--port", port], capture_output=True, text=True, check=False
        )
    assert refused.returncode == 1
    assert refused.stderr == (
        f"quiz-reports: port {port} is taken by another program: choose one with --port\n"
    )
    assert descendants_of(tmp_path) == []


def test_servers_of_ones_own_are_used_where_they_are_named(
    tmp_path: Path, empty_database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    with up(tmp_path):
        note = ready(tmp_path)
        assert (note["database_url"], note["redis_url"]) == (empty_database_url, redis_url)
        assert status_with_token(note) == httpx.codes.NOT_FOUND
        assert not (tmp_path / "postgres").exists()
        assert not (tmp_path / "valkey").exists()
