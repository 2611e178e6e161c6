"""Canvas's statistics of a quiz: each type of question by hand, both forms, and the wait for the workers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from statistics import pstdev
from typing import Any

import pytest
from sqlalchemy import text

from models.db.session import Database, lock
from models.lms.courses import Course, Enrollment, EnrollmentState, EnrollmentType, Section, User
from models.lms.quizzes import Quiz
from models.reports.jobs import fail
from models.reports.tables import QuizReport
from models.reports.variants import ReportType, Variant
from models.settings import Settings
from tests import every_type
from tests.factories import (
    CALLERS,
    COURSE_ID,
    QUIZ_ID,
    SECTION_ID,
    Api,
    ApiResponse,
    enroll,
    open_api,
    reports_path,
)
from tests.lms import Lms
from tests.waiting import wait_for
from workers.generation import generate
from workers.resources import Resources

STATISTICS = f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}/statistics"
JSON_API = {"Accept": "application/vnd.api+json"}
ALLOWED = {"teacher", "second_teacher", "ta", "admin"}


@pytest.fixture
def quiz(api: Api, database: Database) -> Api:
    """A quiz with every type of question, which six students have taken."""
    lms = Lms(database)
    with database.transaction() as session:
        for user_id in every_type.STUDENTS:
            session.add(User(id=user_id, name=f"Student {user_id}"))
            session.flush()
            enroll(session, user_id, EnrollmentType.STUDENT)
    lms.patch_quiz(QUIZ_ID, COURSE_ID, points_possible=13.0, questions=every_type.questions())
    lms.put_attempts(*every_type.attempts(), quiz_id=QUIZ_ID, course_id=COURSE_ID)
    return api


def live_reports(api: Api) -> list[QuizReport]:
    with api.database.transaction() as session:
        return [report for report in session.query(QuizReport) if report.state.is_live]


def made(api: Api, resources: Resources, path: str = STATISTICS, **options: Any) -> Any:
    """Get the statistics while a worker makes them."""
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(api.get, path, **options)
        wait_for(lambda: bool(live_reports(api)) or waiting.done())
        for report in live_reports(api):
            assert report.progress_id is not None
            generate(resources, report.id, report.progress_id)
        response = waiting.result()
    assert response.status_code == 200, response.text
    [statistics] = response.json["quiz_statistics"]
    return statistics


def question(statistics: Any, number: int) -> Any:
    [found] = [q for q in statistics["question_statistics"] if q["id"] == str(number)]
    return found


@pytest.mark.contract("1 Statistics", "both forms of Accept, a list of one")
def test_plain_json_and_json_api_have_the_same_statistics(quiz: Api, resources: Resources) -> None:
    plain = made(quiz, resources)
    [other] = quiz.get(STATISTICS, headers=JSON_API).json["quiz_statistics"]

    base = "http://quiz-reports.test"
    assert plain["url"] == f"{base}{STATISTICS}"
    assert plain["html_url"] == f"{base}/courses/{COURSE_ID}/quizzes/{QUIZ_ID}/statistics"
    assert other["links"] == {"quiz": f"{base}/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}"}
    assert (plain["quiz_id"], other["id"]) == (QUIZ_ID, str(plain["id"]))
    assert plain["multiple_attempts_exist"] is False
    assert (plain["points_possible"], plain["anonymous_survey"]) == (13.0, False)
    for name in plain.keys() - {"id", "quiz_id"}:
        assert plain[name] == other[name]


@pytest.mark.contract("1 Statistics", "submissions: the attempt that counts, or all versions")
def test_submissions(quiz: Api, resources: Resources) -> None:
    found = made(quiz, resources)["submission_statistics"]

    # Three scores of 9.0, one of 5.5, one of 4.0, one of 0.0, of 13.
    assert found["scores"] == {"0": 1, "31": 1, "42": 1, "69": 3}
    assert (found["score_high"], found["score_low"], found["score_average"]) == (9.0, 0.0, 36.5 / 6)
    assert found["score_stdev"] == pytest.approx(pstdev([9.0, 9.0, 9.0, 5.5, 4.0, 0.0]))
    assert found["duration_average"] == 60 * (10 + 11 + 12 + 13 + 14 + 15) / 6
    assert found["unique_count"] == 6
    assert found["user_ids"] == list(every_type.STUDENTS)
    assert found["logged_out_users"] == []


def test_text_blocks_are_not_listed(quiz: Api, resources: Resources) -> None:
    found = made(quiz, resources)["question_statistics"]

    assert [int(q["id"]) for q in found] == list(range(every_type.CHOICE, every_type.TEXT))
    assert [q["position"] for q in found] == list(range(1, 11))
    assert {q["responses"] for q in found} == {5, 3}


@pytest.mark.contract("1 Statistics", "they never disagree with the item_analysis")
def test_a_choice_has_its_answers_and_the_figures_of_the_item_analysis(
    quiz: Api, resources: Resources
) -> None:
    choice = question(made(quiz, resources), every_type.CHOICE)

    assert choice["answers"] == [
        {"id": "11", "text": "Mitochondrion", "correct": True, "responses": 3},
        {"id": "12", "text": "Ribosome", "correct": False, "responses": 2},
        {"id": "none", "text": "No Answer", "correct": False, "responses": 1},
    ]
    report = quiz.post(reports_path(), json={"quiz_report": {"report_type": "item_analysis"}}).json
    generate(resources, report["id"], int(report["progress_url"].rsplit("/", 1)[1]))
    file = quiz.get(f"{reports_path()}/{report['id']}").json["file"]
    [row] = csv.DictReader(io.StringIO(quiz.client.get(file["url"]).text))
    for name, column in (
        ("answered_student_count", "Answered Student Count"),
        ("top_student_count", "Top Student Count"),
        ("correct_bottom_student_count", "Correct Bottom Student Count"),
        ("incorrect_student_ratio", "Wrong Student Ratio"),
        ("variance", "Variance"),
        ("stdev", "Standard Deviation"),
        ("difficulty_index", "Difficulty Index"),
    ):
        assert str(choice[name]) == row[column]
    assert (choice["alpha"], row["Alpha"]) == (None, "N/A")
    assert choice["point_biserials"] == [
        {
            "answer_id": answer_id,
            "point_biserial": float(row[column]),
            "correct": answer_id == 11,
            "distractor": answer_id == 12,
        }
        for answer_id, column in (
            (11, "Point Biserial of Correct"),
            (12, "Point Biserial of Distractor 2"),
        )
    ]


@pytest.mark.contract("1 Statistics", "each type of question has its fields")
def test_typed_answers(quiz: Api, resources: Resources) -> None:
    statistics = made(quiz, resources)
    other = {"id": "other", "text": "Something Else", "correct": False, "responses": 2}
    none = {"id": "none", "text": "No Answer", "correct": False, "responses": 1}

    short = question(statistics, every_type.SHORT)
    assert short["correct"] == 3
    assert short["answers"] == [{"id": "21", "text": "cell", "correct": True, "responses": 3}, other, none]
    numerical = question(statistics, every_type.NUMERICAL)
    assert (numerical["full_credit"], numerical["correct"], numerical["incorrect"]) == (3, 3, 2)
    exact = {"id": "91", "text": "12.00", "value": [11.5, 12.5], "margin": 0.5, "is_range": False}
    between = {"id": "92", "text": "[3.00..6.00]", "value": [3.0, 6.0], "margin": 0.0, "is_range": True}
    assert numerical["answers"] == [
        {**exact, "correct": True, "responses": 3},
        {**between, "correct": True, "responses": 0},
        other,
        none,
    ]


@pytest.mark.contract("1 Statistics", "each type of question has its fields")
def test_several_answers(quiz: Api, resources: Resources) -> None:
    several = question(made(quiz, resources), every_type.SEVERAL)

    assert (several["correct"], several["partially_correct"]) == (3, 2)
    assert [(a["id"], a["responses"]) for a in several["answers"]] == [
        ("31", 5), ("32", 3), ("33", 0), ("none", 1),
    ]  # fmt: skip


@pytest.mark.contract("1 Statistics", "each type of question has its fields")
def test_blanks_dropdowns_and_matching_have_a_set_for_each_blank(quiz: Api, resources: Resources) -> None:
    statistics = made(quiz, resources)

    def counts(number: int) -> Any:
        found = question(statistics, number)
        assert (found["answered"], found["correct"]) == (5, 3)
        return [
            (s["id"], s["text"], [(a["id"], a["responses"]) for a in s["answers"]])
            for s in found["answer_sets"]
        ]

    # The ids of blanks are the MD5 of their names.
    assert counts(every_type.BLANKS) == [
        ("70dda5dfb8053dc6d1c492574bce9bfd", "color", [("41", 5), ("none", 1)]),
        ("8c73a98a300905900337f535531dfca6", "shape", [("42", 3), ("other", 2), ("none", 1)]),
    ]
    assert counts(every_type.DROPDOWNS) == [
        ("b1bc248a7ff2b2e95569f56de68615df", "number", [("51", 3), ("52", 2), ("none", 1)]),
    ]
    assert counts(every_type.MATCHING) == [
        ("61", "Rome", [("71", 5), ("72", 0), ("none", 1)]),
        ("62", "Oslo", [("71", 0), ("72", 3), ("none", 3)]),
    ]
    blanks = question(statistics, every_type.BLANKS)
    assert (blanks["partially_correct"], blanks["incorrect"]) == (2, 1)


@pytest.mark.contract("1 Statistics", "each type of question has its fields")
def test_what_people_grade_has_its_points(quiz: Api, resources: Resources) -> None:
    statistics = made(quiz, resources)

    essay = question(statistics, every_type.ESSAY)
    assert (essay["responses"], essay["graded"], essay["full_credit"]) == (5, 3, 1)
    assert essay["point_distribution"] == [
        {"score": 0.0, "count": 1}, {"score": 2.5, "count": 1}, {"score": 4.0, "count": 1},
    ]  # fmt: skip
    calculated = question(statistics, every_type.CALCULATED)
    assert calculated["point_distribution"] == [{"score": 0.0, "count": 3}, {"score": 1.0, "count": 3}]
    assert question(statistics, every_type.UPLOAD)["responses"] == 3


@pytest.mark.contract("1 Statistics", "an empty quiz; an anonymous survey names nobody")
def test_an_empty_quiz(api: Api, resources: Resources) -> None:
    statistics = made(api, resources)

    assert statistics["question_statistics"] == []
    assert statistics["submission_statistics"] == {
        "scores": {},
        "score_average": None,
        "score_high": None,
        "score_low": None,
        "score_stdev": None,
        "correct_count_average": 0,
        "incorrect_count_average": 0,
        "duration_average": 0,
        "unique_count": 0,
        "user_ids": [],
        "logged_out_users": [],
    }


@pytest.mark.contract("1 Statistics", "submissions: the attempt that counts, or all versions")
def test_all_versions_are_those_of_submissions_only(quiz: Api, resources: Resources) -> None:
    second = {**every_type.attempts()[0], "attempt": 2, "score": 4.0, "updated_at": "2026-09-11T09:00:00Z"}
    Lms(quiz.database).put_attempts(second, quiz_id=QUIZ_ID, course_id=COURSE_ID)

    one = made(quiz, resources)
    all_of_them = made(quiz, resources, f"{STATISTICS}?all_versions=true")

    assert (one["multiple_attempts_exist"], one["includes_all_versions"]) == (True, False)
    assert all_of_them["includes_all_versions"] is True
    assert sum(one["submission_statistics"]["scores"].values()) == 6
    assert sum(all_of_them["submission_statistics"]["scores"].values()) == 7
    assert one["question_statistics"] == all_of_them["question_statistics"]


def test_sections_limit_the_students(quiz: Api, resources: Resources) -> None:
    first, last = every_type.STUDENTS[0], every_type.STUDENTS[-1]
    with quiz.database.transaction() as session:
        session.add(Section(id=77, course_id=COURSE_ID, name="Section B"))
        session.flush()
        session.add_all(
            Enrollment(
                section_id=77,
                course_id=COURSE_ID,
                user_id=user_id,
                type=EnrollmentType.STUDENT,
                enrollment_state=EnrollmentState.ACTIVE,
            )
            for user_id in (first, last)
        )

    everybody = made(quiz, resources, f"{STATISTICS}?section_ids={SECTION_ID}")
    some = made(quiz, resources, f"{STATISTICS}?section_ids=77,{SECTION_ID}&section_ids[]=77")
    two = made(quiz, resources, f"{STATISTICS}?section_ids=77")

    assert everybody["submission_statistics"]["unique_count"] == 6
    assert some["submission_statistics"]["user_ids"] == list(every_type.STUDENTS)
    assert two["submission_statistics"]["user_ids"] == [first, last]
    choice = question(two, every_type.CHOICE)
    assert (choice["responses"], choice["answered_student_count"]) == (1, 1)
    assert [(a["id"], a["responses"]) for a in choice["answers"]] == [("11", 1), ("12", 0), ("none", 1)]
    assert quiz.get(f"{STATISTICS}?section_ids=99").status_code == 400


@pytest.mark.contract("1 Statistics", "an empty quiz; an anonymous survey names nobody")
def test_an_anonymous_survey_names_nobody(quiz: Api, resources: Resources) -> None:
    Lms(quiz.database).patch_quiz(QUIZ_ID, COURSE_ID, quiz_type="survey", anonymous_submissions=True)

    statistics = made(quiz, resources)

    assert statistics["anonymous_survey"] is True
    assert not {"user_ids", "logged_out_users"} & statistics["submission_statistics"].keys()


def test_current_statistics_are_served_without_a_job(quiz: Api, resources: Resources) -> None:
    first = made(quiz, resources)

    assert quiz.get(STATISTICS).json["quiz_statistics"] == [first]
    quiz.bring_new_data()
    assert made(quiz, resources)["id"] != first["id"]


@pytest.mark.contract("1 Statistics", "two requests wait, a third is a 503 at once")
def test_two_requests_wait_and_a_third_is_sent_away_at_once(quiz: Api, resources: Resources) -> None:
    with ThreadPoolExecutor() as pool:
        requests = [pool.submit(quiz.get, STATISTICS) for _ in range(3)]
        # The two that wait cannot end before the job has.
        third = next(as_completed(requests)).result()
        [report] = live_reports(quiz)
        assert report.progress_id is not None
        generate(resources, report.id, report.progress_id)
        responses = [request.result() for request in requests]

    assert (third.status_code, third.headers["Retry-After"]) == (503, "2")
    assert sorted(response.status_code for response in responses) == [200, 200, 503]


def other_transactions(api: Api) -> int:
    with api.database.transaction() as session:
        count = session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
        )
    assert count is not None
    return int(count)


def test_a_request_that_waits_has_no_transaction_open(quiz: Api, resources: Resources) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(quiz.get, STATISTICS)
        [report] = wait_for(lambda: live_reports(quiz))
        # Its polls are short; a transaction of the request itself would last as long as the wait.
        wait_for(lambda: not other_transactions(quiz))
        assert not waiting.done()
        assert report.progress_id is not None
        generate(resources, report.id, report.progress_id)
        assert waiting.result().status_code == 200


def test_the_job_has_the_id_of_the_request_and_waits_for_the_turn_of_its_course(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.statistics_documents.WAIT_SECONDS", 0.05)
    with open_api(replace(settings, course_jobs=1), database) as api:
        first = api.post(reports_path(), json={"quiz_report": {"report_type": "student_analysis"}}).json

        assert api.get(STATISTICS, headers={"X-Request-Id": "ours"}).status_code == 503

        [job] = [report for report in live_reports(api) if report.id != first["id"]]
        assert job.progress is not None
        assert job.progress.request_id == "ours"
        assert (job.enqueued_at, job.send_count) == (None, 0)


def test_a_request_during_which_the_survey_becomes_anonymous_joins_the_anonymous_job(
    quiz: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.statistics_documents.WAIT_SECONDS", 0.05)
    with quiz.database.transaction() as session:
        named = Variant.of_statistics(session.get_one(Quiz, QUIZ_ID), all_versions=False)
    with ThreadPoolExecutor() as pool:
        with quiz.database.transaction() as session:
            lock(session, named.lock_name)
            early = pool.submit(quiz.get, STATISTICS)
            wait_for(lambda: session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
            Lms(quiz.database).patch_quiz(QUIZ_ID, COURSE_ID, quiz_type="survey", anonymous_submissions=True)
            assert quiz.get(STATISTICS).status_code == 503
        response = early.result()

    assert response.status_code == 503
    [report] = live_reports(quiz)
    assert report.anonymous


def test_a_wait_ends_with_a_503(quiz: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.statistics_documents.WAIT_SECONDS", 0.05)

    response = quiz.get(STATISTICS)

    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    # It is queued once, and the next request finds the same job.
    assert quiz.get(STATISTICS).status_code == 503
    assert len(live_reports(quiz)) == 1


def failed_at_once(api: Api, message: str) -> ApiResponse:
    """Ask for the statistics while a worker fails to make them."""
    return while_waiting(api, lambda report_id: api.fail(report_id, message))


def while_waiting(api: Api, end: Callable[[int], None]) -> ApiResponse:
    """Ask for the statistics while something becomes of their job."""
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(api.get, STATISTICS)
        wait_for(lambda: bool(live_reports(api)))
        end(live_reports(api)[0].id)
        return waiting.result()


@pytest.mark.contract("1 Statistics", "a failure is shown, and not repeated at each request")
def test_a_failure_is_shown_to_all_requests_that_follow(quiz: Api) -> None:
    for response in (failed_at_once(quiz, "It was not to be."), quiz.get(STATISTICS), quiz.get(STATISTICS)):
        assert response.status_code == 503
        assert 590 < int(response.headers["Retry-After"]) <= 600
        assert response.json["message"] == "It was not to be."
        assert not live_reports(quiz)


def fail_before(api: Api, seconds: int) -> None:
    with api.database.transaction() as session:
        ago = text(f"UPDATE quiz_reports SET updated_at = now() - interval '{seconds} seconds'")
        session.execute(ago)


@pytest.mark.contract("5 Errors", "429 and 503 carry Retry-After")
def test_a_failure_says_when_its_job_will_be_queued_again(quiz: Api) -> None:
    failed_at_once(quiz, "It was not to be.")
    fail_before(quiz, 500)

    assert 90 < int(quiz.get(STATISTICS).headers["Retry-After"]) <= 100


@pytest.mark.contract("5 Errors", "429 and 503 carry Retry-After")
def test_a_failure_that_new_data_have_overtaken_is_asked_for_again_soon(quiz: Api) -> None:
    def fail_with_new_data(report_id: int) -> None:
        claimed = quiz.start(report_id)
        quiz.bring_new_data()
        with quiz.database.transaction() as session:
            fail(session, claimed, "It was not to be.")

    response = while_waiting(quiz, fail_with_new_data)

    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.json["message"] == "It was not to be."


def new_submission(api: Api) -> None:
    api.bring_new_data()


def new_roster(api: Api) -> None:
    with api.database.transaction() as session:
        session.get_one(Course, COURSE_ID).roster_revision += 1


def ten_minutes_pass(api: Api) -> None:
    fail_before(api, 600)


@pytest.mark.parametrize("change", [new_submission, new_roster, ten_minutes_pass])
@pytest.mark.contract("1 Statistics", "a failure is shown, and not repeated at each request")
def test_new_data_or_ten_minutes_queue_a_failed_job_again(
    quiz: Api, resources: Resources, change: Callable[[Api], None]
) -> None:
    failed_at_once(quiz, "It was not to be.")
    assert quiz.get(STATISTICS).status_code == 503

    change(quiz)

    assert made(quiz, resources)["question_statistics"]


@pytest.mark.contract("1 Statistics", "the third type is internal: not listed, 400, 404")
def test_statistics_are_no_report(quiz: Api, resources: Resources) -> None:
    statistics = made(quiz, resources)

    listed = [report["report_type"] for report in quiz.get(reports_path()).json]
    assert listed == ["student_analysis", "item_analysis"]
    refused = quiz.post(reports_path(), json={"quiz_report": {"report_type": "statistics"}})
    assert (refused.status_code, refused.json["message"]) == (400, "invalid quiz report type")
    assert quiz.get(f"{reports_path()}/{statistics['id']}").status_code == 404
    assert quiz.delete(f"{reports_path()}/{statistics['id']}").status_code == 404
    report = quiz.report(statistics["id"])
    assert report.report_type is ReportType.STATISTICS
    assert quiz.get(f"/api/v1/files/{report.file_id}").status_code == 404
    assert quiz.get(f"/api/v1/progress/{report.progress_id}").status_code == 404


@pytest.mark.parametrize("caller", sorted(CALLERS.keys() - ALLOWED))
def test_only_teachers_tas_and_administrators_see_them(api: Api, caller: str) -> None:
    assert api.get(STATISTICS, caller).status_code == 403
    assert not live_reports(api)


@pytest.mark.parametrize("caller", sorted(ALLOWED))
def test_teachers_tas_and_administrators_see_them(
    api: Api, caller: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.statistics_documents.WAIT_SECONDS", 0.05)

    assert api.get(STATISTICS, caller).status_code == 503
    assert len(live_reports(api)) == 1


def test_without_credentials_nothing_is_computed(api: Api) -> None:
    assert api.get(STATISTICS, None).status_code == 401
    assert not live_reports(api)
