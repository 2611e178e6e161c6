"""Contract, section 2: the QuizReport in its forms, and what index, create, show and abort do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.lms.courses import Course
from models.reports.tables import QuizReport
from tests.factories import (
    ANONYMOUS_SURVEY_ID,
    COURSE_ID,
    QUIZ_ID,
    SURVEY_ID,
    Api,
    reports_path,
)
from tests.statements import statements_of

REPORTS = reports_path()
BASE = "http://quiz-reports.test"
JSON_API = {"Accept": "application/vnd.api+json"}
PLAIN_FIELDS = {
    "id",
    "quiz_id",
    "report_type",
    "readable_type",
    "includes_all_versions",
    "includes_sis_ids",
    "anonymous",
    "generatable",
    "created_at",
    "updated_at",
    "url",
}


def create(
    api: Api, report_type: str = "student_analysis", quiz_id: int = QUIZ_ID, **params: Any
) -> dict[str, Any]:
    response = api.post(reports_path(quiz_id), json={"quiz_report": {"report_type": report_type, **params}})
    assert response.status_code == 200, response.text
    return dict(response.json)


class TestPlainForm:
    @pytest.mark.contract(
        "2 QuizReport", "plain JSON has these fields; file and progress_url only once they exist"
    )
    def test_fields_before_a_job(self, api: Api) -> None:
        report = api.get(REPORTS).json[0]
        assert set(report) == PLAIN_FIELDS

    @pytest.mark.contract(
        "2 QuizReport", "plain JSON has these fields; file and progress_url only once they exist"
    )
    def test_fields_of_a_queued_report(self, api: Api) -> None:
        report = create(api)
        assert set(report) == {*PLAIN_FIELDS, "progress_url"}
        assert report["progress_url"] == f"{BASE}/api/v1/progress/{api.report(report['id']).progress_id}"

    @pytest.mark.contract(
        "2 QuizReport", "plain JSON has these fields; file and progress_url only once they exist"
    )
    def test_fields_of_a_generated_report(self, api: Api) -> None:
        report = api.generated()
        assert set(report) == {*PLAIN_FIELDS, "progress_url", "file"}

    def test_values(self, api: Api) -> None:
        report = create(api)
        assert report["quiz_id"] == QUIZ_ID
        assert report["report_type"] == "student_analysis"
        assert report["readable_type"] == "Student Analysis"
        assert report["includes_all_versions"] is False
        assert report["includes_sis_ids"] is True
        assert report["anonymous"] is False
        assert report["generatable"] is True
        assert report["url"] == f"{BASE}{REPORTS}/{report['id']}"

    @pytest.mark.contract("2 QuizReport", "times are ISO 8601 in UTC")
    def test_times_are_iso_8601_in_utc(self, api: Api) -> None:
        report = create(api)
        for name in ("created_at", "updated_at"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", report[name])

    @pytest.mark.contract("2 QuizReport", "item_analysis: all versions always, SIS ids never")
    def test_item_analysis_always_has_all_versions_and_never_sis_ids(self, api: Api) -> None:
        report = create(api, "item_analysis", includes_all_versions=False)
        assert (report["includes_all_versions"], report["includes_sis_ids"]) == (True, False)

    @pytest.mark.contract(
        "2 QuizReport", "SIS ids follow the caller; two callers of different rights never share a file"
    )
    def test_sis_ids_follow_the_callers_permission(self, api: Api) -> None:
        seen = {
            caller: api.post(f"{REPORTS}?quiz_report[report_type]=student_analysis", caller).json
            for caller in ("teacher", "ta")
        }
        assert seen["teacher"]["includes_sis_ids"] is True
        assert seen["ta"]["includes_sis_ids"] is False
        assert seen["teacher"]["id"] != seen["ta"]["id"]

    @pytest.mark.contract(
        "2 QuizReport", "an anonymous survey is anonymous; item_analysis of a survey not generatable"
    )
    def test_an_anonymous_survey_is_anonymous(self, api: Api) -> None:
        assert create(api, quiz_id=ANONYMOUS_SURVEY_ID)["anonymous"] is True
        assert create(api, quiz_id=SURVEY_ID)["anonymous"] is False

    @pytest.mark.contract(
        "2 QuizReport", "an anonymous survey is anonymous; item_analysis of a survey not generatable"
    )
    def test_item_analysis_of_a_survey_is_not_generatable(self, api: Api) -> None:
        listed = api.get(reports_path(SURVEY_ID)).json
        assert [report["generatable"] for report in listed] == [True, False]

    @pytest.mark.parametrize(
        ("accepted", "name"),
        [
            ("de", "Itemanalyse"),
            ("es-MX,en;q=0.5", "Análisis de ítems"),
            ("pt", "Análise dos itens"),
            ("pt-BR", "Análise dos itens"),
            ("fr", "Analyse des questions"),
            ("ja", "項目分析"),
            ("ar", "تحليل البنود"),
            ("en-GB", "Item Analysis"),
            ("xx, zz;q=0.3", "Item Analysis"),
            ("*", "Item Analysis"),
            ("", "Item Analysis"),
            (";;q=9,,", "Item Analysis"),
        ],
    )
    @pytest.mark.contract("2 QuizReport", "readable_type follows Accept-Language, English if none fits")
    def test_readable_type_is_in_the_language_asked_for(self, api: Api, accepted: str, name: str) -> None:
        listed = api.get(REPORTS, headers={"Accept-Language": accepted}).json
        assert listed[1]["readable_type"] == name


class TestJsonApiForm:
    @pytest.mark.contract(
        "2 JSON-API", "reports stand in a list, ids are strings, links take the place of quiz_id"
    )
    def test_a_single_one_stands_in_a_list(self, api: Api) -> None:
        report = create(api)
        response = api.get(f"{REPORTS}/{report['id']}", headers=JSON_API)
        assert response.mimetype == "application/vnd.api+json"
        assert set(response.json) == {"quiz_reports"}
        (shown,) = response.json["quiz_reports"]
        assert set(shown) == (PLAIN_FIELDS - {"quiz_id"}) | {"links"}
        assert shown["id"] == str(report["id"])
        assert shown["links"] == {"quiz": f"{BASE}/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}"}

    @pytest.mark.contract("2 JSON-API", "the list adds its meta")
    def test_the_list_names_its_collection(self, api: Api) -> None:
        body = api.get(REPORTS, headers=JSON_API).json
        assert body["meta"] == {"primaryCollection": "quiz_reports"}
        assert [report["report_type"] for report in body["quiz_reports"]] == [
            "student_analysis",
            "item_analysis",
        ]

    @pytest.mark.contract(
        "2 JSON-API", "reports stand in a list, ids are strings, links take the place of quiz_id"
    )
    def test_create_answers_in_it_too(self, api: Api) -> None:
        response = api.post(
            REPORTS,
            headers=JSON_API,
            json={"quiz_reports": [{"report_type": "student_analysis"}], "include": ["progress", "file"]},
        )
        (report,) = response.json["quiz_reports"]
        assert report["progress"]["workflow_state"] == "queued"
        assert isinstance(report["progress"]["id"], int)
        assert "file" not in report

    @pytest.mark.contract(
        "2 JSON-API", "file and progress are embedded only where include asks; their ids stay integers"
    )
    def test_embeds_only_what_include_asks_for(self, api: Api) -> None:
        path = f"{REPORTS}/{api.generated()['id']}"

        def embedded(query: str) -> set[str]:
            (report,) = api.get(path + query, headers=JSON_API).json["quiz_reports"]
            return {"file", "progress"} & set(report)

        assert embedded("") == set()
        assert embedded("?include[]=file") == {"file"}
        assert embedded("?include=progress") == {"progress"}
        assert embedded("?include[]=file&include[]=progress&include[]=nonsense") == {"file", "progress"}

    @pytest.mark.contract(
        "2 JSON-API", "file and progress are embedded only where include asks; their ids stay integers"
    )
    def test_embedded_objects_keep_integer_ids(self, api: Api) -> None:
        path = f"{REPORTS}/{api.generated()['id']}?include=file,progress"
        (report,) = api.get(path, headers=JSON_API).json["quiz_reports"]
        assert isinstance(report["file"]["id"], int)
        assert isinstance(report["progress"]["id"], int)

    def test_a_type_among_others_counts(self, api: Api) -> None:
        accept = {"Accept": "application/vnd.api+json, application/json;q=0.5, */*;q=0.1"}
        assert "quiz_reports" in api.get(REPORTS, headers=accept).json

    @pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json", "nonsense", "a/b;q=x", ""])
    def test_any_other_accept_gets_plain_json(self, api: Api, accept: str) -> None:
        assert isinstance(api.get(REPORTS, headers={"Accept": accept}).json, list)


class TestStringIds:
    @pytest.mark.contract("2 Parameters", "ids as strings where the Accept asks for them")
    def test_every_id_is_a_string(self, api: Api) -> None:
        headers = {"Accept": "application/json+canvas-string-ids"}
        report = api.get(f"{REPORTS}/{api.generated()['id']}", headers=headers).json
        assert isinstance(report["id"], str)
        assert report["quiz_id"] == str(QUIZ_ID)
        assert isinstance(report["file"]["id"], str)
        assert report["file"]["folder_id"] is None
        progress = api.get(report["progress_url"].removeprefix(BASE), headers=headers).json
        assert (progress["context_id"], progress["user_id"]) == (report["id"], "7")


class TestIndex:
    @pytest.mark.contract("2 Index", "always both reports, student_analysis first, ids stable until new data")
    def test_exactly_two_student_analysis_first(self, api: Api) -> None:
        listed = api.get(REPORTS).json
        assert [report["report_type"] for report in listed] == ["student_analysis", "item_analysis"]

    @pytest.mark.contract("2 Index", "always both reports, student_analysis first, ids stable until new data")
    def test_ids_stay_the_same_from_call_to_call(self, api: Api) -> None:
        first, second = (api.get(REPORTS).json for _ in range(2))
        assert first == second

    @pytest.mark.contract("2 Create", "a row without a file is taken again, with a new Progress")
    def test_a_requested_report_keeps_the_id_it_was_listed_with(self, api: Api) -> None:
        listed = api.get(REPORTS).json
        assert create(api)["id"] == listed[0]["id"]
        assert create(api, "item_analysis")["id"] == listed[1]["id"]

    @pytest.mark.contract("2 Index", "includes_all_versions chooses; file and progress_url are carried")
    def test_carries_file_and_progress_url(self, api: Api) -> None:
        api.generated()
        student, item = api.get(REPORTS).json
        assert {"file", "progress_url"} <= set(student)
        assert not {"file", "progress_url"} & set(item)

    @pytest.mark.contract("2 Index", "always both reports, student_analysis first, ids stable until new data")
    def test_a_stale_file_gives_way_to_an_empty_report(self, api: Api) -> None:
        old = api.generated()
        api.bring_new_data()
        student, _ = api.get(REPORTS).json
        assert student["id"] > old["id"]
        assert "file" not in student
        assert api.get(REPORTS).json[0]["id"] == student["id"]
        assert "file" in api.get(f"{REPORTS}/{old['id']}").json

    @pytest.mark.parametrize(
        "query", ["?includes_all_versions=1", "?quiz_report[includes_all_versions]=true"]
    )
    @pytest.mark.contract("2 Index", "includes_all_versions chooses; file and progress_url are carried")
    def test_includes_all_versions_chooses_among_student_analyses(self, api: Api, query: str) -> None:
        plain, chosen = api.get(REPORTS).json, api.get(REPORTS + query).json
        assert [report["includes_all_versions"] for report in chosen] == [True, True]
        assert plain[0]["id"] != chosen[0]["id"]
        assert plain[1]["id"] == chosen[1]["id"]

    def test_callers_of_different_rights_see_different_reports(self, api: Api) -> None:
        teacher, ta = api.get(REPORTS).json, api.get(REPORTS, "ta").json
        assert teacher[0]["id"] != ta[0]["id"]
        assert teacher[1]["id"] == ta[1]["id"]

    @pytest.mark.contract("2 Index", "a Link header on the public base URL, also behind a proxy")
    def test_has_a_link_header_on_the_public_base(self, api: Api) -> None:
        entries = re.findall(r'<([^>]+)>; rel="(\w+)"', api.get(REPORTS).headers["Link"])
        links = {relation: url for url, relation in entries}
        assert set(links) == {"current", "first", "last"}
        assert all(url.startswith(f"{BASE}{REPORTS}?") for url in links.values())


class TestCreate:
    @pytest.mark.parametrize(
        "params", [{}, {"report_type": "nonsense"}, {"report_type": None}, {"report_type": 7}]
    )
    @pytest.mark.contract("2 Create", "an unknown or missing type is a 400")
    def test_an_unknown_type_is_refused(self, api: Api, params: dict[str, Any]) -> None:
        response = api.post(REPORTS, json={"quiz_report": params})
        assert response.status_code == 400
        assert response.json == {
            "status": "bad_request",
            "message": "invalid quiz report type",
            "errors": [{"message": "invalid quiz report type"}],
        }

    @pytest.mark.contract("2 Create", "item_analysis of a survey is a 400 that says so")
    def test_item_analysis_of_a_survey_is_refused_and_says_so(self, api: Api) -> None:
        response = api.post(reports_path(SURVEY_ID), json={"quiz_report": {"report_type": "item_analysis"}})
        assert response.status_code == 400
        assert "survey" in response.json["message"]

    @pytest.mark.parametrize("started", [False, True])
    @pytest.mark.contract("2 Create", "queued or running is a 409, also when newer data came in")
    def test_a_live_report_is_a_conflict(self, api: Api, *, started: bool) -> None:
        report = create(api)
        if started:
            api.start(report["id"])
        response = api.post(REPORTS, json={"quiz_report": {"report_type": "student_analysis"}})
        assert response.status_code == 409
        assert response.json == {
            "status": "conflict",
            "message": "report is already being generated",
            "errors": [{"message": "report is already being generated"}],
        }
        assert int(response.headers["Retry-After"]) >= 1

    @pytest.mark.contract("2 Create", "queued or running is a 409, also when newer data came in")
    def test_a_live_report_is_a_conflict_also_when_new_data_came_in(self, api: Api) -> None:
        create(api)
        api.bring_new_data()
        response = api.post(REPORTS, json={"quiz_report": {"report_type": "student_analysis"}})
        assert response.status_code == 409

    @pytest.mark.contract("2 Variant", "of each variant at most one report is queued or running")
    def test_another_variant_is_no_conflict(self, api: Api) -> None:
        ids = {
            create(api)["id"],
            create(api, includes_all_versions=True)["id"],
            create(api, "item_analysis")["id"],
        }
        assert len(ids) == 3

    @pytest.mark.contract("2 Create", "a current report is returned with its file and no new job")
    def test_a_current_report_is_returned_with_its_file_and_no_new_job(self, api: Api) -> None:
        generated = api.generated()
        again = create(api)
        assert again["id"] == generated["id"]
        assert again["progress_url"] == generated["progress_url"]
        assert again["file"]["id"] == generated["file"]["id"]

    @pytest.mark.contract("2 Create", "a row without a file is taken again, with a new Progress")
    def test_a_failed_report_starts_afresh_with_the_same_id_and_a_new_progress(self, api: Api) -> None:
        first = create(api)
        api.fail(first["id"], "no disk")
        second = create(api)
        assert second["id"] == first["id"]
        assert second["progress_url"] != first["progress_url"]
        assert api.get(second["progress_url"].removeprefix(BASE)).json["workflow_state"] == "queued"
        assert api.get(first["progress_url"].removeprefix(BASE)).status_code == 404

    @pytest.mark.parametrize("what", ["quiz", "roster"])
    @pytest.mark.contract("2 Create", "a stale file gives way to a new row")
    def test_a_stale_report_gives_way_to_a_new_row(self, api: Api, what: str) -> None:
        old = api.generated()
        if what == "quiz":
            api.bring_new_data()
        else:
            with api.database.transaction() as session:
                session.get_one(Course, COURSE_ID).roster_revision += 1
        new = create(api)
        assert new["id"] > old["id"]
        assert "file" not in new

    @pytest.mark.contract("2 Current", "only while quiz, roster and analysis are those of its making")
    def test_another_analysis_makes_old_files_stale(self, api: Api) -> None:
        old = api.generated()
        with api.database.transaction() as session:
            session.get_one(QuizReport, old["id"]).analysis_version = "0"
        assert create(api)["id"] != old["id"]

    def test_says_when_to_look_again(self, api: Api) -> None:
        response = api.post(f"{REPORTS}?quiz_report[report_type]=item_analysis")
        assert int(response.headers["Retry-After"]) >= 1


class TestShow:
    @pytest.mark.contract("2 Show", "plain JSON always carries the file")
    def test_always_carries_the_file(self, api: Api) -> None:
        report = api.generated()
        assert api.get(f"{REPORTS}/{report['id']}").json["file"]["size"] > 0

    @pytest.mark.contract("2 Show", "ETag and If-None-Match")
    def test_does_not_read_what_it_has_again(self, api: Api) -> None:
        path = f"{REPORTS}/{create(api)['id']}"
        etag = api.get(path).headers["ETag"]
        again = api.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.data) == (304, b"")
        api.finish(int(path.rsplit("/", 1)[1]))
        assert api.get(path, headers={"If-None-Match": etag}).status_code == 200

    @pytest.mark.parametrize("state", ["idle", "queued", "running", "failed", "generated"])
    @pytest.mark.parametrize("headers", [{}, JSON_API], ids=["plain", "JSON API"])
    def test_shows_a_report_as_the_list_its_progress_and_its_file_do(
        self, api: Api, state: str, headers: dict[str, str]
    ) -> None:
        report_id = api.get(REPORTS).json[0]["id"] if state == "idle" else create(api)["id"]
        if state == "running":
            api.start(report_id)
        elif state == "failed":
            api.fail(report_id, "a reason")
        elif state == "generated":
            api.finish(report_id)
        include = "include[]=file&include[]=progress"

        def read(path: str) -> Any:
            """Read JSON; a verifier is fresh each time."""
            text = re.sub(r"verifier=[^\"]+", "", api.get(path, headers=headers).text)
            return json.loads(text)

        listed = read(f"{REPORTS}?{include}")
        shown = read(f"{REPORTS}/{report_id}?{include}")

        if headers:
            (shown,) = shown["quiz_reports"]
            listed = listed["quiz_reports"]
            for part, path in (("progress", "/api/v1/progress"), ("file", "/api/v1/files")):
                assert part not in shown or shown[part] == read(f"{path}/{shown[part]['id']}")
        assert shown == listed[0]

    def test_takes_a_single_statement(self, api: Api) -> None:
        path = f"{REPORTS}/{api.generated()['id']}"
        assert len(statements_of(lambda: api.get(path))) == 1

    def test_a_course_of_an_invalid_id_is_unknown_to_the_callers_of_valid_tokens_only(self, api: Api) -> None:
        path = f"/api/v1/courses/first/quizzes/{QUIZ_ID}/reports/{create(api)['id']}"
        assert api.get(path).status_code == 404
        assert api.get(path, headers={"Authorization": "Bearer qr_invented"}).status_code == 401

    def test_a_fresh_verifier_is_no_change(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        # A half-hour that does not end while the test runs: the next one has other ETags.
        monkeypatch.setattr("api.responses.time", SimpleNamespace(time=lambda: 0.0))
        path = f"{REPORTS}/{api.generated()['id']}"
        first, second = api.get(path), api.get(path)
        assert first.json["file"]["url"] != second.json["file"]["url"]
        assert first.headers["ETag"] == second.headers["ETag"]

    def test_the_etag_tells_languages_and_forms_apart(self, api: Api) -> None:
        path = f"{REPORTS}/{create(api)['id']}"
        etags = {
            api.get(path, headers=headers).headers["ETag"]
            for headers in ({}, {"Accept-Language": "de"}, JSON_API)
        }
        assert len(etags) == 3


class TestAbort:
    def aborted(self, api: Api, report: dict[str, Any]) -> None:
        """The row is still there, without file and progress, and a new request starts afresh on it."""
        response = api.delete(f"{REPORTS}/{report['id']}")
        assert (response.status_code, response.data) == (204, b"")
        shown = api.get(f"{REPORTS}/{report['id']}")
        assert shown.status_code == 200
        assert not {"file", "progress_url"} & set(shown.json)
        assert api.get(report["progress_url"].removeprefix(BASE)).status_code == 404
        again = create(api)
        assert again["id"] == report["id"]
        assert again["progress_url"] != report["progress_url"]

    @pytest.mark.contract("2 Abort", "a queued job is aborted and never runs")
    def test_a_queued_job_is_aborted(self, api: Api) -> None:
        self.aborted(api, create(api))

    @pytest.mark.contract("2 Abort", "a generated file and its progress are removed")
    def test_a_generated_file_is_removed(self, api: Api) -> None:
        report = api.generated()
        self.aborted(api, report)
        assert api.get(f"/api/v1/files/{report['file']['id']}").status_code == 404
        assert api.get(report["file"]["url"].removeprefix(BASE)).status_code == 404

    @pytest.mark.contract("2 Abort", "a generated file and its progress are removed")
    def test_a_generated_files_bytes_are_deleted(self, api: Api) -> None:
        report = api.generated()
        api.delete(f"{REPORTS}/{report['id']}")
        folder = api.settings.storage_url.removeprefix("file://")
        assert not [path for path in Path(folder).rglob("*") if path.is_file()]

    @pytest.mark.contract("2 Abort", "a failure is cleared")
    def test_a_failure_is_cleared(self, api: Api) -> None:
        report = create(api)
        api.fail(report["id"], "no disk")
        self.aborted(api, report)

    @pytest.mark.contract("2 Abort", "a running job is a 422")
    def test_a_running_job_is_not_aborted(self, api: Api) -> None:
        report = create(api)
        api.start(report["id"])
        response = api.delete(f"{REPORTS}/{report['id']}")
        assert response.status_code == 422
        assert response.json == {
            "status": "unprocessable_entity",
            "message": "report generation can not be aborted",
            "errors": [{"message": "report generation can not be aborted"}],
        }

    @pytest.mark.contract("2 Abort", "nothing to abort is a 422")
    def test_there_must_be_something_to_abort(self, api: Api) -> None:
        listed = api.get(REPORTS).json[0]
        response = api.delete(f"{REPORTS}/{listed['id']}")
        assert response.status_code == 422
        assert response.json["message"] == "report is not being generated"
