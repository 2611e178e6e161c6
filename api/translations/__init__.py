"""The texts that people read, in the language of Accept-Language, or in English.

The gettext catalogues are compiled on first use, so no build step can be forgotten.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import request

from models.reports.shown import AnyQuiz
from models.reports.variants import TYPES, ReportType, Variant, display_name

ENGLISH = "en"
LANGUAGES = (ENGLISH, "es", "fr", "de", "pt-BR", "ja", "ar")


@dataclass(frozen=True)
class Translations:
    """The texts in one language, named as in LANGUAGES."""

    catalogue: gettext.NullTranslations
    language: str = ENGLISH

    @cached_property
    def locale(self) -> Locale:
        """The locale by which numbers and times are written."""
        return Locale.parse(self.language, sep="-")

    def readable_type(self, report_type: ReportType) -> str:
        """Return the name of a report type."""
        return self.catalogue.gettext(TYPES[report_type].readable_name)

    def display_name(self, quiz: AnyQuiz, variant: Variant) -> str:
        """Return the name of a report's file."""
        return display_name(quiz.title, quiz.quiz_type, variant, self.catalogue.gettext)


@lru_cache
def load_translations(language: str) -> Translations:
    """Load the translations into one of LANGUAGES."""
    if language == ENGLISH:
        return Translations(gettext.NullTranslations(), language)
    source = resources.files(__name__).joinpath(f"{language.replace('-', '_')}.po")
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source.read_bytes())))
    compiled.seek(0)
    return Translations(gettext.GNUTranslations(compiled), language)


def translations() -> Translations:
    """Return the translations that Accept-Language asks for."""
    return load_translations(_language(tag for tag, quality in request.accept_languages if quality > 0))


def _language(tags: Iterable[str]) -> str:
    """Choose the first language that we have; its region may differ."""
    ours = {language.split("-")[0]: language for language in LANGUAGES}
    for tag in tags:
        if (wanted := tag.lower().replace("_", "-").split("-")[0]) in ours:
            return ours[wanted]
    return ENGLISH
