"""The folder of the API's metrics outlives no later start."""

from __future__ import annotations

from pathlib import Path

from models.settings import Settings
from ops.serve.metrics_folder import make_metrics_folder
from tests.waiting import wait_for
from tests.web_process import running_web_process


def folders(parent: Path) -> set[Path]:
    return set(parent.glob("quiz-reports-metrics-*"))


def test_what_a_killed_server_left_goes_at_the_next_start(settings: Settings, tmp_path: Path) -> None:
    with running_web_process(settings, "--processes", "1", TMPDIR=str(tmp_path)) as first:
        (left,) = folders(tmp_path)
        with running_web_process(settings, "--processes", "1", TMPDIR=str(tmp_path)):
            # The first server still uses its own.
            assert left in folders(tmp_path)
            assert len(folders(tmp_path)) == 2
        assert folders(tmp_path) == {left}
        first.process.kill()
        first.process.wait()
        assert left.exists()
        # Its children end by themselves once they find that their parent has.
        wait_for(lambda: not first.answers(seconds=1))
    with running_web_process(settings, "--processes", "1", TMPDIR=str(tmp_path)):
        assert left not in folders(tmp_path)
    assert folders(tmp_path) == set()


def test_a_link_of_that_name_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (tmp_path / "quiz-reports-metrics-link").symlink_to(kept)
    folder = make_metrics_folder(tmp_path)
    assert (kept / "file").exists()
    assert folder.stat().st_mode & 0o077 == 0
