"""What the service stands on: under which licences, and with which known holes: `python -m ops.dependencies`.

Exit status 1 where a licence is not among those allowed, or an advisory names one of our versions. Advisories
come from PyPI over the network. Where it does not answer, or knows none of our packages (as a mirror does),
that is said, and nothing is claimed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import click

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"

# Free to use, to change and to hand on, without a claim on our own files.
ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "MIT", "MIT-0", "MPL-2.0"),
        *("PSF-2.0", "Zlib"),
        # The same as older packages write it.
        *("Apache Software License", "BSD License", "MIT License", "Python Software Foundation License"),
        "Mozilla Public License 2.0 (MPL 2.0)",
    }
)
# Package and licence: why we may use it all the same.
EXCEPTIONS = {
    ("psycopg", "LGPL-3.0-only"): "a library that is used as it is, and that everybody can replace",
    ("psycopg-binary", "LGPL-3.0-only"): "the same, with its own parts in C",
}
_PATIENCE_SECONDS = 120


def licence_of(package: str) -> str:
    """Tell the licence that an installed package declares, as an SPDX expression or in older words."""
    about = metadata.metadata(package)
    if "License-Expression" in about:
        return about["License-Expression"]
    named = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or () if "License ::" in line]
    if named or "License" not in about:
        return " AND ".join(named) or "none"
    return about["License"].splitlines()[0]


def is_allowed(licence: str) -> bool:
    """Whether one of the choices that a licence leaves asks for nothing but what is allowed."""
    choices = licence.replace("(MPL 2.0)", "[MPL 2.0]").replace("(", "").replace(")", "").split(" OR ")
    return any(
        all(part.strip().replace("[", "(").replace("]", ")") in ALLOWED for part in choice.split(" AND "))
        for choice in choices
    )


def pinned() -> Iterator[str]:
    """Name the packages that constraints.txt pins."""
    for line in CONSTRAINTS.read_text().splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)==", line):
            yield found[1]


def check_licences() -> bool:
    """Print each licence that is not allowed; whether there is none."""
    refused = []
    names = list(pinned())
    for name in names:
        try:
            licence = licence_of(name)
        except metadata.PackageNotFoundError:
            # Pinned for another platform, or for an extra that is not installed.
            continue
        if not is_allowed(licence) and (name.lower(), licence) not in EXCEPTIONS:
            refused.append(f"{name}: {licence}")
    for line in refused:
        click.echo(f"licence not allowed: {line}", err=True)
    click.echo(f"licences: {len(names)} packages looked at, {len(refused)} not allowed")
    return not refused


def check_advisories() -> bool:
    """Ask for known holes in what is pinned; False if there are any."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--disable-pip",
        "--no-deps",
        "--requirement",
        str(CONSTRAINTS),
    ]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS
        )
        found = json.loads(ended.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return _not_asked("no answer in time")
    except (ValueError, KeyError):
        return _not_asked((ended.stderr.strip().splitlines() or ["no answer"])[-1])
    return report_advisories(found)


def report_advisories(found: Sequence[Mapping[str, Any]]) -> bool:
    """Print what pip-audit found for each package; False if any has a known hole."""
    unknown = [package["name"] for package in found if "skip_reason" in package]
    if len(unknown) == len(found):
        return _not_asked(f"none of the {len(found)} packages is known there")
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}"
        for package in found
        for hole in package.get("vulns", ())
    ]
    for line in holes:
        click.echo(f"known hole: {line}", err=True)
    if unknown:
        click.echo(f"advisories: nothing is known there of {', '.join(map(str, unknown))}")
    click.echo(f"advisories: {len(found) - len(unknown)} packages looked up, {len(holes)} known holes")
    return not holes


def _not_asked(reason: str) -> bool:
    click.echo(f"advisories could not be asked ({reason}): run make audit where PyPI can be reached")
    return True


if __name__ == "__main__":
    sys.exit(not all([check_licences(), check_advisories()]))
