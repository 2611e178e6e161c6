"""The sections of students, as the student_analysis shows them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

_SectionIds = str


class StudentSections:
    """The sections of each active student of a course: twelve bytes for each student, with shared texts.

    `sections` has the columns id, name and sis_section_id; each batch of `section_ids` has user_id,
    ascending through all batches, and the ids of the student's sections, joined by commas. Several sections
    are joined by ", ", names and ids in the same order. An absent SIS id is an empty piece among several, and
    null for a single section.
    """

    def __init__(self, sections: pa.Table, section_ids: Iterable[pa.RecordBatch]) -> None:
        known = {str(row["id"]): row for row in sections.to_pylist()}
        groups: dict[_SectionIds, int] = {}
        user_ids, group_of_user = array("q"), array("i")
        for batch in section_ids:
            together = batch["section_ids"].dictionary_encode()
            codes = [groups.setdefault(ids, len(groups)) for ids in together.dictionary.to_pylist()]
            user_ids.frombytes(batch["user_id"].to_numpy().tobytes())
            group_of_user.frombytes(np.array(codes, np.int32)[together.indices.to_numpy()].tobytes())
        self._user_ids = np.frombuffer(user_ids, np.int64)
        # The last group is that of students without an active section.
        self._groups = np.append(np.frombuffer(group_of_user, np.int32), np.int32(len(groups)))
        rows = [[known[section_id] for section_id in ids.split(",")] for ids in groups]
        self._columns: Mapping[str, pd.Categorical] = {
            "section": _texts([", ".join(row["name"] for row in group) for group in rows]),
            "section_id": _texts([", ".join(str(row["id"]) for row in group) for group in rows]),
            "section_sis_id": _texts([_sis_ids([row["sis_section_id"] for row in group]) for group in rows]),
        }

    def of(self, user_ids: pd.Series) -> dict[str, pd.Categorical]:
        """Return the columns section, section_id and section_sis_id for users; a null id has no section."""
        wanted = user_ids.to_numpy(np.int64, na_value=-1)
        places = np.searchsorted(self._user_ids, wanted)
        # A user's id may be any number, also the one that stands for null here.
        known = user_ids.notna().to_numpy() & (places < len(self._user_ids))
        known[known] = self._user_ids[places[known]] == wanted[known]
        groups = self._groups[np.where(known, places, -1)]
        return {name: texts.take(groups) for name, texts in self._columns.items()}


def _texts(of_groups: list[str | None]) -> pd.Categorical:
    """Return the texts of the groups, and the empty one of students without a section."""
    return pd.Categorical([*of_groups, ""])


def _sis_ids(sis_ids: list[str | None]) -> str | None:
    return sis_ids[0] if len(sis_ids) == 1 else ", ".join(sis_id or "" for sis_id in sis_ids)
