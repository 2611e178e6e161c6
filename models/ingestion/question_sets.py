"""The question sets of attempts: each is read once, and stored once by its content, with its versions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
from sqlalchemy.orm import Session

from models.content.questions import Question, digest
from models.content.responses import ResponseParser
from models.db.bulk import arrays, columns_of, insertion, run, upsert
from models.lms.quizzes import QuestionSet, QuestionVersion

# A quiz that draws its questions at random has nearly as many question sets as attempts: too many to keep.
_MAX_PARSERS: Final = 500
_MAX_IDS: Final = 50_000
_MAX_VERSIONS: Final = 5_000
_MAX_CHARACTERS: Final = 16 * 2**20


@dataclass(frozen=True)
class PushedQuestionSet:
    """The questions of a quiz or an attempt as pushed, in their order; they may be stored already."""

    questions: Sequence[Question]
    question_digests: Sequence[bytes]

    @classmethod
    def of(cls, questions: Sequence[Question]) -> PushedQuestionSet:
        """Compute the digests of the questions."""
        return cls(questions, [digest(question) for question in questions])

    @cached_property
    def keys(self) -> Sequence[tuple[int, bytes]]:
        """The key of each question's version within its quiz: question id and digest."""
        ids = [question.id for question in self.questions]
        return list(zip(ids, self.question_digests, strict=True))

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that are the same for the same versions in the same order."""
        return hashlib.sha256(b"".join(b"%d:%b" % key for key in self.keys)).digest()


@dataclass(frozen=True)
class StoredQuestionSet:
    """A stored question set with the parser of its attempts' responses."""

    id: int
    digest: bytes
    questions: Sequence[Question]

    @cached_property
    def parser(self) -> ResponseParser:
        """The parser of the responses of attempts that have this question set."""
        return ResponseParser(self.questions)

    @cached_property
    def by_id(self) -> Mapping[int, Question]:
        """The questions by id."""
        return {question.id: question for question in self.questions}

    @cached_property
    def drawn_ids(self) -> frozenset[int]:
        """The ids of the questions that are drawn, so that an attempt at the quiz may lack them."""
        return frozenset(question.id for question in self.questions if question.quiz_group_id is not None)

    def drawn(self, question_ids: Collection[int]) -> PushedQuestionSet:
        """Return the question set of an attempt that drew these questions, and has all that are not drawn."""
        kept = [
            (question, digest_)
            for question, digest_ in zip(self.questions, self._digests, strict=True)
            if question.id not in self.drawn_ids or question.id in question_ids
        ]
        return PushedQuestionSet([question for question, _ in kept], [digest_ for _, digest_ in kept])

    @cached_property
    def _digests(self) -> Sequence[bytes]:
        return [digest(question) for question in self.questions]


