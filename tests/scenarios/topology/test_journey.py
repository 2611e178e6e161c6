"""The journey through the topology: push, report, download, restart of each part, doctor."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from models.db.session import Database
from models.reports.variants import ReportType
from tests.sample_reports import KINDS, Kind, sample_pushes
from tests.scenarios.topology.clients import Clients, digests, kept_digests
from tests.scenarios.topology.compose_file import ROOT, replicas
from tests.scenarios.topology.containers import Topology, running_topology
from tests.scenarios.topology.engine import Engine
from tests.waiting import wait_for

pytestmark = pytest.mark.exhaustive

# Lines of settings.env. With the first, LSAT's thousand attempts make large reports.
SETTINGS = {"QUIZ_REPORTS_LARGE_RESPONSES": "5000", "QUIZ_REPORTS_SWEEP_SECONDS": "1"}
SMALL, LARGE = Kind(ReportType.STUDENT_ANALYSIS, 202), Kind(ReportType.ITEM_ANALYSIS, 201)
PARTS = [name for name in replicas() if name != "migrate"]
# What a request finds while a part is down; of all other parts a request needs none, or has another one.
WHILE_DOWN: Mapping[str, set[int | None]] = {"proxy": {None}, "postgres": {503}}

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


def test_the_id_of_a_request_is_in_the_logs_of_all_that_it_passes(
    topology: Topology, clients: Clients, files: Mapping[Kind, bytes]
) -> None:
    clients.empty(SMALL)
    requested = clients.served("POST", SMALL.path, json={"quiz_report": SMALL.params})
    assert clients.make(SMALL) == files[SMALL]
    request_id = requested.headers["X-Request-Id"]
    passed = {
        part.description.service
        for part in topology.containers.values()
        if request_id in part.log.read_text()
    }
    assert passed == {"proxy", "api", "worker"}


def test_no_push_fails_while_the_apis_restart_one_after_the_other(
    topology: Topology, clients: Clients, files: Mapping[Kind, bytes]
) -> None:
    path, body = next(iter(sample_pushes()))
    statuses = Counter[int]()
    restarted = Event()

    def push() -> None:
        while not restarted.is_set():
            statuses[clients.send("PUT", path, json=body).status_code] += 1

    with ThreadPoolExecutor(2) as pool:
        pushing = [pool.submit(push) for _ in range(2)]
        try:
            for name in ("api-1", "api-2"):
                topology[name].stop()
                topology[name].start()
                topology[name].wait_until_healthy()
        finally:
            restarted.set()
        for pushes in pushing:
            pushes.result()
    assert statuses.keys() == {200}, statuses


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


def test_a_backup_becomes_the_same_service_on_another_machine(
    topology: Topology, clients: Clients, files: Mapping[Kind, bytes], tmp_path: Path
) -> None:
    Engine(topology, tmp_path / "here").run("backup", str(tmp_path / "backup"))
    with running_topology(tmp_path / "new", settings=SETTINGS) as elsewhere:
        engine = Engine(elsewhere, tmp_path / "there")
        restored = engine.run("restore", str(tmp_path / "backup"))

        assert "0 lost or changed" in restored
        # With its tokens.
        its_clients = Clients(elsewhere, clients.pusher, clients.teacher, dict(clients.paths))
        assert {kind: its_clients.file(kind) for kind in KINDS} == files
        elsewhere["api-1"].run("doctor", "--only", "migrations", "--only", "files", "--only", "storage")
        again = engine.try_to_run("restore", str(tmp_path / "backup"))
        assert (again.returncode, "not empty" in again.stderr) == (1, True)
        url = Path(elsewhere["api-1"].environ["DATABASE_URL_FILE"]).read_text().strip()
        database = Database(url, pool_size=1)
        with database.transaction() as session:
            session.connection().exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        database.dispose()
        assert "0 lost or changed" in engine.run("restore", str(tmp_path / "backup"))


def test_a_second_start_on_the_same_volumes_has_the_same_reports(
    topology: Topology, clients: Clients, files: Mapping[Kind, bytes]
) -> None:
    paths = dict(clients.paths)
    topology.stop()
    topology.up()

    assert {kind: clients.make(kind) for kind in KINDS} == files
    assert clients.paths == paths
