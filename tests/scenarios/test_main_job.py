"""The main job with real processes: what `make run` does, seen by a client over HTTP.

What the files must say is written here by hand or computed anew; none of it comes from the service.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis

from tests.plain_http import PLAIN_HTTP
from tests.scenarios.stack import Stack, running_stack
from tests.servers import new_database

pytestmark = pytest.mark.exhaustive

SAMPLE_IS_DONE = "Ctrl-C stops the service"
# One column pair of a question that was had and not answered, and one of a question that was not had.
BLANK = ['""', "0.0"]
ABSENT = ['""', '""']

CELLS_QUESTIONS = [
    *("4100001: Which one makes most of a cell’s ATP?", "1.0"),
    *("4100002: Is 6 < 7?", "1.0"),
    *("4100003: Name the process.It needs light.", "1.0"),
    *('"4100004: Adenine pairs with [dna] in DNA, with [rna] in RNA."', "2.0"),
    *("4100005: Which are bases?", "2.0"),
    *("4100006: A [cell] has a [part].", "2.0"),
    *("4100007: Match them.", "2.0"),
    *("4100008: How many chromosomes has a human cell?", "1.0"),
    *("4100009: How much is [x] + [y]?", "1.0"),
    *("4100010: Describe mitosis.", "3.0"),
    *("4100011: Draw a cell.", "2.0"),
    *("4100012: The last question is drawn from a bank.", "0.0"),
    *("41000141: Where is chlorophyll?", "1.0"),
]
WHO = ["name", "id", "sis_id", "section", "section_id", "section_sis_id", "submitted"]
COUNTS = ["n correct", "n incorrect", "score"]
MORNING = ["Morning section", "3101", "SAMPLE-AM"]
EVENING = ["Evening section", "3102", "SAMPLE-PM"]

TALIB = [
    *("طالب مثال", "7014", "", *EVENING, "2026-09-12 09:00:00 UTC"),
    *(*BLANK, "True", "1.0", *BLANK * 7),
    *('"6 < 7 is ""true"""', "0.0", "خلية.pdf", "0.0", *BLANK, *ABSENT),
    *("3", "0", "1.0"),
]
YAMADA = [
    *("山田 例子", "7013", "s7013", *EVENING, "2026-09-12 08:05:09 UTC"),
    *("Mitochondrion", "1.0", *BLANK * 6, "46", "1.0", *BLANK),
    *("細胞分裂 🧬", "3.0", *BLANK * 2, "In the nucleus", "0.0"),
    *("3", "1", "5.0"),
]
FORMULA = [
    *("=Voorbeeld", "7016", "s7016", '""', '""', '""', "2026-09-10 09:20:00 UTC"),
    *("Mitochondrion", "1.0", *BLANK, "=1+1", "0.0", *BLANK * 9, *ABSENT),
    *("1", "1", "1.0"),
]
JOERG = [
    *("Jörg Beispiel", "7012", "s7012"),
    *('"Morning section, Evening section"', '"3101, 3102"', '"SAMPLE-AM, SAMPLE-PM"'),
    *("2026-09-10 09:20:00 UTC", '"Golgi apparatus, trans side"', "0.0", "True", "1.0"),
    *("light & water", "0.0", *BLANK * 6),
    '"First prophase,\nthen metaphase.\n\nSee [the notes] (https://example.edu/mitosis)."',
    *("1.5", *BLANK * 2, *ABSENT),
    *("2", "2", "2.5"),
]
ANA = [
    *("Ana Exemplo", "7011", "s7011", *MORNING, "2026-09-10 09:12:31 UTC"),
    *("Mitochondrion", "1.0", "True", "1.0", "photosynthesis", "1.0"),
    *('"thymine,uracil"', "2.0", r'"adenine,guanine\, a purine"', "2.0"),
    *(r'"plant cell,wall\, of cellulose"', "2.0"),
    *(r'"nucleus=>holds DNA,a \=> b=>an arrow\, from a to b"', "2.0"),
    *("46", "1.0", '"x=>4.3,y=>21,25.3"', "1.0", "One cell becomes two.", "3.0"),
    *("Zellskizze – Übung.pdf", "2.0", *BLANK, "In the chloroplast", "1.0"),
    *("12", "0", "19.0"),
]
ANGEL = [
    *('"Ejemplo, Ángel ""Gel"""', "7015", "s7015", *MORNING, "2026-09-09 15:00:00 UTC"),
    *(*BLANK * 12, *ABSENT),
    *("0", "0", "0.0"),
]
LOGGED_OUT = [
    *(*['""'] * 6, "2026-09-13 12:00:00 UTC"),
    *("Mitochondrion", "1.0", *BLANK * 11, *ABSENT),
    *("1", "0", "1.0"),
]
CELLS_ROWS = [TALIB, YAMADA, FORMULA, JOERG, ANA, ANGEL, LOGGED_OUT]

