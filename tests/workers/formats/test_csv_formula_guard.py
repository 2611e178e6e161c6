"""The formula guard: with it no cell begins a formula, without it no byte is changed."""

from __future__ import annotations

import csv
import io
import re

import pandas as pd
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.attempt_frames import as_csv
from workers.analysis.frames import Column, ColumnKind, frame_of

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


COLUMNS = [Column("text", ColumnKind.TEXT), Column("n", ColumnKind.INTEGER)]


def cells(written: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(written, newline="")))


def lines(values: list[str], *, encoded: bool, guard_formulas: bool = False) -> str:
    column = pd.Categorical(values) if encoded else pd.array(values, dtype="str")
    frame = frame_of(COLUMNS, [column, [-1] * len(values)])
    return as_csv(COLUMNS, frame, guard_formulas=guard_formulas).removeprefix("text,n\n")


def header_line(names: list[str], *, guard_formulas: bool = False) -> str:
    return as_csv([Column(name, ColumnKind.TEXT) for name in names], guard_formulas=guard_formulas)


@settings(deadline=None)
@given(texts, st.booleans())
@example(['"=1'], False)
@example(["\u00a0=1", " \t@SUM(1)", "\n+1"], True)
def test_with_it_no_text_begins_a_formula(values: list[str], encoded: bool) -> None:
    rows = cells(lines(values, encoded=encoded, guard_formulas=True))
    for value, (text, number) in zip(values, rows, strict=True):
        assert not DANGEROUS.match(text)
        assert text in {value, f"'{value}"}
        assert number == "-1"
    for name in cells(header_line(values, guard_formulas=True))[0]:
        assert not DANGEROUS.match(name)


@settings(deadline=None)
@given(texts, st.booleans())
def test_without_it_every_text_is_as_it_was(values: list[str], encoded: bool) -> None:
    assert [row[0] for row in cells(lines(values, encoded=encoded))] == values
    assert cells(header_line(values)) == [values]


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("abcäé日 1.,;"), max_size=6), min_size=1, max_size=5))
def test_what_is_no_formula_is_left_alone(values: list[str]) -> None:
    guarded = lines(values, encoded=True, guard_formulas=True)
    assert guarded == lines(values, encoded=True)
