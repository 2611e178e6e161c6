"""The sections of students, as the student_analysis shows them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class StudentSections:
    """The sections of each active student of a course: a few bytes for each student, with shared texts.

    `sections` has the columns id, name and sis_section_id; `section_ids` has user_id, ascending, and the ids
    of the student's sections, joined by commas. Several sections are joined by ", ", names and ids in the
    same order. An absent SIS id is an empty piece among several, and null for a single section.
    """

    def __init__(self, sections: pa.Table, section_ids: pa.Table) -> None:
        known = {str(row["id"]): row for row in sections.to_pylist()}
        together = section_ids["section_ids"].combine_chunks().dictionary_encode()
        rows = [
            [known[section_id] for section_id in ids.split(",")] for ids in together.dictionary.to_pylist()
        ]
        self._user_ids = section_ids["user_id"].to_numpy()
        self._group = together.indices.to_numpy(zero_copy_only=False)
        # The last entry is for students without an active section.
        self._columns: dict[str, list[str | None]] = {
            "section": [*(", ".join(row["name"] for row in group) for group in rows), ""],
            "section_id": [*(", ".join(str(row["id"]) for row in group) for group in rows), ""],
            "section_sis_id": [*(_sis_ids([row["sis_section_id"] for row in group]) for group in rows), ""],
        }

    def added_to(self, attempts: pa.Table) -> pa.Table:
        """Return attempts with the columns section, section_id and section_sis_id, looked up by user_id."""
        is_user = pc.is_valid(attempts["user_id"]).to_numpy()
        user_ids = pc.fill_null(attempts["user_id"], 0).to_numpy()
        indices = np.searchsorted(self._user_ids, user_ids)
        group = np.full(len(user_ids), len(self._columns["section"]) - 1)
        inside = is_user & (indices < len(self._user_ids))
        found = np.flatnonzero(inside)[self._user_ids[indices[inside]] == user_ids[inside]]
        group[found] = self._group[indices[found]]
        for name, texts in self._columns.items():
            attempts = attempts.append_column(name, pa.array(texts, pa.large_string()).take(pa.array(group)))
        return attempts


def _sis_ids(sis_ids: list[str | None]) -> str | None:
    return sis_ids[0] if len(sis_ids) == 1 else ", ".join(sis_id or "" for sis_id in sis_ids)
