"""The items of a report: which there are, and what each version says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from models.content.html_text import strip_tags
from models.content.questions import Question as PushedQuestion
from workers.analysis.frames import Answer, Question


@dataclass(frozen=True)
class QuizItems:
    """The items of a report: those of the quiz, and those that only attempts had.

    `present` holds the version ids that the quiz has now, in its order; `question_sets` those of each
    question set, in the order in which the rows meet the sets.
    """

    present: Sequence[int]
    question_sets: Mapping[int, Sequence[int]]
    versions: Mapping[int, Question]

    @property
    def questions(self) -> list[Question]:
        """List the quiz's own questions in their order, then those that only attempts saw, as rows meet them.

        A question that the quiz has now is as it is now; any other as its newest version that was seen.
        """
        present = {self.versions[version_id].id: version_id for version_id in self.present}
        seen: dict[int, int] = {}
        for version_id in (version_id for ids in self.question_sets.values() for version_id in ids):
            question_id = self.versions[version_id].id
            seen[question_id] = max(version_id, seen.get(question_id, version_id))
        return [self.versions[version_id] for version_id in {**present, **seen, **present}.values()]

    @property
    def versions_by_question_set(self) -> Mapping[int, Sequence[Question]]:
        """Map each question set to its question versions, in the order of the attempts' responses."""
        return {
            question_set_id: [self.versions[v] for v in ids]
            for question_set_id, ids in self.question_sets.items()
        }

    @property
    def question_ids_by_question_set(self) -> Mapping[int, Sequence[int]]:
        """Map each question set to the ids of its questions, in the order of its attempts' responses."""
        return {
            question_set_id: [self.versions[v].id for v in ids]
            for question_set_id, ids in self.question_sets.items()
        }


def read_item(content: str) -> Question:
    """Read an item from the stored content of its question version, which is JSON."""
    pushed = msgspec.json.decode(content, type=PushedQuestion)
    return Question(
        id=pushed.id,
        title=strip_tags(pushed.question_text),
        points_possible=pushed.points_possible,
        position=pushed.position,
        is_choice=pushed.question_type.is_choice,
        answers=tuple(Answer(answer.id, answer.label, answer.weight) for answer in pushed.answers),
    )
