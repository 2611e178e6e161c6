"""How often each answer was selected, of questions that take several answers or typed text.

A selection is JSON: an answer's id, a list of ids, or an object with an id for each blank or left side. Each
distinct selection is read once for a chunk.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping

import pandas as pd

from workers.analysis.item_figures import OptionCount
from workers.analysis.totals import Totals

OTHER = "-1"
"""The key of typed text that is none of the answers; within a blank it follows the blank and a colon."""


class OptionCounts:
    """The counts of each item's options, fed chunk by chunk once the totals are known.

    >>> list(selected('[8001,8003]')), list(selected('{"color":8001}')), list(selected("-1"))
    (['8001', '8003'], ['color:8001'], ['-1'])
    """

    def __init__(self, totals: Totals) -> None:
        self._groups = totals.groups
        self._totals = totals.compared
        self._counts: dict[int, dict[str, OptionCount]] = defaultdict(lambda: defaultdict(OptionCount))

    def add(self, first: int, responses: pd.DataFrame) -> None:
        """Add a chunk whose respondents are numbered from `first` in the totals.

        The columns are `respondent`, numbered from 0, `item` (an index) and `selection`, not null.
        """
        respondent = first + responses["respondent"].to_numpy()
        chosen = pd.DataFrame(
            {
                "item": responses["item"].to_numpy(),
                "selection": responses["selection"].array,
                "group": self._groups[respondent],
                "total": self._totals[respondent],
            }
        )
        grouped = chosen.groupby(["item", "selection", "group"], sort=False)["total"].agg(
            ["size", "count", "sum"]
        )
        for (item, selection, group), size, known, total in zip(
            grouped.index, grouped["size"], grouped["count"], grouped["sum"], strict=True
        ):
            for key in selected(selection):
                count = self._counts[item][key]
                count.by_group[group] += size
                count.totals += known
                count.sum_of_totals += total

    @property
    def by_item(self) -> Mapping[int, Mapping[str, OptionCount]]:
        """The counts by the index of the item and the key of the option."""
        return self._counts


def selected(selection: str) -> Iterator[str]:
    """Yield the keys of the options that a selection names."""
    value = json.loads(selection)
    if isinstance(value, dict):
        yield from (f"{blank}:{answer_id}" for blank, answer_id in value.items())
    elif isinstance(value, list):
        yield from map(str, value)
    else:
        yield str(value)
