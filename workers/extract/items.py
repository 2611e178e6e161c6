"""The items of a report, and the contents of their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from models.content.html_text import strip_tags
from models.content.questions import Question as PushedQuestion
from workers.analysis.frames import Item, Option


@dataclass(frozen=True)
class QuizItems:
    """The items of a report: those of the quiz, and those that only attempts had.

    `present` holds the version ids that the quiz has now, in its order; `question_sets` those of each
    question set, the sets in the order of their first use by a row.
    """

    present: Sequence[int]
    question_sets: Mapping[int, Sequence[int]]
    versions: Mapping[int, Item]
    contents: Mapping[int, str] = field(default_factory=dict)

    @property
    def contents_in_order(self) -> list[str]:
        """List the stored contents of the items of `in_order`, in the same order."""
        newest: dict[int, int] = {}
        for ids in self.question_sets.values():
            for version_id in ids:
                item_id = self.versions[version_id].id
                newest[item_id] = max(version_id, newest.get(item_id, version_id))
        newest |= {self.versions[version_id].id: version_id for version_id in self.present}
        return [self.contents[newest[item.id]] for item in self.in_order]

    @property
    def in_order(self) -> list[Item]:
        """List the items of the quiz in its order, then those that only attempts had, in order of first use.

        An item of the quiz is listed in its present version, any other in the newest that an attempt had.
        """
        present = {self.versions[version_id].id: version_id for version_id in self.present}
        seen: dict[int, int] = {}
        for version_id in (version_id for ids in self.question_sets.values() for version_id in ids):
            item_id = self.versions[version_id].id
            seen[item_id] = max(version_id, seen.get(item_id, version_id))
        return [self.versions[version_id] for version_id in {**present, **seen, **present}.values()]

    @property
    def versions_by_question_set(self) -> Mapping[int, Sequence[Item]]:
        """Map each question set to its item versions, in the order of the response lists."""
        return {
            question_set_id: [self.versions[v] for v in ids]
            for question_set_id, ids in self.question_sets.items()
        }

    @property
    def ids_by_question_set(self) -> Mapping[int, Sequence[int]]:
        """Map each question set to the ids of its items, in the order of the response lists."""
        return {
            question_set_id: [self.versions[v].id for v in ids]
            for question_set_id, ids in self.question_sets.items()
        }


def read_item(content: str) -> Item:
    """Read an item from the stored content of its question version, which is JSON."""
    pushed = msgspec.json.decode(content, type=PushedQuestion)
    return Item(
        id=pushed.id,
        title=strip_tags(pushed.question_text),
        points_possible=pushed.points_possible,
        position=pushed.position,
        is_choice=pushed.question_type.is_choice,
        options=tuple(Option(answer.id, answer.label, answer.weight) for answer in pushed.answers),
    )
