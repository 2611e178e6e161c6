"""How a page is written: its template, its language, and the policy that its browser must keep."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from babel.dates import format_datetime
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit
from flask import render_template
from markupsafe import Markup
from werkzeug import Response

from api.auth import CourseAccess, QuizAccess
from api.errors import Case, NotReadyError, NotReceivedError, TooManyRequestsError, TooManySectionsError
from api.links import links
from api.media_types import HTML
from api.pages.formulas import Worked
from api.pages.item_views import FigureKind, FigureView, RemarkView
from api.pages.sign_in import page_session
from api.services import services
from api.statistics_documents import NOT_READY
from api.translations import Translations, load_translations, translations
from models.reports.variants import MOST_SECTIONS

Json = Mapping[str, Any]

# Inline scripts and styles are forbidden, and so are other hosts.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors {frames}"
)

SHARES: Final = frozenset({"facility", "limit", "omitted", "share", "top_for_key", "top_for_option"})
"""The figures of findings that are written as percents."""

# What pages say instead of messages that are written for programs, and may repeat what was sent.
_UNREADABLE: Final = "The request can not be read."
_TEXTS: Final[Mapping[type[Exception], str]] = {
    NotReadyError: NOT_READY,
    NotReceivedError: "The service is busy or being restarted. Please try again.",
    TooManySectionsError: f"Choose at most {MOST_SECTIONS} sections.",
    TooManyRequestsError: "You have loaded pages too often. Please wait a minute.",
}

_SHARES_OF_GROUPS: Final = ("share_of_top", "share_of_middle", "share_of_bottom")
_HALF_A_PERCENT: Final = 0.005
# Longer texts of answers are cut in a sentence.
_MOST_CHARACTERS: Final = 80
# In these whole numbers every language of the catalogues has all its forms of words.
_FORMS: Final = range(101)
_INDENT: Final = re.compile(r"\n\s+")


def page_response(template: str, found: QuizAccess, **values: Any) -> Response:
    """Write a page of a quiz."""
    session = page_session(str(found.course.id))
    return course_page_response(
        template,
        found,
        quiz=found.quiz,
        quiz_url=links().quiz_page(found.quiz),
        form_token=services().page_sessions.form_token(session),
        **values,
    )


def course_page_response(template: str, found: CourseAccess, **values: Any) -> Response:
    """Write a page of a course."""
    return _html(template, 200, course=found.course, course_url=links().course_page(found.course), **values)


def render_error(case: Case, error: Exception, *, error_report_id: str | None = None) -> Response:
    """Write an error as a page that says what to do."""
    text = case.text if case.text is not None else _TEXTS.get(type(error), _UNREADABLE)
    response = _html("error.html", case.status, text=text, error_report_id=error_report_id)
    response.headers.extend(case.headers_for(error))
    return response


def isolated(text: str) -> str:
    """Keep the direction of a text to itself, as the element bdi does, where no element can stand."""
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"


class WrittenFigure(NamedTuple):
    """A figure as it is read; without a value, the reason."""

    title: str
    value: str | None
    interval: str | None
    reason: str | None
    worked: str | None
    meaning: str


class WrittenOption(NamedTuple):
    """An option as it is read; its shares are cells of a table."""

    blank: str
    text: str
    is_correct: bool
    chosen_by: str
    shares: Sequence[Markup]
    point_biserial: str


@dataclass(frozen=True)
class PageTexts:
    """The texts, numbers and times of a page in one language."""

    translations: Translations

    @classmethod
    def of_request(cls) -> PageTexts:
        """Return those in the language that the browser asks for."""
        return cls(translations())

    def translate(self, text: str) -> str:
        """Translate a text."""
        return self.translations.catalogue.gettext(text)

    def number(self, value: float) -> str:
        """Write a number."""
        return _number(value, None, self.translations.language)

    def plural(self, value: float) -> int:
        """Return a whole number that takes the form of a word that the value takes, such as 0 for 0.5 points.

        Catalogues know the forms of whole numbers only, and languages differ in those of fractions.
        """
        form_of = self.translations.locale.plural_form
        return next((n for n in _FORMS if form_of(n) == form_of(value)), math.ceil(value))

    def coefficient(self, value: float) -> str:
        """Write a number with two decimals, so that those beside each other are as long."""
        return _number(round(value, 2), "0.00", self.translations.language)

    def percent(self, share: float) -> str:
        """Write a share as whole percents; nearly all are not all, and hardly any not none."""
        return _percent(round(share, 4), self.translations.language)

    def moment(self, value: datetime.datetime) -> str:
        """Write a time."""
        at = value.astimezone(datetime.UTC)
        return f"{format_datetime(at, 'medium', locale=self.translations.locale)} UTC"

    def size(self, value: int) -> str:
        """Write a number of bytes."""
        locale = self.translations.locale
        for factor, unit in ((10**6, "megabyte"), (10**3, "kilobyte")):
            if value >= factor:
                return format_unit(value / factor, unit, "short", format="#,##0.#", locale=locale)
        # The short form of English has no plural.
        return format_unit(value, "byte", "long", locale=locale)

    def words(self, remark: RemarkView) -> str:
        """Write what a finding has seen, with its figures."""
        shown = {name: self._figure(name, value) for name, value in remark.figures.items()}
        return self.translate(remark.template).format(**shown)

    def figures(self, figures: Sequence[FigureView], interval: str) -> list[WrittenFigure]:
        """Write the figures of an item or of the quiz; `interval` has a brace for each of its ends."""
        return [
            WrittenFigure(
                self.translate(figure.kind.title),
                None if figure.value is None else self._value(figure.value, figure.kind),
                None if figure.interval is None else self._interval(figure.interval, interval),
                None if figure.reason is None else self.translate(figure.reason),
                None if figure.worked is None else self.worked(figure.worked),
                figure.kind.meaning and self.translate(figure.kind.meaning),
            )
            for figure in figures
        ]

    def options(self, options: Sequence[Json]) -> list[WrittenOption]:
        """Write the options of an item."""
        return [
            WrittenOption(
                option["blank"],
                option["text"],
                option["correct"],
                self.number(option["count"]),
                [self._bar(option[name]) for name in _SHARES_OF_GROUPS],
                self._coefficient_or_dash(option["point_biserial"]),
            )
            for option in options
        ]

    def worked(self, formula: Worked) -> str:
        """Write a formula with its numbers; a negative one is in brackets, as it may follow an operator."""
        # Adding zero makes a zero of minus zero.
        rounded = [round(value, 3) + 0.0 for value in formula.numbers]
        return formula.template.format(
            *(f"({self.number(value)})" if value < 0 else self.number(value) for value in rounded)
        )

    def _value(self, value: float, kind: FigureKind) -> str:
        return self.coefficient(value) if kind.is_coefficient else self.number(round(value, 2))

    def _interval(self, interval: Sequence[float], template: str) -> str:
        low, high = (self.coefficient(limit) for limit in interval)
        return template.format(low=low, high=high)

    def _bar(self, share: Json) -> Markup:
        if share["value"] is None:
            return Markup("<td>") + self._dash(share["reason"])
        return _bar(round(share["value"], 4), self.translations.language)

    def _coefficient_or_dash(self, figure: Json) -> str:
        value = figure["value"]
        return self._dash(figure["reason"]) if value is None else self.coefficient(value)

    def _dash(self, reason: str) -> Markup:
        """Write that a figure has no value, with the reason."""
        return Markup('<span title="{}">–</span>').format(self.translate(reason))

    def _figure(self, name: str, value: float | str) -> str:
        if isinstance(value, str):
            return isolated(value if len(value) <= _MOST_CHARACTERS else f"{value[: _MOST_CHARACTERS - 1]}…")
        return self.percent(value) if name in SHARES else self.number(round(value, 2))


# A page of a hundred questions has thousands of numbers, and few different ones.
@lru_cache(maxsize=8192)
def _number(value: float, pattern: str | None, language: str) -> str:
    locale = load_translations(language).locale
    text = format_decimal(value, pattern, locale=locale)
    if value < 0 and locale.text_direction == "rtl":
        # Among letters that run to the left, the sign would stand behind the number.
        return f"\N{LEFT-TO-RIGHT ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"
    return text


@lru_cache(maxsize=1024)
def _percent(share: float, language: str) -> str:
    is_extreme = 0 < share <= _HALF_A_PERCENT or 1 - _HALF_A_PERCENT <= share < 1
    locale = load_translations(language).locale
    return str(format_percent(share, locale=locale, decimal_quantization=not is_extreme))


@lru_cache(maxsize=1024)
def _bar(share: float, language: str) -> Markup:
    # The stylesheet draws the bar, as its class says: an element for each would be a tenth of a page.
    return Markup("<td class=w{:02}>{}").format(round(share * 100), _percent(share, language))


def _html(template: str, status: int, **values: Any) -> Response:
    texts = PageTexts.of_request()
    catalogue, locale = texts.translations.catalogue, texts.translations.locale
    content = render_template(
        template,
        _=catalogue.gettext,
        ngettext=catalogue.ngettext,
        language=texts.translations.language,
        direction=locale.text_direction,
        parts_url=f"{links().base}/pages",
        number=texts.number,
        plural=texts.plural,
        coefficient=texts.coefficient,
        percent=texts.percent,
        figures=texts.figures,
        options=texts.options,
        moment=texts.moment,
        size=texts.size,
        **values,
    )
    # The indents of the templates would be a third of a page.
    response = Response(_INDENT.sub("\n", content), status=status, content_type=f"{HTML}; charset=utf-8")
    response.headers["Content-Language"] = texts.translations.language
    frames = " ".join(services().settings.page_frame_origins) or "'none'"
    response.headers["Content-Security-Policy"] = _POLICY.format(frames=frames)
    response.vary.update(("Accept-Language", "Cookie"))
    return response
