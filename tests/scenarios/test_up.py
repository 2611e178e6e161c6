"""`quiz-reports up`: the whole service with real processes, however it is treated."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from click.testing import CliRunner

from ops.cli import cli
from ops.local.postgres_programs import ProgramsCopy
from tests.scenarios.stack import COMMAND, Stack, processes_of, running_stack
from tests.waiting import still_running, wait_for

pytestmark = pytest.mark.exhaustive

ONE_WORKER = ("--workers", "1")
NO_COURSE = "/api/v1/courses/1"


def status_with_token(stack: Stack) -> int:
    """Ask for a course that is not there: 404 with a good token, 401 with a bad one."""
    return stack.send("GET", NO_COURSE).status_code


def start_up(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, "up", "--port", "0", *ONE_WORKER, "--data-dir", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Lives:
    """Three starts on one folder: the first was killed, the second was stopped by Ctrl-C, the third runs."""

    killed: Stack
    # What was still there of the first when the second was ready.
    outlived: list[psutil.Process]
    # In test_main_job it is SIGTERM that stops.
    stopped: Stack
    running: Stack


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    folder = tmp_path_factory.mktemp("up") / "data of a stack"
    with running_stack(folder, *ONE_WORKER) as killed:
        parts = processes_of(folder)
        killed.kill()
        with running_stack(folder, *ONE_WORKER) as stopped:
            outlived = still_running(parts)
            status_with_token(stopped)
            stopped.stop(signal.SIGINT)
        with running_stack(folder, *ONE_WORKER) as running:
            yield Lives(killed, outlived, stopped, running)
    # The next start would do so.
    ProgramsCopy(folder / "postgres" / "programs").remove()


@pytest.fixture
def stack(lives: Lives) -> Stack:
    return lives.running


@pytest.mark.contract(
    "9 Commands", "up writes ready.json for its owner; a part that dies is started again; signals stop all"
)
def test_ready_json_tells_how_to_reach_it_and_only_its_owner(stack: Stack) -> None:
    assert set(stack.ready) == {"base_url", "admin_token", "database_url", "redis_url", "pid"}
    assert stack.ready["pid"] == stack.process.pid
    assert (stack.folder / "ready.json").stat().st_mode & 0o777 == 0o600
    assert stack.is_ready()
    assert status_with_token(stack) == httpx.codes.NOT_FOUND


def test_the_doctor_finds_it_well(stack: Stack) -> None:
    def is_well() -> bool:
        # Ready means that the API responds; a worker takes a moment longer.
        return CliRunner().invoke(cli, ["doctor", "--data-dir", str(stack.folder)]).exit_code == 0

    wait_for(is_well)


def test_a_second_one_on_the_same_folder_is_refused_in_one_line(stack: Stack) -> None:
    second = start_up(stack.folder)
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"(pid {stack.process.pid})" in second.stderr
    assert (stack.folder / "ready.json").exists()


@pytest.mark.parametrize("part", ["api", "worker", "sweeper", "postgres", "valkey-server"])
@pytest.mark.contract(
    "9 Commands", "up writes ready.json for its owner; a part that dies is started again; signals stop all"
)
def test_a_part_that_dies_is_started_again(stack: Stack, part: str) -> None:
    def is_it(child: psutil.Process) -> bool:
        with suppress(psutil.Error):
            started_as = child.cmdline()[3:5]
            # The command for the API becomes its web server.
            is_api = part == "api" and started_as[:1] == ["gunicorn"]
            return is_api or part == child.name() or started_as == ["ops.cli", part]
        return False

    def find() -> psutil.Process | None:
        return next((child for child in psutil.Process(stack.process.pid).children() if is_it(child)), None)

    first = wait_for(find)
    first.kill()

    wait_for(lambda: (again := find()) and again.pid != first.pid)
    wait_for(stack.is_ready)


@pytest.mark.contract(
    "9 Commands", "up writes ready.json for its owner; a part that dies is started again; signals stop all"
)
def test_ctrl_c_stops_all_and_a_second_start_keeps_the_data(lives: Lives, stack: Stack) -> None:
    assert lives.stopped.process.returncode == 0
    assert len(lives.stopped.parts) > 5
    assert stack.ready["admin_token"] == lives.stopped.ready["admin_token"]
    assert stack.ready["database_url"] == lives.stopped.ready["database_url"]
    assert status_with_token(stack) == httpx.codes.NOT_FOUND


def test_a_start_right_after_a_kill_is_well_and_no_part_has_outlived_it(lives: Lives) -> None:
    assert lives.killed.process.returncode == -signal.SIGKILL
    assert lives.outlived == []
    [response] = lives.stopped.responses
    assert response.status_code == httpx.codes.NOT_FOUND


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = start_up(tmp_path, "--port", port)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"quiz-reports: port {port} is taken by another program: choose one with --port\n"
    )
    assert processes_of(tmp_path) == []


def test_no_part_outlives_a_kill(stack: Stack) -> None:
    # The last test of the module, since it ends the stack.
    stack.kill()
    wait_for(lambda: not processes_of(stack.folder))
