"""Question versions and forms as they are stored: once by their content, however many attempts share them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
from sqlalchemy.orm import Session

from models.content.questions import Question, digest
from models.content.responses import AnswerSheet
from models.db.bulk import run

# An attempt with questions of its own order has a form of its own: a large push must not keep them all.
_MOST_SHEETS: Final = 500
_MOST_VERSIONS: Final = 5_000


@dataclass(frozen=True)
class WantedForm:
    """The questions of a quiz or of an attempt, in their order, before they are stored."""

    questions: Sequence[Question]
    question_digests: Sequence[bytes]

    @classmethod
    def of(cls, questions: Sequence[Question]) -> WantedForm:
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
class StoredForm:
    """A form of the database, ready to read the answers of its attempts."""

    id: int
    digest: bytes
    sheet: AnswerSheet


class Forms:
    """The forms of one quiz in one transaction; what was looked up is kept."""

    def __init__(self, session: Session, quiz_id: int) -> None:
        self._session = session
        self._quiz_id = quiz_id
        self._ids: dict[bytes, int] = {}
        self._stored: dict[int, StoredForm] = {}
        self._questions: dict[int, Question] = {}

    def store(self, wanted: Iterable[WantedForm]) -> None:
        """Store the forms that are not yet, with their question versions; `id_of` knows them all afterwards.

        A version that is stored keeps the order of its answers.
        """
        missing = {form.digest: form for form in wanted if form.digest not in self._ids}
        if not missing:
            return
        self._ids.update(self._find(missing))
        if new := [form for digest, form in sorted(missing.items()) if digest not in self._ids]:
            self._add(new)
            self._ids.update(self._find(missing))

    def store_present(self, wanted: WantedForm) -> tuple[int, set[int]]:
        """Store the form that a quiz has from now on, its answers in their present order.

        Returns the form's id, and the ids of the versions that exist newly or are in a new order.
        """
        changed = run(self._session, _PUT_VERSIONS, quiz_id=self._quiz_id, **_version_columns([wanted]))
        self.store([wanted])
        return self.id_of(wanted), {row.id for row in changed}

    def id_of(self, form: WantedForm) -> int:
        """Return the id of a form that was stored."""
        return self._ids[form.digest]

    def version_ids(self, form_id: int | None) -> Sequence[tuple[int, int]]:
        """List (question id, version id) of a form in its order; nothing if there is no form."""
        rows = run(self._session, _VERSIONS_OF_FORM, form_id=form_id)
        return [(row.question_id, row.id) for row in rows]

    def load(self, form_ids: Iterable[int]) -> Mapping[int, StoredForm]:
        """Read forms with all that is needed to read answers."""
        if len(self._stored) > _MOST_SHEETS:
            self._stored = {}
        if missing := sorted(set(form_ids) - self._stored.keys()):
            rows = run(self._session, _FORMS, ids=missing)
            self._load_questions({version_id for row in rows for version_id in row.question_version_ids})
            for row in rows:
                sheet = AnswerSheet([self._questions[version_id] for version_id in row.question_version_ids])
                self._stored[row.id] = StoredForm(row.id, bytes(row.digest), sheet)
        return self._stored

    def _load_questions(self, version_ids: set[int]) -> None:
        if len(self._questions) > _MOST_VERSIONS:
            self._questions = {}
        if missing := sorted(version_ids - self._questions.keys()):
            for row in run(self._session, _CONTENTS, ids=missing):
                self._questions[row.id] = msgspec.json.decode(row.content, type=Question)

    def _find(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        rows = run(self._session, _FIND_FORMS, quiz_id=self._quiz_id, digests=list(digests))
        return {bytes(row.digest): row.id for row in rows}

    def _add(self, forms: Sequence[WantedForm]) -> None:
        columns = _version_columns(forms)
        run(self._session, _ADD_VERSIONS, quiz_id=self._quiz_id, **columns)
        del columns["contents"]
        rows = run(self._session, _FIND_VERSIONS, quiz_id=self._quiz_id, **columns)
        ids = {(row.question_id, bytes(row.digest)): row.id for row in rows}
        run(
            self._session,
            _ADD_FORMS,
            quiz_id=self._quiz_id,
            digests=[form.digest for form in forms],
            version_ids=["{" + ",".join(str(ids[key]) for key in form.keys) + "}" for form in forms],
        )


def _version_columns(forms: Iterable[WantedForm]) -> dict[str, list[Any]]:
    # In one order for everybody, so that two who add the same versions never wait for one another in a ring.
    versions = sorted(
        {
            key: question for form in forms for key, question in zip(form.keys, form.questions, strict=True)
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

_ADD_FORMS: Final = """
    INSERT INTO forms (quiz_id, digest, question_version_ids)
    SELECT %(quiz_id)s, digest, version_ids::bigint[]
    FROM unnest(%(digests)b::bytea[], %(version_ids)b::text[]) AS pushed (digest, version_ids)
    ORDER BY digest
    ON CONFLICT (quiz_id, digest) DO NOTHING"""

_FIND_FORMS: Final = """
    SELECT id, digest FROM forms WHERE quiz_id = %(quiz_id)s AND digest = ANY(%(digests)b::bytea[])"""

_FORMS: Final = "SELECT id, digest, question_version_ids FROM forms WHERE id = ANY(%(ids)b::bigint[])"

_CONTENTS: Final = """
    SELECT id, content::text AS content FROM question_versions WHERE id = ANY(%(ids)b::bigint[])"""

_VERSIONS_OF_FORM: Final = """
    SELECT version.question_id, version.id
    FROM forms, unnest(question_version_ids) WITH ORDINALITY AS part (id, place)
    JOIN question_versions AS version USING (id)
    WHERE forms.id = %(form_id)s
    ORDER BY part.place"""
