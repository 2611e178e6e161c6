"""The figures of the web process: requests a second, memory, and the page of an item analysis."""

from __future__ import annotations

from collections.abc import Iterator

from models.reports.variants import ReportType
from ops.benchmarks.http_load import requests_per_second
from ops.benchmarks.item_page import measure_item_page
from ops.benchmarks.measure import Comparison, Outcome, Spread, at_least, at_most, interleaved
from ops.benchmarks.memory import has_loaded
from ops.benchmarks.report_maker import report_maker
from ops.benchmarks.stack import BenchmarkError, BenchmarkStack, RunningApi, log_line, responds, wait_until
from ops.local.ports import free_port

_MOST_MIB = 150.0
_NOT_FOR_THE_WEB = ("pandas", "numpy", "pyarrow", "polars")


def measure_web(stack: BenchmarkStack) -> Iterator[Outcome]:
    """Measure GETs of a report, alternately with a bare route on the same server, the memory, and a page."""
    log_line("GET of a report, requests a second")
    port = free_port()
    bare = f"http://127.0.0.1:{port}"
    with (
        stack.api() as api,
        stack.running("bare", "ops.benchmarks.bare_api", "--port", str(port)) as process,
    ):
        wait_until(lambda: responds(f"{bare}/readyz"), process)
        quiz_id, path = _generate_report(stack)
        yield _rate(stack, f"{api.address}{path}", f"{bare}/quizzes/{quiz_id}")
        yield _memory(api)
        yield from measure_item_page(stack, api)


def _generate_report(stack: BenchmarkStack) -> tuple[int, str]:
    """Generate a report; return the id of its quiz and its path."""
    population = stack.population(stack.plan.sizes[0])
    with report_maker(stack) as maker:
        report_id = maker.make(population.quiz_id, ReportType.ITEM_ANALYSIS).report_id
    course = f"/api/v1/courses/{population.course.id}"
    return population.quiz_id, f"{course}/quizzes/{population.quiz_id}/reports/{report_id}"


def _rate(stack: BenchmarkStack, show: str, bare: str) -> Outcome:
    duration = 1.0 if stack.plan.quick else 5.0

    def rate(url: str, duration: float = duration) -> float:
        return requests_per_second(url, token=stack.admin_token, duration=duration)

    for url in (show, bare):
        rate(url, 1.0)
    measured, reference = interleaved(stack.plan.runs, lambda: rate(show), lambda: rate(bare))
    return Outcome(
        figure="web/rate",
        work="GET of a report, requests a second",
        unit="/s",
        measured=measured,
        reference_work="a bare Flask route with one ORM SELECT",
        reference=reference,
        goal=at_least(0.6),
    )


def _memory(api: RunningApi) -> Outcome:
    """Measure the largest process of the API; none may have loaded the libraries of the workers."""
    processes = api.processes()
    for process in processes:
        if loaded := [name for name in _NOT_FOR_THE_WEB if has_loaded(process.pid, f"/{name}/")]:
            raise BenchmarkError(f"a process of the API has loaded {', '.join(loaded)}")
    return Outcome(
        figure="web/memory",
        work="peak RSS of the largest API process, after the load above; no pandas in it",
        unit="MiB",
        measured=Spread([api.peak_mib()]),
        goal=at_most(_MOST_MIB, Comparison.ALONE),
    )
