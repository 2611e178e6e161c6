"""Fixtures that every folder of tests shares: real servers, an empty migrated database, settings."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest
import redis
import structlog
from flask import Flask

from api import rate_limit
from api.app import create_app
from api.services import Services
from models import broker, publisher
from models.db.schema import migrate
from models.db.session import Database
from models.settings import Settings
from tests.factories import Api, add_school
from tests.servers import (
    KeptRows,
    empty_tables,
    new_database,
    prepare_tables,
    running_postgres,
    running_valkey,
)
from workers.resources import Resources

# What the machine's owner has set must not change what a test sees.
_SETTINGS = {setting.metadata["env"] for setting in Settings.documented()}
for _variable in list(os.environ):
    if _variable.startswith(("QUIZ_REPORTS_", "AWS_")) or _variable.removesuffix("_FILE") in _SETTINGS:
        del os.environ[_variable]


# By default a traceback is drawn with all local variables, which takes up to a second of computing.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
    ]
)

# A busy machine is slow; how long an example takes shows nothing about the code.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# The callers' tokens, by their names.
Tokens = Mapping[str, str]

_TAKE_MINUTES = {"endurance", "exhaustive"}
_SCENARIOS = Path(__file__).parent / "scenarios"
# Fixtures that start a server or a process; all others of the kind ask for one of these.
_SERVERS = frozenset({"server_directory", "postgres_url", "valkey_url"})
# What tests measure time and memory with.
_MEASURES = frozenset({"cpu_seconds", "process_time", "thread_time", "tracemalloc"})


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run one process more than there are cores, since tests often wait for servers; unit tests do not."""
    waits = not config.option.markexpr.startswith("unit")
    return min((os.cpu_count() or 1) + waits, 4)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tell tests that need servers from those that need none."""
    if item.get_closest_marker("integration"):
        return
    needs_servers = not _SERVERS.isdisjoint(getattr(item, "fixturenames", ()))
    is_scenario = item.path.is_relative_to(_SCENARIOS)
    item.add_marker("integration" if needs_servers or is_scenario else "unit")
    names = item.function.__code__.co_names if isinstance(item, pytest.Function) else ()
    is_quick = item.get_closest_marker("unit") and not item.get_closest_marker("cost")
    if is_quick and not _MEASURES.isdisjoint(names):
        raise pytest.UsageError(f"{item.nodeid} measures time or memory: mark it with pytest.mark.cost")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with scenarios, end with unit tests; leave what takes minutes to CI, unless its mark is named."""
    # Modules of unit tests take least, and the process with the last one should not run alone for long.
    items.sort(key=lambda item: (not item.path.is_relative_to(_SCENARIOS), "unit" in item.keywords))
    if os.environ.get("CI"):
        return
    unnamed = _TAKE_MINUTES - set(config.getoption("markexpr").split())
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in unnamed)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Spare later searches for garbage what the collection made, which stays until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A directory that outlives no test run, with a path short and plain enough for any server."""
    directory = Path(tempfile.mkdtemp(prefix="quiz-reports-test-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgres_url(server_directory: Path) -> Iterator[str]:
    """A PostgreSQL server; the URL names a database of its own that no test writes to."""
    with running_postgres(server_directory / "postgres") as url:
        yield url


@pytest.fixture(scope="session")
def valkey_url(server_directory: Path) -> Iterator[str]:
    """A broker, shared by the session's tests."""
    with running_valkey(server_directory / "valkey") as url:
        yield url


@pytest.fixture(scope="session", autouse=True)
def seconds_to_publish() -> Iterator[dict[str, float]]:
    """Let this process wait for the broker as long as any machine takes; give what a service waits.

    A broker that gets no processor for a tenth of a second takes no count, for half a second no message.
    """
    seconds = dict(publisher.PUBLISH_TIMEOUTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rate_limit, "_TIMEOUT_SECONDS", 60.0)
        patch.setattr(broker, "_TIMEOUT_SECONDS", 60.0)
        for name in seconds:
            patch.setitem(publisher.PUBLISH_TIMEOUTS, name, 60.0)
        yield seconds


