"""Report files: what is stored, and under which key."""

from __future__ import annotations

import uuid

from sqlalchemy import BigInteger, LargeBinary, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from models.db.base import Base, CreatedAt, OwnId


class File(Base):
    """One finished file: its bytes lie in the blob store, whole, or not at all."""

    __tablename__ = "files"

    id: Mapped[OwnId]
    uuid: Mapped[uuid.UUID] = mapped_column(Uuid, default=uuid.uuid4, unique=True)
    storage_key: Mapped[str] = mapped_column(Text, unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
