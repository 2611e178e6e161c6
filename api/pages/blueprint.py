"""The pages of a quiz, with their templates, their script and style, and their way to tell errors."""

from __future__ import annotations

from flask import Blueprint

from api.errors import register_error_handlers
from api.pages.items import items
from api.pages.quizzes import quizzes
from api.pages.rendering import render_error
from api.pages.reports import reports

pages = Blueprint(
    "pages", __name__, template_folder="templates", static_folder="static", static_url_path="/pages"
)
register_error_handlers(pages, render_error)
pages.register_blueprint(quizzes, url_prefix="/courses/<course_id>")
for part in (reports, items):
    pages.register_blueprint(part, url_prefix="/courses/<course_id>/quizzes/<quiz_id>")
