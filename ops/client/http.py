"""A client of the service's HTTP API: what `import`, `report` and the sample speak to it with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from models.errors import QuizReportsError

REPORT_TYPES = ("student_analysis", "item_analysis")

# Storing a large push takes as long as it takes; every other answer comes at once.
_TIMEOUT = httpx.Timeout(30, connect=5)
_PUSH_TIMEOUT = httpx.Timeout(60, connect=5, read=1800)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 1.0
# So long is waited for a server that is being restarted, or whose limit of requests a minute is reached.
_PATIENCE_SECONDS = 65.0
_BUSY = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_Answer = TypeVar("_Answer")

_ADVICE = {
    401: "give a token with --token; `quiz-reports token create --user ID --admin` makes one",
    403: "reading needs the token of a teacher of the course or of an administrator",
    404: "look at the ids; `quiz-reports import` pushes courses, quizzes and submissions",
    413: "split it into smaller files",
}


class ServiceError(QuizReportsError):
    """The service cannot be used as asked; the message says what to do."""


class UnreachableError(ServiceError):
    """Nobody answers, or not to the end."""


class RefusedError(ServiceError):
    """The service answered with an error; `reasons` are its own words, one for each place."""

    def __init__(self, status: int, reasons: list[str]) -> None:
        advice = _ADVICE.get(status, "try again later" if status in _BUSY or status >= 500 else "")
        super().__init__(f"refused with {status}: {'; '.join(reasons)}{f' ({advice})' if advice else ''}")
        self.status = status
        self.reasons = reasons


class ReportFailedError(ServiceError):
    """The report was asked for and did not come; the message says why."""


class Counts(msgspec.Struct, frozen=True):
    """What a push has changed."""

    created: int
    updated: int
    unchanged: int
    deleted: int

    def __str__(self) -> str:
        """Say it in one line."""
        names = ("created", "updated", "unchanged", "deleted")
        counts = [f"{count:,} {name}" for name in names if (count := getattr(self, name))]
        return ", ".join(counts) or "nothing in it"


class ReportFile(msgspec.Struct, frozen=True):
    """A generated file."""

    id: int
    size: int


class Report(msgspec.Struct, frozen=True):
    """A report as the service shows it."""

    id: int
    quiz_id: int
    report_type: str
    generatable: bool
    file: ReportFile | None = None
    progress_url: str | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far a job is."""

    completion: float
    workflow_state: str
    message: str | None = None


class _Fault(msgspec.Struct):
    message: str = ""


class _Faults(msgspec.Struct):
    errors: list[_Fault] = []
    message: str = ""


