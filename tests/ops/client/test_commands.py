"""`quiz-reports import` and `quiz-reports report` against a real service."""

from __future__ import annotations

import json
import shutil
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from models.db.session import Database
from models.lms.courses import Course
from models.reports import jobs
from ops.client.http import Client, Report
from ops.sample.loading import write_sample
from tests.ops.client.conftest import Ended, Service
from tests.payloads import attempt
from tests.plain_http import PLAIN_HTTP
from tests.reference import compare
from tests.servers import KeptRows, empty_tables
from workers import generation

Command = Callable[..., Ended]


@pytest.fixture(scope="module")
def written_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "sample"
    write_sample(folder)
    return folder


@pytest.fixture
def sample(written_sample: Path, tmp_path: Path) -> list[Path]:
    """The files of the sample course, in a folder of the test."""
    folder = shutil.copytree(written_sample, tmp_path / "sample")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def imported_rows(migrated_database: Database) -> KeptRows[Ended]:
    return KeptRows(migrated_database.engine, "imported")


@pytest.fixture(scope="module")
def quizzes_rows(migrated_database: Database) -> KeptRows[Ended]:
    return KeptRows(migrated_database.engine, "quizzes")


@pytest.fixture
def imported(
    quiz_reports: Command, sample: list[Path], database: Database, imported_rows: KeptRows[Ended]
) -> Ended:
    """The sample course in the service, and how its import ended."""
    # The other way round: course, quizzes and submissions find their order themselves.
    return _put(imported_rows, database, quiz_reports, sample[::-1])


@pytest.fixture
def quizzes(
    quiz_reports: Command, sample: list[Path], database: Database, quizzes_rows: KeptRows[Ended]
) -> None:
    """The sample's course and quizzes, without attempts."""
    _put(quizzes_rows, database, quiz_reports, [path for path in sample if "submissions" not in path.name])


def _put(rows: KeptRows[Ended], database: Database, quiz_reports: Command, paths: list[Path]) -> Ended:
    """Import files once; later the tables are filled with what that stored, the service's token included."""

    def add() -> Ended:
        ended = quiz_reports("import", *paths)
        assert ended.status == 0, ended.err
        return ended

    if rows.are_kept:
        empty_tables(database.engine)
    return rows.put(add)


def test_import_pushes_files_in_the_order_in_which_they_build_on_each_other(imported: Ended) -> None:
    lines = imported.out.decode().splitlines()

    assert [line.split(" → ")[1].split(":")[0] for line in lines] == [
        "course 101",
        *(f"quiz {quiz_id}" for quiz_id in (203, 201, 204, 202)),
        *(f"submissions of quiz {quiz_id}" for quiz_id in (203, 201, 204, 202)),
    ]
    assert lines[6].endswith(": 1,000 created")


def test_importing_again_changes_nothing(imported: Ended, quiz_reports: Command, tmp_path: Path) -> None:
    again = quiz_reports("import", *(tmp_path / "sample").iterdir())

    assert again.status == 0
    assert b"created" not in again.out
    assert b"1,000 unchanged" in again.out


@pytest.fixture
def faulty(tmp_path: Path) -> list[Path]:
    """A course, a quiz and submissions, each with something that is invalid."""
    users = [{"id": 7, "name": "Ann"}, {"id": 8}]
    quiz = {"title": "Cells", "quiz_type": "survey", "questions": [{"id": 1}]}
    files = {
        "course.json": {"course": {"id": 500, "name": "Biology", "users": users}},
        "quiz.json": {"quiz": {"id": 600, "course_id": 500, **quiz}},
        "submissions.json": {
            "course_id": 500,
            "quiz_id": 600,
            "quiz_submissions": [
                attempt(1, submission_data=[]),
                attempt(2, user_id=8, submission_data=[]),
                *(attempt(3 + n, score="high") for n in range(7)),
            ],
        },
    }
    for name, body in files.items():
        (tmp_path / name).write_text(json.dumps(body))
    return [tmp_path / name for name in files]


