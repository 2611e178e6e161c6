"""The items of a report, and the contents of their versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from models.content.html_text import strip_tags
from models.content.questions import Question
from workers.analysis.frames import Item, Option


@dataclass(frozen=True)
class QuizItems:
    """The items of a report: those of the quiz, and those that only attempts had.

    `present` holds the version ids that the quiz has now, in its order; `question_sets` those of each
    question set, the sets in the order of their first use by a row. `newest_first` holds the same sets, those
    of the newest attempts first; `sent` are those that attempts sent as their own.

    An item is drawn if `groups` maps its version to a question group; `points_of_groups` are the points of
    its questions, as far as they are known.
    """

    present: Sequence[int]
    question_sets: Mapping[int, Sequence[int]]
    versions: Mapping[int, Item]
    newest_first: Sequence[int] = ()
    sent: Collection[int] = frozenset()
    groups: Mapping[int, int] = field(default_factory=dict)
    points_of_groups: Mapping[int, float] = field(default_factory=dict)
    contents: Mapping[int, str] = field(default_factory=dict)

    @property
    def have_selections(self) -> bool:
        """Whether the quiz has a question whose answers are selected other than by one id."""
        return any(item.options and not item.is_choice for item in self.versions.values())

    @property
    def contents_in_order(self) -> list[str]:
        """List the stored contents of the items of `in_order`, in the same order."""
        shown = self._shown_versions()
        return [self.contents[shown[item.id]] for item in self.in_order]

    @property
    def in_order(self) -> list[Item]:
        """List the items of the quiz in its order, then those that only attempts had, in order of first use.

        An item of the quiz is listed in its present version, any other in that of the newest attempt. An item
        that is drawn is listed only if an attempt had it.
        """
        newest = self._newest(self.newest_first)
        sent = self._newest(set_id for set_id in self.newest_first if set_id in self.sent)
        shown = self._shown_versions()
        return [
            self._shown(shown[item_id], sent.get(item_id))
            for item_id in dict.fromkeys(self._ids_in_order())
            if item_id in newest or shown[item_id] not in self.groups
        ]

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

    def _shown_versions(self) -> Mapping[int, int]:
        """Map each item to the version in which it is listed."""
        present = {self.versions[version_id].id: version_id for version_id in self.present}
        return {**self._newest(self.newest_first), **present}

    def _ids_in_order(self) -> Iterator[int]:
        for version_ids in (self.present, *self.question_sets.values()):
            for version_id in version_ids:
                yield self.versions[version_id].id

    def _newest(self, question_set_ids: Iterable[int]) -> dict[int, int]:
        """Map each item of these question sets, the newest first, to its newest version."""
        newest: dict[int, int] = {}
        for question_set_id in question_set_ids:
            for version_id in self.question_sets[question_set_id]:
                newest.setdefault(self.versions[version_id].id, version_id)
        return newest

    def _shown(self, version_id: int, sent: int | None) -> Item:
        """Return an item as it is listed; a drawn one has its group's points, else those it was sent with."""
        item, group = self.versions[version_id], self.groups.get(version_id)
        if group is None:
            return item
        own = item if sent is None else self.versions[sent]
        return replace(item, points_possible=self.points_of_groups.get(group, own.points_possible))


def read_question(content: str) -> Question:
    """Read the stored content of a question version, which is JSON."""
    return msgspec.json.decode(content, type=Question)


def read_points_of_groups(content: str) -> Mapping[int, float]:
    """Read the points of a quiz's question groups, which are JSON; unknown points are left out."""
    points = msgspec.json.decode(content, type=dict[str, float | None])
    return {int(group_id): known for group_id, known in points.items() if known is not None}


def to_item(question: Question) -> Item:
    """Return a question as an item of the analysis."""
    return Item(
        id=question.id,
        title=strip_tags(question.question_text),
        points_possible=question.points_possible,
        position=question.position,
        is_choice=question.question_type.is_choice,
        options=tuple(Option(answer.id, answer.label, answer.weight) for answer in question.answers),
        question_type=question.question_type.value,
    )
