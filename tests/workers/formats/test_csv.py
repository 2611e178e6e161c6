"""The bytes of a report, against bytes written by hand and a plain, slow writer."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.analysis.frames import empty_for_null
from workers.formats.csv import float_texts, header_line, lines

TEXT = pa.large_string()


def table(**columns: pa.Array) -> pa.Table:
    return pa.table(columns)


def texts(*values: str | None) -> pa.Table:
    """A column of texts beside a column of ones, since a line of one null cell would be an empty line."""
    return table(text=pa.array(values, TEXT), one=pa.array([1] * len(values)))


@pytest.mark.parametrize(
    ("text", "field"),
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
def test_a_text_is_quoted_only_where_it_must_be(text: str | None, field: str) -> None:
    assert lines(texts(text)) == f"{field},1\n".encode()
    if text is not None:
        assert header_line([text, "1"]) == f"{field},1\n".encode()


@pytest.mark.contract("7 Bytes", "quotes where they must be; null and the empty text told apart")
def test_null_and_the_empty_string_are_told_apart_in_a_dictionary_too() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([1, None, 0], pa.int32()), pa.array(["a,b", ""], TEXT))

    assert lines(table(text=column, one=pa.array([1, 1, 1]))) == b'"",1\n,1\n"a,b",1\n'


@pytest.mark.parametrize(
    ("number", "text"),
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
def test_a_float_reads_as_repr_writes_it(number: float | None, text: str) -> None:
    assert lines(table(x=pa.array([number], pa.float64()), one=pa.array([1]))) == f"{text},1\n".encode()


def test_zero_and_minus_zero_in_one_column_keep_their_signs() -> None:
    assert float_texts(pa.array([0.0, -0.0, None, 0.0])).to_pylist() == ["0.0", "-0.0", None, "0.0"]


def test_a_marked_field_writes_its_nulls_as_the_empty_string() -> None:
    schema = pa.schema(
        [empty_for_null("id", pa.int64()), empty_for_null("1.0", pa.float64()), pa.field("x", pa.float64())]
    )
    rows = pa.Table.from_arrays(
        [pa.array([7, None]), pa.array([None, 0.5], pa.float64()), pa.array([None, None], pa.float64())],
        schema=schema,
    )

    assert lines(rows) == b'7,"",\n"",0.5,\n'


@pytest.mark.contract("7 Bytes", "floats as repr writes them, times to the second")
def test_a_time_is_written_in_utc_to_the_second() -> None:
    times = [
        datetime(2019, 5, 30, 17, 44, 20, 999_999, UTC),
        None,
        datetime(1969, 12, 31, 23, 59, 59, 1, UTC),
    ]

    written = lines(table(at=pa.array(times, pa.timestamp("us", "UTC")), one=pa.array([1, 1, 1])))

    assert written == b"2019-05-30 17:44:20 UTC,1\n,1\n1969-12-31 23:59:59 UTC,1\n"


def test_large_integers_keep_every_digit() -> None:
    assert lines(table(id=pa.array([2**63 - 1, -(2**63)]))) == b"9223372036854775807\n-9223372036854775808\n"


def test_names_of_columns_may_repeat() -> None:
    rows = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["1.0", "1.0"])

    assert header_line(rows.column_names) + lines(rows) == b"1.0,1.0\n1.0,2.0\n"


def test_a_table_without_rows_has_no_lines() -> None:
    assert lines(texts()) == b""


def test_rows_beyond_one_batch_and_chunked_columns_keep_their_order() -> None:
    numbers = list(range(10_001))
    column = pa.chunked_array([pa.array(numbers[:3]), pa.array(numbers[3:])])
    labels = pa.chunked_array(
        [pa.array(["a"] * 3).dictionary_encode(), pa.array(["b"] * 9_998)[:].dictionary_encode()]
    )

    written = lines(pa.table({"n": column, "label": labels}))

    assert written.decode().splitlines() == [f"{n},{'a' if n < 3 else 'b'}" for n in numbers]


def test_a_type_that_reports_do_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="bool"):
        lines(table(x=pa.array([True])))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\0"])
@pytest.mark.contract("7 Bytes", "what begins like a formula stays, unless the guard is on")
def test_the_guard_puts_an_apostrophe_before_what_begins_like_a_formula(start: str) -> None:
    text = f"{start}1+1"

    assert lines(texts(text, f"a{text}"), guard_formulas=True) == f"'{text},1\na{text},1\n".encode()
    assert header_line([text, f"a{text}"], guard_formulas=True) == f"'{text},a{text}\n".encode()


def test_the_guard_quotes_a_text_with_carriage_return_as_ever() -> None:
    assert lines(texts("\r=1"), guard_formulas=True) == b'"\'\r=1",1\n'
    assert header_line(["\r=1"], guard_formulas=True) == b'"\'\r=1"\n'


def test_the_guard_looks_only_at_the_beginning_of_the_text() -> None:
    assert lines(texts("a\n=1", "", None), guard_formulas=True) == b'"a\n=1",1\n"",1\n,1\n'


def test_the_guard_leaves_numbers_alone() -> None:
    rows = table(n=pa.array([-1]), x=pa.array([-0.5]), label=pa.array(["-1"]).dictionary_encode())

    assert lines(rows, guard_formulas=True) == b"-1,-0.5,'-1\n"


def plainly(rows: Sequence[tuple[str | None, float | None, int | None]], empty: str) -> bytes:
    """Write rows field by field; ``empty`` stands for a null float."""

    def quoted(text: str | None) -> str:
        if text is None:
            return ""
        if text == "" or any(character in text for character in ',"\r\n'):
            return '"' + text.replace('"', '""') + '"'
        return text

    written = ""
    for text, number, integer in rows:
        fields = [quoted(text), empty if number is None else repr(number), str(integer or "")]
        written += ",".join([*fields, "z"]) + "\n"
    return written.encode()


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
    text = pa.array([row[0] for row in rows], TEXT)
    number = empty_for_null("x", pa.float64()) if marked else pa.field("x", pa.float64())
    columns = [
        text.dictionary_encode() if encoded else text,
        pa.array([row[1] for row in rows], pa.float64()),
        pa.array([row[2] for row in rows], pa.int64()),
        pa.array(["z"] * len(rows), TEXT),
    ]
    fields = [("t", columns[0].type), number, ("i", pa.int64()), ("z", TEXT)]

    written = lines(pa.Table.from_arrays(columns, schema=pa.schema(fields)))

    assert written == plainly(rows, '""' if marked else "")


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_floats_text_reads_back_as_the_same_float(number: float) -> None:
    [text] = float_texts(pa.array([number])).to_pylist()

    assert math.copysign(1, float(text)) == math.copysign(1, number)
    assert float(text) == number
