"""What a quiz's course, questions and attempts were when they were pushed: read from files, as they stand.

The files are those of `quiz-reports import`: `{"course": …}`, `{"quiz": …}`, and one attempt a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

Json = dict[str, Any]


class DifferenceError(Exception):
    """A report is not what was computed; the message says where they part."""


@dataclass(frozen=True)
class Pushed:
    """The files of one quiz."""

    course_file: Path
    quiz_file: Path
    attempts_file: Path

    @cached_property
    def questions(self) -> Sequence[Json]:
        """The questions, in their order."""
        questions: list[Json] = msgspec.json.decode(self.quiz_file.read_bytes())["quiz"]["questions"]
        return questions

    @cached_property
    def users(self) -> Mapping[int, Json]:
        """Each user by id."""
        return {user["id"]: user for user in self._course["users"]}

    @cached_property
    def sections_of(self) -> Mapping[int, Sequence[Json]]:
        """Each user's sections, in the order of their ids."""
        found: dict[int, list[Json]] = {user_id: [] for user_id in self.users}
        sections = {section["id"]: section for section in self._course["sections"]}
        for enrollment in sorted(self._course["enrollments"], key=lambda path: int(path["section_id"])):
            found[enrollment["user_id"]].append(sections[enrollment["section_id"]])
        return found

    def attempts(self) -> Iterator[Json]:
        """Yield the attempts in the order of the file."""
        with self.attempts_file.open("rb") as lines:
            for line in lines:
                yield msgspec.json.decode(line)

    def newest_first(self) -> Iterator[Json]:
        """Yield the attempts in the order of the student_analysis, one in memory at a time."""
        with self.attempts_file.open("rb") as lines:
            places = []
            while line := lines.readline():
                attempt = msgspec.json.decode(line)
                key = (attempt["updated_at"], attempt["id"], attempt["attempt"])
                places.append((key, lines.tell() - len(line)))
            for _, path in sorted(places, reverse=True):
                lines.seek(path)
                yield msgspec.json.decode(lines.readline())

    @cached_property
    def _course(self) -> Json:
        course: Json = msgspec.json.decode(self.course_file.read_bytes())["course"]
        return course
