"""Bytes by key: a local folder or S3, with one interface.

Keys are made by the service and never by a client. obstore starts threads on its first use, and a process
that is forked afterwards hangs; so a store is made in the process that uses it, and not before.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from models.errors import NotFoundError, StorageError
from models.reports.filenames import content_disposition
from models.settings import Settings

if TYPE_CHECKING:
    from types import TracebackType

    from obstore import Attributes, WritableFile

_PART_BYTES = 8 * 2**20
# The store's own errors, and those of the file system below a local folder.
_FAILURES = (BaseError, OSError)


@dataclass(frozen=True)
class StoredObject:
    """An object that the store lists."""

    key: str
    size: int
    last_modified: datetime.datetime


class ObjectWriter:
    """Writes one object as a stream and knows its size and SHA-256; the object stands once it is closed."""

    def __init__(self, file: WritableFile) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes) -> None:
        """Append bytes; raise StorageError if they cannot be stored."""
        self._sha256.update(content)
        self.size += len(content)
        try:
            self._file.write(content)
        except _FAILURES as error:
            raise StorageError(_reason(error)) from error

    @property
    def sha256(self) -> bytes:
        """The digest of all that was written."""
        return self._sha256.digest()

    def __enter__(self) -> ObjectWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except _FAILURES as failure:
            if error is None:
                raise StorageError(_reason(failure)) from failure


class BlobStore:
    """A folder or a bucket; each method raises StorageError where the store refuses or does not answer."""

    def __init__(self, store: LocalStore | S3Store) -> None:
        self._store = store

    def writer(self, key: str, file_name: str = "report.csv") -> ObjectWriter:
        """Open an object for writing; S3 itself gives it that name when it hands it out."""
        try:
            return ObjectWriter(
                obstore.open_writer(
                    self._store,
                    key,
                    attributes=self._attributes(file_name),
                    buffer_size=_PART_BYTES,
                    max_concurrency=2,
                )
            )
        except _FAILURES as error:
            raise StorageError(_reason(error)) from error

    def _attributes(self, file_name: str) -> Attributes | None:
        # A folder has no place for them, and needs none: there the API names the file.
        if isinstance(self._store, LocalStore):
            return None
        return {
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": content_disposition(file_name),
            "Cache-Control": "private, no-store",
        }

    def size(self, key: str) -> int:
        """Tell an object's size; raise NotFoundError if there is none."""
        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError as error:
            raise NotFoundError(key) from error
        except _FAILURES as error:
            raise StorageError(_reason(error)) from error

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Stream an object's bytes from `start` up to, not including, `end`; NotFoundError if there is none.

        The first bytes are fetched at the call, so a missing object is known then. Each part is a request of
        its own: one for all would have to end within the store's timeout, however slow the reader is.
        """
        stop = self.size(key) if end is None else end
        bounds = [(path, min(path + _PART_BYTES, stop)) for path in range(start, stop, _PART_BYTES)]
        if not bounds:
            return iter(())
        first = self._part(key, *bounds[0])
        return chain([first], (self._part(key, *bound) for bound in bounds[1:]))

    def _part(self, key: str, start: int, end: int) -> bytes:
        try:
            part = bytes(obstore.get_range(self._store, key, start=start, end=end))
        except FileNotFoundError as error:
            raise NotFoundError(key) from error
        except _FAILURES as error:
            raise StorageError(_reason(error)) from error
        if len(part) != end - start:
            raise StorageError(f"{key} has fewer than {end} bytes")
        return part

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there counts as deleted."""
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except _FAILURES as error:
            raise StorageError(_reason(error)) from error

    def list(self, prefix: str = "") -> Iterator[Sequence[StoredObject]]:
        """List the objects below a prefix, a batch at a time."""
        try:
            for batch in obstore.list(self._store, prefix or None, chunk_size=500):
                yield [StoredObject(m["path"], m["size"], m["last_modified"]) for m in batch]
        except _FAILURES as error:
            raise StorageError(_reason(error)) from error

    def delete_half_written(self, prefix: str, before: datetime.datetime) -> int:
        """Delete what writers that were killed have left since before a time; return how many there were.

        A folder lists no file that is still being written. On S3 such parts are seen by nobody, and it is the
        bucket's own rule for incomplete uploads that removes them.
        """
        if not isinstance(self._store, LocalStore) or self._store.prefix is None:
            return 0
        deleted = 0
        try:
            for path in (Path(self._store.prefix) / prefix).rglob("*#*"):
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    deleted += 1
        except _FAILURES as error:
            raise StorageError(_reason(error)) from error
        return deleted

    def presigned_url(self, key: str, seconds: int) -> str | None:
        """Make a URL that anybody may download from for a while; None where the store has no such thing."""
        if isinstance(self._store, LocalStore):
            return None
        return obstore.sign(self._store, "GET", key, datetime.timedelta(seconds=seconds))


def open_store(settings: Settings) -> BlobStore:
    """Open the store that the settings name; a local folder is made if it is absent.

    A request that times out is tried again, and all tries together stay below half a lease, so a worker that
    waits for the store keeps its report.
    """
    parts = urlsplit(settings.storage_url)
    try:
        if parts.scheme == "file":
            return BlobStore(LocalStore(parts.path, mkdir=True, automatic_cleanup=True))
        patience = datetime.timedelta(seconds=settings.lease_seconds / 2)
        return BlobStore(
            S3Store(
                parts.netloc,
                prefix=parts.path.strip("/") or None,
                config=_s3_config(settings),
                client_options={
                    "timeout": patience / 4,
                    "connect_timeout": patience / 4,
                    "allow_http": settings.s3.get("AWS_ENDPOINT_URL", "").startswith("http://"),
                },
                retry_config={"max_retries": 6, "retry_timeout": patience * 3 / 4},
            )
        )
    except _FAILURES as error:
        raise StorageError(_reason(error)) from error


def _s3_config(settings: Settings) -> Any:
    known = {
        "AWS_ACCESS_KEY_ID": "access_key_id",
        "AWS_SECRET_ACCESS_KEY": "secret_access_key",
        "AWS_SESSION_TOKEN": "session_token",
        "AWS_REGION": "region",
        "AWS_DEFAULT_REGION": "default_region",
        "AWS_ENDPOINT_URL": "endpoint_url",
    }
    return {name: settings.s3[variable] for variable, name in known.items() if settings.s3.get(variable)}


def _reason(error: BaseException) -> str:
    # The first line tells what happened; the rest is the library's own structures.
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
