"""The scores of all respondents on all items, gathered chunk by chunk in a byte a response.

A response is kept as a code: a number, for each item, of a combination of chosen option, points and outcome.
An item has few of these, so codes fit into a byte until an item has more than 255 of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]

NOT_SHOWN: Final = 0

# The outcome of a response is the ASCII code of a letter, in capitals if the respondent gave an answer.
_UNGRADED: Final = ord("U")
_OUTCOMES: Final = 128

# No option was chosen.
NO_OPTION: Final = -1

_Key = tuple[int, float, int]


@dataclass(frozen=True)
class ItemScores:
    """The responses to one item, an element for each respondent, in the order of the respondents.

    `scores` are the points given. A response counts in the figures if it is `graded`; one that was left blank
    always is, and one that the respondent was not shown never. The scores of the others are 0.0.
    `option_ids` holds the id of the chosen option, -1 if there is none, and `outcomes` the letters, 0 if the
    item was not shown.
    """

    shown: npt.NDArray[np.bool_]
    answered: npt.NDArray[np.bool_]
    graded: npt.NDArray[np.bool_]
    scores: Floats
    option_ids: npt.NDArray[np.int64]
    outcomes: npt.NDArray[np.uint8]


class ScoreTable:
    """The responses to a number of items.

    `on_item` is called when the responses to an item are asked for; those of many respondents take a while.

    >>> table = ScoreTable(1)
    >>> responses = {"respondent": [0, 1], "item": [0, 0], "answer_id": [11, 12], "points": [1.0, 0.0]}
    >>> table.add(2, pd.DataFrame(responses | {"outcome": list(b"CI")}))
    >>> table.item(0).scores.tolist()
    [1.0, 0.0]
    """

    def __init__(self, items: int, on_item: Callable[[], None] | None = None) -> None:
        self._on_item = on_item
        # For each item the combinations, by code; the first code is for respondents who lack the item.
        self._codes: list[dict[_Key, int]] = [{} for _ in range(items)]
        self._chunks: list[Codes] = []

    def add(self, respondents: int, responses: pd.DataFrame) -> None:
        """Add a chunk of respondents, numbered from 0, with a row for each response.

        The columns are `respondent`, `item` (an index), `answer_id` (-1 if no option was chosen), `points`
        (NaN if none were given) and `outcome`.
        """
        group, keys = _combinations(responses)
        codes = np.array([NOT_SHOWN, *(self._code(item, key) for item, key in keys)])
        chunk = np.zeros((len(self._codes), respondents), dtype=np.min_scalar_type(int(codes.max())))
        chunk[responses["item"].to_numpy(), responses["respondent"].to_numpy()] = codes[1 + group]
        self._chunks.append(chunk)

    @property
    def respondents(self) -> int:
        """How many respondents were added."""
        return sum(chunk.shape[1] for chunk in self._chunks)

    def item(self, item: int) -> ItemScores:
        """Return the responses to an item."""
        if self._on_item is not None:
            self._on_item()
        keys = list(self._codes[item])
        codes = np.concatenate([np.empty(0, np.uint8), *(chunk[item] for chunk in self._chunks)])
        answer_ids, points, outcomes = zip(*keys, strict=True) if keys else ((), (), ())
        graded = np.array([False, *(outcome != _UNGRADED for outcome in outcomes)])
        return ItemScores(
            shown=codes != NOT_SHOWN,
            answered=np.array([False, *(chr(outcome).isupper() for outcome in outcomes)])[codes],
            graded=graded[codes],
            scores=np.where(graded, [0.0, *points], 0.0)[codes],
            option_ids=np.array([NO_OPTION, *answer_ids])[codes],
            outcomes=np.array([0, *outcomes], np.uint8)[codes],
        )

    def _code(self, item: int, key: _Key) -> int:
        return self._codes[item].setdefault(key, len(self._codes[item]) + 1)


def _combinations(responses: pd.DataFrame) -> tuple[npt.NDArray[np.int64], list[tuple[int, _Key]]]:
    """Return for each response the number of its combination, and the combinations with their items.

    The columns are combined into one integer, because grouping by four columns takes ten times as long.
    """
    answer, answer_ids = pd.factorize(responses["answer_id"].to_numpy())
    given, points = pd.factorize(responses["points"].fillna(0.0).to_numpy())
    key = responses["item"].to_numpy().astype(np.int64)
    for part, size in ((answer, answer_ids.size), (given, points.size), (responses["outcome"], _OUTCOMES)):
        key = key * size + np.asarray(part)
    group, keys = pd.factorize(key)
    keys, outcome = np.divmod(keys, _OUTCOMES)
    keys, given = np.divmod(keys, max(1, points.size))
    item, answer = np.divmod(keys, max(1, answer_ids.size))
    combinations = zip(answer_ids[answer].tolist(), points[given].tolist(), outcome.tolist(), strict=True)
    return group, list(zip(item.tolist(), combinations, strict=True))
