"""Courses and their rosters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.db.base import Base, CreatedAt, LmsId, enum_by_value


class EnrollmentType(StrEnum):
    """The role that an enrollment gives."""

    STUDENT = "StudentEnrollment"
    TEACHER = "TeacherEnrollment"
    TA = "TaEnrollment"
    DESIGNER = "DesignerEnrollment"
    OBSERVER = "ObserverEnrollment"
    STUDENT_VIEW = "StudentViewEnrollment"


class EnrollmentState(StrEnum):
    """Whether an enrollment is in force, from the most to the least active; `merged` relies on this order."""

    ACTIVE = "active"
    INVITED = "invited"
    COMPLETED = "completed"
    INACTIVE = "inactive"
    DELETED = "deleted"


class Course(Base):
    """A course of the LMS; each change that a report would show raises its roster revision."""

    __tablename__ = "courses"

    id: Mapped[LmsId]
    name: Mapped[str] = mapped_column(Text)
    course_code: Mapped[str | None] = mapped_column(Text)
    sis_course_id: Mapped[str | None] = mapped_column(Text, unique=True)
    include_root_accounts: Mapped[bool] = mapped_column(default=False)
    roster_revision: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[CreatedAt]


class Section(Base):
    """A section of a course."""

    __tablename__ = "sections"

    id: Mapped[LmsId]
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Text)
    sis_section_id: Mapped[str | None] = mapped_column(Text)


class User(Base):
    """A user of the LMS, who may belong to several courses."""

    __tablename__ = "users"

    id: Mapped[LmsId]
    name: Mapped[str] = mapped_column(Text)
    sis_user_id: Mapped[str | None] = mapped_column(Text)
    root_account: Mapped[str | None] = mapped_column(Text)


class CourseUser(Base):
    """A user that was pushed with a course, and so may own attempts at its quizzes."""

    __tablename__ = "course_users"

    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Enrollment(Base):
    """A role that a user has in a section of a course."""

    __tablename__ = "enrollments"
    __table_args__ = (Index("ix_enrollments_course_id_user_id", "course_id", "user_id"),)

    section_id: Mapped[int] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    type: Mapped[EnrollmentType] = mapped_column(enum_by_value(EnrollmentType), primary_key=True)
    enrollment_state: Mapped[EnrollmentState] = mapped_column(enum_by_value(EnrollmentState))
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"))


def list_sections(session: Session, course_id: int, *, offset: int, limit: int) -> Sequence[Section]:
    """List a page of a course's sections, ordered by id."""
    return session.scalars(
        select(Section).where(Section.course_id == course_id).order_by(Section.id).offset(offset).limit(limit)
    ).all()


@dataclass(frozen=True)
class FirstSections:
    """Sections of a course by name, and whether it has more of them."""

    sections: Sequence[Section]
    has_more: bool


def first_sections(session: Session, course_id: int, *, chosen: Collection[int], most: int) -> FirstSections:
    """List so many sections of a course at most: those that are chosen, and the first others by name."""
    of_course = select(Section).where(Section.course_id == course_id)
    chosen_first = (Section.id.in_(chosen).desc(), Section.name, Section.id)
    found = session.scalars(of_course.order_by(*chosen_first).limit(most + 1)).all()
    shown = sorted(found[:most], key=lambda section: (section.name, section.id))
    return FirstSections(shown, len(found) > most)


def count_sections(session: Session, course_id: int) -> int:
    """Count the sections of a course."""
    return session.execute(
        select(func.count()).select_from(Section).where(Section.course_id == course_id)
    ).scalar_one()
