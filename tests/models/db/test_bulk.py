"""Statements over many rows are made from the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from models.db.bulk import arrays, columns_of, from_arrays, insertion, upsert
from models.lms.attempts import Attempt, AttemptState
from models.lms.courses import CourseUser, User
from models.payloads.json_values import Id


@dataclass
class Row:
    """Some columns of an attempt."""

    submission_id: int
    user_id: int | None
    workflow_state: AttemptState
    texts: list[str | None]
    points: list[float | None]


def only(*names: str) -> Any:
    return [column for column in columns_of(Attempt) if column.name in names]


def test_every_column_of_a_table_is_listed_unless_it_is_left_out() -> None:
    columns = columns_of(Attempt, without={"id", "quiz_id"})

    assert [column.name for column in columns] == [
        column.name for column in Attempt.__table__.columns if column.name not in {"id", "quiz_id"}
    ]


def test_arrays_and_enumerations_are_sent_as_text() -> None:
    assert from_arrays(only("submission_id", "workflow_state", "points")) == (
        "SELECT submission_id, workflow_state, points::DOUBLE PRECISION[]"
        " FROM unnest(%(submission_id)b::BIGINT[], %(workflow_state)b::text[], %(points)b::text[])"
        " AS pushed (submission_id, workflow_state, points)"
    )


def test_a_column_is_collected_from_the_attribute_of_its_name() -> None:
    row = Row(Id(7), None, AttemptState.COMPLETE, ["a", None], [1.0, None])
    collected = arrays(only("submission_id", "user_id", "workflow_state", "texts", "points"), [row])

    assert collected == {
        "submission_id": [7],
        "user_id": [None],
        "workflow_state": ["complete"],
        "texts": ['{"a",NULL}'],
        "points": ["{1.0,null}"],
    }
    assert type(collected["submission_id"][0]) is int


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("", '{""}'),
        ("NULL", '{"NULL"}'),
        ('"', '{"\\""}'),
        ("\\", '{"\\\\"}'),
        ("},{", '{"},{"}'),
    ],
)
def test_a_text_cannot_end_its_element_of_an_array(text: str, literal: str) -> None:
    row = Row(1, 1, AttemptState.COMPLETE, [text, "x"], [])
    expected = literal.removesuffix("}") + ',"x"}'

    assert arrays(only("texts"), [row])["texts"] == [expected]


def test_rows_are_inserted_in_the_order_of_their_key_with_what_they_share() -> None:
    columns = columns_of(CourseUser, without={"course_id"})
    sql = insertion(columns, key=["course_id", "user_id"], shared=["course_id"])

    assert " ".join(sql.split()) == (
        "INSERT INTO course_users (course_id, user_id) SELECT %(course_id)s, pushed.* FROM"
        " (SELECT user_id FROM unnest(%(user_id)b::BIGINT[]) AS pushed (user_id)) AS pushed"
        " ORDER BY user_id ON CONFLICT (course_id, user_id)"
    )


def test_an_upsert_updates_the_rows_whose_other_columns_differ() -> None:
    sql = " ".join(upsert(columns_of(User), key=["id"]).split())

    assert sql.endswith(
        "ON CONFLICT (id) DO UPDATE SET name = excluded.name, sis_user_id = excluded.sis_user_id,"
        " root_account = excluded.root_account"
        " WHERE (users.name, users.sis_user_id, users.root_account)"
        " IS DISTINCT FROM (excluded.name, excluded.sis_user_id, excluded.root_account)"
    )
