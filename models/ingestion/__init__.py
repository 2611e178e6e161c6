"""Data in: what the LMS pushes is read, checked and stored, all of a request or nothing.

First read, which needs no database, then push, which needs a session. Each push is an upsert that may be
repeated: the same data again changes nothing, and leaves revisions as they are.
"""

from models.ingestion.attempts import push_submissions
from models.ingestion.counts import Counts
from models.ingestion.courses import push_course
from models.ingestion.quizzes import QuizPush, push_quiz, read_quiz
from models.payloads.attempts import Batch, read_document, read_lines
from models.payloads.courses import CoursePush, read_course

__all__ = [
    "Batch",
    "Counts",
    "CoursePush",
    "QuizPush",
    "push_course",
    "push_quiz",
    "push_submissions",
    "read_course",
    "read_document",
    "read_lines",
    "read_quiz",
]
