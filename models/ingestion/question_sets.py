"""Question versions and question sets as they are stored: once by content, shared by attempts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
from sqlalchemy.orm import Session

from models.content.questions import Question, digest
from models.content.responses import ResponseParser
from models.db.bulk import run

# An attempt with questions of its own order has a form of its own: a large push must not keep them all.
_MOST_PARSERS: Final = 500
_MOST_VERSIONS: Final = 5_000


@dataclass(frozen=True)
class WantedQuestionSet:
    """The questions of a quiz or of an attempt, in their order, before they are stored."""

    questions: Sequence[Question]
    question_digests: Sequence[bytes]

    @classmethod
    def of(cls, questions: Sequence[Question]) -> WantedQuestionSet:
        """Take the digests of the questions."""
        return cls(questions, [digest(question) for question in questions])

    @cached_property
    def keys(self) -> Sequence[tuple[int, bytes]]:
        """What tells each question's version from all others of its quiz: question id and digest."""
        ids = [question.id for question in self.questions]
        return list(zip(ids, self.question_digests, strict=True))

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that are the same for the same versions in the same order."""
        return hashlib.sha256(b"".join(b"%d:%b" % key for key in self.keys)).digest()


@dataclass(frozen=True)
class StoredQuestionSet:
    """A form of the database, ready to read the answers of its attempts."""

    id: int
    digest: bytes
    parser: ResponseParser


class QuestionSets:
    """The question sets of one quiz in one transaction; what was looked up is kept."""

    def __init__(self, session: Session, quiz_id: int) -> None:
        self._session = session
        self._quiz_id = quiz_id
        self._ids: dict[bytes, int] = {}
        self._stored: dict[int, StoredQuestionSet] = {}
        self._questions: dict[int, Question] = {}

    def store(self, wanted: Iterable[WantedQuestionSet]) -> None:
        """Store the question sets that are missing, with their versions; `id_of` then knows them all.

        A version that is stored keeps the order of its answers.
        """
        missing = {
            question_set.digest: question_set
            for question_set in wanted
            if question_set.digest not in self._ids
        }
        if not missing:
            return
        self._ids.update(self._find(missing))
        if new := [
            question_set for digest, question_set in sorted(missing.items()) if digest not in self._ids
        ]:
            self._add(new)
            self._ids.update(self._find(missing))

    def store_present(self, wanted: WantedQuestionSet) -> tuple[int, set[int]]:
        """Store the question set that a quiz has from now on, its answers in their present order.

        Returns the question set's id, and the ids of the versions that exist newly or are in a new order.
        """
        changed = run(self._session, _PUT_VERSIONS, quiz_id=self._quiz_id, **_version_columns([wanted]))
        self.store([wanted])
        return self.id_of(wanted), {row.id for row in changed}

    def id_of(self, question_set: WantedQuestionSet) -> int:
        """Return the id of a question set that was stored."""
        return self._ids[question_set.digest]

    def version_ids(self, question_set_id: int | None) -> Sequence[tuple[int, int]]:
        """List (question id, version id) of a question set in its order; nothing without one."""
        rows = run(self._session, _VERSIONS_OF_QUESTION_SET, question_set_id=question_set_id)
        return [(row.question_id, row.id) for row in rows]

    def load(self, question_set_ids: Iterable[int]) -> Mapping[int, StoredQuestionSet]:
        """Read question sets with all that is needed to read answers."""
        if len(self._stored) > _MOST_PARSERS:
            self._stored = {}
        if missing := sorted(set(question_set_ids) - self._stored.keys()):
            rows = run(self._session, _QUESTION_SETS, ids=missing)
            self._load_questions({version_id for row in rows for version_id in row.question_version_ids})
            for row in rows:
                parser = ResponseParser(
                    [self._questions[version_id] for version_id in row.question_version_ids]
                )
                self._stored[row.id] = StoredQuestionSet(row.id, bytes(row.digest), parser)
        return self._stored

    def _load_questions(self, version_ids: set[int]) -> None:
        if len(self._questions) > _MOST_VERSIONS:
            self._questions = {}
        if missing := sorted(version_ids - self._questions.keys()):
            for row in run(self._session, _CONTENTS, ids=missing):
                self._questions[row.id] = msgspec.json.decode(row.content, type=Question)

    def _find(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        rows = run(self._session, _FIND_QUESTION_SETS, quiz_id=self._quiz_id, digests=list(digests))
        return {bytes(row.digest): row.id for row in rows}

    def _add(self, question_sets: Sequence[WantedQuestionSet]) -> None:
        columns = _version_columns(question_sets)
        run(self._session, _ADD_VERSIONS, quiz_id=self._quiz_id, **columns)
        del columns["contents"]
        rows = run(self._session, _FIND_VERSIONS, quiz_id=self._quiz_id, **columns)
        ids = {(row.question_id, bytes(row.digest)): row.id for row in rows}
        run(
            self._session,
            _ADD_QUESTION_SETS,
            quiz_id=self._quiz_id,
            digests=[question_set.digest for question_set in question_sets],
            version_ids=[
                "{" + ",".join(str(ids[key]) for key in question_set.keys) + "}"
                for question_set in question_sets
            ],
        )


def _version_columns(question_sets: Iterable[WantedQuestionSet]) -> dict[str, list[Any]]:
    # In one order for everybody, so that two who add the same versions never wait for one another in a ring.
    versions = sorted(
        {
            key: question
            for question_set in question_sets
            for key, question in zip(question_set.keys, question_set.questions, strict=True)
        }.items()
    )
    return {
        "question_ids": [question_id for (question_id, _), _ in versions],
        "digests": [digest for (_, digest), _ in versions],
        "contents": [msgspec.json.encode(question).decode() for _, question in versions],
    }


_VERSIONS: Final = """
    INSERT INTO question_versions (quiz_id, question_id, digest, content)
    SELECT %(quiz_id)s, question_id, digest, content::jsonb
    FROM unnest(%(question_ids)b::bigint[], %(digests)b::bytea[], %(contents)b::text[])
        AS pushed (question_id, digest, content)
    ORDER BY question_id, digest
    ON CONFLICT (quiz_id, question_id, digest)"""

_ADD_VERSIONS: Final = f"{_VERSIONS} DO NOTHING"

_PUT_VERSIONS: Final = f"""{_VERSIONS} DO UPDATE SET content = excluded.content
    WHERE question_versions.content <> excluded.content
    RETURNING id"""

_FIND_VERSIONS: Final = """
    SELECT id, question_id, digest FROM question_versions
    JOIN unnest(%(question_ids)b::bigint[], %(digests)b::bytea[]) AS wanted (question_id, digest)
        USING (question_id, digest)
    WHERE quiz_id = %(quiz_id)s"""

_ADD_QUESTION_SETS: Final = """
    INSERT INTO question_sets (quiz_id, digest, question_version_ids)
    SELECT %(quiz_id)s, digest, version_ids::bigint[]
    FROM unnest(%(digests)b::bytea[], %(version_ids)b::text[]) AS pushed (digest, version_ids)
    ORDER BY digest
    ON CONFLICT (quiz_id, digest) DO NOTHING"""

_FIND_QUESTION_SETS: Final = """
    SELECT id, digest FROM question_sets WHERE quiz_id = %(quiz_id)s AND digest = ANY(%(digests)b::bytea[])"""

_QUESTION_SETS: Final = (
    "SELECT id, digest, question_version_ids FROM question_sets WHERE id = ANY(%(ids)b::bigint[])"
)

_CONTENTS: Final = """
    SELECT id, content::text AS content FROM question_versions WHERE id = ANY(%(ids)b::bigint[])"""

_VERSIONS_OF_QUESTION_SET: Final = """
    SELECT version.question_id, version.id
    FROM question_sets, unnest(question_version_ids) WITH ORDINALITY AS part (id, place)
    JOIN question_versions AS version USING (id)
    WHERE question_sets.id = %(question_set_id)s
    ORDER BY part.place"""
