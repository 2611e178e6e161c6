"""The files that reports have, for comparing them with the objects in the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.reports.tables import File, QuizReport


@dataclass(frozen=True)
class StoredFile:
    """A report's file: the object that must exist, its size and digest, and the machine that wrote it."""

    file_id: int
    report_id: int
    quiz_id: int
    storage_key: str
    size: int
    sha256: bytes
    node: str | None

    def __str__(self) -> str:
        written_by = f", written by {self.node}" if self.node else ""
        return f"report {self.report_id} of quiz {self.quiz_id}: {self.storage_key}{written_by}"


def newest_files(session: Session, *, most: int, before_id: int | None = None) -> Sequence[StoredFile]:
    """Return files, the newest first; with `before_id`, only those that are older than that file."""
    query = (
        select(
            File.id,
            QuizReport.id,
            QuizReport.quiz_id,
            File.storage_key,
            File.size,
            File.sha256,
            File.node,
        )
        .join(QuizReport, QuizReport.file_id == File.id)
        .order_by(File.id.desc())
        .limit(most)
    )
    if before_id is not None:
        query = query.where(File.id < before_id)
    return [StoredFile(*row) for row in session.execute(query)]


def all_files(session: Session, *, batch: int = 1000) -> Iterator[StoredFile]:
    """Yield every file, the newest first, reading a batch at a time."""
    before_id: int | None = None
    while files := newest_files(session, most=batch, before_id=before_id):
        yield from files
        before_id = files[-1].file_id