class Client:
    """The service at a base URL, spoken to with one token; enter it to have its connections closed."""

    def __init__(self, base_url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            transport=transport,
            # A proxy of the environment is of no use on the way to this machine.
            trust_env=urlsplit(self.base_url).hostname not in _LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def put_course(self, course: int | str, body: Mapping[str, Any]) -> Counts:
        """Push a course with its roster."""
        return self._put(_course_path(course), _encode({"course": body}), "application/json")

    def put_quiz(self, course: int | str, quiz_id: int, body: Mapping[str, Any]) -> Counts:
        """Push a quiz with its questions."""
        return self._put(_quiz_path(course, quiz_id), _encode({"quiz": body}), "application/json")

    def put_submissions(self, course: int | str, quiz_id: int, lines: Iterable[bytes], size: int) -> Counts:
        """Push attempts as NDJSON, `size` bytes in pieces of any length; all of it is stored, or nothing."""
        path = f"{_quiz_path(course, quiz_id)}/submissions"
        return self._put(path, iter(lines), "application/x-ndjson", {"Content-Length": str(size)})

    def reports(self, course: int | str, quiz_id: int, *, all_versions: bool = False) -> list[Report]:
        """List the two reports of a quiz."""
        params = {"includes_all_versions": str(all_versions).lower()}
        return self._decode(self._ask("GET", _reports_path(course, quiz_id), params=params), list[Report])

    def request_report(
        self, course: int | str, quiz_id: int, report_type: str, *, all_versions: bool = False
    ) -> Report:
        """Ask for a report: the current one, a new one, or the one that is already being made."""
        wish = {
            "quiz_report[report_type]": report_type,
            "quiz_report[includes_all_versions]": str(all_versions).lower(),
        }

        def ask_or_join() -> Report:
            try:
                return self._decode(self._ask("POST", _reports_path(course, quiz_id), data=wish), Report)
            except RefusedError as error:
                if not _is_conflict(error):
                    raise
                for report in self.reports(course, quiz_id, all_versions=all_versions):
                    if report.report_type == report_type and (report.file or report.progress_url):
                        return report
                # It was aborted between the two requests.
                raise

        return _again_if(_is_conflict, pause=_FIRST_PAUSE_SECONDS)(ask_or_join)

    def wait_for(self, course: int | str, report: Report, show: Callable[[float], None]) -> Report:
        """Return the report with its file, showing the completion meanwhile; raise ReportFailedError."""
        path = f"{_reports_path(course, report.quiz_id)}/{report.id}"
        pause = _FIRST_PAUSE_SECONDS
        while report.file is None:
            progress = self._progress(report)
            if progress is not None and progress.workflow_state == "failed":
                raise ReportFailedError(progress.message or "the report failed: ask again")
            if progress is None or progress.workflow_state == "completed":
                report = self._decode(self._patiently("GET", path), Report)
                if report.file is None and report.progress_url is None:
                    raise ReportFailedError(
                        "somebody took the report back while it was waited for: ask again"
                    )
                continue
            show(progress.completion)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        show(100.0)
        return report

    def download(self, report: Report, to: BinaryIO) -> None:
        """Write the bytes of a report's file."""
        if report.file is None:
            raise ReportFailedError("the report has no file yet")
        file_id = report.file.id
        _again_if(_is_busy)(self._download, file_id, to)

    def _download(self, file_id: int, to: BinaryIO) -> None:
        # A store may be asked for the bytes by a redirect; the token does not go with it to another host.
        request = self._http.build_request("GET", f"/files/{file_id}/download")
        try:
            response = self._http.send(request, stream=True, follow_redirects=True)
            try:
                if not response.is_success:
                    response.read()
                    raise _refused(response)
                to.writelines(response.iter_bytes())
            finally:
                response.close()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def save(self, report: Report, path: Path) -> None:
        """Save a report's file: whole, or not at all."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with draft.open("wb") as file:
                self.download(report, file)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _progress(self, report: Report) -> Progress | None:
        """Look at a report's job; None if it is no longer there."""
        if report.progress_url is None:
            return None
        # By its id: seen from the service itself, its public address may lead nowhere.
        progress_id = urlsplit(report.progress_url).path.rsplit("/", 1)[-1]
        try:
            return self._decode(self._patiently("GET", f"/api/v1/progress/{progress_id}"), Progress)
        except RefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def _put(
        self,
        path: str,
        body: bytes | Iterator[bytes],
        content_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> Counts:
        headers = {"Content-Type": content_type, **(headers or {})}
        return self._decode(
            self._send("PUT", path, content=body, headers=headers, timeout=_PUSH_TIMEOUT), Counts
        )

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request that may be sent again where the service is too busy."""
        return _again_if(_is_busy)(self._send, method, path, **options)

    def _patiently(self, method: str, path: str) -> httpx.Response:
        """Ask, and wait for a server that is being restarted."""
        return _again_if(_is_unreachable)(self._ask, method, path)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise _refused(response)
        return response

    def _decode(self, response: httpx.Response, kind: type[_Answer]) -> _Answer:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.MsgspecError as error:
            raise ServiceError(
                f"what answers at {self.base_url} is no Quiz Reports service: {error}"
            ) from error

    def _unreachable(self, error: Exception) -> UnreachableError:
        reason = str(error) or type(error).__name__
        return UnreachableError(
            f"{self.base_url} does not answer ({reason}): start it with `quiz-reports up`, "
            "or name another service with --url"
        )


def _again_if(passes: Callable[[BaseException], bool], pause: float = _LONGEST_PAUSE_SECONDS) -> Retrying:
    """Call a function again while it fails with such an error; after a minute the error is raised."""
    return Retrying(
        retry=retry_if_exception(passes),
        stop=stop_after_delay(_PATIENCE_SECONDS),
        wait=wait_fixed(pause),
        reraise=True,
    )


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, RefusedError) and error.status in _BUSY


def _is_conflict(error: BaseException) -> bool:
    return isinstance(error, RefusedError) and error.status == httpx.codes.CONFLICT


def _is_unreachable(error: BaseException) -> bool:
    return isinstance(error, UnreachableError)


def _refused(response: httpx.Response) -> RefusedError:
    try:
        faults = msgspec.json.decode(response.content, type=_Faults)
    except msgspec.MsgspecError:
        faults = _Faults()
    reasons = [fault.message for fault in faults.errors if fault.message]
    return RefusedError(response.status_code, reasons or [faults.message or response.reason_phrase])


def _encode(body: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(body)


def _course_path(course: int | str) -> str:
    return f"/api/v1/courses/{quote(str(course), safe=':')}"


def _quiz_path(course: int | str, quiz_id: int) -> str:
    return f"{_course_path(course)}/quizzes/{quiz_id}"


def _reports_path(course: int | str, quiz_id: int) -> str:
    return f"{_quiz_path(course, quiz_id)}/reports"
