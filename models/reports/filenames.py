"""The name of a report's file, for people and in the header of a download."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from models.lms.quizzes import QuizType
from models.reports.variants import ReportType

# The keys are also those of the translations; the flag says whether the quiz is a survey.
DISPLAY_NAMES: Final[Mapping[tuple[ReportType, bool], str]] = {
    (ReportType.STUDENT_ANALYSIS, False): "{title} Quiz Student Analysis Report.csv",
    (ReportType.ITEM_ANALYSIS, False): "{title} Quiz Item Analysis Report.csv",
    (ReportType.STUDENT_ANALYSIS, True): "{title} Survey Student Analysis Report.csv",
    (ReportType.ITEM_ANALYSIS, True): "{title} Survey Item Analysis Report.csv",
}

# Proxies may refuse a longer header line, and file systems a longer name.
_MOST_NAME_BYTES: Final = 200
# Path separators, and marks that change the direction of writing.
_UNSAFE: Final = frozenset("/\\\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


def display_name(title: str, quiz_type: QuizType, report_type: ReportType) -> str:
    """Return the display name of a report's file, in English."""
    return DISPLAY_NAMES[report_type, quiz_type.is_survey].replace("{title}", title)


def content_disposition(name: str) -> str:
    """Return the Content-Disposition header (RFC 6266) of a download, safe for any title of a quiz."""
    name = _shortened(_made_safe(name))
    plain = _made_safe(unicodedata.normalize("NFKD", name)).encode("ascii", "ignore").decode()
    if plain.strip().startswith("."):
        plain = f"report{plain}"
    header = f'attachment; filename="{_escaped(plain)}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"


def _escaped(text: str) -> str:
    return text.replace('"', '\\"')


def _made_safe(name: str) -> str:
    return "".join("_" if c in _UNSAFE or unicodedata.category(c) in _CONTROLS else c for c in name)


def _shortened(name: str) -> str:
    encoded = name.encode()
    if len(encoded) <= _MOST_NAME_BYTES:
        return name
    head, tail = encoded[: _MOST_NAME_BYTES - 80], encoded[-77:]
    return f"{head.decode(errors='ignore')}…{tail.decode(errors='ignore')}"
