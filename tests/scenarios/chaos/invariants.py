"""The watch: what must hold at every moment, looked at from outside by SQL, by HTTP and on the disk."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import psycopg
from psycopg.rows import namedtuple_row

from tests.scenarios.chaos.client import Client
from tests.scenarios.chaos.stack import LEASE_SECONDS, SWEEP_SECONDS, Stack

_PAUSE_SECONDS = 0.2
# Two slow cores, shared: a message that is waiting lets the sweeper be patient for six sweeps, too.
_SLACK_SECONDS = 20.0
_MOST_IDLE_SECONDS = 7 * SWEEP_SECONDS + _SLACK_SECONDS
_ORPHAN_SECONDS = LEASE_SECONDS + _SLACK_SECONDS
_ENDED = {"generated", "failed"}

_ROWS = """
    SELECT r.id, r.quiz_id, r.report_type, r.format, r.includes_all_versions, r.includes_sis_ids, r.anonymous,
           r.section_ids, r.state, r.tries, r.queue, r.progress_id, r.claim_token::text,
           r.lease_until < now() AS is_silent, r.file_id, r.quiz_revision, p.completion, p.message,
           f.storage_key, f.size, f.sha256
    FROM quiz_reports r LEFT JOIN progress p ON p.id = r.progress_id LEFT JOIN files f ON f.id = r.file_id
