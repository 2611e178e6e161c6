"""The declarative base, the naming of constraints, and column types that every table shares."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Annotated

from sqlalchemy import BigInteger, DateTime, Enum, Identity, MetaData, func
from sqlalchemy.orm import DeclarativeBase, mapped_column


class Base(DeclarativeBase):
    """All tables of the service."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


LmsId = Annotated[int, mapped_column(BigInteger, primary_key=True, autoincrement=False)]
OwnId = Annotated[int, mapped_column(BigInteger, Identity(always=False), primary_key=True)]
BigInt = Annotated[int, mapped_column(BigInteger)]
UtcTime = Annotated[datetime.datetime, mapped_column(DateTime(timezone=True))]
CreatedAt = Annotated[
    datetime.datetime, mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
]


def enum_by_value(kind: type[StrEnum], *, checked: bool = True) -> Enum:
    """Store an enumeration as its values in a text column, so that SQL reads like the code.

    The column has a check, which each further value has to migrate, unless `checked` is false.
    """
    return Enum(
        kind,
        native_enum=False,
        create_constraint=checked,
        length=40,
        name=kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )
