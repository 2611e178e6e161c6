"""Fault 14: the network cuts a worker off from the database and the broker in the middle of a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from models.db.session import Database
from models.reports.jobs import unreferenced
from tests.relay import Relay
from tests.s3_server import S3Server
from tests.scenarios.chaos.run import Run
from tests.scenarios.chaos.stored import job
from tests.scenarios.chaos.test_storage import on_s3
from tests.school import Size
from tests.waiting import wait_for

# Several chunks, so that half of them are still to be read.
_IN_CHUNKS = Size(students=3000, questions=3, essay_characters=200)
# Short enough to wait for, and long enough for four tries to reach the store.
_LEASE_SECONDS = "8"


@dataclass(frozen=True)
class Network:
    """The only ways of one worker to the database and to the broker."""

    postgres: Relay
    valkey: Relay

    def drop_packets(self) -> None:
        for relay in (self.postgres, self.valkey):
            relay.silent.set()

    def refuse(self) -> None:
        for relay in (self.postgres, self.valkey):
            relay.cut()

    def mend(self) -> None:
        for relay in (self.postgres, self.valkey):
            relay.mend()


# The step at which the worker is cut off, how, and what it notices of it at last. It waits ten seconds for a
# database that is silent: a network that is mended within them lets it ask for its lease.
CASES = [
    ("half_computed", Network.drop_packets, {"lease_lost", "database_failed"}),
    ("before_finish", Network.drop_packets, {"lease_lost", "database_failed"}),
    ("half_computed", Network.refuse, {"database_failed"}),
    ("before_finish", Network.refuse, {"database_failed"}),
]


@pytest.mark.only_in_full("14. a worker cut off from database and broker")
def test_a_worker_that_is_cut_off_is_replaced_and_changes_nothing_when_it_returns(run: Run) -> None:
    orphans = 0
    with on_s3(run) as (server, _):
        for step, cut_off, notices in CASES:
            run.stack.kill_workers()
            with network(run) as way:
                folder = run.stack.directory
                isolated = run.stack.start_worker(
                    stops_at=step, environ=own_folder(folder / "isolated") | through(run, way)
                )
                quiz_id = run.school.add_quiz(_IN_CHUNKS)
                report_id = run.client.request(quiz_id)
                wait_for(isolated.stopped_child)
                run.watch.excuse_objects_of_running_jobs()
                cut_off(way)
                # It works on, and does not know yet.
                isolated.wake()
                other = run.stack.start_worker(environ=own_folder(folder / "other"))
                file = run.client.wait_for_file(quiz_id, report_id)
                content = run.client.download(file)
                finished = rows_of(run, report_id)
                assert finished["tries"] == 2

                way.mend()
                wait_for(lambda: any(map(isolated.has_logged, notices)))  # noqa: B023
                # It has returned when it makes the next report, alone.
                other.kill()
                take_another_job(run, isolated)

                assert rows_of(run, report_id) == finished
                after = run.client.show(quiz_id, report_id)["file"]
                assert (after["id"], after["uuid"]) == (file["id"], file["uuid"])
                assert run.client.download(after) == content
                orphans += count_orphans(run, server, report_id, finished["storage_key"])
            run.stack.kill_workers()
    run.watch.excuse_no_object()
    run.findings.add(
        "14. a worker cut off from database and broker",
        len(CASES),
        "another worker, which shares only the servers and S3 with it, finished; when it returned, it changed"
        f" no row and no file, and took the next job; {orphans} objects are left to the sweeper",
    )


@contextmanager
def network(run: Run) -> Iterator[Network]:
    with (
        Relay("127.0.0.1", run.stack.postgres.port) as postgres,
        Relay("127.0.0.1", run.stack.valkey.port) as valkey,
    ):
        yield Network(postgres, valkey)


def through(run: Run, way: Network) -> dict[str, str]:
    """Give the settings of a process that reaches the servers by relays."""
    return {
        "DATABASE_URL": relayed(run.stack.postgres.url, way.postgres),
        "REDIS_URL": relayed(run.stack.valkey.url, way.valkey),
    }


def relayed(url: str, relay: Relay) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{relay.port}").geturl()


def own_folder(folder: Path) -> dict[str, str]:
    """Give the settings of a worker that shares no folder with any other."""
    folder.mkdir(exist_ok=True)
    return {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "QUIZ_REPORTS_LEASE_SECONDS": _LEASE_SECONDS,
    }


def rows_of(run: Run, report_id: int) -> dict[str, Any]:
    """Return everything that the tables have of a report, its Progress and its file."""
    with run.school.connect() as connection:
        row = connection.execute(
            "SELECT to_jsonb(r), to_jsonb(p), to_jsonb(f) FROM quiz_reports r"
            " JOIN progress p ON p.id = r.progress_id JOIN files f ON f.id = r.file_id WHERE r.id = %s",
            [report_id],
        ).fetchone()
    assert row is not None
    report, progress, file = row
    return {**report, "progress": progress, "storage_key": file["storage_key"], "file": file}


def take_another_job(run: Run, worker: Any) -> None:
    quiz_id = run.school.add_quiz()
    report_id = run.client.request(quiz_id)
    # The worker that comes back stops itself at its step again.
    wait_for(worker.stopped_child)
    worker.wake()
    run.client.wait_for_file(quiz_id, report_id)


def count_orphans(run: Run, server: S3Server, report_id: int, finished_key: str) -> int:
    """Count the objects of a job beside its file, each of which the sweeper deletes after a day."""
    others = {key for key in server.objects() if key.startswith(f"reports/{job(run, report_id)}/")}
    assert finished_key in others
    others.remove(finished_key)
    database = Database(run.stack.postgres.url)
    with database.transaction() as session:
        assert set(unreferenced(session, sorted(others))) == others
    database.dispose()
    return len(others)
