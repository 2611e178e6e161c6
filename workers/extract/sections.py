"""The sections of students, as the student_analysis shows them.

Those of a chunk's students are read with the chunk, because each student may have a combination of sections
that no other has, and the ids and names of all may take any space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from workers.analysis.frames import Integers

_Texts = tuple[str, str, str | None]

_COLUMNS = "section", "section_id", "section_sis_id"

Sections = Mapping[str, Mapping[str, Any]]
"""The sections of a course by their ids, each with its id, name and sis_section_id."""


def sections_by_id(sections: pa.Table) -> Sections:
    """Return the sections of a table with the columns id, name and sis_section_id."""
    return {str(row["id"]): row for row in sections.select(["id", "name", "sis_section_id"]).to_pylist()}


class StudentSections:
    """The sections of some active students of a course.

    `section_ids` has user_id, ascending, and the ids of the student's sections, joined by commas. Several
    sections are joined by ", ", names and ids in the same order. An absent SIS id is an empty piece among
    several, and null for a single section.
    """

    def __init__(self, sections: Sections, section_ids: pa.Table) -> None:
        self._sections = sections
        together = section_ids["section_ids"].combine_chunks().dictionary_encode()
        # The last group is that of students without an active section.
        self._groups: list[str] = [*together.dictionary.to_pylist(), ""]
        self._user_ids = section_ids["user_id"].to_numpy()
        self._group_of_user = np.append(together.indices.to_numpy(), len(self._groups) - 1)
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
            name: _categorical([of_group[n] for of_group in texts], codes) for n, name in enumerate(_COLUMNS)
        }

    def _groups_of(self, user_ids: pd.Series) -> Integers:
        """Return the index of the group of each user."""
        wanted = user_ids.to_numpy(np.int64, na_value=-1)
        positions = np.searchsorted(self._user_ids, wanted)
        # A user's id may be any number, also the one that stands for null here.
        known = user_ids.notna().to_numpy() & (positions < len(self._user_ids))
        known[known] = self._user_ids[positions[known]] == wanted[known]
        return self._group_of_user[np.where(known, positions, -1)].astype(np.int64)

    def _texts(self, ids: str) -> _Texts:
        """Return the names, the ids and the SIS ids of a group, each joined."""
        rows = self._rows(ids)
        sis_ids = [row["sis_section_id"] for row in rows]
        return (
            ", ".join(row["name"] for row in rows),
            ", ".join(str(row["id"]) for row in rows),
            sis_ids[0] if len(sis_ids) == 1 else ", ".join(sis_id or "" for sis_id in sis_ids),
        )

    def _size(self, ids: str) -> int:
        """Return the bytes of the texts of a group, without what joins them."""
        return len(ids) + sum(
            len(row["name"].encode()) + len((row["sis_section_id"] or "").encode()) for row in self._rows(ids)
        )

    def _rows(self, ids: str) -> list[Mapping[str, Any]]:
        return [self._sections[section_id] for section_id in ids.split(",") if section_id]


def _categorical(texts: Sequence[str | None], codes: Integers) -> pd.Categorical:
    """Return the texts at these positions; None is missing. Categorical itself would sort the texts."""
    distinct = [text for text in dict.fromkeys(texts) if text is not None]
    code_of = {text: code for code, text in enumerate(distinct)}
    code_of_text = np.array([-1 if text is None else code_of[text] for text in texts], np.int64)
    dtype = pd.CategoricalDtype(pd.Index(distinct, dtype=object))
    return pd.Categorical.from_codes(code_of_text[codes], dtype=dtype, validate=False)
