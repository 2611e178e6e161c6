"""Reports as JSON: an object that any reader takes, and the cells of the CSV file with their types."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from tests.provenance import PROVENANCE
from workers.analysis.frames import Column, ColumnKind, Table, frame_of, frame_of_rows
from workers.formats.json import write

COLUMNS = [
    Column("name", ColumnKind.TEXT),
    Column("id", ColumnKind.INTEGER, missing=""),
    Column("submitted", ColumnKind.TIME),
    Column("11: Why?", ColumnKind.TEXT, question_id=11),
    Column("1.0", ColumnKind.NUMBER, question_id=11, missing=""),
    Column("1.0", ColumnKind.NUMBER, question_id=12, missing=""),
]
MOMENTS = pd.to_datetime(pd.Series(["2026-09-10T09:12:31.9Z", None]))


def frame(*, points: Sequence[float | None] = (0.1 + 0.2, None)) -> pd.DataFrame:
    texts = pd.Categorical(['山 "quoted"\n', None])
    ids = pd.array([2**53 + 1, None], dtype="Int64")
    return frame_of(COLUMNS, [["=1+1", ""], ids, MOMENTS, texts, list(points), [1e-05, -0.0]])


def written(*frames: pd.DataFrame) -> Any:
    return json.loads(b"".join(write(Table(COLUMNS, iter(frames)), PROVENANCE)))


def test_cells_keep_their_types_and_their_digits() -> None:
    assert written(frame())["rows"] == [
        ["=1+1", 2**53 + 1, "2026-09-10T09:12:31Z", '山 "quoted"\n', 0.30000000000000004, 1e-05],
        ["", None, None, None, None, 0.0],
    ]


def test_columns_say_what_their_names_cannot() -> None:
    columns = written()["columns"]

    assert [column["name"] for column in columns] == [column.name for column in COLUMNS]
    assert columns[4:] == [{"name": "1.0", "question_id": id_, "kind": "number"} for id_ in (11, 12)]
    assert columns[2] == {"name": "submitted", "question_id": None, "kind": "time"}


def test_provenance_tells_what_the_figures_come_from() -> None:
    provenance = written()["provenance"]

    assert provenance["generated_at"] == "2026-09-10T09:30:00Z"
    assert provenance["section_ids"] == [31, 32]
    assert provenance["attempts"] == {
        "rule": "Every attempt.",
        "counted": 2,
        "left_out": [{"reason": "previews", "count": 1}],
    }


def test_frames_are_written_one_after_another() -> None:
    empty = frame().iloc[:0]

    assert written(empty, frame(), empty, frame())["rows"] == 2 * written(frame())["rows"]
    assert written(empty)["rows"] == written()["rows"] == []


def test_each_frame_is_a_part_of_its_own() -> None:
    parts = write(Table(COLUMNS, iter([frame(), frame()])), PROVENANCE)

    assert next(parts).endswith(b'"rows":[')
    assert next(parts).startswith(b'["=1+1"')
    assert next(parts).startswith(b',["=1+1"')
    assert list(parts) == [b"]}\n"]


def test_further_tables_follow_the_rows() -> None:
    columns = [Column("Figure", ColumnKind.TEXT), Column("Value", ColumnKind.NUMBER)]
    supplements = {
        "First": Table(columns, iter([frame_of_rows(columns, [("alpha", 0.5), ("d27", None)])])),
        "Second": Table(columns, iter([])),
    }

    found = json.loads(b"".join(write(Table(COLUMNS, iter([frame()]), supplements), PROVENANCE)))

    assert len(found["rows"]) == 2
    assert [table["title"] for table in found["supplements"]] == ["First", "Second"]
    assert [table["rows"] for table in found["supplements"]] == [[["alpha", 0.5], ["d27", None]], []]
    assert [column["name"] for column in found["supplements"][0]["columns"]] == ["Figure", "Value"]
    assert "supplements" not in written(frame())


def test_an_empty_part_tells_that_rows_of_a_supplement_are_written() -> None:
    columns = [Column("Figure", ColumnKind.TEXT)]
    further = Table(columns, iter([frame_of_rows(columns, [("alpha",)]) for _ in range(2)]))

    parts = [*write(Table(COLUMNS, iter([]), {"Further": further}), PROVENANCE)]

    # After the head of the table, each of its frames, and its end.
    assert parts.count(b"") == 4


@pytest.mark.parametrize("infinite", [float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_is_refused(infinite: float) -> None:
    with pytest.raises(ValueError, match="finite numbers only"):
        written(frame(points=[1.0, infinite]))
