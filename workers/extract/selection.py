"""The attempts that a report reads, and their chunks."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from workers.analysis.compact import CompactFloats
from workers.analysis.frames import Integers

# About ten copies of a chunk exist on its way to the file: as it came, by columns, as texts, as bytes.
CHUNK_BYTES = 8 * 2**20
_NO_IDS, _NO_AGES = np.empty(0, np.int64), np.empty((3, 0), np.int64)


@dataclass(frozen=True)
class Selection:
    """The attempts of a report in row order, and their question sets in the order of first use.

    `sizes` are the bytes that the responses of each attempt take when they are read. `newest_first` holds the
    same question sets, those of the newest attempts first; `sent` are those that some attempt sent itself.
    `scores` are the points given, NaN for an attempt that is not graded; none if the report has no use for
    them in advance. `rule` says in a sentence which attempts these are.
    """

    attempt_ids: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int32]
    question_set_ids: Sequence[int]
    newest_first: Sequence[int] = ()
    sent: frozenset[int] = frozenset()
    scores: CompactFloats = field(default_factory=CompactFloats)
    rule: str = ""

    @classmethod
    def read(cls, batches: Iterable[pa.RecordBatch], rule: str = "") -> Self:
        """Read a selection from batches of its rows, with the column score if that is known in advance.

        It takes twelve bytes an attempt, two to eight more for a score, and some for each question set.
        """
        ids, sizes, scores = array("q"), array("i"), CompactFloats()
        # Of each batch: its question sets, the same by their newest attempts with their ages, and those sent.
        used, newest, ages, sent = [_NO_IDS], [_NO_IDS], [_NO_AGES], [_NO_IDS]
        for batch in batches:
            ids.frombytes(batch["id"].to_numpy().tobytes())
            sizes.frombytes(batch["size"].to_numpy().tobytes())
            if "score" in batch.schema.names:
                scores.add(batch["score"].to_numpy(zero_copy_only=False))
            question_sets = batch["question_set_id"].to_numpy()
            age = _ages(batch)
            rows = _newest_rows(question_sets, age)
            used.append(pd.unique(question_sets))
            newest.append(question_sets[rows])
            ages.append(age[:, rows])
            sent.append(pd.unique(question_sets[batch["sends_questions"].to_numpy(zero_copy_only=False)]))
        of_newest = np.concatenate(newest)
        return cls(
            np.frombuffer(ids, np.int64),
            np.frombuffer(sizes, np.int32),
            pd.unique(np.concatenate(used)).tolist(),
            of_newest[_newest_rows(of_newest, np.concatenate(ages, axis=1))].tolist(),
            frozenset(np.concatenate(sent).tolist()),
            scores,
            rule,
        )

    def chunks(self, most_attempts: int, most_bytes: int = CHUNK_BYTES) -> Iterator[slice]:
        """Split the attempts into chunks within both limits, but of at least one attempt each."""
        return split(self.sizes, most_attempts, most_bytes)


def split(
    sizes: npt.NDArray[np.integer[Any]], most_rows: int, most_bytes: int = CHUNK_BYTES
) -> Iterator[slice]:
    """Split rows of these sizes into parts within both limits, but of at least one row each."""
    start = 0
    while start < len(sizes):
        ends = np.cumsum(sizes[start : start + most_rows], dtype=np.int64)
        stop = start + max(1, int(np.searchsorted(ends, most_bytes, side="right")))
        yield slice(start, stop)
        start = stop


def _ages(batch: pa.RecordBatch) -> Integers:
    """Return a column for each attempt by which `_newest_rows` compares them, the last row first."""
    columns = batch["attempt"], batch["submission_id"], batch["updated_at"]
    return np.array([column.cast(pa.int64()).to_numpy() for column in columns])


def _newest_rows(question_sets: Integers, ages: Integers) -> Integers:
    """Return the row of the newest attempt of each question set, the newest first.

    Of two attempts at the same moment, that of the greater submission id is the newer, then that of the
    greater number: the order of the rows of a student_analysis, whatever the order of these.
    """
    rows = np.lexsort(ages)[::-1]
    newest: Integers = rows[~pd.Series(question_sets[rows]).duplicated().to_numpy()]
    return newest
