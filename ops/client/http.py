"""The client of the service's HTTP API that `import`, `report` and the sample use."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_not_result,
    stop_after_delay,
    stop_never,
    wait_exponential,
)

from models.errors import IssueKind, QuizReportsError
from models.reports.variants import ReportFormat

# Storing a large push may take half an hour; every other response comes at once.
_TIMEOUT = httpx.Timeout(30, connect=5)
_PUSH_TIMEOUT = httpx.Timeout(60, connect=5, read=1800)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 1.0
# Long enough for a server to be restarted, or for a limit of requests a minute to be lifted.
_PATIENCE_SECONDS = 65.0
_BUSY = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_Decoded = TypeVar("_Decoded")

_ADVICE = {
    401: "give a token with --token; `quiz-reports token create --user ID --admin` makes one",
    403: "reports are for teachers and teaching assistants of the course, and for administrators",
    404: "check the ids; `quiz-reports import` pushes courses, quizzes and submissions",
    413: "split it into smaller files",
}


class ServiceError(QuizReportsError):
    """The service cannot be used as asked; the message says what to do."""


class UnreachableError(ServiceError):
    """The service does not respond, or the connection broke."""


class RefusedError(ServiceError):
    """The service responded with an error; `reasons` are its messages, one for each invalid value.

    `retry_after` is the pause in seconds that it asks for, if it asks for one.
    """

    def __init__(self, status: int, reasons: list[str], retry_after: float | None = None) -> None:
        advice = _ADVICE.get(status, "try again later" if status in _BUSY or status >= 500 else "")
        super().__init__(f"refused with {status}: {'; '.join(reasons)}{f' ({advice})' if advice else ''}")
        self.status = status
        self.reasons = reasons
        self.retry_after = retry_after


class ReportFailedError(ServiceError):
    """The report was not generated; the message says why."""


class OnInvalid(StrEnum):
    """What becomes of the invalid parts of a push."""

    REFUSE = "refuse"
    SKIP = "skip"
    CHECK = "check"

    @property
    def params(self) -> dict[str, str]:
        """The parameters of the request."""
        if self is OnInvalid.SKIP:
            return {"on_error": "skip"}
        return {"check": "true"} if self is OnInvalid.CHECK else {}


class IssueCount(msgspec.Struct, frozen=True):
    """The issues of one kind, with the paths of the first ones."""

    kind: IssueKind
    count: int
    examples: list[str]


class Counts(msgspec.Struct, frozen=True):
    """What a push has changed, or would change; the last three fields are those of a check or a skip."""

    created: int
    updated: int
    unchanged: int
    deleted: int
    skipped: int = 0
    complete: bool = True
    issues: list[IssueCount] = []

    def __str__(self) -> str:
        """Summarise the counts in one line."""
        names = ("created", "updated", "unchanged", "deleted", "skipped")
        counts = [f"{count:,} {name}" for name in names if (count := getattr(self, name))]
        return ", ".join(counts) or "nothing in it"


class ReportFile(msgspec.Struct, frozen=True):
    """A generated file."""

    id: int
    size: int


class PageLink(msgspec.Struct, frozen=True):
    """A one-time link to the pages of a quiz."""

    url: str


class Report(msgspec.Struct, frozen=True):
    """A report as the API returns it."""

    id: int
    quiz_id: int
    report_type: str
    generatable: bool
    file: ReportFile | None = None
    progress_url: str | None = None


class Progress(msgspec.Struct, frozen=True):
    """The progress of a job."""

    completion: float
    workflow_state: str
    message: str | None = None


class _Error(msgspec.Struct):
    message: str = ""


class _ErrorBody(msgspec.Struct):
    errors: list[_Error] = []
    message: str = ""


class _LocalTransport(httpx.BaseTransport):
    """Sends requests, and reads the certificates of the authorities before the first that needs https.

    Reading them takes longer than most requests to this machine.
    """

    def __init__(self) -> None:
        # A new context trusts no server.
        self._plain = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)
        self._secure: httpx.HTTPTransport | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, by a redirect also one to a store elsewhere."""
        if request.url.scheme == "http":
            return self._plain.handle_request(request)
        if self._secure is None:
            self._secure = httpx.HTTPTransport(trust_env=False)
        return self._secure.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._plain.close()
        if self._secure is not None:
            self._secure.close()


