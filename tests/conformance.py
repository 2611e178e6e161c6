"""Which test shows which rule of the contract: `make conformance` prints the table, and fails at a gap.

A test says which rules it shows with `@pytest.mark.contract("2 Create", "…the rule, as it stands here…")`.
"""

from __future__ import annotations

import collections
import contextlib
import io
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import pytest

# The rules of the contract, by its sections.
RULES: Final[Mapping[str, Sequence[str]]] = {
    "1 Routes": [
        "every route has a scope spelled after its path",
        "the API describes itself, no route missing",
        "a course and a quiz show their fields",
        "a list of quizzes is paged: per_page, page, Link",
        "the New Quizzes form answers with a Progress, whose results name the file",
        "New Quizzes' own student_analysis in CSV and JSON, every attempt a row",
        "New Quizzes' item_analysis: Classic's CSV, in JSON its rows by column name",
        "healthz, readyz, metrics",
        "an unmodified client walks from a course to the bytes",
        "sections, questions and submissions: by right, paged, of this course alone",
    ],
    "1 Statistics": [
        "both forms of Accept, a list of one",
        "each type of question has its fields",
        "submissions: the attempt that counts, or all versions",
        "they never disagree with the item_analysis",
        "an empty quiz; an anonymous survey names nobody",
        "two requests wait, a third is a 503 at once",
        "a failure is shown, and not repeated at each request",
        "the third type is internal: not listed, 400, 404",
    ],
    "2 QuizReport": [
        "plain JSON has these fields; file and progress_url only once they exist",
        "times are ISO 8601 in UTC",
        "readable_type follows Accept-Language, English if none fits",
        "item_analysis: all versions always, SIS ids never",
        "SIS ids follow the caller; two callers of different rights never share a file",
        "an anonymous survey is anonymous; item_analysis of a survey not generatable",
    ],
    "2 JSON-API": [
        "reports stand in a list, ids are strings, links take the place of quiz_id",
        "file and progress are embedded only where include asks; their ids stay integers",
        "the list adds its meta",
    ],
    "2 Becoming anonymous": [
        "files that name people are withdrawn with the same push",
        "jobs that would name people fail with that reason",
        "item analyses of what has become a survey are withdrawn",
        "of the push and a job that race, the push wins",
    ],
    "2 Variant": [
        "of each variant at most one report is queued or running",
    ],
    "2 Index": [
        "always both reports, student_analysis first, ids stable until new data",
        "includes_all_versions chooses; file and progress_url are carried",
        "of each variant in CSV; other formats are not listed",
        "a Link header on the public base URL, also behind a proxy",
    ],
    "2 Create": [
        "an unknown or missing type is a 400",
        "item_analysis of a survey is a 400 that says so",
        "queued or running is a 409, also when newer data came in",
        "a current report is returned with its file and no new job",
        "a row without a file is taken again, with a new Progress",
        "a stale file gives way to a new row",
        "of a hundred at once one is taken: one row, one job, no 5xx",
    ],
    "2 Current": [
        "only while quiz, roster and analysis are those of its making",
        "pushing the same data again leaves reports current",
    ],
    "2 Show": [
        "plain JSON always carries the file",
        "ETag and If-None-Match",
    ],
    "2 Abort": [
        "a generated file and its progress are removed",
        "a queued job is aborted and never runs",
        "a failure is cleared",
        "a running job is a 422",
        "nothing to abort is a 422",
        "the row stays, empty; its old progress is gone",
        "retention leaves a report as DELETE does",
        "of an abort and a start exactly one wins",
    ],
    "2 Parameters": [
        "report_type in every spelling",
        "includes_all_versions nested or at the top, nested wins",
        "format in every spelling; an unknown one is a 400",
        "section_ids in every spelling, sorted; an unknown section is a 400",
        "section_ids limits a report to students of the sections, without logged-out takers",
        "include in every spelling",
        "booleans in Canvas's spellings",
        "an id that is no integer is a 404; so is the wrong quiz or course",
        "courses by sis_course_id",
        "ids as strings where the Accept asks for them",
        "bad input is one JSON error and never a crash",
    ],
    "3 Progress": [
        "its fields, in each state",
        "plain JSON also where JSON-API is asked for",
        "completion never falls within a try, and is 100 exactly when completed",
        "a failure says why",
        "every Progress ends, also where workers die",
        "cancel: while queued, shown as it ended, then gone",
        "cancel: else 409; its owner or an administrator only",
    ],
    "4 File": [
        "its fields and names",
        "every format has the cells of the CSV file",
        "the url works with Bearer, with verifier, with both",
        "a verifier is fresh each time and lives an hour",
        "a bad verifier without a good Bearer, or neither: 401",
        "headers of the bytes, and names of every script",
        "range requests",
        "from S3 the bytes are streamed through",
        "a redirect to a presigned URL is a setting",
    ],
    "5 Tokens": [
        "opaque tokens: in header, query, form; expiry; revocable at once",
        "JSON Web Tokens of the LMS; roles from the roster",
    ],
    "5 Permission": [
        "every route, every kind of caller",
        "with and without the route's scope",
        "a PUT needs an administrator's token or the named scope",
        "SIS ids are not for TAs",
        "checks in order: 401, scope, the course's 404, 403, the rest's 404",
        "ids of another course lead nowhere, in every position",
    ],
    "5 Errors": [
        "no credentials, a bad token: to the word, with WWW-Authenticate",
        "413, 415",
        "429 and 503 carry Retry-After",
        "anything unforeseen is a 500 with an id and without detail",
        "every error is JSON, every answer has X-Request-Id",
    ],
    "6 Data in": [
        "a submission belongs to one quiz for good",
        "a section moves to the course that pushes it last",
        "a late retry does not bring back what was deleted",
        "every PUT is an idempotent upsert",
        "all or nothing",
        "counts and the revision",
        "a 422 names each place, up to twenty",
        "the same key twice in one request is invalid",
        "unsound JSON is invalid, never a crash",
        "lists given replace, lists left out stay",
        "groups keep their id and their questions' points",
        "a drawn question is one of the attempts that drew it",
        "Canvas's own words are understood",
        "rows that hold no attempt are taken and counted as unchanged",
        "an entry that does not fit its question's type is invalid",
        "users that are unknown are named, all of them",
        "attempts as a document or as lines",
        "an older attempt does not undo a regrade; deleted takes one back",
        "an attempt keeps the questions that it saw",
        "bodies that are too large are a 413; lines are read as a stream",
        "a client that sends holds no connection, and its right is asked again",
        "a check stores nothing and counts as a skip does",
        "a check names every kind of issue, with counts and examples",
        "a check brings along what will be pushed before it",
        "what is skipped stays as it is stored, with what depends on it",
        "of a repeated key the first counts",
        "a quiz has at most 10,000 questions, also where some are skipped",
        "a broken line is skipped, a broken document never is",
        "Canvas's REST shapes go in with a short converter",
    ],
    "7 Bytes": [
        "quotes where they must be; null and the empty text told apart",
        "floats as repr writes them, times to the second",
        "what begins like a formula stays, unless the guard is on",
        "every reader gets the same table",
    ],
    "7 Columns": [
        "these, in this order",
        "questions that only attempts saw follow as the rows meet them",
    ],
    "7 Rows": [
        "newest first, ties by submission and attempt",
        "the attempt that counts",
        "the attempts of a student with several submissions are in one order",
        "an attempt whose data are null has no row",
        "the same data give the same bytes, in whatever order they were pushed",
        "sections are joined in one order",
        "a logged-out taker, an anonymous survey",
    ],
    "7 Cells": [
        "each question type has its cell",
        "had but not answered; not had at all",
        "lists, headings, links, images and preformatted lines are plain text",
    ],
    "8 Item analysis": [
        "the golden values to the last digit",
        "each student's first submitted attempt, no logged-out taker",
        "rows by position, then text, then id",
        "the correct answer is the first of the highest weight",
        "groups at 27 and 73 percent, ties go up",
        "variance by n, alpha from sixteen questions on, point biserials",
        "LSAT section 7 has the published figures",
    ],
    "9 Commands": [
        "make run makes both reports of the sample, says where they lie, and ends at a signal",
        "up writes ready.json for its owner; a part that dies is started again; signals stop all",
        "a worker with one slot takes both queues; from two on one takes only small",
        "token create prints the token alone, list and revoke",
        "doctor says what is wrong",
        "rebuild derives texts again, and raises revisions only where something changed",
        "exit status 0, 1, 2; errors are one line",
        "import --check says all that is wrong with a first import, --skip stores the rest",
    ],
    "9 Settings": [
        "one page lists them all",
        "SECRET_KEY is required outside up",
    ],
}

