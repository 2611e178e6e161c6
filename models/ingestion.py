"""Data in: what the LMS pushes is read, checked and stored, all of a request or nothing.

First read, which needs no database, then push, which needs a session. Each push is an upsert that may be
repeated: the same data again changes nothing, and leaves revisions as they are.
"""

from models.counts import Counts
from models.quiz_ingestion import QuizPush, push_quiz, read_quiz
from models.roster_ingestion import push_course
from models.roster_input import CoursePush, read_course
from models.submission_ingestion import push_submissions
from models.submission_input import Batch, read_document, read_lines

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
