"""What the sample course holds."""

from __future__ import annotations

from ops.sample.cells import cells_quiz
from ops.sample.course import SampleQuiz
from ops.sample.lsat import lsat_quiz
from ops.sample.survey import survey_quiz


def sample_quizzes() -> list[SampleQuiz]:
    """Make the quizzes of the sample course."""
    return [lsat_quiz(), cells_quiz(), survey_quiz()]
