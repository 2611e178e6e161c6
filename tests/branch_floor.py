"""A plugin of pytest that fails a run with coverage if too few branches of a core package were taken.

Counted is what the tests of these packages and the references take, in their own process and in those that
they start. All other tests run without counting, which nearly doubles the time of a test: a branch that only
a scenario takes lacks a test of its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import coverage
import pytest

PACKAGES = ("api", "models", "workers")
FLOOR = 95.0
_TESTS = Path(__file__).parent
# The doctests of the analysis and of the formats stand in their modules.
_FOLDERS = [*(_TESTS / name for name in (*PACKAGES, "reference")), _TESTS.parent / "workers"]
# With this variable, coverage counts in a process from the start of its interpreter.
_COUNTS_IN_PROCESSES = "COVERAGE_PROCESS_CONFIG"


def pytest_configure(config: pytest.Config) -> None:
    """In a process of xdist, let only what pytest-cov starts with the session count: `no_cover` pauses that.

    Counting begins there with the interpreter, and once more with the plugin.
    """
    if hasattr(config, "workerinput"):
        while started := coverage.Coverage.current():
            started.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test of another package run without counting, with its fixtures and the processes they start."""
    if any(item.path.is_relative_to(folder) for folder in _FOLDERS):
        return (yield)
    with _uncounted():
        return (yield)


@contextmanager
def _uncounted() -> Iterator[None]:
    counting = coverage.Coverage.current()
    processes = os.environ.pop(_COUNTS_IN_PROCESSES, None)
    if counting:
        counting.stop()
    try:
        yield
    finally:
        if processes is not None:
            os.environ[_COUNTS_IN_PROCESSES] = processes
        # After a test that is marked no_cover it counts already.
        if counting and counting is not coverage.Coverage.current():
            counting.start()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Read what pytest-cov has combined, in the process that has started the others."""
    if hasattr(session.config, "workerinput") or not session.config.getoption("cov_source"):
        return
    taken = shares_of_branches(session.config.rootpath)
    session.config.stash[_SHARES] = taken
    if session.exitstatus == pytest.ExitCode.OK and min(taken.values()) < FLOOR:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the shares."""
    for package, share in config.stash.get(_SHARES, {}).items():
        is_below = f", below {FLOOR:g} %" if share < FLOOR else ""
        terminalreporter.write_line(f"{package}: {share:.1f} % of branches{is_below}", red=bool(is_below))


def shares_of_branches(root: Path) -> dict[str, float]:
    """Return the percentage of branches that were taken, by package."""
    measured = coverage.Coverage()
    measured.load()
    taken, known = Counter[str](), Counter[str]()
    for file in measured.get_data().measured_files():
        if Path(file).suffix != ".py":
            # Jinja compiles templates to code that claims their lines.
            continue
        package = Path(file).relative_to(root).parts[0]
        for exits, used in measured.branch_stats(file).values():
            known[package] += exits
            taken[package] += used
    return {package: 100 * taken[package] / max(known[package], 1) for package in PACKAGES}


_SHARES = pytest.StashKey[dict[str, float]]()
