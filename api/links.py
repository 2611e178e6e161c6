"""The absolute URLs in responses; each begins with the address that clients use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from flask import g, request

from api.params import Page
from api.services import services
from api.verifiers import Verifiers
from models.lms.courses import Course
from models.reports.shown import AnyFile, AnyProgress, AnyQuiz, AnyReport


@dataclass(frozen=True)
class Links:
    """URLs below one base."""

    base: str
    verifiers: Verifiers
    rate_limit_key: str = ""

    def quiz(self, quiz: AnyQuiz) -> str:
        """Return the URL of a quiz."""
        return f"{self.base}/api/v1/courses/{quiz.course_id}/quizzes/{quiz.id}"

    def course_page(self, course: Course) -> str:
        """Return the URL of the page of a course's quizzes for people."""
        return f"{self.base}/courses/{course.id}/quizzes"

    def quiz_page(self, quiz: AnyQuiz) -> str:
        """Return the URL of a quiz's page for people."""
        return f"{self.base}/courses/{quiz.course_id}/quizzes/{quiz.id}"

    def sign_in(self, quiz: AnyQuiz, secret: str) -> str:
        """Return the URL that signs a browser in to the pages of a quiz."""
        return f"{self.quiz_page(quiz)}/sign_in?{urlencode({'link': secret})}"

    def report(self, report: AnyReport, quiz: AnyQuiz) -> str:
        """Return the URL of a report."""
        return f"{self.quiz(quiz)}/reports/{report.id}"

    def statistics(self, quiz: AnyQuiz) -> str:
        """Return the URL of a quiz's statistics."""
        return f"{self.quiz(quiz)}/statistics"

    def statistics_page(self, quiz: AnyQuiz) -> str:
        """Return the URL of the page of a quiz's statistics for people."""
        return f"{self.quiz_page(quiz)}/statistics"

    def progress(self, progress: AnyProgress) -> str:
        """Return the URL of a Progress."""
        return f"{self.base}/api/v1/progress/{progress.id}"

    def download(self, file: AnyFile) -> str:
        """Return the URL of a file's bytes, with a fresh verifier."""
        verifier = self.verifiers.issue(file.id, file.uuid, self.rate_limit_key)
        query = urlencode({"download_frd": 1, "verifier": verifier})
        return f"{self.base}/files/{file.id}/download?{query}"

    def list_pages(self, path: str, page: Page, total: int) -> Mapping[str, str]:
        """Make the Link header of one page of a list."""
        last = max(1, -(-total // page.size))
        numbers = {
            "current": page.number,
            "next": page.number + 1,
            "prev": page.number - 1,
            "first": 1,
            "last": last,
        }
        if page.number >= last:
            del numbers["next"]
        if page.number <= 1:
            del numbers["prev"]
        address = f"{self.base}{quote(path, safe='/:')}"
        entries = (
            f'<{address}?{urlencode({"page": number, "per_page": page.size})}>; rel="{relation}"'
            for relation, number in numbers.items()
        )
        return {"Link": ",".join(entries)}


def links() -> Links:
    """Make the URLs of this request, below the public address or, if none is set, the request's own."""
    base = services().settings.public_url or request.url_root.rstrip("/")
    return Links(base, services().verifiers, g.get("rate_limit_key", ""))
