"""From what an LMS pushes to the bytes of a file: through the routes, the database and a worker's job."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.access.tokens import create_token
from models.db.session import Database
from tests import payloads
from tests.payloads import COURSE_ID, QUIZ_ID, Json
from workers.generation import generate
from workers.resources import Resources

REPORTS = f"/api/v1/courses/{COURSE_ID}/quizzes/{QUIZ_ID}/reports"


@dataclass
class School:
    """An LMS that pushes, a teacher who asks, and a worker in between."""

    client: FlaskClient
    resources: Resources
    admin: Mapping[str, str]

    def put(self, path: str, body: object) -> Json:
        answer = self.client.put(f"/api/v1/courses/{COURSE_ID}{path}", json=body, headers=self.admin)
        assert answer.status_code == 200, answer.text
        return dict(answer.get_json())

    def course(self, **course: Any) -> Json:
        return self.put("", {"course": {"name": "Biology", **course}})

    def quiz(self, questions: Sequence[Json], **quiz: Any) -> Json:
        return self.put(f"/quizzes/{QUIZ_ID}", {"quiz": payloads.quiz(questions=questions, **quiz)})

    def submissions(self, *attempts: Json) -> Json:
        return self.put(f"/quizzes/{QUIZ_ID}/submissions", {"quiz_submissions": attempts})

    def file(self, report_type: str, *, all_versions: bool = False, **more: Any) -> str:
        """Ask for a report, let a worker make it, and download it."""
        params = {"report_type": report_type, "includes_all_versions": all_versions, **more}
        report = self.client.post(REPORTS, json={"quiz_report": params}, headers=self.admin).get_json()
        if "file" not in report:
            generate(self.resources, report["id"], int(report["progress_url"].rsplit("/", 1)[1]))
            report = self.client.get(f"{REPORTS}/{report['id']}", headers=self.admin).get_json()
        download = self.client.get(report["file"]["url"])
        assert download.status_code == 200
        assert len(download.data) == report["file"]["size"]
        assert hashlib.sha256(download.data).hexdigest() in download.headers["ETag"]
        return str(download.data.decode())


@pytest.fixture
def school(app: Flask, database: Database, resources: Resources) -> School:
    with database.transaction() as session:
        token = create_token(session, user_id=1, admin=True)
    return School(app.test_client(), resources, {"Authorization": f"Bearer {token}"})


def choice(question_id: int, answers: Mapping[int, str], key: int, **more: Any) -> Json:
    options = [
        {"id": answer_id, "text": text, "weight": 100 if answer_id == key else 0}
        for answer_id, text in answers.items()
    ]
    return payloads.question(question_id, question_text=f"<p>Item {question_id}</p>", answers=options, **more)


ESSAY = payloads.essay(4000009, question_text="<p>Why,</p>\n<p>do you think?</p>", points_possible=2.5)


def attempt(submission_id: int, user_id: int | None, number: int = 1, **more: Any) -> Json:
    fields: Json = {"updated_at": f"2026-09-10T09:{number:02}:00Z", "submission_data": [], "user_id": user_id}
    if user_id is None:
        fields["temporary_user_code"] = f"code-{submission_id}"
    return payloads.attempt(submission_id, number, **{**fields, **more})


def student(user_id: int, name: str, *sections: int, state: str = "active", **user: Any) -> Json:
    return {
        "users": [{"id": user_id, "name": name, **user}],
        "enrollments": [
            {**payloads.enrollment(user_id, section), "enrollment_state": state} for section in sections
        ],
    }


SECTIONS = [
    {"id": 31, "name": "Section A", "sis_section_id": "BIO-A"},
    {"id": 32, "name": "Section B", "sis_section_id": None},
]


def roster(*students: Json, **course: Any) -> Json:
    merged: dict[str, list[Json]] = {"sections": SECTIONS, "users": [], "enrollments": []}
    for entry in students:
        merged["users"] += entry["users"]
        merged["enrollments"] += entry["enrollments"]
    return {**merged, **course}


ONE_CHOICE = choice(4000001, {8001: "Mitochondrion", 8002: "Ribosome"}, key=8001)


def chosen(answer_id: int, question_id: int = 4000001) -> Json:
    right = answer_id % 10 == 1
    return {"question_id": question_id, "correct": right, "points": float(right), "answer_id": answer_id}


def test_student_analysis_of_a_roster_with_sis_ids_and_root_accounts(school: School) -> None:
    school.course(
        **roster(
            student(7, "Ann Lee", 31, sis_user_id="s0007", root_account="school.example.edu"),
            student(8, "Żak, Łukasz", 31, 32),
            student(9, "=1+1", 32, sis_user_id="s0009"),
            student(10, "Removed", 31, state="deleted"),
            student(11, 'עברית "quoted" 🦠', 31, state="completed"),
            include_root_accounts=True,
        )
    )
    html_answer = {"id": 8002, "text": " ", "html": "<em>Ribo</em>some", "weight": 0}
    question = {**ONE_CHOICE, "answers": [ONE_CHOICE["answers"][0], html_answer]}
    school.quiz([question, ESSAY])
    essay = payloads.essay_entry(4000009, '<p>a "b"</p><p>c,\nd</p>', points=0.1)
    school.submissions(
        attempt(501, 7, submission_data=[chosen(8001), essay], score=1.1),
        attempt(502, 8, submission_data=[chosen(8002)], score=None, finished_at=None),
        attempt(503, 9, submission_data=[], updated_at="2026-09-11T00:00:00Z"),
        attempt(504, 10),
        attempt(505, 11, submission_data=[chosen(8002)], score=0.0, workflow_state="pending_review"),
        attempt(506, None, submission_data=[chosen(8001)], updated_at="2026-09-30T00:00:00Z"),
        attempt(507, 7, 1, workflow_state="preview") | {"id": 507},
        attempt(508, 9, 2, workflow_state="untaken"),
    )
    assert school.file("student_analysis") == (
        "name,id,sis_id,root_account,section,section_id,section_sis_id,submitted,"
        '4000001: Item 4000001,1.0,"4000009: Why,\ndo you think?",2.5,n correct,n incorrect,score\n'
        '=1+1,9,s0009,,Section B,32,,2026-09-10 09:12:31 UTC,"",0.0,"",0.0,0,0,1.0\n'
        '"עברית ""quoted"" 🦠",11,,,"","","",2026-09-10 09:12:31 UTC,Ribosome,0.0,"",0.0,0,1,0.0\n'
        '"Żak, Łukasz",8,,,"Section A, Section B","31, 32","BIO-A, ",,Ribosome,0.0,"",0.0,0,1,\n'
        "Ann Lee,7,s0007,school.example.edu,Section A,31,BIO-A,2026-09-10 09:12:31 UTC,"
        'Mitochondrion,1.0,"a ""b""\n\nc, d",0.1,2,0,1.1\n'
        '"","","","","","","",2026-09-10 09:12:31 UTC,Mitochondrion,1.0,"",0.0,1,0,1.0\n'
    )


@pytest.mark.parametrize(
    ("policy", "scores", "counts"),
    [
        ("keep_highest", [2.0, 3.0, 3.0, 1.0], 2),
        ("keep_highest", [2.0, 3.0, 1.0, 3.0], 4),
        ("keep_latest", [2.0, 3.0, 3.0, 1.0], 4),
        ("keep_average", [1.0, 2.0, 3.0], 2),
        ("keep_average", [1.0, 2.0, 2.5], 3),
        ("keep_highest", [None, None], 2),
    ],
)
@pytest.mark.contract("7 Rows", "the attempt that counts")
def test_the_attempt_that_counts_follows_the_scoring_policy(
    school: School, policy: str, scores: Sequence[float | None], counts: int
) -> None:
    school.course(**roster(student(7, "Ann Lee", 31)))
    school.quiz([ONE_CHOICE], scoring_policy=policy)
    school.submissions(
        *(
            attempt(501, 7, number, score=score, finished_at=f"2026-09-10T10:{number:02}:00Z")
            for number, score in enumerate(scores, 1)
        )
    )
    lines = school.file("student_analysis").splitlines()
    assert len(lines) == 2
    assert f",2026-09-10 10:{counts:02}:00 UTC," in lines[1]
    assert len(school.file("student_analysis", all_versions=True).splitlines()) == 1 + len(scores)


@pytest.mark.contract("7 Rows", "the attempt that counts")
def test_a_kept_score_that_was_pushed_counts_before_the_policy(school: School) -> None:
    school.course(**roster(student(7, "Ann Lee", 31)))
    school.quiz([ONE_CHOICE], scoring_policy="keep_highest")
    school.submissions(
        *(attempt(501, 7, number, score=float(number), kept_score=2.0, n=number) for number in (1, 2, 3))
    )
    row = school.file("student_analysis").splitlines()[1]
    assert row.endswith(",2.0")


@pytest.mark.contract("7 Rows", "newest first, ties by submission and attempt")
def test_all_versions_are_newest_first_with_ties_by_submission_and_attempt(school: School) -> None:
    school.course(**roster(student(7, "Ann Lee", 31), student(8, "Bo", 31)))
    school.quiz([ONE_CHOICE])
    at = {"updated_at": "2026-09-10T09:00:00Z"}
    school.submissions(
        attempt(501, 7, 1, **at),
        attempt(502, 8, 1, **at),
        attempt(501, 7, 2, **at),
        attempt(502, 8, 2, updated_at="2026-09-12T09:00:00+02:00"),
        attempt(600, None, 1, updated_at="2026-09-20T09:00:00Z"),
    )
    rows = [line.split(",") for line in school.file("student_analysis", all_versions=True).splitlines()[1:]]
    assert [(row[1], row[7]) for row in rows] == [
        ("8", "2"),
        ("8", "1"),
        ("7", "2"),
        ("7", "1"),
        ('""', "1"),
    ]


@pytest.mark.contract("7 Rows", "a logged-out taker, an anonymous survey")
def test_an_anonymous_survey_names_nobody(school: School) -> None:
    school.course(**roster(student(7, "Ann Lee", 31, sis_user_id="s0007"), include_root_accounts=True))
    school.quiz([ONE_CHOICE], quiz_type="survey", anonymous_submissions=True)
    school.submissions(attempt(501, 7, submission_data=[chosen(8002)]))
    assert school.file("student_analysis", all_versions=True) == (
        "section,section_id,section_sis_id,submitted,attempt,4000001: Item 4000001,1.0,"
        "n correct,n incorrect,score\n"
        "Section A,31,BIO-A,2026-09-10 09:12:31 UTC,1,Ribosome,0.0,0,1,1.0\n"
    )


@pytest.mark.contract("7 Columns", "questions that only attempts saw follow as the rows meet them")
def test_questions_that_only_attempts_saw_follow_as_the_rows_meet_them(school: School) -> None:
    school.course(**roster(student(7, "Ann Lee", 31), student(8, "Bo", 31)))
    drawn = {
        number: choice(4000000 + number, {number * 10 + 1: "yes"}, key=number * 10 + 1) for number in (5, 6)
    }
    school.quiz([ONE_CHOICE, {"id": 77, "entry_type": "quiz_group", "question_points": 1}])
    school.submissions(
        attempt(
            501, 7, submission_data=[chosen(51, 4000005)], quiz_data=[ONE_CHOICE, drawn[5]],
            updated_at="2026-09-10T00:00:00Z",
        ),
        attempt(
            502, 8, submission_data=[chosen(61, 4000006)], quiz_data=[drawn[6]],
            updated_at="2026-09-11T00:00:00Z",
        ),
    )  # fmt: skip
    header, bo, ann = school.file("student_analysis").splitlines()
    assert [name for name in header.split(",") if ": " in name] == [
        "4000001: Item 4000001",
        "4000006: Item 4000006",
        "4000005: Item 4000005",
    ]
    assert '"","",yes,1.0,"","",1,0,1.0' in bo
    assert '"",0.0,"","",yes,1.0,1,0,1.0' in ann


GOLDEN_KEY = {4000001: 11, 4000002: 24, 4000003: 32, 4000004: 41}
GOLDEN_ANSWERS = ["T B T A", "T D F A", "F A T C", "T D F B", "T D F A", "F D - -"]
GOLDEN_FILE = (
    "Question Id,Question Title,Answered Student Count,Top Student Count,Middle Student Count,"
    "Bottom Student Count,Quiz Question Count,Correct Student Count,Wrong Student Count,"
    "Correct Student Ratio,Wrong Student Ratio,Correct Top Student Count,Correct Middle Student Count,"
    "Correct Bottom Student Count,Variance,Standard Deviation,Difficulty Index,Alpha,"
    "Point Biserial of Correct,Point Biserial of Distractor 2,Point Biserial of Distractor 3,"
    "Point Biserial of Distractor 4\n"
    "4000001,Item 4000001,6,2,2,2,4,4,2,0.6666666666666666,0.3333333333333333,2,2,0,"
    "0.22222222222222224,0.4714045207910317,0.6666666666666666,N/A,"
    "0.8696263565463043,-0.8696263565463043,,\n"
    "4000002,Item 4000002,6,2,2,2,4,4,2,0.6666666666666666,0.3333333333333333,2,1,1,"
    "0.22222222222222224,0.4714045207910317,0.6666666666666666,N/A,"
    "0.6324555320336759,-0.7,-0.09999999999999999,\n"
    "4000003,Item 4000003,5,2,2,1,4,3,2,0.6,0.4,2,1,0,"
    "0.24000000000000005,0.48989794855663565,0.6,N/A,0.8728715609439694,-0.8728715609439694,,\n"
    "4000004,Item 4000004,5,2,2,1,4,3,2,0.6,0.4,2,1,0,"
    "0.24000000000000005,0.48989794855663565,0.6,N/A,"
    "0.6000991981489792,0.13363062095621223,-0.8685990362153794,\n"
)


def golden_answer_id(question: int, letter: str) -> int:
    return question * 10 + ("TF" if letter in "TF" else "ABCD").index(letter) + 1


def golden_quiz() -> list[Json]:
    return [
        choice(
            question_id,
            {
                golden_answer_id(question, letter): letter
                for letter in ("TF" if question in (1, 3) else "ABCD")
            },
            key=GOLDEN_KEY[question_id],
            position=question,
        )
        for question, question_id in enumerate(GOLDEN_KEY, 1)
    ]


def golden_attempt(user_id: int, letters: str, **more: Any) -> Json:
    answers = {
        question_id: golden_answer_id(question, letter)
        for (question, question_id), letter in zip(enumerate(GOLDEN_KEY, 1), letters.split(), strict=True)
        if letter != "-"
    }
    right = sum(GOLDEN_KEY[question_id] == answer_id for question_id, answer_id in answers.items())
    entries = [
        {
            "question_id": question_id,
            "answer_id": answer_id,
            "correct": GOLDEN_KEY[question_id] == answer_id,
            "points": float(GOLDEN_KEY[question_id] == answer_id),
        }
        for question_id, answer_id in answers.items()
    ]
    return attempt(500 + user_id, user_id, submission_data=entries, score=float(right), **more)


@pytest.mark.contract("8 Item analysis", "the golden values to the last digit")
def test_item_analysis_of_the_golden_answers(school: School) -> None:
    school.course(**roster(*(student(number, f"Student {number}", 31) for number in range(1, 9))))
    school.quiz(golden_quiz())
    school.submissions(*(golden_attempt(n, letters) for n, letters in enumerate(GOLDEN_ANSWERS, 1)))
    assert school.file("item_analysis") == GOLDEN_FILE


@pytest.mark.contract("8 Item analysis", "each student's first submitted attempt, no logged-out taker")
def test_item_analysis_takes_each_student_s_first_submitted_attempt_and_no_logged_out_taker(
    school: School,
) -> None:
    school.course(**roster(*(student(number, f"Student {number}", 31) for number in range(1, 8))))
    school.quiz(golden_quiz())
    unfinished = golden_attempt(1, "T D F A") | {"attempt": 1, "workflow_state": "untaken"}
    first = [golden_attempt(n, a) | {"attempt": 2} for n, a in enumerate(GOLDEN_ANSWERS, 1)]
    later = [golden_attempt(n, "T D F A") | {"attempt": 3} for n in range(1, 7)]
    logged_out = golden_attempt(7, "T D F A") | {"user_id": None, "temporary_user_code": "x"}
    school.submissions(*later, unfinished, logged_out, *first)
    assert school.file("item_analysis") == GOLDEN_FILE


@pytest.mark.contract(
    "2 Parameters", "section_ids limits a report to students of the sections, without logged-out takers"
)
def test_sections_limit_the_rows_and_leave_the_section_columns(school: School) -> None:
    people = (
        student(7, "Ann Lee", 31, 32),
        student(8, "Bo Ek", 32),
        student(9, "Cy Rao", 31, state="inactive"),
    )
    school.course(**roster(*people))
    school.quiz([ONE_CHOICE])
    taken = [attempt(500 + user_id, user_id, submission_data=[chosen(8001)]) for user_id in (7, 8, 9)]
    school.submissions(*taken, attempt(510, None, submission_data=[chosen(8001)]))

    def names_and_sections(*section_ids: int) -> list[tuple[str, str]]:
        _, *rows = csv.reader(school.file("student_analysis", section_ids=section_ids).splitlines())
        return [(row[0], row[3]) for row in rows]

    assert names_and_sections(31) == [("Cy Rao", ""), ("Ann Lee", "Section A, Section B")]
    assert names_and_sections(32) == [("Bo Ek", "Section B"), ("Ann Lee", "Section A, Section B")]
    assert len(names_and_sections(31, 32)) == 3
    assert len(names_and_sections()) == 4
    assert (
        school.file("item_analysis", section_ids=[31]).splitlines()[1].startswith("4000001,Item 4000001,2,")
    )


@pytest.mark.contract("3 Progress", "a failure says why")
def test_a_report_that_its_format_cannot_hold_fails_with_what_to_request_instead(school: School) -> None:
    school.course(**roster(student(7, "Ann Lee", 31)))
    school.quiz([ESSAY])
    school.submissions(attempt(501, 7, submission_data=[payloads.essay_entry(ESSAY["id"], "long " * 8_000)]))
    params = {"report_type": "student_analysis", "format": "xlsx"}
    report = school.client.post(REPORTS, json={"quiz_report": params}, headers=school.admin).get_json()
    progress_id = int(report["progress_url"].rsplit("/", 1)[1])
    generate(school.resources, report["id"], progress_id)
    progress = school.client.get(f"/api/v1/progress/{progress_id}", headers=school.admin).get_json()
    assert progress["workflow_state"] == "failed"
    assert progress["message"].endswith("a cell holds 32,767. Request it as CSV or JSON instead.")
    assert school.file("student_analysis").count("long") == 8_000


@pytest.mark.parametrize("questions", [[], [ONE_CHOICE]])
def test_a_quiz_without_submissions_has_both_reports(school: School, questions: list[Json]) -> None:
    school.course(**roster(student(7, "Ann Lee", 31)))
    school.quiz(questions)
    columns = "4000001: Item 4000001,1.0," if questions else ""
    assert school.file("student_analysis") == (
        f"name,id,sis_id,section,section_id,section_sis_id,submitted,{columns}n correct,n incorrect,score\n"
    )
    assert school.file("item_analysis").startswith("Question Id,Question Title,Answered Student Count,")


@pytest.mark.contract("2 Current", "pushing the same data again leaves reports current")
def test_what_is_pushed_again_keeps_reports_current_and_any_change_makes_them_stale(school: School) -> None:
    people = roster(student(7, "Ann Lee", 31))
    taken = attempt(501, 7, submission_data=[chosen(8001)])
    school.course(**people)
    school.quiz([ONE_CHOICE])
    school.submissions(taken)

    def newest_has_file() -> bool:
        return "file" in school.client.get(REPORTS, headers=school.admin).get_json()[0]

    changes: list[Any] = [
        lambda: school.submissions(json.loads(json.dumps(taken)) | {"updated_at": "2026-10-01T00:00:00Z"}),
        lambda: school.quiz([choice(4000001, {8001: "Mitochondria", 8002: "Ribosome"}, key=8001)]),
        lambda: school.course(**roster(student(7, "Ann Lee-Smith", 31))),
        lambda: school.submissions(
            taken | {"workflow_state": "deleted", "updated_at": "2026-11-01T00:00:00Z"}
        ),
    ]
    for change in changes:
        school.file("student_analysis")
        assert newest_has_file()
        change()
        assert not newest_has_file()
        change()
        school.file("student_analysis")
        change()
        assert newest_has_file()
