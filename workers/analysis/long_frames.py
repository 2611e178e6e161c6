"""Responses as long frames, a row each, for calls of pandas that take all of a chunk at once."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from workers.analysis.frames import Integers, responses
from workers.analysis.response_index import ChunkQuestionSets
from workers.analysis.score_table import NO_OPTION


class ItemColumns:
    """The items of question sets, as the indices by which the statistics number them.

    ``question_sets`` maps the id of a question set to the ids of its items, in the order of the response
    lists.
    """

    def __init__(self, item_ids: Sequence[int], question_sets: Mapping[int, Sequence[int]]) -> None:
        index = {item_id: number for number, item_id in enumerate(item_ids)}
        self._columns = {
            set_id: np.array([index.get(item_id, -1) for item_id in ids], np.int64)
            for set_id, ids in question_sets.items()
        }

    def score_frame(self, attempts: pd.DataFrame) -> pd.DataFrame:
        """Return the frame that `ScoreTable.add` takes, from the columns of `frames.STATISTICS_ATTEMPTS`.

        Raises ValueError if responses do not fit their question set.
        """
        lengths, (answer_ids, points) = responses(attempts, ["answer_ids", "points"])
        outcomes = np.frombuffer("".join(attempts["outcomes"]).encode("ascii"), np.uint8)
        frame = self._located(attempts, lengths)
        if outcomes.size != len(frame):
            raise ValueError("an attempt has more or fewer outcomes than responses")
        frame["answer_id"] = answer_ids.to_numpy(np.int64, na_value=NO_OPTION)
        frame["points"] = points.to_numpy(np.float64, na_value=np.nan)
        frame["outcome"] = outcomes
        return frame[frame["item"] >= 0]

    def selection_frame(self, attempts: pd.DataFrame) -> pd.DataFrame:
        """Return the frame that `OptionCounts.add` takes, from the columns of `frames.SELECTIONS`."""
        lengths, (selections,) = responses(attempts, ["selections"])
        frame = self._located(attempts, lengths)
        chosen = selections.notna().to_numpy() & (frame["item"].to_numpy() >= 0)
        frame = frame[chosen]
        # They stay Arrow's texts, of which few are distinct: grouping them is cheaper than making objects.
        return frame.assign(selection=selections.array[chosen])

    def _located(self, attempts: pd.DataFrame, lengths: Integers) -> pd.DataFrame:
        """Return the respondent and the item of each response."""
        question_sets = ChunkQuestionSets.of(attempts["question_set_id"])
        columns = [self._columns[set_id] for set_id in question_sets.ids]
        sizes = np.array([len(items) for items in columns], np.int64)
        if not np.array_equal(sizes[question_sets.of_attempt], lengths):
            raise ValueError("an attempt has more or fewer responses than its question set has questions")
        begins = np.cumsum(sizes) - sizes
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        index = np.repeat(begins[question_sets.of_attempt], lengths) + within
        items = np.concatenate([np.empty(0, np.int64), *columns])
        return pd.DataFrame({"respondent": np.repeat(np.arange(len(lengths)), lengths), "item": items[index]})
