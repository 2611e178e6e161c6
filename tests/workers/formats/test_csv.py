"""The bytes of a report, against bytes written by hand and a plain, slow writer."""

import math
import random
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attempt_frames import as_csv
from workers.analysis.frames import Column, ColumnKind, frame_of
from workers.formats import csv

ARROW: dict[ColumnKind, Any] = {
    ColumnKind.TEXT: pd.ArrowDtype(pa.string()),
    ColumnKind.INTEGER: pd.ArrowDtype(pa.int64()),
    ColumnKind.NUMBER: pd.ArrowDtype(pa.float64()),
    ColumnKind.TIME: pd.ArrowDtype(pa.timestamp("us", "UTC")),
}
ONE = Column("one", ColumnKind.INTEGER)
QUOTES = '""'
MANY = 300


def written(*columns: tuple[Column, Any], **options: bool) -> str:
    """Write columns, each with its values; values that are a list become Arrow's."""
    values = [
        pd.array(values, dtype=ARROW[column.kind]) if isinstance(values, list) else values
        for column, values in columns
    ]
    shown = [column for column, _ in columns]
    frame = frame_of(shown, values)
    few, header = as_csv(shown, frame, **options), as_csv(shown, **options)
    # Many rows are written by distinct values, few are not.
    many = frame.take([*range(len(frame))] * MANY)
    assert as_csv(shown, many, **options) == header + few.removeprefix(header) * MANY
    return few


def lines(*columns: tuple[Column, Any], **options: bool) -> str:
    """Write columns without the header line."""
    return written(*columns, **options).removeprefix(as_csv([column for column, _ in columns], **options))


def header_line(*names: str, **options: bool) -> str:
    return as_csv([Column(name, ColumnKind.TEXT) for name in names], **options)


def text(*values: str | None) -> tuple[tuple[Column, Any], tuple[Column, Any]]:
    """A column of texts beside a column of ones, since a line of one null cell would be an empty line."""
    return (Column("text", ColumnKind.TEXT), list(values)), (ONE, [1] * len(values))


def labels(*values: str | None) -> tuple[Column, Any]:
    return Column("label", ColumnKind.TEXT), pd.Categorical(list(values))


def numbers(*values: float | None, missing: str | None = None) -> tuple[Column, Any]:
    return Column("x", ColumnKind.NUMBER, missing=missing), list(values)


def integers(*values: int | None, missing: str | None = None) -> tuple[Column, Any]:
    return Column("n", ColumnKind.INTEGER, missing=missing), list(values)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("plain", "plain"),
        ("", '""'),
        (None, ""),
        (" leading and trailing ", " leading and trailing "),
        ("a,b", '"a,b"'),
        ('6" nails', '"6"" nails"'),
        ('"', '""""'),
        ("one\ntwo", '"one\ntwo"'),
        ("one\rtwo", '"one\rtwo"'),
        ("one\r\ntwo", '"one\r\ntwo"'),
        ("tab\there", "tab\there"),
        ("semi;colon's", "semi;colon's"),
        ("null", "null"),
        ("1.50", "1.50"),
        ("=SUM(A1)", "=SUM(A1)"),
        ("-1", "-1"),
        ("naïve ☕ 👩🏽‍🔬", "naïve ☕ 👩🏽‍🔬"),
        ("\u202bשלום\u202c مرحبا", "\u202bשלום\u202c مرحبا"),
        ("\u2028\u0085\v\f", "\u2028\u0085\v\f"),
        ("\ufefftext", "\ufefftext"),
    ],
)
@pytest.mark.contract("7 Bytes", "quotes where they must be; null and the empty text told apart")
def test_a_text_is_quoted_only_where_it_must_be(value: str | None, field: str) -> None:
    assert lines(*text(value)) == f"{field},1\n"
    assert lines(labels(value), (ONE, [1])) == f"{field},1\n"
    if value is not None:
        assert header_line(value, "1") == f"{field},1\n"


@pytest.mark.contract("7 Bytes", "quotes where they must be; null and the empty text told apart")
def test_null_and_the_empty_string_are_told_apart_in_a_categorical_too() -> None:
    assert lines(labels("", None, "a,b"), (ONE, [1, 1, 1])) == '"",1\n,1\n"a,b",1\n'


@pytest.mark.parametrize(
    ("number", "field"),
    [
        (1.0, "1.0"),
        (0.1, "0.1"),
        (1e-05, "1e-05"),
        (0.0001, "0.0001"),
        (1 / 7, "0.14285714285714285"),
        (1e16, "1e+16"),
        (123456789.0, "123456789.0"),
        (-0.0, "-0.0"),
        (0.0, "0.0"),
        (-2.5, "-2.5"),
        (5e-324, "5e-324"),
        (None, ""),
    ],
)
@pytest.mark.contract("7 Bytes", "floats as repr writes them, times to the second")
def test_a_float_reads_as_repr_writes_it(number: float | None, field: str) -> None:
    assert lines(numbers(number), (ONE, [1])) == f"{field},1\n"


