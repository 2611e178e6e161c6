"""Questions as the LMS pushes them, in a quiz or with an attempt."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from models.errors import InvalidInputError, IssueKind, ValidationIssue
from models.issues import Issues
from models.lms.quizzes import QuestionType
from models.payloads.json_values import UNREADABLE, Id, Number, Text, at, decoder, refusal
from models.payloads.lists import EntryKind, PushedList, key_reader

MOST_QUESTIONS: Final = 10_000
MOST_ANSWERS: Final = 5_000
# The statistics of a matching question count each label with each text.
MOST_PAIRS: Final = 10_000

_GROUP: Final = b'"quiz_group"'
_ANSWERED_BY_ID: Final = frozenset(
    {
        QuestionType.MULTIPLE_CHOICE,
        QuestionType.TRUE_FALSE,
        QuestionType.MISSING_WORD,
        QuestionType.MULTIPLE_ANSWERS,
        QuestionType.DROPDOWNS,
        QuestionType.MATCHING,
    }
)
_WITH_BLANKS: Final = frozenset({QuestionType.FILL_IN_BLANKS, QuestionType.DROPDOWNS})


class PushedVariable(msgspec.Struct, gc=False):
    """A variable of a calculated question."""

    name: Text
    value: Text = Text()


class PushedMatch(msgspec.Struct, gc=False):
    """The right side of a matching question."""

    match_id: Id
    text: Text = Text()


# A list that is too long is built before it is refused: without the collector's header, an answer is smaller.
class PushedAnswer(msgspec.Struct, gc=False):
    """A possible answer to a question.

    Canvas's documentation spells some fields in another way than its responses; both are read.
    """

    id: Id | None = None
    text: Text | None = None
    html: Text | None = None
    weight: Number | None = None
    blank_id: Text = Text()
    match_id: Id | None = None
    left: Text | None = None
    right: Text | None = None
    variables: list[PushedVariable] | None = None
    answer_text: Text | None = None
    answer_html: Text | None = None
    answer_weight: Number | None = None
    answer_match_left: Text | None = None
    answer_match_right: Text | None = None
    exact: Number | None = None
    margin: Number | None = None
    start: Number | None = None
    end: Number | None = None

    def __post_init__(self) -> None:
        self.text = self.text or self.answer_text or self.text
        self.html = self.html or self.answer_html or self.html
        self.weight = self.answer_weight if self.weight is None else self.weight
        self.left = self.left or self.answer_match_left or self.left
        self.right = self.right or self.answer_match_right or self.right

    @property
    def has_label(self) -> bool:
        """Whether it is given a text, even an empty one; a label under an unknown key would be lost."""
        return self.text is not None or self.html is not None or self.left is not None

    @property
    def is_blank(self) -> bool:
        """Whether its text and its html show nothing."""
        return not ((self.text or "").strip() or (self.html or "").strip())


class PushedQuestion(msgspec.Struct, gc=False):
    """A question of a quiz."""

    id: Id
    question_type: QuestionType
    question_text: Text = Text()
    points_possible: Number | None = None
    position: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    quiz_group_id: Id | None = None
    answers: Annotated[list[PushedAnswer], msgspec.Meta(max_length=MOST_ANSWERS)] | None = None
    matches: list[PushedMatch] | None = None


@dataclass(frozen=True)
class GroupKey:
    """The key of a group among the entries of a quiz's list; that of a question is its id."""

    group_id: int


class PushedGroup(msgspec.Struct):
    """A group of questions, some of which are drawn for each attempt."""

    id: Id | None = None
    question_points: Number | None = None


class _Entry(msgspec.Struct):
    entry_type: msgspec.Raw = msgspec.Raw()


class _Key(msgspec.Struct):
    id: Id
    entry_type: msgspec.Raw = msgspec.Raw()