# Ana's second attempt, a row only of the file with all attempts: it drew another question.
ANA_AGAIN = [
    *("Ana Exemplo", "7011", "s7011", *MORNING, "2026-09-11 10:00:00 UTC", "2"),
    *("Ribosome", "0.0", "False", "0.0", *BLANK, '"thymine,"', "1.0", "adenine", "1.0"),
    *("plant cell", "1.0", r'"nucleus=>holds DNA,a \=> b=>"', "1.0", *BLANK),
    *('"x=>5,y=>7.5,12.5"', "1.0", *BLANK * 3, *ABSENT, "False", "1.0"),
    *("6", "3", "6.0"),
]

SURVEY = """\
section,section_id,section_sis_id,submitted,\
4200001: The course was well organised.,1.0,4200002: What should we change?,0.0,n correct,n incorrect,score
Morning section,3101,SAMPLE-AM,2026-10-02 08:30:00 UTC,"",0.0,Nothing,0.0,1,0,0.0
Evening section,3102,SAMPLE-PM,2026-10-02 08:00:00 UTC,Disagree,0.0,* shorter quizzes,0.0,2,0,0.0
Evening section,3102,SAMPLE-PM,2026-10-01 10:07:30 UTC,Neither,0.0,"Less ""theory"",

more practice.",0.0,2,0,0.0
"Morning section, Evening section","3101, 3102","SAMPLE-AM, SAMPLE-PM",2026-10-01 10:05:00 UTC,\
Agree,0.0,"",0.0,1,0,0.0
Morning section,3101,SAMPLE-AM,2026-10-01 10:00:00 UTC,Agree,0.0,"More microscopes, please.",0.0,2,0,0.0
"""

# Bock and Lieberman (1970): how many people answered so, items 1 to 5, from 00000 up in binary order.
PATTERNS = [
    *(12, 19, 1, 7, 3, 19, 3, 17, 10, 5, 3, 7, 7, 23, 8, 28),
    *(7, 39, 11, 34, 14, 51, 15, 90, 6, 25, 7, 35, 18, 136, 32, 308),
]
PROPORTIONS = [0.828, 0.658, 0.772, 0.606, 0.843]


@dataclass(frozen=True)
class MainJob:
    """What a client saw of one start of the stack, and what was left after its end."""

    stack: Stack
    reports: dict[tuple[int, str, bool], dict[str, Any]]
    files: dict[tuple[int, str, bool], bytes]
    without_header: httpx.Response
    without_anything: httpx.Response
    survey_refused: httpx.Response


def watched(stack: Stack) -> MainJob:
    """Look at everything over HTTP, then stop the stack."""
    reports, files = {}, {}
    with httpx.Client(base_url=stack.base_url, **PLAIN_HTTP, timeout=30) as client:
        for quiz_id, all_versions in ((201, False), (202, False), (202, True), (203, False)):
            path = f"/api/v1/courses/101/quizzes/{quiz_id}/reports"
            params = {"includes_all_versions": str(all_versions).lower()}
            for report in client.get(path, params=params, headers=stack.headers).json():
                key = (quiz_id, report["report_type"], all_versions)
                reports[key] = report
                if "file" in report:
                    url = f"/files/{report['file']['id']}/download"
                    files[key] = client.get(url, headers=stack.headers).raise_for_status().content
        url = reports[201, "item_analysis", False]["file"]["url"]
        survey = client.post(
            "/api/v1/courses/101/quizzes/203/reports",
            data={"quiz_report[report_type]": "item_analysis"},
            headers=stack.headers,
        )
        seen = client.get(url), client.get(url.split("?")[0]), survey
    stack.stop()
    return MainJob(stack, reports, files, *seen)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("main") / "job"