def test_zero_and_minus_zero_in_one_column_keep_their_signs() -> None:
    assert lines(numbers(0.0, -0.0, None, 0.0), (ONE, [1] * 4)) == "0.0,1\n-0.0,1\n,1\n0.0,1\n"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("rows", [1, MANY])
def test_what_is_no_finite_number_is_never_written(rows: int, number: float) -> None:
    column = pd.arrays.ArrowExtensionArray(pa.array([1.0] * rows + [number]))

    with pytest.raises(ValueError, match="finite"):
        written((Column("x", ColumnKind.NUMBER), column))


def test_a_missing_value_is_nothing_or_the_text_of_its_column() -> None:
    rows = lines(
        integers(7, None, missing=""),
        numbers(None, 0.5, missing=""),
        numbers(None, None),
        numbers(None, 1.0, missing="N/A"),
    )

    assert rows == '7,"",,N/A\n"",0.5,,1.0\n'


@pytest.mark.contract("7 Bytes", "floats as repr writes them, times to the second")
def test_a_time_is_written_in_utc_to_the_second() -> None:
    times = [
        datetime(2019, 5, 30, 17, 44, 20, 999_999, UTC),
        None,
        datetime(1969, 12, 31, 23, 59, 59, 1, UTC),
    ]

    assert lines((Column("at", ColumnKind.TIME), times), (ONE, [1, 1, 1])) == (
        "2019-05-30 17:44:20 UTC,1\n,1\n1969-12-31 23:59:59 UTC,1\n"
    )


def test_large_integers_keep_every_digit() -> None:
    assert lines(integers(2**63 - 1, -(2**63))) == "9223372036854775807\n-9223372036854775808\n"


def test_names_of_columns_may_repeat() -> None:
    columns = [Column("1.0", ColumnKind.NUMBER), Column("1.0", ColumnKind.NUMBER)]

    assert written((columns[0], [1.0]), (columns[1], [2.0])) == "1.0,1.0\n1.0,2.0\n"


def test_a_table_without_rows_has_no_lines() -> None:
    assert lines(*text()) == ""
    assert lines(labels(), numbers()) == ""


def test_arrays_of_pandas_and_of_numpy_are_written_like_those_of_arrow() -> None:
    columns = [
        Column("t", ColumnKind.TEXT),
        Column("n", ColumnKind.INTEGER),
        Column("x", ColumnKind.NUMBER),
        Column("at", ColumnKind.TIME),
    ]
    values = [
        pd.array(["a", None], dtype="str"),
        pd.array([1, None], dtype="Int64"),
        pd.Series([0.5, None]).to_numpy(),
        pd.Series([pd.Timestamp("2019-05-30T17:44:20Z"), pd.NaT]).array,
    ]

    assert lines(*zip(columns, values, strict=True)) == "a,1,0.5,2019-05-30 17:44:20 UTC\n,,,\n"


def test_many_distinct_values_over_several_frames_are_written_each() -> None:
    count = 5_000
    columns = [Column("n", ColumnKind.INTEGER), Column("t", ColumnKind.TEXT), Column("x", ColumnKind.NUMBER)]
    rows = [(n, f"text {n % 900}" if n % 4_000 < 2_000 else "same", n % 700 / 8) for n in range(count)]
    frames = [
        frame_of(columns, [list(values) for values in zip(*rows[start : start + 1_250], strict=True)])
        for start in range(0, count, 1_250)
    ]

    assert as_csv(columns, *frames).splitlines()[1:] == [f"{n},{t},{x!r}" for n, t, x in rows]


