"""Contract, section 4: the File object, and the three ways to its bytes."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import update

from api.services import Services
from api.verifiers import LIFETIME_SECONDS, Verifiers
from models.lms.quizzes import Quiz
from models.reports.tables import File
from models.reports.variants import CLASSIC_FORMATS, ReportFormat
from tests.factories import CALLERS, CSV, QUIZ_ID, SURVEY_ID, Api, ApiResponse, reports_path
from tests.provenance import PROVENANCE
from workers.analysis.frames import Table
from workers.formats import json

BASE = "http://quiz-reports.test"
BIG = b"".join(b"%d,x\n" % number for number in range(200_000))


def file_of(api: Api, **params: Any) -> dict[str, Any]:
    return dict(api.generated(**params)["file"])


def path_of(file: dict[str, Any]) -> str:
    return str(file["url"]).removeprefix(BASE)


@pytest.mark.contract("4 File", "its fields and names")
def test_fields(api: Api) -> None:
    file = file_of(api)
    assert {name: file[name] for name in file if name not in {"id", "uuid", "url"}} == {
        "folder_id": None,
        "display_name": "Cells Quiz Student Analysis Report.csv",
        "filename": "quiz_student_analysis_report.csv",
        "upload_status": "success",
        "content-type": "text/csv",
        "size": len(CSV),
        "created_at": file["created_at"],
        "updated_at": file["created_at"],
        "modified_at": file["created_at"],
        "unlock_at": None,
        "lock_at": None,
        "locked": False,
        "hidden": False,
        "locked_for_user": False,
        "hidden_for_user": False,
        "thumbnail_url": None,
        "mime_class": "file",
        "media_entry_id": None,
    }


@pytest.mark.parametrize("report_format", CLASSIC_FORMATS)
@pytest.mark.contract("4 File", "its fields and names")
def test_names_and_types_follow_the_format(api: Api, report_format: ReportFormat) -> None:
    # The description is checked against what is returned, so a JSON file has to be one.
    content = (
        b"".join(json.write(Table([], iter([])), PROVENANCE)) if report_format is ReportFormat.JSON else CSV
    )
    file = file_of(api, content=content, format=report_format)
    response = api.get(path_of(file), None)
    assert file["display_name"] == f"Cells Quiz Student Analysis Report.{report_format}"
    assert file["filename"] == f"quiz_student_analysis_report.{report_format}"
    assert (file["content-type"], response.data) == (response.mimetype, content)
    assert f'filename="{file["display_name"]}"' in response.headers["Content-Disposition"]


def test_the_file_object_is_the_same_by_itself(api: Api) -> None:
    file = file_of(api)
    shown = api.get(f"/api/v1/files/{file['id']}").json
    assert {**shown, "url": ""} == {**file, "url": ""}


@pytest.mark.parametrize(
    ("report_type", "quiz_id", "language", "display_name", "filename"),
    [
        (
            "item_analysis",
            QUIZ_ID,
            "en",
            "Cells Quiz Item Analysis Report.csv",
            "quiz_item_analysis_report.csv",
        ),
        (
            "student_analysis",
            SURVEY_ID,
            "en",
            "Cells Survey Student Analysis Report.csv",
            "quiz_student_analysis_report.csv",
        ),
        (
            "item_analysis",
            QUIZ_ID,
            "de",
            "Cells Quiz Bericht Itemanalyse.csv",
            "quiz_item_analysis_report.csv",
        ),
        (
            "item_analysis",
            QUIZ_ID,
            "ja",
            "Cells クイズ 項目分析レポート.csv",
            "quiz_item_analysis_report.csv",
        ),
    ],
)
@pytest.mark.contract("4 File", "its fields and names")
def test_names(
    api: Api, report_type: str, quiz_id: int, language: str, display_name: str, filename: str
) -> None:
    file = file_of(api, report_type=report_type, quiz_id=quiz_id)
    shown = api.get(f"/api/v1/files/{file['id']}", headers={"Accept-Language": language}).json
    assert (shown["display_name"], shown["filename"]) == (display_name, filename)


@pytest.mark.contract("4 File", "a verifier is fresh each time and lives an hour")
def test_the_url_is_as_in_canvas_and_its_verifier_fresh_each_time(api: Api) -> None:
    file = file_of(api)
    shown = api.get(f"/api/v1/files/{file['id']}").json
    for url in (file["url"], shown["url"]):
        assert url.startswith(f"{BASE}/files/{file['id']}/download?download_frd=1&verifier=")
    assert file["url"] != shown["url"]


class TestThreeWays:
    @pytest.fixture
    def file(self, api: Api) -> dict[str, Any]:
        return file_of(api)

    @pytest.mark.contract("4 File", "the url works with Bearer, with verifier, with both")
    def test_bearer(self, api: Api, file: dict[str, Any]) -> None:
        assert api.get(f"/files/{file['id']}/download").data == CSV
        assert api.get(f"/files/{file['id']}/download?download_frd=1").data == CSV

    @pytest.mark.contract("4 File", "the url works with Bearer, with verifier, with both")
    def test_verifier_without_a_header(self, api: Api, file: dict[str, Any]) -> None:
        assert api.get(path_of(file), None).data == CSV

    @pytest.mark.contract("4 File", "the url works with Bearer, with verifier, with both")
    def test_both_at_once(self, api: Api, file: dict[str, Any]) -> None:
        assert api.get(path_of(file)).data == CSV

    @pytest.mark.parametrize("caller", ["student", "stranger", "other_teacher", "ta"])
    def test_a_good_verifier_with_a_bearer_who_may_not(
        self, api: Api, file: dict[str, Any], caller: str
    ) -> None:
        assert api.get(path_of(file), caller).data == CSV

    def test_a_good_bearer_with_a_bad_verifier(self, api: Api, file: dict[str, Any]) -> None:
        assert api.get(f"/files/{file['id']}/download?verifier=bad").data == CSV

    def test_a_bearer_needs_the_scope_of_files(self, api: Api, file: dict[str, Any]) -> None:
        token = api.token(CALLERS["teacher"][0], scopes=["url:GET|/api/v1/courses/:id"])
        response = api.get(
            f"/files/{file['id']}/download", None, headers={"Authorization": f"Bearer {token}"}
        )
        assert response.json["errors"][0]["message"] == "Insufficient scopes on access token."

    @pytest.mark.parametrize(
        ("caller", "status"), [("student", 403), ("ta", 403), ("stranger", 404), ("other_teacher", 404)]
    )
    def test_a_bearer_needs_permission(
        self, api: Api, file: dict[str, Any], caller: str, status: int
    ) -> None:
        assert api.get(f"/files/{file['id']}/download", caller).status_code == status

    @pytest.mark.contract("4 File", "a bad verifier without a good Bearer, or neither: 401")
    def test_neither(self, api: Api, file: dict[str, Any]) -> None:
        response = api.get(f"/files/{file['id']}/download", None)
        assert (response.status_code, response.json["status"]) == (401, "unauthenticated")

    def test_a_bad_token_and_no_verifier(self, api: Api, file: dict[str, Any]) -> None:
        response = api.get(f"/files/{file['id']}/download?access_token=bad", None)
        assert (response.status_code, response.json["errors"][0]["message"]) == (401, "Invalid access token.")

    @pytest.mark.parametrize(
        "change", [lambda v: v[:-1], lambda v: "x" + v, lambda v: "", lambda v: v.swapcase()]
    )
    @pytest.mark.contract("4 File", "a bad verifier without a good Bearer, or neither: 401")
    def test_a_tampered_verifier(self, api: Api, file: dict[str, Any], change: Callable[[str], str]) -> None:
        path, verifier = path_of(file).split("verifier=")
        response = api.get(f"{path}verifier={change(verifier)}", None)
        assert (response.status_code, response.json["status"]) == (401, "unauthenticated")

    @pytest.mark.parametrize(("age", "status"), [(LIFETIME_SECONDS - 5, 200), (LIFETIME_SECONDS + 5, 401)])
    @pytest.mark.contract("4 File", "a verifier is fresh each time and lives an hour")
    def test_a_verifier_lives_for_an_hour(
        self, api: Api, file: dict[str, Any], age: int, status: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.time()
        later = Verifiers(api.settings.secret_key, clock=lambda: now + age)
        monkeypatch.setattr(Services.of(api.app), "verifiers", later)
        assert api.get(path_of(file), None).status_code == status

    @pytest.mark.contract("4 File", "a bad verifier without a good Bearer, or neither: 401")
    def test_another_files_verifier(self, api: Api, file: dict[str, Any]) -> None:
        other = file_of(api, report_type="item_analysis")
        verifier = other["url"].split("verifier=")[1]
        assert api.get(f"/files/{file['id']}/download?verifier={verifier}", None).status_code == 401

    def test_a_verifier_of_another_secret(self, api: Api, file: dict[str, Any]) -> None:
        forged = Verifiers("another secret").issue(file["id"], uuid.UUID(file["uuid"]))
        assert api.get(f"/files/{file['id']}/download?verifier={forged}", None).status_code == 401

    def test_a_verifier_of_a_file_whose_id_another_has_now(self, api: Api, file: dict[str, Any]) -> None:
        # As it is after a restore of an older database.
        with api.database.transaction() as session:
            session.execute(update(File).values(uuid=uuid.uuid4()))
        assert api.client.get(path_of(file)).status_code == 404

    def test_a_removed_file_is_gone_for_all(self, api: Api, file: dict[str, Any]) -> None:
        report_id = api.get(reports_path()).json[0]["id"]
        api.delete(f"{reports_path()}/{report_id}")
        for caller in ("teacher", None):
            response = api.get(path_of(file), caller)
            assert response.status_code == 404
            assert response.json == {"errors": [{"message": "The specified resource does not exist."}]}


class TestBytes:
    @pytest.mark.contract("4 File", "headers of the bytes, and names of every script")
    def test_headers(self, api: Api) -> None:
        response = api.get(path_of(file_of(api)), None)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert (
            response.headers["Content-Disposition"]
            == 'attachment; filename="Cells Quiz Student Analysis Report.csv"'
        )
        assert response.headers["ETag"] == f'"{hashlib.sha256(CSV).hexdigest()}"'
        assert response.headers["Content-Length"] == str(len(CSV))
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "private, no-store"
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"

    def test_a_large_file_arrives_whole(self, api: Api) -> None:
        assert api.get(path_of(file_of(api, content=BIG)), None).data == BIG

    def test_an_empty_file(self, api: Api) -> None:
        response = api.get(path_of(file_of(api, content=b"")), None)
        assert (response.status_code, response.data, response.headers["Content-Length"]) == (200, b"", "0")

    def test_head(self, api: Api) -> None:
        response = api.call("HEAD", path_of(file_of(api)), None)
        assert (response.status_code, response.data, response.headers["Content-Length"]) == (
            200,
            b"",
            str(len(CSV)),
        )

    @pytest.mark.contract("2 Show", "ETag and If-None-Match")
    def test_if_none_match(self, api: Api) -> None:
        path = path_of(file_of(api))
        etag = api.get(path, None).headers["ETag"]
        response = api.get(path, None, headers={"If-None-Match": etag})
        assert (response.status_code, response.data) == (304, b"")
        assert api.get(path, None, headers={"If-None-Match": '"other"'}).data == CSV

    @pytest.fixture
    def fetch(self, api: Api) -> Callable[..., ApiResponse]:
        path = path_of(file_of(api, content=BIG))
        return lambda **headers: api.get(
            path, None, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    @pytest.mark.parametrize(
        ("wanted", "start", "stop"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("bytes=700000-900000", 700_000, 900_001),
            ("bytes=1000000-", 1_000_000, len(BIG)),
            ("bytes=-7", len(BIG) - 7, len(BIG)),
            (f"bytes=5-{10 * len(BIG)}", 5, len(BIG)),
        ],
    )
    @pytest.mark.contract("4 File", "range requests")
    def test_a_range(self, fetch: Callable[..., ApiResponse], wanted: str, start: int, stop: int) -> None:
        response = fetch(Range=wanted)
        assert response.status_code == 206
        assert response.data == BIG[start:stop]
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(BIG)}"
        assert response.headers["Content-Length"] == str(stop - start)

    @pytest.mark.parametrize(
        "wanted", ["bytes=0-1,4-5", "rows=1-2", "bytes=", "bytes=x-y", "nonsense", "bytes=9-3"]
    )
    def test_what_is_no_single_range_gets_the_whole(
        self, fetch: Callable[..., ApiResponse], wanted: str
    ) -> None:
        response = fetch(Range=wanted)
        assert (response.status_code, response.data) == (200, BIG)

    @pytest.mark.contract("4 File", "range requests")
    def test_a_range_outside(self, fetch: Callable[..., ApiResponse]) -> None:
        response = fetch(Range="bytes=99999999-")
        assert (response.status_code, response.json["status"]) == (416, "range_not_satisfiable")
        assert response.headers["Content-Range"] == f"bytes */{len(BIG)}"

    def test_a_range_of_a_file_that_has_changed(self, fetch: Callable[..., ApiResponse]) -> None:
        etag = fetch().headers["ETag"]
        assert fetch(Range="bytes=0-4", If_Range=etag).status_code == 206
        assert fetch(Range="bytes=0-4", If_Range='"other"').data == BIG


class TestLostBytes:
    @pytest.fixture(params=[b"", CSV[:-1], None], ids=["empty", "cut short", "gone"])
    def report(self, request: pytest.FixtureRequest, api: Api) -> dict[str, Any]:
        report = api.generated()
        for stored in Path(api.settings.storage_url.removeprefix("file://")).rglob("*"):
            if stored.is_file():
                stored.unlink() if request.param is None else stored.write_bytes(request.param)
        return report

    def test_are_not_found(self, api: Api, report: dict[str, Any]) -> None:
        response = api.get(path_of(report["file"]), None)
        assert response.status_code == 404
        assert response.json == {"errors": [{"message": "The specified resource does not exist."}]}
        assert api.get(path_of(report["file"]), None, headers={"Range": "bytes=0-0"}).status_code == 404

    def test_are_made_again_for_who_asks(self, api: Api, report: dict[str, Any]) -> None:
        api.get(path_of(report["file"]), None)
        again = api.generated()
        assert again["id"] != report["id"]
        assert api.get(path_of(again["file"]), None).data == CSV


@pytest.mark.parametrize(
    "title",
    [
        "Zelläß",
        "עברית",
        "日本語",
        "emoji 🙂",
        'quo"te\\back',
        "../../etc/passwd",
        "a\r\nX-Evil: 1",
        "=1+1",
        "T" * 5000,
        "／",
        ";",
    ],
)
@pytest.mark.contract("4 File", "headers of the bytes, and names of every script")
def test_any_title_makes_a_right_header(api: Api, title: str) -> None:
    with api.database.transaction() as session:
        session.get_one(Quiz, QUIZ_ID).title = title
    file = file_of(api)
    assert file["display_name"] == f"{title} Quiz Student Analysis Report.csv"
    response = api.get(path_of(file), None)
    disposition = response.headers["Content-Disposition"]
    assert response.data == CSV
    assert "X-Evil" not in response.headers
    assert disposition.startswith("attachment; filename=")
    assert disposition.isascii()
    assert disposition.isprintable()
    assert len(disposition) < 1000
    name = unquote(disposition.partition("filename*=UTF-8''")[2])
    if title in {"Zelläß", "עברית", "日本語", "emoji 🙂"}:
        assert name == file["display_name"]
