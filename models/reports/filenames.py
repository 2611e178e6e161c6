"""What a report's file is called, for people and in the header that names a download."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from models.lms.quizzes import QuizType
from models.reports.variants import ReportType

# By whether the quiz is a survey; these are the keys of the translations, too.
DISPLAY_NAMES: Final[Mapping[tuple[ReportType, bool], str]] = {
    (ReportType.STUDENT_ANALYSIS, False): "{title} Quiz Student Analysis Report.csv",
    (ReportType.ITEM_ANALYSIS, False): "{title} Quiz Item Analysis Report.csv",
    (ReportType.STUDENT_ANALYSIS, True): "{title} Survey Student Analysis Report.csv",
    (ReportType.ITEM_ANALYSIS, True): "{title} Survey Item Analysis Report.csv",
}

# A header line that is longer troubles proxies, and a file name that is longer troubles file systems.
_MOST_NAME_BYTES: Final = 200
# Path separators, and marks that turn the direction of writing around.
_TROUBLESOME: Final = frozenset("/\\\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


def display_name(title: str, quiz_type: QuizType, report_type: ReportType) -> str:
    """Name a report's file as people do, in English."""
    return DISPLAY_NAMES[report_type, quiz_type.is_survey].replace("{title}", title)


def content_disposition(name: str) -> str:
    """Write the header that names a download (RFC 6266), whatever a quiz's title may hold."""
    name = _shortened(_harmless(name))
    plain = _harmless(unicodedata.normalize("NFKD", name)).encode("ascii", "ignore").decode()
    if plain.strip().startswith("."):
        plain = f"report{plain}"
    header = f'attachment; filename="{_escaped(plain)}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"


def _escaped(text: str) -> str:
    return text.replace('"', '\\"')


def _harmless(name: str) -> str:
    return "".join("_" if c in _TROUBLESOME or unicodedata.category(c) in _CONTROLS else c for c in name)


def _shortened(name: str) -> str:
    encoded = name.encode()
    if len(encoded) <= _MOST_NAME_BYTES:
        return name
    head, tail = encoded[: _MOST_NAME_BYTES - 80], encoded[-77:]
    return f"{head.decode(errors='ignore')}…{tail.decode(errors='ignore')}"
