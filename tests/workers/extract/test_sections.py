from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pytest

from workers.extract.sections import StudentSections, sections_by_id


def sections_of(
    users: list[int | None], enrolled: tuple[int, ...] = (7, 8, 11)
) -> list[tuple[str | None, ...]]:
    columns = three_sections(enrolled).of(pd.Series(users, dtype="int64[pyarrow]")).values()
    texts = ([None if pd.isna(text) else text for text in column] for column in columns)
    return list(zip(*texts, strict=True))


def three_sections(enrolled: tuple[int, ...]) -> StudentSections:
    sections = pa.table(
        {
            "id": [31, 32, 33],
            "name": ["Section A", "Section B", "Evening"],
            "sis_section_id": ["BIO-A", None, "BIO-E"],
        }
    )
    return StudentSections(sections_by_id(sections), enrolled_in(enrolled, ["31", "32", "31,32,33"]))


def enrolled_in(user_ids: Sequence[int], section_ids: list[str]) -> pa.Table:
    return pa.table(
        {"user_id": pa.array(user_ids, pa.int64()), "section_ids": pa.array(section_ids, pa.string())}
    )


@pytest.mark.contract("7 Rows", "sections are joined in one order")
def test_one_section_is_named_with_its_ids_and_an_absent_sis_id_is_null() -> None:
    assert sections_of([7, 8]) == [("Section A", "31", "BIO-A"), ("Section B", "32", None)]


@pytest.mark.contract("7 Rows", "sections are joined in one order")
def test_several_sections_are_joined_in_one_order_an_absent_sis_id_leaving_an_empty_piece() -> None:
    assert sections_of([11]) == [("Section A, Section B, Evening", "31, 32, 33", "BIO-A, , BIO-E")]


def test_whoever_has_no_active_section_has_empty_texts() -> None:
    assert sections_of([None, 1, 9, 99]) == [("", "", "")] * 4


def test_a_logged_out_taker_gets_the_sections_of_no_user() -> None:
    for users in ((-1, 0, 1), (-(2**63), 2, 2**63 - 1)):
        assert sections_of([None], users) == [("", "", "")]
        assert sections_of([users[0]], users) == [("Section A", "31", "BIO-A")]


def test_a_course_without_active_students_has_empty_texts() -> None:
    nobody = StudentSections({}, enrolled_in([], []))
    assert nobody.of(pd.Series([7], dtype="int64[pyarrow]"))["section"].tolist() == [""]


def test_the_sizes_are_those_of_the_names_and_ids() -> None:
    sizes = three_sections((7, 8, 11)).sizes(pd.Series([7, 8, 11, 9, None], dtype="int64[pyarrow]"))

    assert sizes.tolist() == [9 + 2 + 5, 9 + 2, 9 + 9 + 7 + 8 + 5 + 5, 0, 0]


@pytest.mark.cost
def test_only_the_names_that_a_chunk_needs_are_joined() -> None:
    students, sections = 500, 200
    names = pa.table(
        {
            "id": range(sections),
            "name": [f"{n:_<255}" for n in range(sections)],
            "sis_section_id": pa.nulls(sections, pa.string()),
        }
    )
    each_without_one = [
        ",".join(str(n) for n in range(sections) if n != student % sections) + f",{student % 7}"
        for student in range(students)
    ]
    tracemalloc.start()
    try:
        found = StudentSections(sections_by_id(names), enrolled_in(range(students), each_without_one))
        held, _ = tracemalloc.get_traced_memory()
        first = found.of(pd.Series([0], dtype="int64[pyarrow]"))["section"]
    finally:
        tracemalloc.stop()

    assert len(str(first[0])) > 255 * (sections - 1)
    # Joined, the names of all would take 25 MB.
    assert held < 2_000_000
