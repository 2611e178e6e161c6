"""Requests that waited too long behind a proxy are refused; how they waited, only a trusted proxy can say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from api.app import create_app
from api.services import Services
from tests.factories import Api, reports_path

REPORTS = reports_path()
# When each request is served, however long the machine takes.
NOW = 1_700_000_000.0


@pytest.fixture
def behind_a_proxy(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr("api.overload.time", SimpleNamespace(time=lambda: NOW))
    settings = replace(api.settings, trusted_proxies=1)
    app = create_app(settings)
    yield Api(app, settings, api.database, api.tokens)
    Services.of(app).close()


def stamped(seconds_ago: float) -> dict[str, str]:
    return {"X-Request-Start": f"t={NOW - seconds_ago:.3f}"}


@pytest.mark.contract("5 Errors", "429 and 503 carry Retry-After")
def test_a_read_that_waited_for_longer_than_half_a_second_is_refused(behind_a_proxy: Api) -> None:
    refused = behind_a_proxy.get(REPORTS, headers=stamped(0.501))
    assert (refused.status_code, refused.json["status"]) == (503, "service_unavailable")
    assert refused.headers["Retry-After"].isdigit()
    assert behind_a_proxy.get(REPORTS, headers=stamped(0.499)).status_code == 200


def test_a_change_may_wait_for_ten_seconds(behind_a_proxy: Api) -> None:
    wanted = {"quiz_report": {"report_type": "student_analysis"}}
    assert behind_a_proxy.post(REPORTS, json=wanted, headers=stamped(10.001)).status_code == 503
    assert behind_a_proxy.post(REPORTS, json=wanted, headers=stamped(9.999)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_tells_how_things_are_is_always_answered(behind_a_proxy: Api, path: str) -> None:
    assert behind_a_proxy.get(path, None, headers=stamped(100)).status_code == 200


@pytest.mark.parametrize("stamp", ["t=9999999999.000", "soon", "", "t=1,t=2"])
def test_another_clock_or_nonsense_refuses_nothing(behind_a_proxy: Api, stamp: str) -> None:
    assert behind_a_proxy.get(REPORTS, headers={"X-Request-Start": stamp}).status_code == 200


def test_a_client_is_not_believed(api: Api) -> None:
    assert api.get(REPORTS, headers=stamped(100)).status_code == 200