"""


class ObjectStore(Protocol):
    """Where files lie, as the watch sees it."""

    def read(self, key: str) -> bytes | None: ...

    def objects(self) -> dict[str, float]: ...


@dataclass
class Watch:
    """A thread that looks all the time; what it found wrong stands in `violations`."""

    stack: Stack
    client: Client
    store: ObjectStore
    violations: list[str] = field(default_factory=list)
    looks: int = 0
    objects_checked: int = 0

    def __post_init__(self) -> None:
        self._disturbances = 0
        self._is_blind = False
        self._second_store: ObjectStore | None = None
        self._stop = threading.Event()
        self._lock = threading.RLock()
        self._idle_since: dict[tuple[int, int], float] = {}
        self._orphan_since: dict[str, float] = {}
        self._progress: dict[int, tuple[str, int, float]] = {}
        self._files: dict[int, tuple[Any, ...]] = {}
        self._unchecked: dict[int, Any] = {}
        self._excused: set[str] = set()
        self._seen_by_http: dict[int, str] = {}
        self._attempts = 0
        self._connection: psycopg.Connection[Any] | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(120)
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def disturbed(self, *, blind: bool = False) -> Iterator[None]:
        """While a server is away nobody can take a job: waiting is counted afresh when it is back.

        Blind, because the database is away, the watch does not look at all.
        """
        with self._lock:
            self._disturbances += 1
            self._is_blind = blind
        try:
            yield
        finally:
            with self._lock:
                self._disturbances -= 1
                self._is_blind = False
                self._idle_since.clear()
                self._orphan_since.clear()

    def excuse_objects_of_running_jobs(self) -> None:
        """Note the tries that are about to be killed: their objects may stay for a day."""
        with self._lock, self.stack.superuser() as connection:
            rows = connection.execute(
                "SELECT progress_id, claim_token FROM quiz_reports WHERE state = 'running'"
            )
            self._excused |= {f"reports/{progress_id}/{token}" for progress_id, token in rows}

    def excuse_no_object(self) -> None:
        """From now on every object must have a row again."""
        with self._lock:
            self._excused.clear()
            self._orphan_since.clear()

    def require_clean(self) -> None:
        """Check the files that are still unchecked, and fail where anything was ever wrong."""
        deadline = time.monotonic() + 60
        while self._unchecked and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
        with self._lock:
            found, self.violations = self.violations, []
        assert not found, "\n".join(found)
        assert self._thread.is_alive(), "the watch has died"

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE_SECONDS):
            try:
                self._look()
            except psycopg.Error:
                # The database is away, as it should be in some of the tests.
                self._connection = None
            except Exception as error:
                self._violated(f"the watch itself failed: {error!r}")

    def _look(self) -> None:
        if self._is_blind:
            # This connection would wait with a server that is stopped.
            return
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self.stack.postgres.url, autocommit=True, connect_timeout=5, row_factory=namedtuple_row
            )
        slots = self.stack.slots()
        objects = self._objects() if self.looks % 5 == 0 else None
        rows = self._connection.execute(_ROWS).fetchall()
        attempts = self._connection.execute("SELECT count(*) FROM attempts").fetchone()
        with self._lock:
            self.looks += 1
            self._one_live_report_a_variant(rows)
            self._nothing_waits_beside_an_idle_slot(rows, min(slots, self.stack.slots()))
            for row in rows:
                if row.progress_id is not None:
                    self._progress_goes_forward(row)
                if row.file_id is not None:
                    self._file_stays_as_it_is(row)
            assert attempts is not None
            if attempts[0] < self._attempts:
                self._violated(f"there were {self._attempts} attempts and are {attempts[0]}")
            self._attempts = attempts[0]
            if objects is not None:
                self._every_object_has_a_row(objects, rows)
        self._check_files()
        self._ask_for_progress(rows)

    def _one_live_report_a_variant(self, rows: list[Any]) -> None:
        live = defaultdict(list)
        for row in rows:
            if row.state in {"queued", "running"}:
                live[(*row[1:7], *row.section_ids)].append(row.id)
        for variant, ids in live.items():
            if len(ids) > 1:
                self._violated(f"reports {ids} of variant {variant} are live at once")

    def _nothing_waits_beside_an_idle_slot(self, rows: list[Any], slots: int) -> None:
        busy = sum(row.state == "running" and not row.is_silent for row in rows)
        is_idle = busy < slots and self.stack.can_recover()
        waiting = {
            (row.progress_id, row.tries): row
            for row in rows
            if row.state == "queued" or (row.state == "running" and row.is_silent)
        }
        now = time.monotonic()
        self._idle_since = {
            key: self._idle_since.get(key, now) for key in waiting if is_idle and not self._disturbances
        }
        for key, since in list(self._idle_since.items()):
            if now - since > _MOST_IDLE_SECONDS:
                row = waiting[key]
                self._violated(
                    f"report {row.id} is {row.state} for {now - since:.0f} s beside an idle slot of {slots}"
                )
                self._idle_since[key] = now + 3600

    def _progress_goes_forward(self, row: Any) -> None:
        before = self._progress.get(row.progress_id)
        self._progress[row.progress_id] = (row.state, row.tries, row.completion)
        if (row.completion == 100) != (row.state == "generated"):
            self._violated(f"progress {row.progress_id} is {row.state} at {row.completion}")
        if row.state == "failed" and not row.message:
            self._violated(f"progress {row.progress_id} failed and says nothing")
        if before is None:
            return
        state, tries, completion = before
        if state in _ENDED and row.state != state:
            self._violated(f"progress {row.progress_id} was {state} and is {row.state}")
        if tries == row.tries and row.completion < completion:
            self._violated(f"progress {row.progress_id} fell from {completion} to {row.completion}")
        if row.tries < tries:
            self._violated(f"progress {row.progress_id} had {tries} tries and has {row.tries}")

    def _file_stays_as_it_is(self, row: Any) -> None:
        what = (row.storage_key, row.size, bytes(row.sha256), row.quiz_revision)
        if row.file_id not in self._files:
            self._files[row.file_id] = what
            self._unchecked[row.file_id] = row
        elif self._files[row.file_id] != what:
            self._violated(f"file {row.file_id} was {self._files[row.file_id]} and is {what}")

    def _every_object_has_a_row(self, objects: dict[str, float], rows: list[Any]) -> None:
        """Look for objects of no row; they were listed before the rows were read."""
        needed = {row.storage_key for row in rows} | {
            f"reports/{row.progress_id}/{row.claim_token}" for row in rows
        }
        now = time.monotonic()
        orphans = {
            key for key in objects if key.split("#")[0] not in needed | self._excused
        }  # A '#' begins what the store adds to a name while it writes.
        self._orphan_since = {key: self._orphan_since.get(key, now) for key in orphans}
        for key, since in self._orphan_since.items():
            if now - since > _ORPHAN_SECONDS:
                self._violated(f"object {key} has had no row for {now - since:.0f} s")
                self._excused.add(key.split("#")[0])

    def _check_files(self) -> None:
        for file_id, row in list(self._unchecked.items())[:20]:
            if self._is_blind:
                return
            content = self._content(row.storage_key)
            if content is None or len(content) != row.size or _digest(content) != bytes(row.sha256):
                if not self._is_there(file_id):
                    self._unchecked.pop(file_id)
                    continue
                self._violated(f"file {file_id} of report {row.id} is not what its row says")
            self._unchecked.pop(file_id)
            self.objects_checked += 1
            if self.objects_checked % 5 == 0:
                self._download(file_id, row)

    def look_also_in(self, store: ObjectStore | None) -> None:
        """Look for objects in a second store, too."""
        self._second_store = store

    def _objects(self) -> dict[str, float]:
        second = self._second_store
        return self.store.objects() | (second.objects() if second is not None else {})

    def _content(self, key: str) -> bytes | None:
        content = self.store.read(key)
        if content is None and self._second_store is not None:
            content = self._second_store.read(key)
        return content

    def _download(self, file_id: int, row: Any) -> None:
        answer = self._ask(f"/files/{file_id}/download")
        if answer is None:
            return
        if answer.status_code == 200 and _digest(answer.content) != bytes(row.sha256):
            self._violated(f"the download of file {file_id} is not what its row says")
        elif answer.status_code == 404 and self._is_there(file_id):
            self._violated(f"file {file_id} cannot be downloaded")

    def _is_there(self, file_id: int) -> bool:
        assert self._connection is not None
        found = self._connection.execute("SELECT 1 FROM files WHERE id = %s", [file_id])
        return found.fetchone() is not None

    def _ask_for_progress(self, rows: list[Any]) -> None:
        live = [row for row in rows if row.state in {"queued", "running"}]
        for row in live[:2]:
            answer = self._ask(f"/api/v1/progress/{row.progress_id}")
            if answer is not None and answer.status_code == 200:
                self._states_go_forward(row.progress_id, answer.json()["workflow_state"])

    def _ask(self, path: str) -> httpx.Response | None:
        if self._is_blind:
            return None
        try:
            answer = self.client.ask("GET", path)
        except httpx.TransportError:
            # An API process that was killed; tests that kill none look at each of their own requests.
            return None
        if answer.status_code >= 500 and not (answer.status_code == 503 and "Retry-After" in answer.headers):
            self._violated(f"GET {path} was answered with {answer.status_code}: {answer.text[:200]}")
        return answer

    def _states_go_forward(self, progress_id: int, state: str) -> None:
        order = ["queued", "running", "failed", "completed"]
        before = self._seen_by_http.get(progress_id, "queued")
        if order.index(state) < order.index(before):
            self._violated(f"progress {progress_id} was {before} and is {state}, over HTTP")
        self._seen_by_http[progress_id] = state

    def _violated(self, text: str) -> None:
        with self._lock:
            self.violations.append(f"{time.strftime('%H:%M:%S')} {text}")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