class Client:
    """The service at a base URL, used with one token; a context manager that closes its connections."""

    def __init__(self, base_url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        is_local = urlsplit(self.base_url).hostname in _LOOPBACK
        self._http = httpx.Client(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            transport=transport or (_LocalTransport() if is_local else None),
            # A proxy named in the environment cannot reach this machine's loopback.
            trust_env=not is_local,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def put_course(
        self, course: int | str, body: Mapping[str, Any], on_invalid: OnInvalid = OnInvalid.REFUSE
    ) -> Counts:
        """Push a course with its roster."""
        path = _course_path(course)
        return self._put(path, _encode({"course": body}), "application/json", on_invalid)

    def put_quiz(
        self,
        course: int | str,
        quiz_id: int,
        body: Mapping[str, Any],
        on_invalid: OnInvalid = OnInvalid.REFUSE,
        *,
        preceding: Mapping[str, Any] | None = None,
    ) -> Counts:
        """Push a quiz with its questions; a check may bring along the course that precedes it."""
        path = _quiz_path(course, quiz_id)
        return self._put(path, _encode({**(preceding or {}), "quiz": body}), "application/json", on_invalid)

    def put_submissions(
        self,
        course: int | str,
        quiz_id: int,
        lines: Iterable[bytes],
        size: int,
        on_invalid: OnInvalid = OnInvalid.REFUSE,
    ) -> Counts:
        """Push attempts as NDJSON, `size` bytes in pieces of any length.

        The pieces are iterated over again if the service is busy and the push is sent again.
        """
        path = f"{_quiz_path(course, quiz_id)}/submissions"
        headers = {"Content-Length": str(size)}
        return self._put(path, lines, "application/x-ndjson", on_invalid, headers)

    def reports(self, course: int | str, quiz_id: int, *, all_versions: bool = False) -> list[Report]:
        """List the two reports of a quiz."""
        params = {"includes_all_versions": str(all_versions).lower()}
        return self._decode(self._request("GET", _reports_path(course, quiz_id), params=params), list[Report])

    def page_link(self, course: int | str, quiz_id: int, user: str) -> str:
        """Return a link that signs the first browser that opens it in to the pages of a quiz, as a user."""
        params = {
            "page_link[user_id]": user,
            "page_link[course_id]": str(course),
            "page_link[quiz_id]": str(quiz_id),
        }
        return self._decode(self._request("POST", "/api/v1/page_links", data=params), PageLink).url

    def request_report(
        self,
        course: int | str,
        quiz_id: int,
        report_type: str,
        report_format: str = ReportFormat.CSV,
        *,
        all_versions: bool = False,
    ) -> Report:
        """Request a report: the current one, a new one, or the one that is already being generated.

        The list of reports shows CSV files only, so the request for another format is sent again until the
        job of another client has ended.
        """
        params = {
            "quiz_report[report_type]": report_type,
            "quiz_report[format]": report_format,
            "quiz_report[includes_all_versions]": str(all_versions).lower(),
        }

        is_listed = report_format == ReportFormat.CSV

        def request_or_join() -> Report:
            try:
                return self._decode(
                    self._request("POST", _reports_path(course, quiz_id), data=params), Report
                )
            except RefusedError as error:
                if not _is_conflict(error) or not is_listed:
                    raise
                for report in self.reports(course, quiz_id, all_versions=all_versions):
                    if report.report_type == report_type and (report.file or report.progress_url):
                        return report
                # It was aborted between the two requests.
                raise

        stop = stop_after_delay(_PATIENCE_SECONDS) if is_listed else stop_never
        return _retry_if(_is_conflict, pause=_FIRST_PAUSE_SECONDS, stop=stop)(request_or_join)

    def wait_for(self, course: int | str, report: Report, show: Callable[[float], None]) -> Report:
        """Return the report with its file, showing the completion meanwhile; raise ReportFailedError."""
        path = f"{_reports_path(course, report.quiz_id)}/{report.id}"
        newest = report

        def has_file() -> bool:
            nonlocal newest
            if newest.file is None and not self._is_running(newest, show):
                newest = self._decode(self._get(path), Report)
                if newest.file is None and newest.progress_url is None:
                    raise ReportFailedError("the report was aborted by another client: ask again")
            return newest.file is not None

        _until_true(has_file)
        show(100.0)
        return newest

    def _is_running(self, report: Report, show: Callable[[float], None]) -> bool:
        """Show the completion of a report's job; return whether it goes on, or raise ReportFailedError."""
        progress = self._progress(report)
        if progress is None or progress.workflow_state == "completed":
            return False
        if progress.workflow_state == "failed":
            raise ReportFailedError(progress.message or "the report failed: ask again")
        show(progress.completion)
        return True

    def download(self, report: Report, to: BinaryIO) -> None:
        """Write the bytes of a report's file."""
        if report.file is None:
            raise ReportFailedError("the report has no file yet")
        file_id = report.file.id
        _retry_if(_is_busy)(self._download, file_id, to)

    def _download(self, file_id: int, to: BinaryIO) -> None:
        # The response may redirect to the store; httpx does not send the token to another host.
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
        """Fetch the Progress of a report's job; None if it no longer exists."""
        if report.progress_url is None:
            return None
        # By its id, since the public address may not be reachable from here.
        progress_id = urlsplit(report.progress_url).path.rsplit("/", 1)[-1]
        try:
            return self._decode(self._get(f"/api/v1/progress/{progress_id}"), Progress)
        except RefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def _put(
        self,
        path: str,
        body: bytes | Iterable[bytes],
        content_type: str,
        on_invalid: OnInvalid,
        headers: Mapping[str, str] | None = None,
    ) -> Counts:
        """Send a push, and send it again while the service is busy: a PUT is idempotent."""
        headers = {"Content-Type": content_type, **(headers or {})}

        def push() -> httpx.Response:
            # httpx takes an iterator as a stream of unknown type, and each try needs a new one.
            content = body if isinstance(body, bytes) else iter(body)
            params = on_invalid.params
            return self._send(
                "PUT", path, params=params, content=content, headers=headers, timeout=_PUSH_TIMEOUT
            )

        return self._decode(_retry_if(_is_busy, stop=_has_paused_too_long)(push), Counts)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request, and send it again while the service is busy."""
        return _retry_if(_is_busy)(self._send, method, path, **options)

    def _get(self, path: str) -> httpx.Response:
        """Read a path, and wait for a server that is being restarted."""
        return _retry_if(_is_unreachable)(self._request, "GET", path)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise _refused(response)
        return response

    def _decode(self, response: httpx.Response, kind: type[_Decoded]) -> _Decoded:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.MsgspecError as error:
            raise ServiceError(f"{self.base_url} is not a Quiz Reports service: {error}") from error

    def _unreachable(self, error: Exception) -> UnreachableError:
        reason = str(error) or type(error).__name__
        return UnreachableError(
            f"{self.base_url} does not respond ({reason}): start it with `quiz-reports up`, "
            "or name another service with --url"
        )


# Calls a function until it returns true, for as long as that takes: every job ends.
_until_true = Retrying(
    retry=retry_if_not_result(bool),
    wait=wait_exponential(_FIRST_PAUSE_SECONDS, max=_LONGEST_PAUSE_SECONDS),
)


def _retry_if(
    is_temporary: Callable[[BaseException], bool],
    *,
    pause: float = _LONGEST_PAUSE_SECONDS,
    stop: Callable[[RetryCallState], bool] = stop_after_delay(_PATIENCE_SECONDS),  # noqa: B008 - immutable.
) -> Retrying:
    """Call a function again while it fails with such an error, by default for a minute; then raise it.

    The pause is that of the service's `Retry-After`, or else the one given.
    """

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, RefusedError) else None
        return pause if asked is None else min(asked, _PATIENCE_SECONDS)

    return Retrying(retry=retry_if_exception(is_temporary), stop=stop, wait=wait, reraise=True)


def _has_paused_too_long(state: RetryCallState) -> bool:
    """Count the pauses alone: a push may take longer than the patience by itself."""
    return state.idle_for >= _PATIENCE_SECONDS


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, RefusedError) and error.status in _BUSY


def _is_conflict(error: BaseException) -> bool:
    return isinstance(error, RefusedError) and error.status == httpx.codes.CONFLICT


def _is_unreachable(error: BaseException) -> bool:
    return isinstance(error, UnreachableError)


def _refused(response: httpx.Response) -> RefusedError:
    try:
        body = msgspec.json.decode(response.content, type=_ErrorBody)
    except msgspec.MsgspecError:
        body = _ErrorBody()
    reasons = [error.message for error in body.errors if error.message]
    # A Retry-After may also be a date, which this service never sends.
    seconds = response.headers.get("Retry-After", "")
    return RefusedError(
        response.status_code,
        reasons or [body.message or response.reason_phrase],
        float(seconds) if seconds.isdecimal() else None,
    )


def _encode(body: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(body)


def _course_path(course: int | str) -> str:
    return f"/api/v1/courses/{quote(str(course), safe=':')}"


def _quiz_path(course: int | str, quiz_id: int) -> str:
    return f"{_course_path(course)}/quizzes/{quiz_id}"


def _reports_path(course: int | str, quiz_id: int) -> str:
    return f"{_quiz_path(course, quiz_id)}/reports"
