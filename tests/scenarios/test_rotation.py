"""Passwords of the servers change while processes go on, by the commands of the runbook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from models.access.tokens import create_token, list_tokens
from models.broker import BrokerRefusesUserError, check_broker
from models.db.schema import migrate
from models.db.session import Database
from ops.local.embedded import EmbeddedPostgres, EmbeddedValkey

RUNBOOK = (Path(__file__).parents[2] / "ops" / "README.md").read_text()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server of its own, since the tests' usual one lets no role make others."""
    with EmbeddedPostgres(tmp_path / "postgres", durable=False) as postgres:
        yield postgres


@pytest.fixture
def broker_url(tmp_path: Path) -> Iterator[str]:
    with EmbeddedValkey(tmp_path / "valkey", durable=False) as valkey:
        yield valkey.url


def with_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


def test_a_second_role_takes_the_place_of_the_first(postgres: EmbeddedPostgres) -> None:
    (making,) = re.findall(r"```sql\n(.+?)```", RUNBOOK, re.DOTALL)
    (taking,) = re.findall(r"`(ALTER ROLE quiz_reports NOLOGIN)`", RUNBOOK)
    making, taking = (words.replace("quiz_reports", postgres.ROLE) for words in (making, taking))
    first, second = Database(postgres.url), Database(with_user(postgres.url, f"{postgres.ROLE}_2", "…"))
    migrate(first.engine)
    password = (postgres.directory / "postgres.password").read_text()
    with psycopg.connect(with_user(postgres.url, "postgres", password), autocommit=True) as superuser:
        superuser.execute(making)
        with second.transaction() as session:
            create_token(session, user_id=1)
        with first.transaction() as session:
            assert len(list(list_tokens(session))) == 1
        superuser.execute(taking)
    first.dispose()
    with pytest.raises(OperationalError, match="not permitted to log in"):
        migrate(first.engine)
    with second.transaction() as session:
        # As a later migration does, which only the owner of the tables may.
        session.execute(text("ALTER TABLE access_tokens ADD COLUMN later integer"))
    second.dispose()


def test_the_broker_takes_both_passwords_until_the_old_one_is_removed(broker_url: str) -> None:
    adding, removing = re.findall(r"`(ACL SETUSER default [<>]\w+)`", RUNBOOK)
    old, new = urlsplit(broker_url).password, with_user(broker_url, "default", "new")
    with redis.Redis.from_url(broker_url) as broker:
        broker.execute_command(*adding.split())
        check_broker(broker_url)
        check_broker(new)
        broker.execute_command(*removing.replace("<old", f"<{old}").split())
    check_broker(new)
    with pytest.raises(BrokerRefusesUserError):
        check_broker(broker_url)
