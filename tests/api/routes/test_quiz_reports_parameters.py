"""Contract, section 2: parameters come in many spellings, and each is accepted."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from models.lms.courses import Section
from models.reports.variants import CLASSIC_FORMATS, MOST_SECTIONS, ReportFormat
from tests.factories import (
    COURSE_ID,
    OTHER_COURSE_ID,
    OTHER_QUIZ_ID,
    OTHER_SECTION_ID,
    QUIZ_ID,
    SECTION_ID,
    SIS_COURSE_ID,
    Api,
    reports_path,
)

REPORTS = reports_path()
SECOND_SECTION_ID = 39
STUDENT_ANALYSIS = {"quiz_report[report_type]": "student_analysis"}
FORM = "application/x-www-form-urlencoded"

SPELLINGS: dict[str, dict[str, Any]] = {
    "form": {"data": {"quiz_report[report_type]": "student_analysis"}},
    "multipart": {
        "data": {"quiz_report[report_type]": "student_analysis"},
        "content_type": "multipart/form-data",
    },
    "query": {"query_string": {"quiz_report[report_type]": "student_analysis"}},
    "query, a content type and no body": {
        "query_string": {"quiz_report[report_type]": "student_analysis"},
        "content_type": "application/json",
    },
    "query, a content type that is not read and no body": {
        "query_string": {"quiz_report[report_type]": "student_analysis"},
        "content_type": "text/plain",
    },
    "JSON": {"json": {"quiz_report": {"report_type": "student_analysis"}}},
    "JSON with a charset": {
        "data": b'{"quiz_report": {"report_type": "student_analysis"}}',
        "content_type": "application/json; charset=utf-8",
    },
    "JSON-API": {
        "data": b'{"quiz_reports": [{"report_type": "student_analysis"}], "include": ["file"]}',
        "content_type": "application/vnd.api+json",
    },
    "JSON-API, sent as JSON": {"json": {"quiz_reports": [{"report_type": "student_analysis"}]}},
    "JSON-API as a form": {"data": {"quiz_reports[][report_type]": "student_analysis"}},
    "with unknown keys": {
        "json": {"quiz_report": {"report_type": "student_analysis", "colour": "red"}, "x": [1, {"y": None}]}
    },
}


@pytest.mark.parametrize("request_options", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.contract("2 Parameters", "report_type in every spelling")
def test_report_type_in_every_spelling(api: Api, request_options: dict[str, Any]) -> None:
    response = api.post(REPORTS, **request_options)
    assert response.status_code == 200, response.text
    assert response.json["report_type"] == "student_analysis"
    assert response.json["includes_all_versions"] is False


ALL_VERSIONS: dict[str, dict[str, Any]] = {
    "nested form": {"data": {"quiz_report[includes_all_versions]": "1"}},
    "top-level form": {"data": {"includes_all_versions": "true"}},
    "nested query": {"query_string": {"quiz_report[includes_all_versions]": "1"}},
    "top-level query": {"query_string": {"includes_all_versions": "on"}},
    "nested JSON": {"json": {"quiz_report": {"includes_all_versions": True}}},
    "top-level JSON": {"json": {"includes_all_versions": True}},
    "JSON-API": {"json": {"quiz_reports": [{"includes_all_versions": True}]}},
    "nested wins over top level": {
        "json": {"quiz_report": {"includes_all_versions": True}, "includes_all_versions": False}
    },
    "nested wins over top level, in a form": {
        "data": {"includes_all_versions": "0", "quiz_report[includes_all_versions]": "1"}
    },
    "the last of several": {"data": {"includes_all_versions": ["0", "1"]}},
}


@pytest.mark.parametrize("request_options", ALL_VERSIONS.values(), ids=ALL_VERSIONS)
@pytest.mark.contract("2 Parameters", "includes_all_versions nested or at the top, nested wins")
def test_includes_all_versions_in_every_spelling(api: Api, request_options: dict[str, Any]) -> None:
    query = request_options.pop("query_string", {})
    path = f"{REPORTS}?quiz_report[report_type]=student_analysis"
    path += "".join(f"&{name}={value}" for name, value in query.items())
    response = api.post(path, **request_options)
    assert response.status_code == 200, response.text
    assert response.json["includes_all_versions"] is True


@pytest.mark.contract("2 Parameters", "includes_all_versions nested or at the top, nested wins")
def test_nested_false_wins_over_top_level_true(api: Api) -> None:
    params = {"report_type": "student_analysis", "includes_all_versions": False}
    response = api.post(REPORTS, json={"quiz_report": params, "includes_all_versions": True})
    assert response.json["includes_all_versions"] is False


FORMATS: dict[str, dict[str, Any]] = {
    "nested form": {"data": {"quiz_report[format]": "FORMAT"}},
    "top-level form": {"data": {"format": "FORMAT"}},
    "nested query": {"query_string": {"quiz_report[format]": "FORMAT"}},
    "top-level query": {"query_string": {"format": "FORMAT"}},
    "multipart": {"data": {"quiz_report[format]": "FORMAT"}, "content_type": "multipart/form-data"},
    "nested JSON": {"json": {"quiz_report": {"format": "FORMAT"}}},
    "top-level JSON": {"json": {"format": "FORMAT"}},
    "JSON-API": {"json": {"quiz_reports": [{"format": "FORMAT"}]}},
    "nested wins over top level": {"json": {"quiz_report": {"format": "FORMAT"}, "format": "pdf"}},
}


def with_format(request_options: dict[str, Any], name: str) -> dict[str, Any]:
    options: dict[str, Any] = json.loads(json.dumps(request_options).replace("FORMAT", name))
    return options | {"query_string": {**options.get("query_string", {}), **STUDENT_ANALYSIS}}


@pytest.mark.parametrize("request_options", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("report_format", CLASSIC_FORMATS)
@pytest.mark.contract("2 Parameters", "format in every spelling; an unknown one is a 400")
def test_format_in_every_spelling(
    api: Api, request_options: dict[str, Any], report_format: ReportFormat
) -> None:
    response = api.post(REPORTS, **with_format(request_options, report_format))
    assert response.status_code == 200, response.text
    assert api.report(response.json["id"]).format is report_format


@pytest.mark.parametrize("request_options", FORMATS.values(), ids=FORMATS)
@pytest.mark.contract("2 Parameters", "format in every spelling; an unknown one is a 400")
def test_an_unknown_format_in_every_spelling(api: Api, request_options: dict[str, Any]) -> None:
    response = api.post(REPORTS, **with_format(request_options, "docx"))
    assert response.status_code == 400
    assert response.json["message"].startswith("invalid quiz report format: it must be one of csv")


@pytest.mark.contract("2 Index", "of each variant in CSV; other formats are not listed")
def test_the_list_shows_the_csv_reports(api: Api) -> None:
    params = {"report_type": "student_analysis", "format": "json"}
    other = api.post(REPORTS, json={"quiz_report": params}).json
    listed = api.get(f"{REPORTS}?format=json").json
    assert other["id"] not in {report["id"] for report in listed}
    assert {api.report(report["id"]).format for report in listed} == {ReportFormat.CSV}


@pytest.mark.contract("2 Parameters", "format in every spelling; an unknown one is a 400")
def test_a_format_that_is_null_is_csv(api: Api) -> None:
    params = {"report_type": "student_analysis", "format": None}
    response = api.post(REPORTS, json={"quiz_report": params})
    assert api.report(response.json["id"]).format is ReportFormat.CSV


@pytest.mark.parametrize("value", ["true", "True", "1", "on", "yes", "t", "TRUE"])
@pytest.mark.contract("2 Parameters", "booleans in Canvas's spellings")
def test_values_that_are_true(api: Api, value: str) -> None:
    listed = api.get(REPORTS, query_string={"includes_all_versions": value}).json
    assert listed[0]["includes_all_versions"] is True


@pytest.mark.parametrize("value", ["false", "False", "0", "off", "no", "f", ""])
@pytest.mark.contract("2 Parameters", "booleans in Canvas's spellings")
def test_values_that_are_false(api: Api, value: str) -> None:
    listed = api.get(REPORTS, query_string={"includes_all_versions": value}).json
    assert listed[0]["includes_all_versions"] is False


@pytest.mark.parametrize(
    ("value", "meaning"), [(True, True), (False, False), (1, True), (0, False), (None, False)]
)
@pytest.mark.contract("2 Parameters", "booleans in Canvas's spellings")
def test_json_values_of_a_boolean(api: Api, value: object, meaning: bool) -> None:
    params = {"report_type": "student_analysis", "includes_all_versions": value}
    assert api.post(REPORTS, json={"quiz_report": params}).json["includes_all_versions"] is meaning


@pytest.mark.parametrize("value", ["maybe", 2, 0.5, [1], {"a": 1}])
def test_a_value_that_is_neither_is_refused(api: Api, value: object) -> None:
    params = {"report_type": "student_analysis", "includes_all_versions": value}
    response = api.post(REPORTS, json={"quiz_report": params})
    assert (response.status_code, response.json["message"]) == (
        400,
        "includes_all_versions must be true or false",
    )


def both(prefix: str = "") -> str:
    return "&".join(f"{prefix}={section_id}" for section_id in (SECOND_SECTION_ID, SECTION_ID))


IDS = [SECOND_SECTION_ID, SECTION_ID, SECOND_SECTION_ID]
SECTION_IDS: dict[str, dict[str, Any]] = {
    "repeated": {"query_string": both("section_ids")},
    "brackets": {"query_string": both("section_ids[]")},
    "with commas": {"query_string": f"section_ids={SECOND_SECTION_ID},{SECTION_ID}"},
    "nested, with commas": {"query_string": f"quiz_report[section_ids]={SECOND_SECTION_ID},+{SECTION_ID}"},
    "nested brackets": {"query_string": both("quiz_report[section_ids][]")},
    "nested JSON-API brackets": {"query_string": both("quiz_reports[][section_ids][]")},
    "a form": {"data": both("section_ids[]"), "content_type": FORM},
    "a nested form": {"data": both("quiz_report[section_ids][]"), "content_type": FORM},
    "JSON": {"json": {"section_ids": IDS}},
    "nested JSON": {"json": {"quiz_report": {"section_ids": IDS}}},
    "JSON texts": {"json": {"quiz_report": {"section_ids": [str(section_id) for section_id in IDS]}}},
    "a JSON text with commas": {"json": {"section_ids": ",".join(map(str, IDS))}},
    "JSON-API": {"json": {"quiz_reports": [{"section_ids": IDS}]}},
    "nested wins over top level": {"json": {"quiz_report": {"section_ids": IDS}, "section_ids": [999]}},
}


@pytest.fixture
def second_section(api: Api) -> None:
    with api.database.transaction() as session:
        session.add(Section(id=SECOND_SECTION_ID, course_id=COURSE_ID, name="Section B"))


@pytest.mark.parametrize("request_options", SECTION_IDS.values(), ids=SECTION_IDS)
@pytest.mark.contract("2 Parameters", "section_ids in every spelling, sorted; an unknown section is a 400")
def test_section_ids_in_every_spelling(
    api: Api, second_section: None, request_options: dict[str, Any]
) -> None:
    query = f"quiz_report[report_type]=item_analysis&{request_options.get('query_string', '')}"
    response = api.post(REPORTS, **{**request_options, "query_string": query})
    assert response.status_code == 200, response.text
    assert api.report(response.json["id"]).section_ids == (SECTION_ID, SECOND_SECTION_ID)


@pytest.mark.parametrize("report_type", ["student_analysis", "item_analysis"])
@pytest.mark.contract("2 Parameters", "section_ids in every spelling, sorted; an unknown section is a 400")
def test_sections_make_another_variant(api: Api, second_section: None, report_type: str) -> None:
    def requested(**params: Any) -> Any:
        return api.post(REPORTS, json={"quiz_report": {"report_type": report_type, **params}})

    limited = requested(section_ids=[SECTION_ID])
    other = requested(section_ids=[SECOND_SECTION_ID])
    unlimited = requested(section_ids=[])
    assert len({response.json["id"] for response in (limited, other, unlimited)}) == 3
    assert requested(section_ids=[SECTION_ID]).status_code == 409
    index = ["student_analysis", "item_analysis"].index(report_type)
    assert api.get(REPORTS).json[index]["id"] == unlimited.json["id"]
    assert api.get(f"{REPORTS}?section_ids={SECTION_ID}").json[index]["id"] == limited.json["id"]


@pytest.mark.parametrize("value", [999, OTHER_SECTION_ID, [SECTION_ID, 999], -1])
@pytest.mark.contract("2 Parameters", "section_ids in every spelling, sorted; an unknown section is a 400")
def test_a_section_that_is_not_one_of_the_course_is_refused(api: Api, value: object) -> None:
    params = {"report_type": "item_analysis", "section_ids": value}
    response = api.post(REPORTS, json={"quiz_report": params})
    assert response.status_code == 400
    assert "is not a section of the course" in response.json["message"]
    assert api.get(REPORTS, json={"section_ids": value}).status_code == 400


@pytest.mark.parametrize("value", ["x", [True], 31.5, [[31]], {"id": 31}, [None], "31;32", 2**63])
def test_section_ids_that_are_not_ids_are_refused(api: Api, value: object) -> None:
    params = {"report_type": "item_analysis", "section_ids": value}
    response = api.post(REPORTS, json={"quiz_report": params})
    assert (response.status_code, response.json["message"]) == (400, "section_ids must be integers")


def test_as_many_sections_as_an_index_entry_holds(api: Api) -> None:
    # Ids that do not compress.
    ids = [SECTION_ID, *(2**62 + 0x9E3779B97F4A7C15 * n % 2**61 for n in range(1, MOST_SECTIONS))]
    with api.database.transaction() as session:
        session.add_all(Section(id=id_, course_id=COURSE_ID, name="Section") for id_ in ids[1:])
    params = {"report_type": "student_analysis", "section_ids": ids}
    assert api.post(REPORTS, json={"quiz_report": params}).status_code == 200
    params["section_ids"] = [*ids, 999]
    response = api.post(REPORTS, json={"quiz_report": params})
    assert (response.status_code, response.json["message"]) == (400, "section_ids must be at most 300")


INCLUDES: dict[str, dict[str, Any]] = {
    "brackets": {"query_string": "include[]=file&include[]=progress"},
    "repeated": {"query_string": "include=file&include=progress"},
    "with commas": {"query_string": "include=file,progress"},
    "one in the query, one in the body": {"query_string": "include=file", "data": {"include[]": "progress"}},
    "form body of a GET": {"data": "include[]=file&include[]=progress", "content_type": FORM},
    "JSON body of a GET": {"json": {"include": ["file", "progress"]}},
    "JSON text": {"json": {"include": "file,progress"}},
    "unknown values beside": {"json": {"include": ["file", "quiz", 7, None, {"x": 1}, "progress"]}},
}


@pytest.mark.parametrize("request_options", INCLUDES.values(), ids=INCLUDES)
@pytest.mark.contract("2 Parameters", "include in every spelling")
def test_include_in_every_spelling(api: Api, request_options: dict[str, Any]) -> None:
    path = f"{REPORTS}/{api.generated()['id']}"
    response = api.get(path, headers={"Accept": "application/vnd.api+json"}, **request_options)
    (report,) = response.json["quiz_reports"]
    assert {"file", "progress"} <= set(report)


POLLUTED: dict[str, dict[str, Any]] = {
    "a scalar and a nested key": {"data": "quiz_report=1&quiz_report[report_type]=x"},
    "a list and a nested key": {"data": "quiz_report[]=1&quiz_report[report_type]=x"},
    "too deep a key": {"data": "quiz_report[report_type][x]=student_analysis"},
    "unclosed brackets": {"data": "quiz_report[report_type=student_analysis&]&[=&=&%5B%5D=&%"},
    "a scalar": {"json": {"quiz_report": 1}},
    "a list": {"json": {"quiz_report": [{"report_type": "student_analysis"}]}},
    "a type that is a list": {"json": {"quiz_report": {"report_type": ["student_analysis"]}}},
    "a type that is an object": {"json": {"quiz_report": {"report_type": {"a": 1}}}},
    "an empty list of reports": {"json": {"quiz_reports": []}},
    "a list of scalars": {"json": {"quiz_reports": [1]}},
    "a file": {
        "data": {"quiz_report[report_type]": (io.BytesIO(b"student_analysis"), "x.txt")},
        "content_type": "multipart/form-data",
    },
    "broken multipart": {"data": b"--x\r\nnonsense", "content_type": "multipart/form-data; boundary=x"},
    "multipart without boundary": {"data": b"--x\r\nnonsense", "content_type": "multipart/form-data"},
    "bytes that are no text": {"data": b"quiz_report[report_type]=%ff%fe\xff", "content_type": FORM},
    "an empty object": {"json": {}},
    "a NUL": {"data": {"quiz_report[report_type]": "student_analysis\0"}},
    "a NUL in the query": {"query_string": "quiz_report[report_type]=student%00_analysis"},
    "a NUL elsewhere": {"query_string": "quiz_report[report_type]=student_analysis&x=%00"},
    "a lone surrogate": {
        "data": b'{"quiz_report": {"report_type": "\\ud800"}}',
        "content_type": "application/json",
    },
}


@pytest.mark.parametrize("request_options", POLLUTED.values(), ids=POLLUTED)
@pytest.mark.contract("2 Parameters", "bad input is one JSON error and never a crash")
def test_polluted_parameters_are_refused_and_never_a_crash(api: Api, request_options: dict[str, Any]) -> None:
    options = dict(request_options)
    if isinstance(options.get("data"), str):
        options["content_type"] = FORM
    response = api.post(REPORTS, **options)
    assert response.status_code == 400, response.text
    assert response.json["status"] == "bad_request"


BROKEN_JSON = {
    "not JSON": b"{",
    "a list": b"[]",
    "a scalar": b"7",
    "null": b"null",
    "NaN": b'{"quiz_report": {"report_type": NaN}}',
    "infinity": b'{"x": 1e999}',
    "NUL": b'{"x": {"y": ["\\u0000"]}}',
    "NUL in a key": b'{"x\\u0000": 1}',
    "deep": b'{"x":' + b"[" * 30 + b"]" * 30 + b"}",
    "very deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "a key twice": b'{"quiz_report": {"report_type": "item_analysis", "report_type": "item_analysis"}}',
    "not UTF-8": b'{"x": "\xff"}',
    "UTF-16": '{"x": 1}'.encode("utf-16"),
}


@pytest.mark.parametrize("body", BROKEN_JSON.values(), ids=BROKEN_JSON)
@pytest.mark.contract("2 Parameters", "bad input is one JSON error and never a crash")
def test_broken_json_is_refused(api: Api, body: bytes) -> None:
    response = api.post(REPORTS, data=body, content_type="application/json")
    assert (response.status_code, response.json["status"]) == (400, "bad_request")


@pytest.mark.contract("5 Errors", "413, 415")
def test_a_body_of_another_type_is_refused(api: Api) -> None:
    for content_type in ("text/plain", "application/xml", "", "nonsense"):
        response = api.post(REPORTS, data=b"report_type", content_type=content_type)
        assert (response.status_code, response.json["status"]) == (415, "unsupported_media_type")


@pytest.mark.contract("5 Errors", "413, 415")
def test_a_compressed_body_is_refused(api: Api) -> None:
    response = api.post(REPORTS, data=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert (response.status_code, response.json["status"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json", FORM, "multipart/form-data; boundary=x"])
@pytest.mark.contract("5 Errors", "413, 415")
def test_a_body_that_is_too_large_is_refused(api: Api, content_type: str) -> None:
    response = api.post(REPORTS, data=b"x" * (2**20 + 1), content_type=content_type)
    assert (response.status_code, response.json["status"]) == (413, "payload_too_large")


def test_a_body_of_unknown_length_is_measured_too(api: Api) -> None:
    body = b"quiz_report[report_type]=item_analysis&x="
    for size, status in ((1000, 200), (2**20, 413)):
        response = api.post(
            REPORTS,
            input_stream=io.BytesIO(body + b"x" * size),
            content_type=FORM,
            headers={"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert response.status_code == status


NO_INTEGERS = [
    "abc",
    "0x10",
    "1e3",
    "1.0",
    "-1",
    "+1",
    " 1",
    "1%00",
    "٣",
    "9" * 19,
    "9" * 400,
    "1~2",
    "%ff",
    "self",
]


@pytest.mark.parametrize("strange", NO_INTEGERS)
@pytest.mark.contract("2 Parameters", "an id that is no integer is a 404; so is the wrong quiz or course")
def test_an_id_that_is_no_integer_names_nothing(api: Api, strange: str) -> None:
    for path in (
        f"/api/v1/courses/{strange}",
        f"/api/v1/courses/{strange}/quizzes/{QUIZ_ID}/reports",
        f"/api/v1/courses/{COURSE_ID}/quizzes/{strange}",
        f"/api/v1/courses/{COURSE_ID}/quizzes/{strange}/reports",
        f"{REPORTS}/{strange}",
        f"/api/v1/progress/{strange}",
        f"/api/v1/files/{strange}",
        f"/files/{strange}/download",
    ):
        assert api.get(path).status_code == 404, path


@pytest.mark.contract("2 Parameters", "courses by sis_course_id")
def test_a_course_by_its_sis_id(api: Api) -> None:
    by_sis_id = reports_path(course_id=f"sis_course_id:{SIS_COURSE_ID}")
    assert api.get(by_sis_id).json == api.get(REPORTS).json
    assert api.get(f"/api/v1/courses/sis_course_id:{SIS_COURSE_ID}").json["id"] == COURSE_ID


@pytest.mark.parametrize("sis_id", ["nobody", "", "%00", "%ff", "a" * 5000, "'--"])
def test_an_unknown_sis_id_names_nothing(api: Api, sis_id: str) -> None:
    assert api.get(f"/api/v1/courses/sis_course_id:{sis_id}", "admin").status_code == 404


@pytest.mark.contract("2 Parameters", "an id that is no integer is a 404; so is the wrong quiz or course")
def test_a_report_reached_through_the_wrong_quiz_or_course_is_not_there(api: Api) -> None:
    report_id = api.generated()["id"]
    for course_id, quiz_id in (
        (COURSE_ID, 202),
        (OTHER_COURSE_ID, QUIZ_ID),
        (OTHER_COURSE_ID, OTHER_QUIZ_ID),
    ):
        path = f"{reports_path(quiz_id, course_id)}/{report_id}"
        assert api.get(path, "admin").status_code == 404
        assert api.delete(path, "admin").status_code == 404
    assert api.get(f"{REPORTS}/{report_id}", "admin").status_code == 200
