"""The formula guard: with it no cell begins a formula, without it no byte is changed."""

from __future__ import annotations

import csv
import io
import re

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.formats.csv import header_line, lines

# OWASP's list, with what Superset and others add; behind blanks and quotes, too.
DANGEROUS = re.compile(r'[\s"]*[=+\-@|%＝＋－＠]|[\t\r\n\0]')

starts = st.sampled_from(
    ["=", "+", "-", "@", "|", "%", "\t", "\r", "\n", "\0", "＝", "＠", " ", '"', "'", "\u00a0", ""]
)
texts = st.lists(
    st.builds("{}{}{}".format, starts, starts, st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
    min_size=1,
    max_size=5,
)


def cells(written: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(written.decode(), newline="")))


def table(values: list[str], *, encoded: bool) -> pa.Table:
    column = pa.array(values, pa.large_string())
    return pa.table({"text": column.dictionary_encode() if encoded else column, "n": [-1] * len(values)})


@settings(deadline=None)
@given(texts, st.booleans())
@example(['"=1'], False)
@example(["\u00a0=1", " \t@SUM(1)", "\n+1"], True)
def test_with_it_no_text_begins_a_formula(values: list[str], encoded: bool) -> None:
    rows = cells(lines(table(values, encoded=encoded), guard_formulas=True))
    for value, (text, number) in zip(values, rows, strict=True):
        assert not DANGEROUS.match(text)
        assert text in {value, f"'{value}"}
        assert number == "-1"
    for name in cells(header_line(values, guard_formulas=True))[0]:
        assert not DANGEROUS.match(name)


@settings(deadline=None)
@given(texts, st.booleans())
def test_without_it_every_text_is_as_it_was(values: list[str], encoded: bool) -> None:
    assert [row[0] for row in cells(lines(table(values, encoded=encoded)))] == values
    assert cells(header_line(values)) == [values]


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("abcäé日 1.,;"), max_size=6), min_size=1, max_size=5))
def test_what_is_no_formula_is_left_alone(values: list[str]) -> None:
    rows = table(values, encoded=True)
    assert lines(rows, guard_formulas=True) == lines(rows)
