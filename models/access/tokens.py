"""Opaque access tokens: random, stored only as a hash, limited to scopes and courses, revocable at once."""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import (
    BigInteger,
    DateTime,
    LargeBinary,
    Row,
    Text,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.db.base import Base, CreatedAt, OwnId

PREFIX = "qr_"


class AccessToken(Base):
    """A token that the service issued; the token itself is not stored."""

    __tablename__ = "access_tokens"

    id: Mapped[OwnId]
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    last_four: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int] = mapped_column(BigInteger)
    is_admin: Mapped[bool]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    course_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    expires_at: Mapped[datetime.datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[CreatedAt]


_columns = AccessToken.__table__.c
CALLER: Final = (_columns.user_id, _columns.is_admin, _columns.scopes, _columns.course_ids)
"""What a Caller is made of; columns cost less than objects."""
IS_VALID: Final = and_(
    _columns.sha256 == bindparam("sha256"),
    or_(_columns.expires_at.is_(None), _columns.expires_at > func.now()),
)
"""The condition of a token that is neither revoked nor expired, found by its hash."""
# Nearly every request executes this statement, so it is built once.
_FIND: Final = select(*CALLER).where(IS_VALID)


@dataclass(frozen=True)
class Caller:
    """The user of a request and their rights.

    Without scopes, every route is allowed, but the PUTs and page links only to administrators. Without course
    ids, every course is allowed.
    """

    user_id: int
    is_admin: bool
    scopes: frozenset[str]
    course_ids: frozenset[int] = frozenset()

    @classmethod
    def of(cls, row: Row[*tuple[Any, ...]]) -> Self:
        """Make the caller from a row that has the columns of CALLER."""
        return cls(row.user_id, row.is_admin, frozenset(row.scopes), frozenset(row.course_ids))

    def may_access(self, course_id: int) -> bool:
        """Whether the token may be used for a course: it is not limited, or limited to this course too."""
        return not self.course_ids or course_id in self.course_ids


def create_token(
    session: Session,
    *,
    user_id: int,
    admin: bool = False,
    scopes: Sequence[str] = (),
    course_ids: Sequence[int] = (),
    expires_days: int | None = None,
) -> str:
    """Issue a token and return it; this is the only time that it can be seen."""
    token = PREFIX + secrets.token_urlsafe(32)
    expires_at = None if expires_days is None else func.now() + datetime.timedelta(days=expires_days)
    session.add(
        AccessToken(
            sha256=sha256(token),
            last_four=token[-4:],
            user_id=user_id,
            is_admin=admin,
            scopes=list(scopes),
            course_ids=sorted(set(course_ids)),
            expires_at=expires_at,
        )
    )
    return token


def find_caller(session: Session, token: str) -> Caller | None:
    """Find the caller of a token; None if it is unknown, expired or revoked.

    The row is found by the token's hash, so the time that it takes reveals nothing about the token.
    """
    row = session.execute(_FIND, {"sha256": sha256(token)}).first()
    return None if row is None else Caller.of(row)


def list_tokens(session: Session) -> Sequence[AccessToken]:
    """List all tokens, oldest first."""
    return session.scalars(select(AccessToken).order_by(AccessToken.id)).all()


def revoke_token(session: Session, token_id: int) -> bool:
    """Delete a token, so that the next request with it is refused; False if there is no such token."""
    deleted = session.execute(delete(AccessToken).where(AccessToken.id == token_id).returning(AccessToken.id))
    return deleted.first() is not None


def sha256(token: str) -> bytes:
    """Hash a secret as it is stored; it is random, so it needs no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
