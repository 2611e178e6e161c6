"""Parts that share nothing but database, broker and S3 store: each has folders of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sample_reports import KINDS
from tests.scenarios.topology.clients import Clients, digests, kept_digests
from tests.scenarios.topology.containers import Topology, make_secrets, running_topology

pytestmark = pytest.mark.exhaustive


def settings(folder: Path) -> dict[str, str]:
    """Write settings.env as ops/README.md has it, with a limit that makes LSAT's reports large."""
    make_secrets(folder)
    (identity,) = json.loads((folder / "secrets" / "s3_config").read_text())["identities"]
    (key,) = identity["credentials"]
    return {
        "AWS_ACCESS_KEY_ID": key["accessKey"],
        "AWS_SECRET_ACCESS_KEY": key["secretKey"],
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://s3:8333",
        "QUIZ_REPORTS_LARGE_RESPONSES": "5000",
    }


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    folder = tmp_path_factory.mktemp("topology")
    with running_topology(
        folder,
        profiles=["s3"],
        variables={"STORAGE_URL": "s3://quiz-reports/files"},
        settings=settings(folder),
        shares_volumes=False,
    ) as topology:
        yield topology


def test_reports_of_several_machines_are_read_on_any_other(topology: Topology) -> None:
    clients = Clients.of(topology)
    clients.push_sample()
    files = {kind: clients.make(kind) for kind in KINDS}

    assert digests(files) == kept_digests()
    for name in ("worker", "worker-large"):
        assert any(clients.was_made_by(name, kind) for kind in KINDS)
    for name in ("api-1", "api-2"):
        base_url = f"http://{topology[name].description.address}:8000"
        for kind in KINDS:
            url = clients.send("GET", clients.paths[kind], base_url=base_url).json()["file"]["url"]
            assert clients.send("GET", url).content == files[kind]


def test_nothing_is_stored_on_the_machines_of_the_service(topology: Topology) -> None:
    for service in ("api", "worker", "worker-large", "sweeper"):
        for part in topology.of_service(service):
            files = part.description.mounts["/var/lib/quiz-reports/files"]
            assert not list(files.rglob("*")), part.name
    assert list(topology["s3"].description.mounts["/data"].rglob("*.dat"))


def test_the_doctor_finds_the_store_well(topology: Topology) -> None:
    assert "FAIL" not in topology["api-1"].run("doctor")