def test_neighbouring_columns_of_few_values_keep_each_its_own() -> None:
    generator = random.Random(3)
    rows = [
        [(generator.choice(["a", "b,c", "", None]), generator.choice([0.0, 1.0, None])) for _ in range(12)]
        for _ in range(300)
    ]
    columns = [labels(*(row[n][0] for row in rows)) for n in range(12)]
    points = [numbers(*(row[n][1] for row in rows), missing="") for n in range(12)]
    pairs = [column for pair in zip(columns, points, strict=True) for column in pair]
    fields = {"a": "a", "b,c": '"b,c"', "": '""', None: "", 0.0: "0.0", 1.0: "1.0"}

    assert lines(*pairs).splitlines() == [
        ",".join(f"{fields[t]},{fields[x] if x is not None else QUOTES}" for t, x in row) for row in rows
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\0"])
@pytest.mark.contract("7 Bytes", "what begins like a formula stays, unless the guard is on")
def test_the_guard_puts_an_apostrophe_before_what_begins_like_a_formula(start: str) -> None:
    value = f"{start}1+1"

    assert lines(*text(value, f"a{value}"), guard_formulas=True) == f"'{value},1\na{value},1\n"
    assert header_line(value, f"a{value}", guard_formulas=True) == f"'{value},a{value}\n"


def test_the_guard_quotes_a_text_with_carriage_return_as_ever() -> None:
    assert lines(*text("\r=1"), guard_formulas=True) == '"\'\r=1",1\n'
    assert header_line("\r=1", guard_formulas=True) == '"\'\r=1"\n'


def test_the_guard_looks_only_at_the_beginning_of_the_text() -> None:
    assert lines(*text("a\n=1", "", None), guard_formulas=True) == '"a\n=1",1\n"",1\n,1\n'


def test_the_guard_leaves_numbers_alone() -> None:
    assert lines(integers(-1), numbers(-0.5), labels("-1"), guard_formulas=True) == "-1,-0.5,'-1\n"


def plainly(rows: Sequence[tuple[str | None, float | None, int | None]], empty: str) -> str:
    """Write rows field by field; ``empty`` stands for a null float."""

    def quoted(value: str | None) -> str:
        if value is None:
            return ""
        if value == "" or any(character in value for character in ',"\r\n'):
            return '"' + value.replace('"', '""') + '"'
        return value

    plain = ""
    for value, number, integer in rows:
        fields = [quoted(value), empty if number is None else repr(number), str(integer or "")]
        plain += ",".join([*fields, "z"]) + "\n"
    return plain


characters = st.one_of(st.sampled_from("\",\r\n \t'=-"), st.characters(exclude_categories=["Cs"]))
cells = st.tuples(
    st.none() | st.text(characters, max_size=6),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.integers(1, 2**63 - 1),
)


@settings(deadline=None)
@given(st.lists(cells, max_size=8), st.booleans(), st.booleans())
def test_lines_are_those_of_a_plain_writer(
    rows: list[tuple[str | None, float | None, int | None]], encoded: bool, marked: bool
) -> None:
    values = [row[0] for row in rows]
    plain = lines(
        labels(*values) if encoded else (Column("t", ColumnKind.TEXT), values),
        numbers(*(row[1] for row in rows), missing="" if marked else None),
        integers(*(row[2] for row in rows)),
        (Column("z", ColumnKind.TEXT), ["z"] * len(rows)),
    )

    assert plain == plainly(rows, '""' if marked else "")


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_floats_text_reads_back_as_the_same_float(number: float) -> None:
    field = lines(numbers(number)).removesuffix("\n")

    assert math.copysign(1, float(field)) == math.copysign(1, number)
    assert float(field) == number


def mostly_blank_essays(frames: int, rows: int) -> Iterator[pd.DataFrame]:
    """Yield frames in which two of three essays are blank, and no two others are alike."""
    columns = [Column(f"essay {n}", ColumnKind.TEXT) for n in range(20)]
    for frame in range(frames):
        essays = [
            ["" if row % 3 else f"{n} {frame} {row} {'word ' * 400}" for row in range(rows)]
            for n in range(20)
        ]
        yield frame_of(columns, [pd.array(texts, dtype=ARROW[ColumnKind.TEXT]) for texts in essays])


def illustrated_choices(frames: int, rows: int) -> Iterator[pd.DataFrame]:
    """Yield frames of choices whose options are pictures, which have long addresses."""
    columns = [Column(f"choice {n}", ColumnKind.TEXT) for n in range(8)]
    for frame in range(frames):
        options = [f"{frame} {option} {'x' * 5_000}" for option in range(10)]
        generator = random.Random(frame)
        yield frame_of(columns, [pd.Categorical(generator.choices(options, k=rows)) for _ in columns])


@pytest.mark.cost
@pytest.mark.parametrize("rows", [20, 150, MANY])
@pytest.mark.parametrize("made", [mostly_blank_essays, illustrated_choices])
def test_what_is_kept_from_frame_to_frame_does_not_grow_with_long_texts(
    made: Callable[[int, int], Iterator[pd.DataFrame]], rows: int
) -> None:
    frame = next(made(1, rows))
    columns = [Column(name, ColumnKind.TEXT) for name in frame.columns]
    del frame
    tracemalloc.start()
    try:
        for _ in csv.write(columns, made(12, rows)):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # The texts of a frame take 4 MB at most.
    assert peak < 20 * 2**20
