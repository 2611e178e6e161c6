"""The services that routes use, made on first use in the serving process, so that none crosses a fork."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any, Self, TypeVar, cast, overload

import structlog
from flask import Flask, current_app

from api.json_web_tokens import TokenReader
from api.page_sessions import PageSessions
from api.rate_limit import RateLimit
from api.uploads import Uploads
from api.verifiers import Verifiers
from models.db.session import Database
from models.errors import StorageError
from models.publisher import JobPublisher
from models.settings import Settings
from models.storage import BlobStore, open_store

_log = structlog.stdlib.get_logger(__name__)
_EXTENSION = "quiz_reports"
# A request that waits for statistics occupies a thread of the server.
MOST_STATISTICS_WAITS = 2
T = TypeVar("T")


class _locked_cached_property(cached_property[T]):  # noqa: N801 - it is used as the decorator that it extends.
    """A cached_property that is computed once among threads; since Python 3.12, functools has no lock."""

    _lock = threading.RLock()

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        with self._lock:
            return super().__get__(instance, owner)


class Services:
    """The database, the store, the publisher and the signers of one application."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.verifiers = Verifiers(settings.secret_key)
        self.page_sessions = PageSessions(settings.secret_key)
        self.rate_limit = RateLimit(settings)
        self.statistics_waits = threading.BoundedSemaphore(MOST_STATISTICS_WAITS)
        self.uploads = Uploads(settings.upload_folder, settings.max_uploads)

    @_locked_cached_property
    def database(self) -> Database:
        """Transactions on PostgreSQL."""
        return Database(self.settings.database_url)

    @_locked_cached_property
    def store(self) -> BlobStore:
        """The bytes of report files."""
        return open_store(self.settings)

    @_locked_cached_property
    def publisher(self) -> JobPublisher:
        """The publisher of job messages to the workers."""
        return JobPublisher(self.settings.redis_url)

    @_locked_cached_property
    def tokens(self) -> TokenReader:
        """The reader of the JSON Web Tokens that the LMS signs."""
        return TokenReader(self.settings)

    def discard(self, storage_key: str | None) -> None:
        """Delete an object that no row names any more, if there is one.

        If that fails, the sweeper deletes it later.
        """
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
        """Close the connections that were opened."""
        if "database" in vars(self):
            self.database.dispose()
        self.rate_limit.close()


def services() -> Services:
    """Return the services of the application that handles the request."""
    return Services.of(current_app)