@pytest.fixture(scope="module")
def first(data_dir: Path) -> Iterator[MainJob]:
    with running_stack(data_dir, "--sample", until=SAMPLE_IS_DONE) as stack:
        yield watched(stack)


@pytest.fixture(scope="module")
def second(first: MainJob, data_dir: Path) -> Iterator[MainJob]:
    with running_stack(data_dir, "--sample", "--workers", "1", until=SAMPLE_IS_DONE) as stack:
        yield watched(stack)


@pytest.mark.contract(
    "9 Commands", "make run makes both reports of the sample, says where they lie, and ends at a signal"
)
def test_both_reports_of_each_quiz_are_made_but_the_item_analysis_of_a_survey(first: MainJob) -> None:
    assert set(first.reports) - set(first.files) == {(203, "item_analysis", False)}
    assert first.reports[203, "item_analysis", False]["generatable"] is False
    assert first.survey_refused.status_code == 400


@pytest.mark.contract("7 Cells", "each question type has its cell")
def test_every_question_type_has_its_cells(first: MainJob) -> None:
    lines = [[*WHO, *CELLS_QUESTIONS, *COUNTS], *CELLS_ROWS]

    written = first.files[202, "student_analysis", False].decode()
    assert written == "".join(",".join(line) + "\n" for line in lines)


def test_all_attempts_are_there_where_they_are_asked_for(first: MainJob) -> None:
    written = first.files[202, "student_analysis", True].decode()

    assert f"\n{','.join(ANA_AGAIN)}\n" in written
    rows = list(csv.reader(io.StringIO(written)))
    assert rows[0][-5:] == ["41000142: A virus is a cell.", "1.0", *COUNTS]
    assert [(row[1], row[7]) for row in rows[1:]] == [
        *(("7014", "1"), ("7013", "2"), ("7011", "2"), ("7013", "1"), ("7016", "1")),
        *(("7012", "1"), ("7011", "1"), ("7015", "1"), ("", "1")),
    ]


def test_an_anonymous_survey_names_nobody(first: MainJob) -> None:
    assert first.files[203, "student_analysis", False].decode() == SURVEY


def test_lsat_has_the_figures_of_an_independent_computation(first: MainJob) -> None:
    rows = list(csv.DictReader(io.StringIO(first.files[201, "item_analysis", False].decode())))

    assert [float(row["Correct Student Ratio"]) for row in rows] == PROPORTIONS
    for item, row in enumerate(rows):
        for column, figure in lsat_figures(item).items():
            assert float(row[column]) == pytest.approx(figure, abs=1e-9), (item + 1, column)
    assert {row["Alpha"] for row in rows} == {"N/A"}


def test_lsat_lists_everybody_once(first: MainJob) -> None:
    rows = list(csv.DictReader(io.StringIO(first.files[201, "student_analysis", False].decode())))

    assert {row["name"] for row in rows} == {f"Test taker {number:04}" for number in range(1, 1001)}
    assert len(rows) == 1000
    assert statistics.fmean(float(row["score"]) for row in rows) == 3.707
    assert statistics.pstdev(float(row["score"]) for row in rows) == pytest.approx(1.197978, abs=5e-7)


def test_a_file_can_be_downloaded_by_its_address_alone(first: MainJob) -> None:
    assert first.without_header.content == first.files[201, "item_analysis", False]
    assert (
        "LSAT section 7 Quiz Item Analysis Report.csv" in first.without_header.headers["Content-Disposition"]
    )
    assert first.without_anything.status_code == 401