@pytest.mark.contract(
    "9 Commands", "import --check says all that is wrong with a first import, --skip stores the rest"
)
def test_a_first_import_is_checked_in_one_go_and_then_skips(
    faulty: list[Path], quiz_reports: Command, database: Database
) -> None:
    checked = quiz_reports("import", "--check", *faulty)

    lines = checked.out.decode().splitlines()
    assert checked.status == 1
    summaries = [line.partition(" → ")[2] for line in lines if " → " in line]
    assert summaries == [
        "course 500: would be 2 created, 1 skipped",
        "quiz 600: would be 1 created, 1 skipped",
        "submissions of quiz 600: would be 1 created, 8 skipped",
    ]
    assert [line.split(":")[0] for line in lines if " × " in line] == [
        *("  1 × missing", "  1 × missing", "  7 × invalid_value", "  1 × unknown_user"),
    ]
    assert "      quiz_submissions[2].score" in lines
    assert "      … and 2 more" in lines
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Course)) == 0

    skipped = quiz_reports("import", "--skip", *faulty)

    assert skipped.status == 0
    assert skipped.out.decode() == checked.out.decode().replace("would be ", "")
    assert quiz_reports("import", "--check", "--skip", *faulty).status == 2


def test_a_check_of_valid_files_ends_well(quiz_reports: Command, sample: list[Path]) -> None:
    ended = quiz_reports("import", "--check", *sample)

    assert ended.status == 0, ended.out
    assert b"submissions of quiz 201: would be" in ended.out


def test_a_check_goes_on_after_a_broken_file(
    faulty: list[Path], quiz_reports: Command, tmp_path: Path
) -> None:
    (tmp_path / "broken.json").write_text('{"course": {"id": 501, "name": "a", "name": "b"}}')

    ended = quiz_reports("import", "--check", "broken.json", *faulty)

    assert ended.status == 1
    assert "broken.json" in ended.err
    assert b"submissions of quiz 600" in ended.out


def test_import_takes_lines_for_a_quiz_that_is_named(
    quizzes: None, quiz_reports: Command, tmp_path: Path
) -> None:
    late = attempt(900, user_id=7018, updated_at="2026-10-05T00:00:00Z", submission_data=[])
    (tmp_path / "late.ndjson").write_text(json.dumps(late) + "\n")

    assert quiz_reports("import", "late.ndjson").status == 1
    ended = quiz_reports("import", "late.ndjson", "--course", "sis_course_id:2026-SAMPLE", "--quiz", "203")
    assert ended.status == 0, ended.err
    assert b"submissions of quiz 203: 1 created" in ended.out


def test_a_refused_file_names_each_place_on_a_line(
    quizzes: None, quiz_reports: Command, tmp_path: Path
) -> None:
    attempts = [{"id": "x", "attempt": 1}, {"id": 901, "user_id": 5, "attempt": 0}]
    (tmp_path / "bad.json").write_text(
        json.dumps({"course_id": 101, "quiz_id": 203, "quiz_submissions": attempts})
    )
    ended = quiz_reports("import", "bad.json")

    lines = [line for line in ended.err.splitlines() if line != "bad.json"]
    assert ended.status == 1
    assert lines[0].startswith("quiz-reports: bad.json: ")
    assert "values are not valid, nothing of it was stored" in lines[0]
    assert all(line.startswith("  quiz_submissions[") for line in lines[1:])


def test_one_quiz_cannot_be_the_name_of_several_files(quiz_reports: Command, sample: list[Path]) -> None:
    ended = quiz_reports("import", *sample, "--quiz", "201")

    assert ended.status == 2
    assert "several of the files are quizzes" in ended.err


def test_report_saves_the_file_and_prints_its_path(
    quizzes: None, worker: None, quiz_reports: Command, tmp_path: Path
) -> None:
    ended = quiz_reports("report", "101", "201", "item_analysis")

    assert (ended.status, ended.out) == (0, b"quiz_201_item_analysis.csv\n"), ended.err
    assert (tmp_path / "quiz_201_item_analysis.csv").read_text().startswith("Question Id,Question Title,")
    assert not list(tmp_path.glob(".*"))


def test_report_saves_another_format_under_its_ending(
    imported: Ended, worker: None, quiz_reports: Command, tmp_path: Path
) -> None:
    ended = quiz_reports("report", "101", "201", "item_analysis", "--format", "xlsx")

    assert (ended.status, ended.out) == (0, b"quiz_201_item_analysis.xlsx\n"), ended.err
    assert zipfile.is_zipfile(tmp_path / "quiz_201_item_analysis.xlsx")