def read_questions(
    sources: Sequence[msgspec.Raw], path: str, issues: Issues
) -> tuple[PushedList[PushedQuestion] | None, list[PushedGroup]]:
    """Read the list of a quiz's questions, and its groups; None if the list is skipped since it is too long.

    A question of a group that is skipped is skipped, too.
    """
    if len(sources) > MOST_QUESTIONS:
        issues.skip([ValidationIssue(path, f"has more than {MOST_QUESTIONS} entries", IssueKind.TOO_LONG)])
        return None, []

    def read(source: msgspec.Raw, entry_path: str) -> PushedQuestion | PushedGroup:
        entry, found = read_entry(source, entry_path)
        if entry is None or found:
            raise InvalidInputError(found)
        return entry

    kind = EntryKind(read, _key_of, _read_key, "id", "is also the id of an earlier question or group")
    entries = kind.read_list(sources, path, issues)
    groups = [entry for entry in entries.entries.values() if isinstance(entry, PushedGroup)]
    questions = PushedList(
        path,
        {n: entry for n, entry in entries.entries.items() if isinstance(entry, PushedQuestion)},
        entries.skipped,
    )
    skipped = {key.group_id for key in questions.skipped.values() if isinstance(key, GroupKey)}

    def find_dependent(question: PushedQuestion, path: str) -> Iterator[ValidationIssue]:
        if question.quiz_group_id in skipped:
            reason = f"{question.quiz_group_id} is skipped"
            yield ValidationIssue(at(path, "quiz_group_id"), reason, IssueKind.DEPENDS_ON_SKIPPED)

    return questions.without(find_dependent, _id_of, issues), groups


def read_entry(
    source: bytes | msgspec.Raw, path: str
) -> tuple[PushedQuestion | PushedGroup | None, list[ValidationIssue]]:
    """Read one entry of a quiz's list, which is JSON: a question or a group, None if it cannot be read."""
    kind: type[PushedQuestion | PushedGroup] = PushedQuestion
    try:
        if bytes(source).startswith(b"{") and bytes(_decode_entry(source).entry_type) == _GROUP:
            kind = PushedGroup
            return _decode_group(source), []
        question = _decode(source)
    except UNREADABLE as error:
        return None, list(refusal(bytes(source), kind, path, error).issues)
    return question, list(itertools.islice(_check(question, path), InvalidInputError.MOST_ISSUES))


def find_repeated(questions: Iterable[tuple[str, int]]) -> Iterator[ValidationIssue]:
    """Find questions, given as path and id, that have the id of an earlier one."""
    seen: set[int] = set()
    for path, question_id in questions:
        if question_id in seen:
            yield ValidationIssue(at(path, "id"), "is also the id of an earlier question", IssueKind.REPEATED)
        seen.add(question_id)


def _check(question: PushedQuestion, path: str) -> Iterator[ValidationIssue]:
    seen: set[int] = set()
    answers = question.answers or ()
    for index, answer in enumerate(answers):
        answer_path = at(at(path, "answers"), index)
        if question.question_type in _WITH_BLANKS and not answer.blank_id:
            yield ValidationIssue(at(answer_path, "blank_id"), "is missing", IssueKind.MISSING)
        if question.question_type not in _ANSWERED_BY_ID:
            continue
        if answer.id is None:
            yield ValidationIssue(at(answer_path, "id"), "is missing", IssueKind.MISSING)
        elif answer.id in seen:
            yield ValidationIssue(
                at(answer_path, "id"), "is also the id of an earlier answer", IssueKind.REPEATED
            )
        else:
            seen.add(answer.id)
        if not answer.has_label:
            yield ValidationIssue(at(answer_path, "text"), "is missing, and so is html", IssueKind.MISSING)
    if len(answers) * len(question.matches or ()) > MOST_PAIRS:
        reason = f"make more than {MOST_PAIRS} pairs with the answers"
        yield ValidationIssue(at(path, "matches"), reason, IssueKind.TOO_LONG)
    if (
        question.question_type.is_choice
        and answers
        and all(answer.has_label and answer.is_blank for answer in answers)
    ):
        yield ValidationIssue(at(path, "answers"), "have neither text nor html")


def _id_of(question: PushedQuestion) -> int:
    return int(question.id)


def _key_of(entry: PushedQuestion | PushedGroup) -> Hashable:
    if isinstance(entry, PushedQuestion):
        return int(entry.id)
    # Groups without an id are not the same group.
    return object() if entry.id is None else GroupKey(int(entry.id))


def _key_of_invalid(entry: _Key) -> int | GroupKey:
    return GroupKey(int(entry.id)) if bytes(entry.entry_type) == _GROUP else int(entry.id)


_read_key: Final = key_reader(_Key, _key_of_invalid)
_decode_entry: Final = decoder(_Entry).decode
_decode_group: Final = decoder(PushedGroup).decode
_decode: Final = decoder(PushedQuestion).decode
