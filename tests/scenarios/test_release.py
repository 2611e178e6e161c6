"""What a release hands out: wheel, sdist and the list of libraries, tried in an empty environment."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.ops.docker.test_lock import LOCK, pins
from tests.plain_http import PLAIN_HTTP
from tests.scenarios.stack import Stack, running_stack

pytestmark = pytest.mark.exhaustive

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PACKAGES = ("api", "models", "ops", "workers")
# Pages for people who read the repository, and what deploys the image: no program reads them.
NOT_INSTALLED = re.compile(r"\.(md|png|svg)$|^ops/(docker|grafana|kubernetes|prometheus)/")


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def to_install() -> set[str]:
    return {name for name in tracked() if name.split("/")[0] in PACKAGES and not NOT_INSTALLED.search(name)}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the release of the files that git has, as they are now."""
    folder = tmp_path_factory.mktemp("release")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    subprocess.run(["make", "distributions", f"BIN={BIN}"], cwd=folder, check=True)
    return folder / "dist"


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment, with the versions that are tested."""
    environment = tmp_path_factory.mktemp("installed") / "environment"
    (wheel,) = dist.glob("*.whl")
    uv = [str(BIN / "uv"), "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(environment)], check=True)
    install = ["pip", "install", "--python", str(environment), "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*uv, *install, f"{wheel}[embedded]"], check=True)
    return environment / "bin" / "quiz-reports"


@pytest.fixture(scope="module")
def stack(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run `up` as somebody who has installed the wheel and has nothing else."""
    empty = tmp_path_factory.mktemp("empty")
    options = ("--sample", "--workers", "1")
    with running_stack(
        empty / ".quiz-reports", *options, until="Ctrl-C stops", program=str(installed), cwd=empty
    ) as stack:
        yield stack
        stack.stop()


def test_the_wheel_has_all_files_that_programs_read_and_no_others(dist: Path) -> None:
    (file,) = dist.glob("*.whl")
    with zipfile.ZipFile(file) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == to_install()


def test_the_sdist_has_what_the_wheel_is_built_from(dist: Path) -> None:
    (file,) = dist.glob("*.tar.gz")
    with tarfile.open(file) as sdist:
        names = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    assert names >= to_install() | {"pyproject.toml", "README.md", "LICENSE"}


def test_up_runs_from_the_wheel_in_an_empty_folder(stack: Stack) -> None:
    assert stack.is_ready()
    for path, content_type in {
        "/docs": "text/html",
        "/openapi.json": "application/json",
        "/metrics": "text/plain",
    }.items():
        response = stack.send("GET", path, follow_redirects=True)
        assert (response.status_code, response.headers["Content-Type"].split(";")[0]) == (200, content_type)
    reports = stack.send("GET", "/api/v1/courses/101/quizzes/202/reports", headers={"Accept-Language": "de"})
    assert [report["readable_type"] for report in reports.json()] != ["Student Analysis", "Item Analysis"]
    assert all("file" in report for report in reports.json())


def test_its_pages_have_their_templates_and_styles(stack: Stack) -> None:
    wanted = {"page_link": {"user_id": 7001, "course_id": 101, "quiz_id": 202}}
    url = stack.send("POST", "/api/v1/page_links", json=wanted).json()["url"]
    with httpx.Client(**PLAIN_HTTP, follow_redirects=True, timeout=30) as browser:
        page = browser.get(url)
        assert page.status_code == 200, page.text
        links = re.findall(r'(?:href|src)="([^"]+\.(?:css|js)[^"]*)"', page.text)
        assert links
        for link in links:
            assert browser.get(page.url.join(link)).status_code == 200, link


def test_the_list_names_every_library_of_the_image_with_its_licence(dist: Path) -> None:
    listed = json.loads((dist / "sbom.cdx.json").read_bytes())
    assert listed["bomFormat"] == "CycloneDX"
    (wheel,) = dist.glob("*.whl")
    main = listed["metadata"]["component"]
    assert wheel.name.startswith(f"{main['name'].replace('-', '_')}-{main['version']}-")
    components = {
        component["purl"].removeprefix("pkg:pypi/"): component for component in listed["components"]
    }
    # The lock is for the image's Python, where one library fewer may be needed than here.
    assert components.keys() >= {f"{name}@{version}" for name, version in pins(LOCK).items()}
    assert all(component["licenses"] for component in components.values())
