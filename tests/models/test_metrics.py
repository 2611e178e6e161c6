"""The metrics of the processes that share a folder, or of this one alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import prometheus_client
import pytest

from models.metrics import collected_registry

COUNTING = """
import models.metrics
from prometheus_client import Counter
models.metrics.name_process(lambda: {name!r})
Counter("test_things", "Things.").inc()
"""


@pytest.mark.integration
def test_processes_that_share_a_folder_are_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for name in ("first", "first", "second"):
        subprocess.run([sys.executable, "-c", COUNTING.format(name=name)], check=True)

    found = prometheus_client.generate_latest(collected_registry()).decode()

    assert "test_things_total 3.0" in found
    # The second process of a name goes on in the file of the first.
    assert {file.name for file in tmp_path.iterdir()} == {"counter_first.db", "counter_second.db"}


def test_without_a_folder_they_are_those_of_this_process() -> None:
    found = prometheus_client.generate_latest(collected_registry()).decode()

    assert "python_info" in found