Rule = tuple[str, str]


class Collector:
    """A plugin of pytest that notes which tests carry which rules."""

    def __init__(self) -> None:
        self.tests: dict[Rule, list[str]] = collections.defaultdict(list)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Look at every test; its parameters count as one test."""
        for item in session.items:
            for marker in item.iter_markers("contract"):
                section, rule = marker.args
                name = item.nodeid.partition("[")[0].removeprefix("tests/")
                if name not in self.tests[section, rule]:
                    self.tests[section, rule].append(name)


def main() -> int:
    """Print the table; return 1 if a rule has no test, or a test names a rule that is none."""
    collector = Collector()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        # Those that only CI runs count as well.
        every_test = ["-m", "unit or integration or endurance or exhaustive"]
        arguments = ["--collect-only", "--quiet", "-p", "no:cacheprovider", *every_test]
        status = pytest.main(arguments, plugins=[collector])
    if status != pytest.ExitCode.OK:
        print(said.getvalue(), file=sys.stderr)  # noqa: T201 - the table is what this is for.
        return 1
    rules = [(section, rule) for section, those in RULES.items() for rule in those]
    print(table(rules, collector.tests))  # noqa: T201
    gaps = [
        f"no test shows: {section}: {rule}"
        for section, rule in rules
        if (section, rule) not in collector.tests
    ]
    gaps += [
        f"no such rule: {section}: {rule}" for section, rule in sorted(set(collector.tests) - set(rules))
    ]
    print("\n".join(gaps) or f"{len(rules)} rules, each with a test", file=sys.stderr if gaps else sys.stdout)
    return 1 if gaps else 0


def table(rules: Sequence[Rule], tests: Mapping[Rule, Sequence[str]]) -> str:
    """Write rule and tests, a section after the other."""
    lines: list[str] = []
    for section, rule in rules:
        if not lines or (section, rule) == (section, RULES[section][0]):
            lines += ["", section]
        lines.append(f"  {rule}")
        lines += [f"      {name}" for name in tests.get((section, rule), ["-"])]
    return "\n".join(lines[1:])


if __name__ == "__main__":
    sys.exit(main())
