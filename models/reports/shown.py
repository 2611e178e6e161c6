"""A report that is found by its id, with its job, its file and its quiz, as the columns that responses show.

Clients poll `GET …/reports/:id`, and each column costs time, as does each object of a session. Routes that
change reports, list them or find them by a Progress or a file respond from the rows of a session instead.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row
from sqlalchemy.sql.elements import KeyedColumnElement

from models.db.base import Base
from models.lms.quizzes import Quiz, QuizType
from models.reports.tables import File, Progress, QuizReport, ReportState
from models.reports.variants import Variant

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class ShownQuiz:
    """A quiz, as responses name it."""

    id: int
    course_id: int
    title: str
    quiz_type: QuizType


@dataclass(frozen=True)
class ShownProgress:
    """The progress of a job."""

    id: int
    user_id: int
    completion: float
    message: str | None
    created_at: datetime.datetime
    updated_at: datetime.datetime


@dataclass(frozen=True)
class ShownFile:
    """A file, without what only its bytes need."""

    id: int
    uuid: uuid.UUID
    size: int
    created_at: datetime.datetime


@dataclass(frozen=True)
class ShownReport:
    """A report, with its progress and its file once they exist."""

    id: int
    state: ReportState
    created_at: datetime.datetime
    updated_at: datetime.datetime
    variant: Variant
    progress: ShownProgress | None
    file: ShownFile | None


AnyQuiz = Quiz | ShownQuiz
AnyProgress = Progress | ShownProgress
AnyFile = File | ShownFile
AnyReport = QuizReport | ShownReport


def _columns(table: type[Base], names: Iterable[str]) -> list[KeyedColumnElement[Any]]:
    return [table.__table__.c[name] for name in names]


def _names(kind: type[DataclassInstance]) -> list[str]:
    return [field.name for field in fields(kind)]


_REPORT_NAMES: Final = ("id", "state", "created_at", "updated_at")
_PARTS: Final = (
    _columns(Quiz, _names(ShownQuiz)),
    _columns(QuizReport, _REPORT_NAMES),
    _columns(QuizReport, _names(Variant)),
    _columns(Progress, _names(ShownProgress)),
    _columns(File, _names(ShownFile)),
)
SHOWN: Final = tuple(chain(*_PARTS))
"""The columns of a quiz and of its report, which `read_shown` expects at the end of a row."""


def read_shown(row: Row[*tuple[Any, ...]]) -> tuple[ShownQuiz | None, ShownReport | None]:
    """Read quiz and report from a row that ends with SHOWN; what an outer join has not found is None."""
    columns = iter(row[-len(SHOWN) :])
    quiz, report, variant, progress, file = (list(islice(columns, len(part))) for part in _PARTS)
    shown_quiz = None if quiz[0] is None else ShownQuiz(*quiz)
    if report[0] is None:
        return shown_quiz, None
    shown_report = ShownReport(
        **dict(zip(_REPORT_NAMES, report, strict=True)),
        variant=Variant(*variant),
        progress=None if progress[0] is None else ShownProgress(*progress),
        file=None if file[0] is None else ShownFile(*file),
    )
    return shown_quiz, shown_report
