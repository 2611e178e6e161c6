"""Where the figures of a report come from, for formats that can say it."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LeftOut:
    """How many attempts are not in a report, and why."""

    reason: str
    count: int


@dataclass(frozen=True)
class AttemptCounts:
    """Which attempts are in a report, in a sentence, and how many are and are not."""

    rule: str
    counted: int
    left_out: Sequence[LeftOut]


@dataclass(frozen=True)
class Provenance:
    """The data, the options, the rules and the program that a report was made from.

    ``generated_at`` is the time of the data, in UTC.
    """

    report_type: str
    course_id: int
    quiz_id: int
    quiz_title: str
    includes_all_versions: bool
    includes_sis_ids: bool
    anonymous: bool
    section_ids: Sequence[int]
    quiz_revision: int
    roster_revision: int
    analysis_version: str
    generated_at: datetime.datetime
    attempts: AttemptCounts
    conventions: Sequence[str]
    software: str
