"""Bytes by key: a local folder or S3, with one interface.

The service makes the keys, never a client. obstore starts threads on its first use, and a process that is
forked afterwards hangs, so each process opens its own store.
"""

from __future__ import annotations

import datetime
import errno
import hashlib
import os
import secrets
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store
from prometheus_client import Counter

# Imported before the metric is made, because it names the files of the processes.
import models.metrics  # noqa: F401
from models.errors import NotFoundError, StorageError
from models.settings import Settings

if TYPE_CHECKING:
    from types import TracebackType

    from obstore import Attributes, WritableFile

_log = structlog.stdlib.get_logger(__name__)
_ERRORS: Final = Counter("quiz_reports_storage_errors", "Failures of the store.", ["operation"])
_PART_BYTES = 8 * 2**20
_PROBE = b"quiz-reports"
# The store's own errors, and those of the file system below a local folder.
_FAILURES = (BaseError, OSError)

# Proxies may refuse a longer header line, and file systems a longer name.
_MOST_NAME_BYTES: Final = 200
# Path separators, and marks that change the direction of writing.
_UNSAFE: Final = frozenset("/\\\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})

_FIRST_PAUSE = datetime.timedelta(milliseconds=250)
_LONGEST_PAUSE = datetime.timedelta(seconds=2)


@dataclass(frozen=True)
class StoredObject:
    """An object that the store lists."""

    key: str
    size: int
    last_modified: datetime.datetime


class ObjectWriter:
    """Writes one object as a stream, counting and hashing its bytes.

    Once it is closed, the object exists, and a loss of power does not undo that.
    """

    def __init__(self, file: WritableFile, await_disk: Callable[[], None] | None = None) -> None:
        self._file = file
        self._await_disk = await_disk
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes) -> None:
        """Append bytes; raise StorageError if they cannot be stored."""
        self._sha256.update(content)
        self.size += len(content)
        try:
            self._file.write(content)
        except _FAILURES as error:
            raise _failure("write", error) from error

    @property
    def sha256(self) -> bytes:
        """The digest of the bytes written so far."""
        return self._sha256.digest()

    def __enter__(self) -> ObjectWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if self._await_disk and error is None:
                self._await_disk()
        except _FAILURES as failure:
            if error is None:
                raise _failure("write", failure) from failure


