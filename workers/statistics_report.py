"""The statistics of a quiz as one JSON document: what Canvas's API shows, and what goes beyond it.

The document has `quiz_statistics`, in the shapes of Canvas, if the first attempts were chosen, and
`psychometrics`: the figures of the quiz and its items, the findings, and the conventions.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from models.content.questions import Question
from models.reports.variants import AttemptChoice
from workers.analysis.canvas_statistics import question_statistics
from workers.analysis.figures import CONVENTIONS, Figure
from workers.analysis.findings import as_json, remarks
from workers.analysis.item_analysis import ItemAnalysis
from workers.analysis.long_frames import ItemColumns
from workers.analysis.option_counts import OptionCounts
from workers.analysis.quiz_statistics import QuizStatistics
from workers.analysis.samples import Tally
from workers.analysis.score_table import ScoreTable
from workers.analysis.statistics_tables import Statistics
from workers.analysis.submissions import SubmissionStatistics
from workers.analysis.totals import Totals
from workers.extract.items import QuizItems, read_question
from workers.extract.scored_items import canvas_question, scored_item
from workers.extract.selection import Selection
from workers.extract.snapshot import Extract

Json = dict[str, Any]

# How often the responses to an item are gathered: for the totals, for the covariances, and for the figures of
# both parts of the document.
_TIMES_GATHERED: Final = 4


class StatisticsReport:
    """The statistics of one quiz, fed with the frames of `Extract.statistics`, in their order.

    ``done`` is called every now and then with the number of attempts that were computed since.
    ``item_analysis`` is that of the same attempts, for its file.
    """

    def __init__(
        self, extract: Extract, selection: Selection, items: QuizItems, done: Callable[[float], None]
    ) -> None:
        self._extract = extract
        self._done = done
        self._respondents = len(selection.attempt_ids)
        self._quiz_scores = selection.scores
        self._questions = _questions(items)
        self._items = [scored_item(question) for question in self._questions]
        self._columns = ItemColumns([item.id for item in self._items], items.ids_by_question_set)
        share = self._respondents / (_TIMES_GATHERED * max(1, len(self._items)))
        self._table = ScoreTable(len(self._items), on_item=lambda: done(share))
        self._minutes = Tally()
        self.item_analysis = ItemAnalysis(
            [item for item in items.in_order if item.is_choice], items.ids_by_question_set, selection.scores
        )
        self._counted = 0
        if not self._respondents:
            self._finish_totals()

    def add(self, frame: pd.DataFrame) -> None:
        """Add a chunk of attempts or, once all attempts are added, of their selections."""
        if "selections" in frame.columns:
            self._option_counts.add(self._counted, self._columns.selection_frame(frame))
            self._counted += len(frame)
            return
        self._table.add(len(frame), self._columns.score_frame(frame))
        self.item_analysis.add(frame)
        self._minutes.add(_minutes(frame))
        if self._table.respondents == self._respondents:
            self._finish_totals()

    def document(self) -> Iterator[bytes]:
        """Yield the statistics as JSON in parts, once all frames are added; it can be called once."""
        variant = self._extract.variant
        document: Json = {"attempts": variant.attempt_choice.value, "psychometrics": self._psychometrics()}
        del self.statistics
        if variant.attempt_choice is AttemptChoice.FIRST:
            questions = list(self._question_statistics()) if self._respondents else []
            # What follows takes about as much memory as these do.
            del self._table, self._totals, self._option_counts, self._minutes
            submissions = self._submissions()
            document["quiz_statistics"] = {
                "multiple_attempts_exist": self._extract.has_several_attempts,
                "includes_all_versions": variant.includes_all_versions,
                "generated_at": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "points_possible": self._extract.points_possible,
                "anonymous_survey": variant.anonymous,
                "question_statistics": questions,
                "submission_statistics": submissions.as_json(),
            }
        encoded = msgspec.json.encode(document)
        if variant.attempt_choice is AttemptChoice.FIRST and not variant.anonymous:
            yield from _with_user_ids(encoded, submissions)
        else:
            yield encoded

    def _finish_totals(self) -> None:
        self._totals = Totals(self._items, self._table)
        self._option_counts = OptionCounts(self._totals)

    @cached_property
    def statistics(self) -> Statistics:
        """The figures and the findings, once all frames are added."""
        computed = QuizStatistics(
            self._items,
            self._table,
            self._totals,
            self._minutes.ascending(),
            self._option_counts.by_item,
            self._quiz_scores,
        )
        quiz, figures = computed.quiz(), computed.items()
        return Statistics(quiz, figures, remarks(quiz, self._items, figures))

    def _psychometrics(self) -> Json:
        return {
            "quiz": _as_json(self.statistics.quiz),
            "items": [_as_json(item) for item in self.statistics.items],
            "findings": [as_json(remark) for remark in self.statistics.remarks],
            "conventions": CONVENTIONS,
        }

    def _question_statistics(self) -> Iterator[Json]:
        rows: dict[int, dict[str, Any]] = {
            row["Question Id"]: {str(name): cell for name, cell in row.items()}
            for row in self.item_analysis.rows().to_dict("records")
        }
        for index, question in enumerate(self._questions):
            yield question_statistics(
                canvas_question(question),
                self._table.item(index),
                self._option_counts.by_item.get(index, {}),
                rows[question.id] if question.question_type.is_choice else None,
            )

    def _submissions(self) -> SubmissionStatistics:
        statistics = SubmissionStatistics(
            self._extract.points_possible, anonymous=self._extract.variant.anonymous
        )
        for part in self._extract.submissions():
            statistics.add(part)
            self._done(0)
        return statistics


def _questions(items: QuizItems) -> list[Question]:
    """Return the questions that can be answered, with the points that they carry in this report."""
    questions = [
        msgspec.structs.replace(read_question(content), points_possible=item.points_possible)
        for item, content in zip(items.in_order, items.contents_in_order, strict=True)
    ]
    return [question for question in questions if not question.question_type.is_text_block]


def _minutes(attempts: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the minutes of the attempts that have both times and do not end before they begin."""
    taken = (attempts["finished_at"] - attempts["started_at"]).astype("timedelta64[us]")
    minutes = taken.dt.total_seconds().to_numpy(np.float64, na_value=np.nan) / 60
    return minutes[minutes >= 0]


def _with_user_ids(document: bytes, submissions: SubmissionStatistics) -> Iterator[bytes]:
    """Yield a document with the ids of the takers; of millions, they are most of it.

    Within a text of JSON, quotes are escaped, so what is looked for is the empty list.
    """
    before, begin, after = document.rpartition(b'"user_ids":[')
    yield before + begin
    comma = b""
    for ids in submissions.user_ids():
        yield comma + b",".join(b"%d" % user_id for user_id in ids.tolist())
        comma = b","
    yield after


def _as_json(value: Any) -> Any:
    """Return figures as JSON: a figure has its value, and its interval or its reason if it has one."""
    if isinstance(value, Figure):
        return {k: v for k, v in vars(value).items() if v is not None or k == "value"}
    if dataclasses.is_dataclass(value):
        return {name: _as_json(part) for name, part in vars(value).items()}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_json(part) for part in value]
    return value