class QuestionSets:
    """The question sets of one quiz in one transaction; lookups are cached."""

    def __init__(self, session: Session, quiz_id: int) -> None:
        self._session = session
        self._quiz_id = quiz_id
        self._ids: dict[bytes, int] = {}
        self._stored: dict[int, StoredQuestionSet] = {}
        self._questions: dict[int, Question] = {}
        self._loaded_characters = 0

    def store(self, question_sets: Iterable[PushedQuestionSet]) -> None:
        """Store the question sets that are missing, with their versions; `id_of` then knows them all.

        A stored version keeps the order of its answers.
        """
        if len(self._ids) > _MAX_IDS:
            self._ids = {}
        unknown = {pushed.digest: pushed for pushed in question_sets if pushed.digest not in self._ids}
        if not unknown:
            return
        self._ids.update(self._find(unknown))
        if missing := [new for digest, new in sorted(unknown.items()) if digest not in self._ids]:
            self._add(missing)
            self._ids.update(self._find(unknown))

    def store_current(self, question_set: PushedQuestionSet) -> tuple[int, set[int]]:
        """Store the question set that the quiz has from now on; its versions get the pushed order of answers.

        Returns the question set's id, and the ids of the versions that are new or were reordered.
        """
        changed = run(
            self._session, _UPSERT_VERSIONS, quiz_id=self._quiz_id, **_version_arrays([question_set])
        )
        self.store([question_set])
        return self.id_of(question_set), {row.id for row in changed}

    def id_of(self, question_set: PushedQuestionSet) -> int:
        """Return the id of a question set that was stored."""
        return self._ids[question_set.digest]

    def version_ids(self, question_set_id: int | None) -> Sequence[tuple[int, int]]:
        """List (question id, version id) of a question set in its order; empty for None."""
        rows = run(self._session, _VERSIONS_OF_QUESTION_SET, question_set_id=question_set_id)
        return [(row.question_id, row.id) for row in rows]

    def questions(self, question_set_id: int | None) -> Mapping[int, Question]:
        """Load the questions of a question set by their ids, in its order; empty for None."""
        version_ids = self.version_ids(question_set_id)
        self._load_questions({version_id for _, version_id in version_ids})
        return {question_id: self._questions[version_id] for question_id, version_id in version_ids}

    def load(self, question_set_ids: Iterable[int]) -> Mapping[int, StoredQuestionSet]:
        """Load question sets with their parsers; the mapping may hold more than was asked for."""
        if len(self._stored) > _MAX_PARSERS:
            self._stored = {}
        if self._loaded_characters > _MAX_CHARACTERS:
            self._stored, self._questions, self._loaded_characters = {}, {}, 0
        if missing := sorted(set(question_set_ids) - self._stored.keys()):
            rows = run(self._session, _QUESTION_SETS, ids=missing)
            self._load_questions({version_id for row in rows for version_id in row.question_version_ids})
            for row in rows:
                questions = [self._questions[version_id] for version_id in row.question_version_ids]
                self._stored[row.id] = StoredQuestionSet(row.id, bytes(row.digest), questions)
        return self._stored

    def _load_questions(self, version_ids: set[int]) -> None:
        if len(self._questions) > _MAX_VERSIONS:
            self._questions = {}
        if missing := sorted(version_ids - self._questions.keys()):
            for row in run(self._session, _CONTENTS, ids=missing):
                self._questions[row.id] = msgspec.json.decode(row.content, type=Question)
                self._loaded_characters += len(row.content)

    def _find(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        rows = run(self._session, _FIND_QUESTION_SETS, quiz_id=self._quiz_id, digests=list(digests))
        return {bytes(row.digest): row.id for row in rows}

    def _add(self, question_sets: Sequence[PushedQuestionSet]) -> None:
        versions = _version_arrays(question_sets)
        run(self._session, _INSERT_VERSIONS, quiz_id=self._quiz_id, **versions)
        del versions["content"]
        rows = run(self._session, _FIND_VERSIONS, quiz_id=self._quiz_id, **versions)
        ids = {(row.question_id, bytes(row.digest)): row.id for row in rows}
        new_rows = [_QuestionSetRow(new.digest, [ids[key] for key in new.keys]) for new in question_sets]
        run(self._session, _INSERT_QUESTION_SETS, quiz_id=self._quiz_id, **arrays(_QUESTION_SET, new_rows))


@dataclass(frozen=True)
class _QuestionSetRow:
    digest: bytes
    question_version_ids: Sequence[int]


@dataclass(frozen=True)
class _VersionRow:
    question_id: int
    digest: bytes
    content: str


def _version_arrays(question_sets: Iterable[PushedQuestionSet]) -> dict[str, list[Any]]:
    versions = {
        key: question for new in question_sets for key, question in zip(new.keys, new.questions, strict=True)
    }
    return arrays(
        _VERSION, [_VersionRow(*key, msgspec.json.encode(q).decode()) for key, q in versions.items()]
    )


_SET_BY_DATABASE: Final = {"id", "quiz_id", "created_at"}
_VERSION: Final = columns_of(QuestionVersion, without=_SET_BY_DATABASE)
_VERSION_KEY: Final = ("quiz_id", "question_id", "digest")
_QUESTION_SET: Final = columns_of(QuestionSet, without=_SET_BY_DATABASE)

_INSERT_VERSIONS: Final = f"{insertion(_VERSION, key=_VERSION_KEY, shared=['quiz_id'])} DO NOTHING"

_UPSERT_VERSIONS: Final = f"{upsert(_VERSION, key=_VERSION_KEY, shared=['quiz_id'])} RETURNING id"

_FIND_VERSIONS: Final = """
    SELECT id, question_id, digest FROM question_versions
    JOIN unnest(%(question_id)b::bigint[], %(digest)b::bytea[]) AS pushed (question_id, digest)
        USING (question_id, digest)
    WHERE quiz_id = %(quiz_id)s"""

_INSERT_QUESTION_SETS: Final = (
    f"{insertion(_QUESTION_SET, key=['quiz_id', 'digest'], shared=['quiz_id'])} DO NOTHING"
)

_FIND_QUESTION_SETS: Final = """
    SELECT id, digest FROM question_sets WHERE quiz_id = %(quiz_id)s AND digest = ANY(%(digests)b::bytea[])"""

_QUESTION_SETS: Final = (
    "SELECT id, digest, question_version_ids FROM question_sets WHERE id = ANY(%(ids)b::bigint[])"
)

_CONTENTS: Final = """
    SELECT id, content::text AS content FROM question_versions WHERE id = ANY(%(ids)b::bigint[])"""

_VERSIONS_OF_QUESTION_SET: Final = """
    SELECT version.question_id, version.id
    FROM question_sets, unnest(question_version_ids) WITH ORDINALITY AS element (id, position)
    JOIN question_versions AS version USING (id)
    WHERE question_sets.id = %(question_set_id)s
    ORDER BY element.position"""
