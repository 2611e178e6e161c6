"""The doctor says what is wrong, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from psycopg import sql
from sqlalchemy import text

from models.broker import BrokerError
from models.db.session import Database
from models.errors import UnreleasedSchemaError
from models.settings import Settings
from ops.admin.doctor import (
    Check,
    CheckFailedError,
    check_broker,
    check_database,
    check_files,
    check_migrations,
    check_settings,
    check_storage,
    check_texts,
    check_uploads,
    check_workers,
    describe_waiting,
)
from tests.factories import COURSE_ID, OTHER_COURSE_ID, OTHER_QUIZ_ID, Api, reports_path
from tests.school import School, Size

NOBODY_LISTENS = "127.0.0.1:1"


@pytest.mark.contract("9 Commands", "doctor says what is wrong")
def test_a_healthy_service_is_well(settings: Settings) -> None:
    checks = (
        *(check_settings, check_database, check_migrations),
        *(check_broker, check_storage, check_uploads, check_texts),
    )
    for examine in checks:
        assert examine(settings)


def test_a_misspelt_setting_is_named_with_the_right_one(settings: Settings) -> None:
    named = (
        "QUIZ_REPORTS_UPLODA_FOLDER, QUIZ_REPORT_MAX_UPLOADS: .* "
        "write QUIZ_REPORTS_UPLOAD_FOLDER, QUIZ_REPORTS_MAX_UPLOADS"
    )
    with pytest.raises(CheckFailedError, match=named):
        check_settings(settings, {"QUIZ_REPORT_MAX_UPLOADS": "2", "QUIZ_REPORTS_UPLODA_FOLDER": "/data"})


def test_the_storage_check_leaves_nothing_behind(settings: Settings) -> None:
    check_storage(settings)
    folder = Path(urlsplit(settings.storage_url).path)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_database_that_does_not_answer(settings: Settings) -> None:
    lost = replace(settings, database_url=f"postgresql://u:p@{NOBODY_LISTENS}/d")
    for examine in (check_database, check_migrations, check_workers):
        with pytest.raises(CheckFailedError, match="check DATABASE_URL"):
            examine(lost)


def test_a_wrong_password_is_not_a_missing_migration(settings: Settings) -> None:
    wrong = re.sub(r"//([^:@]+):[^@]*@", r"//\1:wrong@", settings.database_url)
    for examine in (check_database, check_migrations, check_workers):
        with pytest.raises(CheckFailedError, match="check DATABASE_URL, and that the database exists"):
            examine(replace(settings, database_url=wrong))


def test_a_database_that_takes_no_changes(settings: Settings) -> None:
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        try:
            with pytest.raises(CheckFailedError, match="let DATABASE_URL name the primary"):
                check_database(settings)
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))


def test_connections_that_run_out(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the connection of the check were one too many.
    monkeypatch.setattr("ops.admin.doctor._CONNECTIONS_USED", 0.0)
    with pytest.raises(CheckFailedError, match=r"of \d+ connections are in use: see Connections in ops/"):
        check_database(settings)


def test_tables_of_a_newer_release(settings: Settings, empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")

    assert "of a newer release" in check_migrations(replace(settings, database_url=empty_database_url))


def test_tables_that_are_not_there(settings: Settings, empty_database_url: str) -> None:
    with pytest.raises(CheckFailedError, match="run quiz-reports migrate"):
        check_migrations(replace(settings, database_url=empty_database_url))


def test_tables_of_an_unreleased_version(settings: Settings, empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")

    with pytest.raises(UnreleasedSchemaError, match=r"\(revision 0001\); make a new database"):
        check_migrations(replace(settings, database_url=empty_database_url))


def test_a_broker_that_does_not_answer(settings: Settings) -> None:
    for examine in (check_broker, check_workers):
        with pytest.raises(BrokerError, match="check REDIS_URL"):
            examine(replace(settings, redis_url=f"redis://{NOBODY_LISTENS}/0"))


def test_a_broker_that_may_throw_messages_away(settings: Settings) -> None:
    with redis.Redis.from_url(settings.redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(CheckFailedError, match="set maxmemory-policy noeviction"):
                check_broker(settings)
        finally:
            client.config_set("maxmemory-policy", "noeviction")


def test_a_folder_that_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(CheckFailedError, match="STORAGE_URL"):
        check_storage(replace(settings, storage_url=f"file://{tmp_path}/a file/folder"))


@pytest.mark.parametrize("examine", [check_storage, check_files])
def test_a_folder_that_does_not_exist_is_not_created(
    examine: Callable[[Settings], str], settings: Settings, tmp_path: Path
) -> None:
    misspelt = replace(settings, storage_url=f"file://{tmp_path}/flies")

    with pytest.raises(CheckFailedError, match=r"no such folder.*correct STORAGE_URL"):
        examine(misspelt)

    assert not (tmp_path / "flies").exists()


@pytest.mark.parametrize("name", ["missing", "a file"])
def test_an_upload_folder_that_cannot_be_written(name: str, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(CheckFailedError, match="QUIZ_REPORTS_UPLOAD_FOLDER"):
        check_uploads(replace(settings, upload_folder=str(tmp_path / name)))


def test_the_upload_check_leaves_nothing_behind(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    assert str(folder) in check_uploads(replace(settings, upload_folder=str(folder)))
    assert not list(folder.iterdir())


def test_texts_by_older_rules(settings: Settings, database: Database) -> None:
    school = School(database.url)
    school.add_quiz(Size(students=3))
    assert check_texts(settings)

    with school.connect() as connection:
        connection.execute("UPDATE attempts SET text_version = 0 WHERE submission_id % 3 > 0")

    with pytest.raises(
        CheckFailedError, match="2 attempts have texts by older rules: run quiz-reports rebuild"
    ):
        check_texts(settings)


def test_no_worker(settings: Settings) -> None:
    with pytest.raises(CheckFailedError, match="no worker responds: start quiz-reports worker"):
        check_workers(settings)


def test_reports_that_wait_are_told_with_the_course_of_most(api: Api) -> None:
    for report_type in ("student_analysis", "item_analysis"):
        api.post(reports_path(), json={"quiz_report": {"report_type": report_type}})
    other = reports_path(OTHER_QUIZ_ID, OTHER_COURSE_ID)
    api.post(other, "admin", json={"quiz_report": {"report_type": "item_analysis"}})
    assert not describe_waiting(api.settings)

    with api.database.transaction() as session:
        session.execute(text("UPDATE quiz_reports SET updated_at = now() - interval '2 minutes'"))

    told = f"3 reports have waited for more than 60 seconds, 2 of them of course {COURSE_ID}"
    assert describe_waiting(api.settings) == told


@pytest.mark.contract("9 Commands", "doctor says what is wrong")
def test_a_failed_check_is_one_line(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert not Check("settings", check_settings).run(replace(settings, secret_key=""))
    line = "FAIL settings   SECRET_KEY is not set: see ops/settings.md, or start quiz-reports up\n"
    assert capsys.readouterr().out == line
