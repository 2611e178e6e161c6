"""The alerts fire when they must, name metrics that exist, and have their paragraph in the runbook."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import yaml

import api.metrics
import models.storage
import workers.metrics
from models.db.session import Database
from models.reports.job_metrics import JobsCollector

OPS = Path(__file__).parents[3] / "ops"
RULES = OPS / "prometheus" / "rules.yml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
RULE_LIST = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULE_LIST if "alert" in rule}
RECORDED = {rule["record"] for rule in RULE_LIST if "record" in rule}
DASHBOARD = json.loads((OPS / "grafana" / "dashboard.json").read_text())
PANEL_EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
# These modules make the metrics; without their names the imports would seem unused.
MODULES = (api.metrics, models.storage, workers.metrics)


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        # On a laptop the other tests are still worth running; CI installs it.
        assert not os.environ.get("CI"), "promtool is not installed"
        pytest.skip("promtool is not installed")
    ended = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.integration
def test_the_rules_are_valid_and_fire_when_they_must() -> None:
    promtool("check", "rules", str(RULES))
    promtool("test", "rules", str(OPS / "prometheus" / "rules_test.yml"))


@pytest.mark.integration
def test_the_configuration_is_valid() -> None:
    promtool("check", "config", str(OPS / "prometheus" / "prometheus.yml"))


def test_every_alert_is_tested() -> None:
    tests = yaml.safe_load((OPS / "prometheus" / "rules_test.yml").read_text())["tests"]
    quiet, firing, *_ = ({case["alertname"] for case in test["alert_rule_test"]} for test in tests)
    assert quiet == firing == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_its_paragraph_in_the_runbook(name: str) -> None:
    runbook = (OPS / "README.md").read_text()
    heading = f"\n### {name}\n"
    assert runbook.count(heading) == 1
    assert len(runbook.split(heading)[1].split("\n#")[0].split()) > 20


def existing_metrics() -> Iterator[str]:
    for metric in prometheus_client.REGISTRY.collect():
        yield from (sample.name for sample in metric.samples)
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        yield from (metric.name + suffix for suffix in suffixes.get(metric.type, [""]))
    nowhere = Database("postgresql://127.0.0.1:1/nothing")
    yield from (metric.name for metric in JobsCollector(nowhere).collect())


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in RULE_LIST), *PANEL_EXPRESSIONS])
def test_every_expression_names_metrics_that_exist(expression: str) -> None:
    named = set(re.findall(r"\bquiz_reports[a-z_:]+", expression))
    assert named <= {*existing_metrics(), *RECORDED}
    assert named or "up{" in expression


@pytest.mark.integration
@pytest.mark.parametrize("expression", PANEL_EXPRESSIONS)
def test_every_panel_can_be_queried(expression: str, tmp_path: Path) -> None:
    # promtool reads expressions in rules only.
    rule = {"record": "panel", "expr": expression.replace("$__rate_interval", "5m")}
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": [rule]}]}))
    promtool("check", "rules", str(file))
