"""The Progress of a job: how far it is, who asked for it, and why it failed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import Base, CreatedAt, OwnId


class Progress(Base):
    """How far a job is; its state is that of the report that it makes."""

    __tablename__ = "progress"

    id: Mapped[OwnId]
    user_id: Mapped[int] = mapped_column(BigInteger)
    completion: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
