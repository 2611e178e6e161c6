"""Files on a real S3 server: written, streamed, listed, removed, handed out by it, and while it is away."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from api.app import create_app
from api.services import Services
from models.errors import NotFoundError, StorageError
from models.lms.quizzes import Quiz
from models.settings import Settings
from models.storage import BlobStore, open_store
from tests.factories import QUIZ_ID, Api, reports_path
from tests.models.conftest import on_s3
from tests.plain_http import PLAIN_HTTP
from tests.s3_server import S3Server, SpoiltWay
from workers.generation import generate
from workers.resources import Resources

# More than two parts of a multipart upload, and no multiple of a part.
LARGE = random.Random(1).randbytes(20 * 2**20 + 12_345)
WISH = {"quiz_report": {"report_type": "student_analysis"}}


def ask(api: Api) -> tuple[int, int]:
    report = api.post(reports_path(), json=WISH).json
    return report["id"], int(report["progress_url"].rsplit("/", 1)[1])


def work(settings: Settings, asked: tuple[int, int]) -> None:
    """Do a job as a worker does."""
    resources = Resources(settings)
    generate(resources, *asked)
    resources.close()


def shown(api: Api, asked: tuple[int, int]) -> dict[str, Any]:
    return dict(api.get(f"{reports_path()}/{asked[0]}").json)


def path_of(report: dict[str, Any]) -> str:
    return str(report["file"]["url"]).removeprefix("http://quiz-reports.test")


def keys(store: BlobStore) -> list[str]:
    return [stored.key for batch in store.list("reports") for stored in batch]


class TestReports:
    @pytest.mark.contract("4 File", "from S3 the bytes are streamed through")
    def test_a_worker_writes_and_the_api_streams(self, s3_api: Api) -> None:
        asked = ask(s3_api)
        work(s3_api.settings, asked)
        report = shown(s3_api, asked)
        response = s3_api.get(path_of(report), None)
        assert response.data.startswith(b"name,id,sis_id,section,")
        assert len(response.data) == report["file"]["size"]
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"

    @pytest.mark.contract("4 File", "from S3 the bytes are streamed through")
    def test_a_file_of_many_parts_arrives_whole_and_in_ranges(self, s3_api: Api) -> None:
        path = path_of(s3_api.generated(content=LARGE))
        assert s3_api.get(path, None).data == LARGE
        for start, stop in ((0, 1), (8 * 2**20 - 1, 8 * 2**20 + 1), (len(LARGE) - 7, len(LARGE))):
            response = s3_api.get(path, None, headers={"Range": f"bytes={start}-{stop - 1}"})
            assert (response.status_code, response.data) == (206, LARGE[start:stop])

    def test_delete_removes_the_object(self, s3_api: Api) -> None:
        store = open_store(s3_api.settings)
        before = set(keys(store))
        report = s3_api.generated()
        (key,) = set(keys(store)) - before
        assert s3_api.delete(f"{reports_path()}/{report['id']}").status_code == 204
        assert key not in keys(store)
        assert s3_api.get(path_of(report), None).status_code == 404


class TestStore:
    def test_lists_what_is_there_a_batch_at_a_time(self, s3_settings: Settings) -> None:
        store = open_store(s3_settings)
        names = {f"reports/list/{number:04}" for number in range(620)}
        for name in names:
            with store.writer(name) as writer:
                writer.write(b"x")
        batches = list(store.list("reports/list"))
        assert {stored.key for batch in batches for stored in batch} == names
        assert {stored.size for batch in batches for stored in batch} == {1}
        assert max(len(batch) for batch in batches) <= 500
        for name in names:
            store.delete(name)

    def test_what_is_not_there(self, s3_settings: Settings) -> None:
        store = open_store(s3_settings)
        with pytest.raises(NotFoundError):
            store.size("reports/none")
        with pytest.raises(NotFoundError):
            store.read("reports/none")
        store.delete("reports/none")

    @pytest.mark.parametrize(
        "variable",
        ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"],
    )
    def test_credentials_that_are_wrong(self, s3_settings: Settings, variable: str) -> None:
        store = open_store(replace(s3_settings, s3={**s3_settings.s3, variable: "wrong"}))
        with pytest.raises(StorageError) as raised, store.writer("reports/refused") as writer:
            writer.write(b"x")
        assert s3_settings.s3["AWS_SECRET_ACCESS_KEY"] not in str(raised.value)


class TestPresigned:
    @pytest.fixture
    def presigning(self, s3_api: Api) -> Iterator[Api]:
        settings = replace(s3_api.settings, presigned_downloads=True)
        app = create_app(settings)
        yield Api(app, settings, s3_api.database, s3_api.tokens)
        Services.of(app).close()

    def test_of_a_lost_object_there_is_none(self, presigning: Api) -> None:
        store = open_store(presigning.settings)
        before = set(keys(store))
        report = presigning.generated()
        (key,) = set(keys(store)) - before
        store.delete(key)
        assert presigning.get(path_of(report), None).status_code == 404

    @pytest.mark.contract("4 File", "a redirect to a presigned URL is a setting")
    def test_is_a_redirect_to_the_bytes_under_their_display_name(self, presigning: Api) -> None:
        with presigning.database.transaction() as session:
            session.get_one(Quiz, QUIZ_ID).title = "Zellen & Gewebe äöü"
        asked = ask(presigning)
        work(presigning.settings, asked)
        response = presigning.get(path_of(shown(presigning, asked)), None)
        assert (response.status_code, response.data) == (302, b"")
        found = httpx.get(response.headers["Location"], **PLAIN_HTTP, timeout=60)
        assert found.status_code == 200
        assert found.content.startswith(b"name,id,sis_id,section,")
        assert found.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert found.headers["Content-Disposition"] == (
            'attachment; filename="Zellen & Gewebe aou Quiz Student Analysis Report.csv"; '
            "filename*=UTF-8''Zellen%20&%20Gewebe%20%C3%A4%C3%B6%C3%BC%20Quiz%20Student%20Analysis%20Report.csv"
        )

    def test_asks_for_the_same_permission(self, presigning: Api) -> None:
        report = presigning.generated()
        download = f"/files/{report['file']['id']}/download"
        assert presigning.get(download, None).status_code == 401
        assert presigning.get(download, "student").status_code == 403
        assert presigning.get(download).status_code == 302

    def test_its_url_is_good_for_that_object_alone(self, presigning: Api) -> None:
        url = presigning.get(path_of(presigning.generated()), None).headers["Location"]
        other = url.replace("/reports/", "/reports/x")
        assert httpx.get(other, **PLAIN_HTTP, timeout=60).status_code == 403
        assert httpx.put(url, content=b"x", **PLAIN_HTTP, timeout=60).status_code == 403

    def test_a_folder_has_no_such_url_so_the_bytes_are_streamed(
        self, presigning: Api, tmp_path: Path
    ) -> None:
        settings = replace(presigning.settings, storage_url=f"file://{tmp_path}/folder")
        app = create_app(settings)
        local = Api(app, settings, presigning.database, presigning.tokens)
        assert local.get(path_of(local.generated()), None).status_code == 200
        Services.of(app).close()


class TestAway:
    def test_a_while_of_503s_is_waited_for(self, s3_api: Api, s3: S3Server) -> None:
        with SpoiltWay(s3.port) as way:
            way.refused = 3
            settings = on_s3(s3_api.settings, s3.environ(way.port))
            asked = ask(s3_api)
            work(settings, asked)
            assert way.spoilt == 3
        assert s3_api.get(path_of(shown(s3_api, asked)), None).status_code == 200

    def test_a_server_that_comes_back_is_waited_for(self, s3_api: Api, s3: S3Server) -> None:
        """Nobody listens for a second, as while a server is started again."""
        with ReturningWay(s3.port, seconds_away=1.0) as way:
            asked = ask(s3_api)
            work(on_s3(s3_api.settings, s3.environ(way.port)), asked)
            assert way.came_back
        assert s3_api.get(path_of(shown(s3_api, asked)), None).status_code == 200

    def test_a_server_that_stays_away_fails_the_report_with_a_message(
        self, s3_api: Api, s3: S3Server
    ) -> None:
        settings = replace(on_s3(s3_api.settings, s3.environ(1)), lease_seconds=4.0, max_tries=1)
        asked = ask(s3_api)
        work(settings, asked)
        progress = s3_api.get(f"/api/v1/progress/{asked[1]}").json
        assert progress["workflow_state"] == "failed"
        assert progress["message"].startswith("The report's file could not be stored. Please ask again later")
        assert s3_api.post(reports_path(), json=WISH).status_code == 200

    def test_a_bucket_that_does_not_exist_fails_it_too(self, s3_api: Api, s3: S3Server) -> None:
        settings = replace(
            s3_api.settings, storage_url="s3://No_Such_Bucket/x", lease_seconds=4.0, max_tries=1
        )
        asked = ask(s3_api)
        work(settings, asked)
        progress = s3_api.get(f"/api/v1/progress/{asked[1]}").json
        assert (progress["workflow_state"], "could not be stored" in progress["message"]) == ("failed", True)

    def test_a_download_is_a_503_meanwhile(self, s3_api: Api, s3: S3Server) -> None:
        report = s3_api.generated()
        settings = replace(on_s3(s3_api.settings, s3.environ(1)), lease_seconds=4.0)
        app = create_app(settings)
        away = Api(app, settings, s3_api.database, s3_api.tokens)
        response = away.get(path_of(report), None)
        assert (response.status_code, response.json["status"]) == (503, "service_unavailable")
        # The report goes nonetheless; the sweeper takes the object.
        assert away.delete(f"{reports_path()}/{report['id']}").status_code == 204
        Services.of(app).close()


class ReturningWay:
    """A way to a server on a port where nobody listens at first."""

    def __init__(self, server_port: int, *, seconds_away: float) -> None:
        self._server_port = server_port
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._opened = [self._listening]
        self._threads: list[threading.Thread] = []
        self._timer = threading.Timer(seconds_away, self._come_back)
        self.came_back = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        for opened in self._opened:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in [self._timer, *self._threads]:
            thread.join()
        for opened in self._opened:
            opened.close()

    def _come_back(self) -> None:
        self._listening.listen()
        self.came_back = True
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._server_port))
                self._opened += [near, far]
                for source, target in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=carry, args=(source, target)))
                    self._threads[-1].start()


def carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(2**16):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
