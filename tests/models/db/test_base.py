"""What every table shares: enumerations are stored as their values, and constraints have names."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, ForeignKey, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from models.db.base import Base, enum_by_value


class Colour(StrEnum):
    """An enumeration whose names and values differ."""

    FIRST = "red"
    SECOND = "dark blue"


def created(table: Table) -> str:
    return str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


def test_an_enumeration_is_text_that_may_hold_its_values_alone() -> None:
    table = Table("t", MetaData(), Column("colour", enum_by_value(Colour)))

    assert "colour VARCHAR(40)" in created(table)
    assert "CONSTRAINT colour CHECK (colour IN ('red', 'dark blue'))" in created(table)


def test_constraints_are_named_after_their_table_and_columns() -> None:
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    other = Table("other", metadata, Column("id", enum_by_value(Colour), primary_key=True))
    table = Table(
        "t",
        metadata,
        Column("a", enum_by_value(Colour), ForeignKey(other.c.id), unique=True),
        CheckConstraint("a <> ''", name="not_empty"),
    )

    for name in ("ck_t_not_empty", "ck_t_colour", "fk_t_a_other", "uq_t_a"):
        assert f"CONSTRAINT {name} " in created(table)
    assert "CONSTRAINT pk_other PRIMARY KEY" in created(other)