class BlobStore:
    """A folder or a bucket; each method raises StorageError if the store refuses or does not respond."""

    def __init__(self, store: LocalStore | S3Store) -> None:
        self._store = store
        self._root = Path(store.prefix) if isinstance(store, LocalStore) and store.prefix else None

    def writer(
        self, key: str, *, content_type: str | None = None, display_name: str | None = None
    ) -> ObjectWriter:
        """Open an object for writing; S3 serves it as this type and under this name."""
        try:
            return ObjectWriter(
                obstore.open_writer(
                    self._store,
                    key,
                    attributes=self._attributes(content_type, display_name),
                    buffer_size=_PART_BYTES,
                    max_concurrency=2,
                ),
                partial(_await_disk, self._root / key, self._root) if self._root else None,
            )
        except _FAILURES as error:
            raise _failure("write", error) from error

    def _attributes(self, content_type: str | None, display_name: str | None) -> Attributes | None:
        # A local folder keeps no headers. The API serves its files and sets them itself.
        if isinstance(self._store, LocalStore):
            return None
        attributes: Attributes = {"Cache-Control": "private, no-store"}
        if content_type is not None:
            attributes["Content-Type"] = content_type
        if display_name is not None:
            attributes["Content-Disposition"] = content_disposition(display_name)
        return attributes

    def size(self, key: str) -> int:
        """Return an object's size; raise NotFoundError if it does not exist."""
        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError as error:
            raise NotFoundError(key) from error
        except _FAILURES as error:
            raise _failure("read", error) from error

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Stream an object's bytes from `start` up to, not including, `end`.

        Raises NotFoundError at the call if the object does not exist: the first part is fetched at once. Each
        part is a request of its own, because a single request would have to end within the store's timeout,
        however slow the reader is.
        """
        stop = self.size(key) if end is None else end
        bounds = [(at, min(at + _PART_BYTES, stop)) for at in range(start, stop, _PART_BYTES)]
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
            raise _failure("read", error) from error
        if len(part) != end - start:
            raise StorageError(f"{key} has fewer than {end} bytes")
        return part

    def delete(self, key: str) -> None:
        """Delete an object, if it exists."""
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except _FAILURES as error:
            raise _failure("delete", error) from error

    def list(self, prefix: str = "") -> Iterator[Sequence[StoredObject]]:
        """List the objects below a prefix, a batch at a time."""
        try:
            for batch in obstore.list(self._store, prefix or None, chunk_size=500):
                yield [StoredObject(m["path"], m["size"], m["last_modified"]) for m in batch]
        except _FAILURES as error:
            raise _failure("list", error) from error

    def delete_half_written(self, prefix: str, before: datetime.datetime) -> int:
        """Delete the parts that killed writers left before a time, and return their number.

        `list` does not show the files that a folder is still writing. On S3 such parts are invisible, and the
        bucket's own rule for incomplete uploads removes them.
        """
        if self._root is None:
            return 0
        deleted = 0
        try:
            for path in (self._root / prefix).rglob("*#*"):
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    deleted += 1
        except _FAILURES as error:
            raise _failure("delete", error) from error
        return deleted

    def presigned_url(self, key: str, seconds: int) -> str | None:
        """Make a URL from which anyone can download the object for a while; None for a local folder."""
        if isinstance(self._store, LocalStore):
            return None
        return obstore.sign(self._store, "GET", key, datetime.timedelta(seconds=seconds))


def content_disposition(name: str) -> str:
    """Return the Content-Disposition header (RFC 6266) of a download, safe for any title of a quiz."""
    name = _shortened(_made_safe(name))
    plain = _made_safe(unicodedata.normalize("NFKD", name)).encode("ascii", "ignore").decode()
    if plain.strip().startswith("."):
        plain = f"report{plain}"
    header = f'attachment; filename="{_escaped(plain)}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"


def _escaped(text: str) -> str:
    return text.replace('"', '\\"')


def _made_safe(name: str) -> str:
    return "".join("_" if c in _UNSAFE or unicodedata.category(c) in _CONTROLS else c for c in name)


def _shortened(name: str) -> str:
    encoded = name.encode()
    if len(encoded) <= _MOST_NAME_BYTES:
        return name
    head, tail = encoded[: _MOST_NAME_BYTES - 80], encoded[-77:]
    return f"{head.decode(errors='ignore')}…{tail.decode(errors='ignore')}"


def missing_folder(settings: Settings) -> Path | None:
    """Return the local folder that the settings name if it does not exist."""
    parts = urlsplit(settings.storage_url)
    folder = Path(parts.path)
    try:
        if parts.scheme == "file":
            folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return folder
    except OSError:
        # One that this user may not enter is there, and whoever opens it says so.
        return None
    return None


def open_store(settings: Settings, *, create: bool = True) -> BlobStore:
    """Open the store that the settings name.

    A local folder that is missing is created, which is logged; without `create`, it is a StorageError.
    A request that times out is retried, and all tries together take less than half a lease, so a worker that
    waits for the store keeps its claim.
    """
    parts = urlsplit(settings.storage_url)
    try:
        if parts.scheme == "file":
            folder = missing_folder(settings)
            if folder and not create:
                raise StorageError(f"there is no folder {folder}: correct STORAGE_URL, or mount its disk")
            store = LocalStore(parts.path, mkdir=True, automatic_cleanup=True)
            if folder:
                _log.warning("storage_folder_created", folder=str(folder))
            return BlobStore(store)
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
                retry_config={
                    "max_retries": 6,
                    "retry_timeout": patience * 3 / 4,
                    # The pauses are random, and none is shorter than the first: together they last at least
                    # 1.5 s, so a store that is just started again is waited for.
                    "backoff": {"init_backoff": _FIRST_PAUSE, "max_backoff": _LONGEST_PAUSE},
                },
            )
        )
    except _FAILURES as error:
        raise _failure("open", error) from error


def check_store(settings: Settings) -> None:
    """Write, read and delete an object; raise StorageError if the store cannot be used."""
    store = open_store(settings)
    key = f"check/{secrets.token_hex(8)}"
    try:
        with store.writer(key) as writer:
            writer.write(_PROBE)
        found = b"".join(store.read(key))
    except NotFoundError:
        found = b""
    finally:
        store.delete(key)
    if found != _PROBE:
        raise StorageError("the store returned other bytes than were stored")


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


def _await_disk(path: Path, root: Path) -> None:
    """Wait until a file is on the disk, and the folders below a root that may be new with it."""
    _sync(path)
    for folder in path.parents:
        try:
            _sync(folder)
        except OSError as error:
            # Samba's file systems, and others, refuse it for a folder, as do folders that may not be read.
            if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EACCES}:
                raise
        if folder == root:
            break


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)


def _failure(operation: str, error: BaseException) -> StorageError:
    """Count a failure of the store, and describe it."""
    _ERRORS.labels(operation).inc()
    return StorageError(_reason(error))


def _reason(error: BaseException) -> str:
    # The first line says what happened; the rest dumps the library's structures.
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
