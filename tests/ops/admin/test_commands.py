"""Migrations and tokens, as an operator calls them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence

import psycopg
import pytest
import structlog
from click.testing import CliRunner, Result
from sqlalchemy import text

from models.access.tokens import find_caller
from models.db.schema import newest_revision
from models.db.session import Database
from models.errors import NotFoundError, UnreleasedSchemaError
from ops.admin import commands
from ops.cli import cli
from tests.lms import Lms
from tests.payloads import many_attempts


def run(*arguments: str) -> Result:
    return CliRunner(catch_exceptions=False).invoke(cli, arguments)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Undo what the commands configure: the stream of their log is closed after each."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    before = structlog.get_config()
    yield
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.configure(**before)


PROGRESS, FILE = "url:GET|/api/v1/progress/:id", "url:GET|/api/v1/files/:id"


@pytest.fixture
def database_here(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("DATABASE_URL", database.url)
    return database


def test_several_processes_may_migrate_an_empty_database_at_once(empty_database_url: str) -> None:
    command = [sys.executable, "-P", "-m", "ops.cli", "migrate"]
    environ = {"DATABASE_URL": empty_database_url}
    processes = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) for _ in range(3)]
    outputs = {process.communicate()[0] for process in processes}

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(outputs) == 1
    with psycopg.connect(empty_database_url) as connection:
        applied = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert applied == [(newest_revision(),)]


@pytest.fixture
def lms(database_here: Database) -> Lms:
    """An LMS that has pushed five attempts to each of two courses, which are made again three at a time."""
    lms = Lms(database_here)
    lms.set_up()
    lms.put_attempts(*many_attempts(5))
    lms.patch_course(102, name="Other", users=[{"id": 7, "name": "Ann Lee"}])
    lms.put_quiz(202, 102)
    lms.put_attempts(*many_attempts(5, first=2000), quiz_id=202, course_id=102)
    return lms


def spoil(lms: Lms) -> None:
    with lms.database.transaction() as session:
        session.execute(
            text("UPDATE attempts SET n_correct = 9, text_version = 0 WHERE submission_id % 10 < 2")
        )


@pytest.mark.contract(
    "9 Commands", "rebuild derives texts again, and raises revisions only where something changed"
)
def test_rebuild_makes_the_attempts_of_a_course_or_of_all_again(
    lms: Lms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_REBUILT_AT_ONCE", 3)
    spoil(lms)

    of_course, of_all, again = run("rebuild", "--course", "102"), run("rebuild"), run("rebuild")

    assert [result.exit_code for result in (of_course, of_all, again)] == [0, 0, 0]
    assert of_course.stdout == "2 of 5 attempts have changed\n"
    assert of_all.stdout == "2 of 10 attempts have changed\n"
    assert again.stdout == "0 of 10 attempts have changed\n"
    assert lms.rows("SELECT DISTINCT n_correct FROM attempts") == [(1,)]
    assert lms.rows("SELECT revision FROM quizzes ORDER BY id") == [(3,), (3,)]


def test_rebuild_names_the_attempts_that_can_not_be_made_again(lms: Lms) -> None:
    with lms.database.transaction() as session:
        session.execute(text("DELETE FROM attempt_payloads WHERE attempt_id % 2 = 0"))

    result = run("rebuild")

    assert result.exit_code == 1
    assert "submission 1001, attempt 1: has no payload of an attempt" in result.stderr
    assert "5 attempts could not be derived again and stay as they were" in result.stderr


def test_rebuild_of_a_course_that_is_not_there(database_here: Database) -> None:
    with pytest.raises(NotFoundError, match="there is no course 999"):
        run("rebuild", "--course", "999")


def create(*options: str) -> str:
    result = run("token", "create", *options)
    assert result.exit_code == 0
    return result.stdout.removesuffix("\n")


@pytest.mark.parametrize(
    ("options", "user_id", "is_admin", "scopes"),
    [
        (["--user", "7"], 7, False, set()),
        (["--user", "7", "--admin", "--expires", "1"], 7, True, set()),
        (["--user", "8", "--scope", PROGRESS, "--scope", FILE], 8, False, {PROGRESS, FILE}),
    ],
)
@pytest.mark.contract("9 Commands", "token create prints the token alone, list and revoke")
def test_create_prints_a_token_alone_and_it_is_good(
    database_here: Database, options: Sequence[str], user_id: int, is_admin: bool, scopes: set[str]
) -> None:
    token = create(*options)
    with database_here.transaction() as session:
        caller = find_caller(session, token)

    assert caller
    assert (caller.user_id, caller.is_admin, set(caller.scopes)) == (user_id, is_admin, scopes)


def test_creating_and_revoking_leave_a_line_each_without_the_token(database_here: Database) -> None:
    created = run("token", "create", "--user", "7", "--admin", "--course", "101")
    line = json.loads(created.stderr)
    assert (line["event"], line["user_id"], line["admin"]) == ("token_created", 7, True)
    assert line["last_four"] == created.stdout.strip()[-4:]
    assert created.stdout.strip() not in created.stderr
    revoked = json.loads(run("token", "revoke", "1").stderr)
    assert (revoked["event"], revoked["token_id"]) == ("token_revoked", 1)


@pytest.mark.contract("9 Commands", "token create prints the token alone, list and revoke")
def test_list_shows_tokens_without_giving_them_away(database_here: Database) -> None:
    token = create("--user", "7", "--admin")

    assert run("token", "list").stdout == f"1\t…{token[-4:]}\tuser 7\tadmin\tno expiry\n"


@pytest.mark.contract("9 Commands", "token create prints the token alone, list and revoke")
def test_a_revoked_token_is_no_longer_good(database_here: Database) -> None:
    token = create("--user", "7")

    assert run("token", "revoke", "1").exit_code == 0

    with database_here.transaction() as session:
        assert find_caller(session, token) is None


def test_revoking_what_is_not_there_says_where_to_look(database_here: Database) -> None:
    with pytest.raises(NotFoundError, match="quiz-reports token list"):
        run("token", "revoke", "99")


def test_a_database_of_an_unreleased_version_is_refused_by_name(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    with pytest.raises(UnreleasedSchemaError, match=r"\(revision 0001\); make a new database"):
        run("migrate")
