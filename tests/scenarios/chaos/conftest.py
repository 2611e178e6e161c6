"""One service for the whole run, watched all the time; its table is printed at the end.

`--cut` (or CI=true) makes a few rounds of each fault, so that the run takes three minutes at most.
`--seed` repeats a run's jitter; `--table` names the file that the table is written to.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.local.embedded import EmbeddedServerError
from tests.scenarios.chaos.findings import Findings
from tests.scenarios.chaos.run import Run, watched
from tests.scenarios.chaos.stack import Stack
from tests.scenarios.chaos.storage import FolderOnDisk

_FINDINGS = pytest.StashKey[Findings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--cut", action="store_true", help="a few rounds of each fault, in three minutes")
    group.addoption("--seed", type=int, default=None, help="repeat the jitter of an earlier run")
    group.addoption("--table", type=Path, default=Path("build/chaos.json"), help="where the table goes")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_in_full(fault): takes too long for the cut")
    seed = config.getoption("--seed")
    cut = config.getoption("--cut") or os.environ.get("CI") == "true"
    config.stash[_FINDINGS] = Findings(random.SystemRandom().randrange(10**6) if seed is None else seed, cut)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    findings = config.stash[_FINDINGS]
    if not findings.cut:
        return
    left_out = {item: mark for item in items if (mark := item.get_closest_marker("only_in_full"))}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]
    for mark in left_out.values():
        findings.add(mark.args[0], 0, "", not_shown="left out of the cut")


def pytest_report_header(config: pytest.Config) -> str:
    return f"chaos: seed {config.stash[_FINDINGS].seed}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    findings = config.stash[_FINDINGS]
    if not any(row.rounds for row in findings.rows):
        # Nothing was done, so what an earlier run wrote still stands.
        return
    terminalreporter.section("faults")
    for line in findings.lines():
        terminalreporter.write_line(line)
    path: Path = config.getoption("--table")
    findings.write(path)
    terminalreporter.write_line(f"written to {path}")


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="quiz-reports-chaos-"))
    # PostgreSQL, which is not run as root, passes through.
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def findings(request: pytest.FixtureRequest) -> Findings:
    return request.config.stash[_FINDINGS]


@pytest.fixture(scope="session")
def whole_run(directory: Path, findings: Findings) -> Iterator[Run]:
    with FolderOnDisk(directory / "files") as folder:
        stack = Stack(directory, folder.path)
        try:
            try:
                stack.start_servers()
            except EmbeddedServerError as error:
                if os.environ.get("CI"):
                    raise
                pytest.skip(str(error))
            with watched(stack, folder, findings) as run:
                yield run
        finally:
            stack.stop()
            if kept := os.environ.get("CHAOS_KEEP_LOGS"):
                for log in directory.glob("*.log"):
                    shutil.copy(log, Path(kept) / f"{directory.name}-{log.name}")


@pytest.fixture
def run(whole_run: Run) -> Iterator[Run]:
    """The service with its normal set of processes, at rest; afterwards nothing may have been wrong."""
    whole_run.stack.start_service()
    yield whole_run
    whole_run.watch.require_clean()
