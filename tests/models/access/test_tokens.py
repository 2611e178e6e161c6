"""Tokens and verifiers: hard to guess, kept as hashes, compared without telling by time."""

from __future__ import annotations

import ast
import base64
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from models.access.tokens import PREFIX, AccessToken, create_token, find_caller
from models.db.session import Database

ROOT = Path(__file__).parents[3]
CODE = [path for part in ("api", "models", "workers", "ops") for path in (ROOT / part).rglob("*.py")]
# Words of names that hold secrets.
SECRETS = {"token", "secret", "password", "verifier", "signature", "digest", "sha256", "hmac"}
# Compared where no client's secret is: each with the reason.
EXCEPTIONS = {
    (
        "models/access/tokens.py",
        "_columns.sha256 == bindparam('sha256')",
    ): "PostgreSQL finds it by its hash",
    ("models/access/tokens.py", "AccessToken.id == token_id"): "the number of a row",
    (
        "models/access/page_links.py",
        "PageLink.sha256 == sha256(secret)",
    ): "PostgreSQL finds it by its hash",
    (
        "models/settings.py",
        "self.secret_key == DEFAULT_SECRET_KEY",
    ): "the operator's own setting",
}
# Hashes of contents and tokens of workers decide what is stored, and whom nobody from outside can ask.
NO_SECRETS = {
    "ops/admin/files.py",
    "models/ingestion/attempt_rows.py",
    "models/ingestion/attempts.py",
    "models/ingestion/question_sets.py",
    "models/ingestion/quizzes.py",
    "models/reports/jobs.py",
}


def comparisons(path: Path) -> Iterator[str]:
    """Give each `==`, `!=` or `in` of a name that sounds like a secret."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Compare):
            continue
        if not any(isinstance(sign, (ast.Eq, ast.NotEq)) for sign in node.ops):
            continue
        names = {
            word
            for part in ast.walk(node)
            for name in [getattr(part, "attr", getattr(part, "id", ""))]
            for word in str(name).lower().strip("_").split("_")
        }
        if names & SECRETS:
            yield ast.unparse(node)


def test_no_secret_is_compared_with_an_equals_sign() -> None:
    found = {
        (name, comparison)
        for path in CODE
        if (name := str(path.relative_to(ROOT))) not in NO_SECRETS
        for comparison in comparisons(path)
    }
    assert found - EXCEPTIONS.keys() == set()
    assert EXCEPTIONS.keys() <= found
    assert {str(path.relative_to(ROOT)) for path in CODE} >= NO_SECRETS


def test_what_makes_secrets_is_made_for_it() -> None:
    for path in CODE:
        # Questions of statistics and of samples may use what can be foretold.
        if "benchmarks" not in path.parts and "sample" not in path.parts:
            modules = {
                name.name
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Import)
                for name in node.names
            }
            assert "random" not in modules, path


def test_a_token_holds_256_bits_from_the_systems_own_source(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def token_urlsafe(size: int) -> str:
        asked.append(size)
        return base64.urlsafe_b64encode(bytes(size)).decode().rstrip("=")

    monkeypatch.setattr("models.access.tokens.secrets.token_urlsafe", token_urlsafe)
    with database.transaction() as session:
        token = create_token(session, user_id=1)
    assert asked == [32]
    assert len(token) == len(PREFIX) + math.ceil(32 * 8 / 6)


def test_no_two_tokens_are_alike(database: Database) -> None:
    with database.transaction() as session:
        tokens = [create_token(session, user_id=1) for _ in range(100)]
    assert len({token[:12] for token in tokens}) == len({token[-12:] for token in tokens}) == 100


def test_the_table_holds_what_nobody_can_log_in_with(database: Database) -> None:
    with database.transaction() as session:
        token = create_token(session, user_id=1)
        row = session.scalars(select(AccessToken)).one()
        shown = session.execute(text("SELECT access_tokens::text FROM access_tokens")).scalar_one()
        assert token not in shown
        assert token.removeprefix(PREFIX)[:8] not in shown
        # Neither the hash nor its spelling is a token.
        for guess in (row.sha256.hex(), row.sha256.decode("latin-1"), PREFIX + row.sha256.hex()):
            assert find_caller(session, guess) is None
        assert find_caller(session, token) is not None