@pytest.mark.contract(
    "9 Commands", "make run makes both reports of the sample, says where they lie, and ends at a signal"
)
def test_it_says_where_the_files_lie_and_how_they_begin(first: MainJob, data_dir: Path) -> None:
    for (quiz_id, report_type, all_versions), content in first.files.items():
        quiz = {201: "lsat", 202: "cells", 203: "survey", 204: "exam"}[quiz_id]
        later = "_all_versions" if all_versions and report_type == "student_analysis" else ""
        saved = data_dir / "reports" / f"{quiz}_{report_type}{later}.csv"

        assert saved.read_bytes() == content
        assert f"\n{saved}\n  {content.decode()[:30]}" in first.stack.output


@pytest.mark.contract(
    "9 Commands", "make run makes both reports of the sample, says where they lie, and ends at a signal"
)
def test_sigterm_ends_everything(first: MainJob, data_dir: Path) -> None:
    assert first.stack.process.returncode == 0
    assert len(first.stack.parts) > 5
    assert first.stack.orphans() == []
    assert not (data_dir / "ready.json").exists()


def test_a_second_start_has_the_same_reports(first: MainJob, second: MainJob) -> None:
    def ids(job: MainJob) -> dict[tuple[int, str, bool], tuple[int, int | None]]:
        return {key: (report["id"], report.get("file", {}).get("id")) for key, report in job.reports.items()}

    assert ids(second) == ids(first)
    assert second.files == first.files
    assert "created" not in second.stack.output
    assert second.stack.orphans() == []


def test_servers_that_the_environment_names_are_used(
    postgres_url: str, valkey_url: str, tmp_path: Path
) -> None:
    with new_database(postgres_url) as url:
        named = {"DATABASE_URL": url, "REDIS_URL": valkey_url}
        options = ("--sample", "--workers", "1")
        with running_stack(tmp_path / "job", *options, environ=named, until=SAMPLE_IS_DONE) as stack:
            assert (stack.ready["database_url"], stack.ready["redis_url"]) == (url, valkey_url)
            assert stack.send("GET", "/api/v1/courses/1").status_code == httpx.codes.NOT_FOUND
            with psycopg.connect(url) as connection:
                made = connection.execute("SELECT count(*) FROM files").fetchone()
            assert made == (8,)
            with redis.Redis.from_url(valkey_url) as broker:
                assert broker.keys("_kombu.binding.*")
            stack.stop()
        assert not (tmp_path / "job" / "postgres").exists()
        assert not (tmp_path / "job" / "valkey").exists()


def lsat_figures(item: int) -> dict[str, float]:
    """Compute the item's figures from the patterns: a Pearson correlation where the report has a formula."""
    people = [pattern for pattern, count in enumerate(PATTERNS) for _ in range(count)]
    right = [float(pattern >> (4 - item) & 1) for pattern in people]
    totals = [float(pattern.bit_count()) for pattern in people]
    share = statistics.fmean(right)
    correlation = statistics.correlation(right, totals)
    top, middle = (lowest_total(sorted(totals), portion) for portion in (0.73, 0.27))
    thirds = [2 if total >= top else 1 if total >= middle else 0 for total in totals]
    return {
        "Answered Student Count": 1000,
        "Quiz Question Count": 5,
        "Top Student Count": thirds.count(2),
        "Middle Student Count": thirds.count(1),
        "Bottom Student Count": thirds.count(0),
        "Correct Student Count": sum(right),
        "Wrong Student Count": 1000 - sum(right),
        "Wrong Student Ratio": 1 - share,
        "Correct Top Student Count": correct_in(2, thirds, right),
        "Correct Middle Student Count": correct_in(1, thirds, right),
        "Correct Bottom Student Count": correct_in(0, thirds, right),
        "Variance": share * (1 - share),
        "Standard Deviation": math.sqrt(share * (1 - share)),
        "Difficulty Index": share,
        "Point Biserial of Correct": correlation,
        "Point Biserial of Distractor 2": -correlation,
    }


def lowest_total(in_order: list[float], portion: float) -> float:
    """The total at which a part of the thousand begins: ties go up, so whoever has it belongs to the part."""
    return in_order[round(portion * len(in_order))]


def correct_in(third: int, thirds: list[int], right: list[float]) -> float:
    return sum(score for path, score in zip(thirds, right, strict=True) if path == third)
