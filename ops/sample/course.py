"""The sample course: an invented class in two sections, and the thousand test takers of 1970 in a third."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# What JSON holds.
Json = dict[str, Any]

COURSE_ID = 101
TEST_TAKERS = range(8001, 9001)

_MORNING, _EVENING, _TEST_TAKERS = 3101, 3102, 3103
TEACHER, ASSISTANT, TEST_STUDENT = 7001, 7002, 7003
ANA, JOERG, YAMADA, TALIB, ANGEL, FORMULA, LEFT, LATE = range(7011, 7019)


@dataclass(frozen=True)
class SampleQuiz:
    """A quiz of the sample course, as it is pushed: the quiz itself and its attempts."""

    id: int
    name: str
    quiz: Json
    submissions: list[Json]
    has_later_attempts: bool = False


def sample_course() -> Json:
    """Make the course and its roster."""
    return {
        "name": "Sample course",
        "course_code": "SAMPLE",
        "sis_course_id": "2026-SAMPLE",
        "include_root_accounts": False,
        "sections": [
            {"id": _MORNING, "name": "Morning section", "sis_section_id": "SAMPLE-AM"},
            {"id": _EVENING, "name": "Evening section", "sis_section_id": "SAMPLE-PM"},
            {"id": _TEST_TAKERS, "name": "Test takers"},
        ],
        "users": [*_class(), *({"id": id_, "name": f"Test taker {id_ - 8000:04}"} for id_ in TEST_TAKERS)],
        "enrollments": [*_class_enrollments(), *(_enrolled(id_, _TEST_TAKERS) for id_ in TEST_TAKERS)],
    }


def _class() -> list[Json]:
    names = {
        TEACHER: "Teacher Example",
        ASSISTANT: "Assistant Example",
        TEST_STUDENT: "Test Student",
        ANA: "Ana Exemplo",
        JOERG: "Jörg Beispiel",
        YAMADA: "山田 例子",
        TALIB: "طالب مثال",
        ANGEL: 'Ejemplo, Ángel "Gel"',
        FORMULA: "=Voorbeeld",
        LEFT: "Left Example",
        LATE: "Late Example",
    }
    return [
        {"id": id_, "name": name, "sis_user_id": None if id_ == TALIB else f"s{id_}"}
        for id_, name in names.items()
    ]


def _class_enrollments() -> list[Json]:
    return [
        _enrolled(TEACHER, _MORNING, "TeacherEnrollment"),
        _enrolled(ASSISTANT, _EVENING, "TaEnrollment"),
        _enrolled(TEST_STUDENT, _MORNING, "StudentViewEnrollment"),
        _enrolled(ANA, _MORNING),
        _enrolled(JOERG, _MORNING),
        _enrolled(JOERG, _EVENING),
        _enrolled(YAMADA, _EVENING),
        _enrolled(TALIB, _EVENING),
        _enrolled(ANGEL, _MORNING),
        # Still a student of the course, but in no section that is active.
        _enrolled(FORMULA, _EVENING, state="completed"),
        _enrolled(LEFT, _EVENING, state="deleted"),
        _enrolled(LATE, _MORNING),
    ]


def _enrolled(user_id: int, section_id: int, kind: str = "StudentEnrollment", state: str = "active") -> Json:
    return {"user_id": user_id, "section_id": section_id, "type": kind, "enrollment_state": state}
