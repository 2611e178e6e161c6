"""The look at dependencies: which licences pass, and that silence is not taken for a clean bill."""

from __future__ import annotations

import pytest

from ops import dependencies
from ops.dependencies import check_licences, is_allowed, report_advisories


@pytest.mark.parametrize(
    ("licence", "passes"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("BSD-3-Clause AND 0BSD AND MIT", True),
        ("(Apache-2.0 OR BSD-2-Clause) AND MIT", True),
        ("Mozilla Public License 2.0 (MPL 2.0)", True),
        ("GPL-3.0-only", False),
        ("MIT AND AGPL-3.0-only", False),
        ("GNU Affero General Public License v3", False),
        ("LGPL-3.0-only", False),
        ("Proprietary", False),
        ("none", False),
    ],
)
def test_licence(licence: str, *, passes: bool) -> None:
    assert is_allowed(licence) is passes


def test_all_that_is_pinned_passes() -> None:
    assert check_licences()


def test_a_licence_that_is_not_allowed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dependencies, "ALLOWED", dependencies.ALLOWED - {"MIT"})
    assert not check_licences()
    assert "licence not allowed: alembic: MIT\n" in capsys.readouterr().err


def test_a_known_hole_fails(capsys: pytest.CaptureFixture[str]) -> None:
    clean = {"name": "a", "version": "1", "vulns": []}
    assert report_advisories([clean])
    assert not report_advisories([clean, {"name": "b", "version": "2", "vulns": [{"id": "CVE-1"}]}])
    assert "known hole: b 2: CVE-1\n" in capsys.readouterr().err


def test_where_nobody_knows_our_packages_nothing_is_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_advisories([{"name": "a", "skip_reason": "not found"}])
    said = capsys.readouterr().out
    assert said.startswith("advisories could not be asked")
    assert "0 known holes" not in said
