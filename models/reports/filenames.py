"""The name of a report's file, for people and in the header of a download."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from models.lms.quizzes import QuizType
from models.reports.variants import FORMATS, TYPES, ReportFormat, ReportType, Variant

# Proxies may refuse a longer header line, and file systems a longer name.
_MOST_NAME_BYTES: Final = 200
# Path separators, and marks that change the direction of writing.
_UNSAFE: Final = frozenset("/\\\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


def display_name(
    title: str, quiz_type: QuizType, variant: Variant, translate: Callable[[str], str] = str
) -> str:
    """Return the display name of a report's file, in English unless its pattern is translated."""
    spec = TYPES[variant.report_type]
    pattern = translate(spec.survey_file if quiz_type.is_survey else spec.quiz_file)
    return f"{pattern.replace('{title}', title)}.{FORMATS[variant.format].ending}"


def file_name(report_type: ReportType, report_format: ReportFormat) -> str:
    """Return the name of a report's file that is the same for every quiz, in every language."""
    return f"quiz_{report_type}_report.{FORMATS[report_format].ending}"


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
