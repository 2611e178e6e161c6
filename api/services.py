"""What the routes lean on, made on first use in the process that serves: nothing of it crosses a fork."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar, cast

import structlog
from flask import Flask, current_app

from api.json_web_tokens import TokenReader
from api.rate_limit import RateLimit
from api.uploads import Uploads
from api.verifiers import Verifiers
from models.db.session import Database
from models.errors import StorageError
from models.publisher import JobPublisher
from models.reports.variants import analysis_version
from models.settings import Settings
from models.storage import BlobStore, open_store

_log = structlog.stdlib.get_logger(__name__)
_EXTENSION = "quiz_reports"
Part = TypeVar("Part")


class Once(Generic[Part]):
    """Something that is made when it is first asked for, once also among threads."""

    def __init__(self, make: Callable[[], Part]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[Part] = []

    def __call__(self) -> Part:
        """Return it, and make it first if nobody has yet."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]

    @property
    def is_made(self) -> bool:
        """Whether anybody has asked for it."""
        return bool(self._made)


class Services:
    """The database, the store, the queue and the signers of one application."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.verifiers = Verifiers(settings.secret_key)
        self.rate_limit = RateLimit(settings)
        self.uploads = Uploads(settings.upload_folder, settings.max_uploads)
        self._database = Once(lambda: Database(settings.database_url))
        self._store = Once(lambda: open_store(settings))
        self._publisher = Once(lambda: JobPublisher(settings.redis_url))
        self._tokens = Once(lambda: TokenReader(settings))

    @property
    def database(self) -> Database:
        """Transactions on PostgreSQL."""
        return self._database()

    @property
    def store(self) -> BlobStore:
        """The bytes of report files."""
        return self._store()

    @property
    def publisher(self) -> JobPublisher:
        """The way to the workers."""
        return self._publisher()

    @property
    def tokens(self) -> TokenReader:
        """The reader of the JSON Web Tokens that the LMS signs."""
        return self._tokens()

    @property
    def analysis_version(self) -> str:
        """The analysis that makes today's files."""
        return analysis_version(formula_guard=self.settings.formula_guard)

    def discard(self, storage_key: str | None) -> None:
        """Delete an object that no row names any more, if there is one; the sweeper takes what stays."""
        if storage_key is None:
            return
        try:
            self.store.delete(storage_key)
        except StorageError as error:
            _log.warning("object_not_deleted", storage_key=storage_key, reason=str(error))

    def register(self, app: Flask) -> None:
        """Make these the services of an application."""
        app.extensions[_EXTENSION] = self

    @classmethod
    def of(cls, app: Flask) -> Services:
        """Return the services of an application."""
        return cast("Services", app.extensions[_EXTENSION])

    def close(self) -> None:
        """Give back the connections that were opened."""
        if self._database.is_made:
            self.database.dispose()
        self.rate_limit.close()


def services() -> Services:
    """Return the services of the application that handles the request."""
    return Services.of(current_app)