def test_report_writes_to_standard_output_what_it_saves(
    imported: Ended, worker: None, quiz_reports: Command, tmp_path: Path
) -> None:
    params = ("report", "sis_course_id:2026-SAMPLE", "202", "student_analysis", "--all-versions", "-o")
    saved, shown = quiz_reports(*params, "all.csv"), quiz_reports(*params, "-")

    assert (saved.status, shown.status) == (0, 0), saved.err + shown.err
    assert shown.out == (tmp_path / "all.csv").read_bytes()
    assert shown.out.count(b" UTC,") == 9


@pytest.mark.parametrize("report_type", ["student_analysis", "item_analysis"])
def test_the_files_are_those_of_the_plain_computation(
    report_type: str, imported: Ended, worker: None, quiz_reports: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "sample"
    submissions = json.loads((folder / "lsat_submissions.json").read_bytes())["quiz_submissions"]
    attempts = tmp_path / "attempts.ndjson"
    attempts.write_text("".join(json.dumps(attempt) + "\n" for attempt in submissions))
    pushed = (folder / "course.json", folder / "lsat_quiz.json", attempts)
    ended = quiz_reports("report", "101", "201", report_type, "--all-versions", "-o", "report.csv")

    assert ended.status == 0, ended.err
    compare.main(report_type, "report.csv", *map(str, pushed))


def test_a_report_that_is_being_made_is_joined(
    quizzes: None, worker: None, service: Service, quiz_reports: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody_waits = threading.Event()
    claim, wait_for = jobs.claim, Client.wait_for

    def late_claim(*arguments: Any, **options: Any) -> jobs.Claim | None:
        assert somebody_waits.wait(60)
        return claim(*arguments, **options)

    def noticed_wait(*arguments: Any) -> Report:
        somebody_waits.set()
        return wait_for(*arguments)

    monkeypatch.setattr(jobs, "claim", late_claim)
    monkeypatch.setattr(Client, "wait_for", noticed_wait)
    first = httpx.post(
        f"{service.url}/api/v1/courses/101/quizzes/201/reports",
        data={"quiz_report[report_type]": "item_analysis"},
        headers={"Authorization": f"Bearer {service.token}"},
        **PLAIN_HTTP,
        timeout=60,
    )
    ended = quiz_reports("report", "101", "201", "item_analysis")

    assert first.json()["progress_url"]
    assert ended.status == 0, ended.err


def test_a_failed_report_gives_its_message_and_leaves_no_file(
    quizzes: None, worker: None, quiz_reports: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(generation, "_make_file", broken)
    ended = quiz_reports("report", "101", "201", "item_analysis", "-o", "x.csv")

    assert ended.status == 1
    assert "an error in the program" in ended.err
    assert "a bug" not in ended.err
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("101", "999", "item_analysis"), 1, "does not exist"),
        (("101", "203", "item_analysis"), 1, "survey"),
        (("101", "two", "item_analysis"), 2, "'two' is not a valid integer"),
        (("101", "201", "both"), 2, "'both' is not one of"),
        (("101", "201", "item_analysis", "-o", "no/such/folder.csv"), 2, "there is no folder no/such"),
        (("101", "201", "item_analysis", "--token", "other"), 1, "Invalid access token"),
        (
            ("101", "201", "item_analysis", "--url", "http://127.0.0.1:9"),
            1,
            "start it with `quiz-reports up`",
        ),
        (("101", "201", "item_analysis", "--url", "elsewhere"), 2, "must begin with http://"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: tuple[str, ...], status: int, says: str, quizzes: None, quiz_reports: Command
) -> None:
    ended = quiz_reports("report", *arguments)

    assert ended.status == status
    assert ended.err.startswith("quiz-reports: ")
    assert ended.err.count("\n") == 1
    assert says in ended.err


def test_the_token_of_a_local_stack_is_given_to_no_other_address(
    quiz_reports: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = {"base_url": "http://127.0.0.1:9", "admin_token": "secret", "database_url": "", "redis_url": ""}
    (tmp_path / ".quiz-reports").mkdir()
    (tmp_path / ".quiz-reports" / "ready.json").write_text(json.dumps({**ready, "pid": 1}))
    monkeypatch.delenv("QUIZ_REPORTS_TOKEN")
    ended = quiz_reports("report", "101", "201", "item_analysis")

    assert ended.status == 2
    assert "--token is missing" in ended.err