@pytest.fixture(scope="session")
def shared_broker(valkey_url: str) -> Iterator[redis.Redis]:
    """A connection to the broker, which empties it: ask for `redis_url`."""
    with redis.Redis.from_url(valkey_url) as client:
        yield client


@pytest.fixture(scope="session")
def migrated_database(postgres_url: str) -> Iterator[Database]:
    """A database at the newest migration, shared by the session's tests: ask for `database`."""
    with new_database(postgres_url) as url:
        database = Database(url, pool_size=10)
        migrate(database.engine)
        prepare_tables(database.engine)
        yield database
        database.dispose()


@pytest.fixture
def database(migrated_database: Database) -> Database:
    """A migrated database whose tables are empty; any number of connections may be opened to it."""
    empty_tables(migrated_database.engine)
    return migrated_database


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without any table, for tests of migrations."""
    with new_database(postgres_url) as url:
        yield url


@pytest.fixture
def redis_url(valkey_url: str, shared_broker: redis.Redis) -> str:
    """A broker that holds nothing."""
    shared_broker.flushdb()
    return valkey_url


@pytest.fixture
def settings(database: Database, redis_url: str, server_directory: Path) -> Settings:
    """Settings of a service on empty servers and an empty store: the same for each test of the session."""
    shutil.rmtree(server_directory / "files", ignore_errors=True)
    return _settings(database, redis_url, server_directory)


@pytest.fixture(scope="module")
def module_settings(
    migrated_database: Database,
    valkey_url: str,
    shared_broker: redis.Redis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings of a process that all tests of a module share; the first of them finds nothing stored.

    A test of such a module may ask for `database`, but not for `settings`, which takes what is in the broker.
    """
    empty_tables(migrated_database.engine)
    shared_broker.flushdb()
    return _settings(migrated_database, valkey_url, tmp_path_factory.mktemp("module"))


@pytest.fixture
def api(app: Flask, settings: Settings, database: Database, school_rows: KeptRows[Tokens]) -> Api:
    """An application in a school with every kind of caller."""

    def add() -> Tokens:
        with database.transaction() as session:
            return add_school(session)

    return Api(app, settings, database, school_rows.put(add))


@pytest.fixture(scope="session")
def school_rows(migrated_database: Database) -> KeptRows[Tokens]:
    """The rows of the school, which are the same for each test, and the tokens of the callers."""
    return KeptRows(migrated_database.engine, "school")


@pytest.fixture
def app(settings: Settings, open_apps: list[Flask]) -> Flask:
    """An application with these settings: the last test's if it had the same, because a new one is slow."""
    if not open_apps or Services.of(open_apps[-1]).settings != settings:
        _close(open_apps)
        open_apps.append(create_app(settings))
    return open_apps[-1]


@pytest.fixture(scope="session")
def open_apps() -> Iterator[list[Flask]]:
    """The application that tests share, if there is one."""
    apps: list[Flask] = []
    yield apps
    _close(apps)


@pytest.fixture
def open_resources() -> Iterator[Callable[[Settings], Resources]]:
    """Open the resources of workers with any settings, and close them afterwards."""
    opened: list[Resources] = []

    def open_one(settings: Settings) -> Resources:
        opened.append(Resources(settings))
        return opened[-1]

    yield open_one
    for resources in opened:
        resources.close()


@pytest.fixture
def resources(settings: Settings, open_resources: Callable[[Settings], Resources]) -> Resources:
    """The resources of a worker."""
    return open_resources(settings)


def _close(apps: list[Flask]) -> None:
    while apps:
        Services.of(apps.pop()).close()


def _settings(database: Database, redis_url: str, folder: Path) -> Settings:
    # As a service has it that has begun: making it is logged, by whichever test would be the first.
    (folder / "files").mkdir(exist_ok=True)
    return Settings(
        database_url=database.url,
        redis_url=redis_url,
        storage_url=f"file://{folder}/files",
        public_url="http://quiz-reports.test",
        secret_key="a secret that only the tests share",
    )
