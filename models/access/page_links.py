"""One-time links to the pages: random, stored only as a hash, valid for a minute and for one use."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, delete, func
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.access.tokens import sha256
from models.db.base import Base, UtcTime

LINK_SECONDS: Final = 60


class PageLink(Base):
    """A link that was given out and not used yet; its secret is not stored."""

    __tablename__ = "page_links"
    __table_args__ = (Index("ix_page_links_expires_at", "expires_at"),)

    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    quiz_id: Mapped[int] = mapped_column(ForeignKey("quizzes.id", ondelete="CASCADE"))
    expires_at: Mapped[UtcTime]


@dataclass(frozen=True)
class NewPageLink:
    """A link as its receiver sees it: the secret, and when it expires."""

    secret: str
    expires_at: datetime.datetime


def create_page_link(session: Session, *, user_id: int, quiz_id: int) -> NewPageLink:
    """Make a link that signs a user in to the pages of a quiz; this is the only time that it can be seen."""
    # Links that were never used go when the next is made, so they need no other cleaning.
    session.execute(delete(PageLink).where(PageLink.expires_at < func.now()))
    secret = secrets.token_urlsafe(32)
    link = PageLink(
        sha256=sha256(secret),
        user_id=user_id,
        quiz_id=quiz_id,
        expires_at=func.now() + datetime.timedelta(seconds=LINK_SECONDS),
    )
    session.add(link)
    session.flush()
    session.refresh(link)
    return NewPageLink(secret, link.expires_at)


def use_page_link(session: Session, secret: str, *, quiz_id: int) -> int | None:
    """Use a link up and return its user; None if it is unknown, used, expired, or of another quiz.

    One statement decides it, so of two simultaneous uses one succeeds.
    """
    return session.scalar(
        delete(PageLink)
        .where(
            PageLink.sha256 == sha256(secret),
            PageLink.quiz_id == quiz_id,
            PageLink.expires_at > func.now(),
        )
        .returning(PageLink.user_id)
    )
