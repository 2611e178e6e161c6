"""The sections of students, as the student_analysis shows them.

Names are joined when a chunk of attempts needs them, because those of all students may take any space: each
student may have a combination of sections that no other has.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from workers.analysis.frames import Integers

_SectionIds = str
_Texts = tuple[str, str, str | None]

_COLUMNS = "section", "section_id", "section_sis_id"


class StudentSections:
    """The sections of each active student of a course.

    It takes twelve bytes for each student, and the ids of each combination of sections.

    `sections` has the columns id, name and sis_section_id; each batch of `section_ids` has user_id,
    ascending through all batches, and the ids of the student's sections, joined by commas. Several sections
    are joined by ", ", names and ids in the same order. An absent SIS id is an empty piece among several, and
    null for a single section.
    """

    def __init__(self, sections: pa.Table, section_ids: Iterable[pa.RecordBatch]) -> None:
        self._sections = {str(row["id"]): row for row in sections.to_pylist()}
        groups: dict[_SectionIds, int] = {}
        user_ids, group_of_user = array("q"), array("i")
        for batch in section_ids:
            together = batch["section_ids"].dictionary_encode()
            codes = [groups.setdefault(ids, len(groups)) for ids in together.dictionary.to_pylist()]
            user_ids.frombytes(batch["user_id"].to_numpy().tobytes())
            group_of_user.frombytes(np.array(codes, np.int32)[together.indices.to_numpy()].tobytes())
        # The last group is that of students without an active section.
        self._groups = [*groups, ""]
        self._user_ids = np.frombuffer(user_ids, np.int64)
        self._group_of_user = np.append(np.frombuffer(group_of_user, np.int32), np.int32(len(groups)))
        self._group_bytes = np.array([self._size(ids) for ids in self._groups], np.int64)

    def sizes(self, user_ids: pd.Series) -> Integers:
        """Return about how many bytes the three texts of each user take; a null id has none."""
        sizes: Integers = self._group_bytes[self._groups_of(user_ids)]
        return sizes

    def of(self, user_ids: pd.Series) -> dict[str, pd.Categorical]:
        """Return the columns section, section_id and section_sis_id for users; a null id has no section."""
        codes, groups = pd.factorize(self._groups_of(user_ids))
        texts = [self._texts(self._groups[group]) for group in groups]
        return {
            name: pd.Categorical([of_group[n] for of_group in texts]).take(codes)
            for n, name in enumerate(_COLUMNS)
        }

    def _groups_of(self, user_ids: pd.Series) -> Integers:
        """Return the index of the group of each user."""
        wanted = user_ids.to_numpy(np.int64, na_value=-1)
        positions = np.searchsorted(self._user_ids, wanted)
        # A user's id may be any number, also the one that stands for null here.
        known = user_ids.notna().to_numpy() & (positions < len(self._user_ids))
        known[known] = self._user_ids[positions[known]] == wanted[known]
        return self._group_of_user[np.where(known, positions, -1)].astype(np.int64)

    def _texts(self, ids: _SectionIds) -> _Texts:
        """Return the names, the ids and the SIS ids of a group, each joined."""
        rows = self._rows(ids)
        sis_ids = [row["sis_section_id"] for row in rows]
        return (
            ", ".join(row["name"] for row in rows),
            ", ".join(str(row["id"]) for row in rows),
            sis_ids[0] if len(sis_ids) == 1 else ", ".join(sis_id or "" for sis_id in sis_ids),
        )

    def _size(self, ids: _SectionIds) -> int:
        """Return the bytes of the texts of a group, without what joins them."""
        return len(ids) + sum(
            len(row["name"].encode()) + len((row["sis_section_id"] or "").encode()) for row in self._rows(ids)
        )

    def _rows(self, ids: _SectionIds) -> list[dict[str, Any]]:
        return [self._sections[section_id] for section_id in ids.split(",") if section_id]
