"""The journey through the topology: push, report, download, restart of each part, doctor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.reports.variants import ReportType
from tests.sample_reports import KINDS, Kind
from tests.scenarios.topology.clients import Clients, digests, kept_digests
from tests.scenarios.topology.compose_file import ROOT, replicas
from tests.scenarios.topology.containers import Topology, running_topology
from tests.waiting import wait_for

pytestmark = pytest.mark.exhaustive

# Lines of settings.env. With the first, LSAT's thousand attempts make large reports.
SETTINGS = {"QUIZ_REPORTS_LARGE_RESPONSES": "5000", "QUIZ_REPORTS_SWEEP_SECONDS": "1"}
SMALL, LARGE = Kind(ReportType.STUDENT_ANALYSIS, 202), Kind(ReportType.ITEM_ANALYSIS, 201)
PARTS = [name for name in replicas() if name != "migrate"]
# What a request finds while a part is down. Half of the requests find the API that is up; of all other parts
# a request needs none.
WHILE_DOWN: Mapping[str, set[int | None]] = {
    "proxy": {None},
    "postgres": {503},
    "api-1": {200, 502},
    "api-2": {200, 502},
}

RUNBOOK = ROOT / "ops" / "README.md"
API, NODE = "`api`, for each of its `--processes`", "`worker`, for each node"
SLOT, SWEEPER = "`worker`, for each slot (`--concurrency`)", "`sweeper`"
# The processes of each part, the main one first, by the rows of the runbook's table.
ROWS: Mapping[str, Sequence[str | None]] = {
    "api-1": (None, API, API),
    "worker": (None, NODE, SLOT, SLOT),
    "worker-large": (None, NODE, SLOT),
    "sweeper": (SWEEPER,),
}


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    with running_topology(tmp_path_factory.mktemp("topology"), settings=SETTINGS) as topology:
        yield topology


@pytest.fixture(scope="module")
def clients(topology: Topology) -> Clients:
    clients = Clients.of(topology)
    clients.push_sample()
    return clients


@pytest.fixture(scope="module")
def files(clients: Clients) -> Mapping[Kind, bytes]:
    return {kind: clients.make(kind) for kind in KINDS}


def test_a_push_a_report_and_a_download_give_the_bytes_that_are_kept(files: Mapping[Kind, bytes]) -> None:
    assert digests(files) == kept_digests()


def test_large_reports_are_made_by_the_worker_for_them(clients: Clients, files: Mapping[Kind, bytes]) -> None:
    assert [clients.was_made_by(worker, SMALL) for worker in ("worker", "worker-large")] == [True, False]
    assert [clients.was_made_by(worker, LARGE) for worker in ("worker", "worker-large")] == [False, True]


@pytest.mark.parametrize("name", PARTS)
def test_reports_are_made_whichever_part_is_restarted(
    topology: Topology, clients: Clients, files: Mapping[Kind, bytes], name: str
) -> None:
    part = topology[name]
    for kind in (SMALL, LARGE):
        clients.empty(kind)
    part.stop()
    found = {clients.try_to_request(kind) for kind in (SMALL, LARGE)}
    part.start()
    part.wait_until_healthy()

    assert found <= WHILE_DOWN.get(name, {200})
    assert {kind: clients.make(kind) for kind in (SMALL, LARGE)} == {
        kind: files[kind] for kind in (SMALL, LARGE)
    }


def most_connections() -> dict[str, tuple[int, ...]]:
    """Read the runbook's table: the most connections to PostgreSQL and to the broker, by row."""
    number = r"(?:\d+ to )?(\d+)"
    rows = re.findall(rf"^\| (`.+?) \| {number} \| {number} \|$", RUNBOOK.read_text(), re.MULTILINE)
    return {process: tuple(map(int, most)) for process, *most in rows}


@pytest.mark.parametrize("name", ROWS)
def test_no_process_has_more_connections_than_the_runbook_says(
    topology: Topology, clients: Clients, files: Mapping[Kind, bytes], name: str
) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: clients.served("GET", clients.paths[SMALL]), range(100)))
    servers = [topology[server].description for server in ("postgres", "redis")]
    counts = zip(*(topology[name].connections_to(server) for server in servers), strict=True)
    for row, counted in zip(ROWS[name], counts, strict=True):
        most = most_connections()[row] if row else (0, 0)
        assert all(count <= limit for count, limit in zip(counted, most, strict=True)), (row, counted)


def test_the_doctor_finds_it_well(topology: Topology, clients: Clients) -> None:
    def report() -> str | None:
        printed = topology["api-1"].run("doctor", status=None)
        return None if "FAIL" in printed else printed

    assert "ok   workers" in wait_for(report)


def test_a_second_start_on_the_same_volumes_has_the_same_reports(
    topology: Topology, clients: Clients, files: Mapping[Kind, bytes]
) -> None:
    paths = dict(clients.paths)
    topology.stop()
    topology.up()

    assert {kind: clients.make(kind) for kind in KINDS} == files
    assert clients.paths == paths
