"""The manifests are valid for Kubernetes, and agree with the commands and metrics that exist."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update
from sqlalchemy.sql import func, text

from api.metrics import current_metrics
from models.reports.tables import QuizReport
from models.settings import Settings
from ops.cli import cli
from ops.serve.worker_node import STOP_SECONDS
from tests.factories import Api, reports_path
from tests.ops.prometheus.test_rules import promtool

# They ask kubectl.
pytestmark = pytest.mark.integration

FOLDER = Path(__file__).parents[3] / "ops" / "kubernetes"
# The schemas of the newest release and of the oldest that its makers still support.
VERSIONS = ("1.37", "1.34")
Manifest = dict[str, Any]


@functools.cache
def built(overlay: str) -> list[Manifest]:
    # The wheel's kubectl comes first: one of the system may be too old for these files.
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kubectl = shutil.which("kubectl", path=folders)
    if kubectl is None:
        # On a laptop the other tests are still worth running; CI has it.
        assert not os.environ.get("CI"), "kubectl is not installed"
        pytest.skip("kubectl is not installed")
    ended = subprocess.run(
        [kubectl, "kustomize", str(FOLDER / overlay)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return list(yaml.safe_load_all(ended.stdout))


def of_kind(kind: str) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in built("production") if m["kind"] == kind}


def pods() -> dict[str, Manifest]:
    """The pods, by the names of what makes them."""
    made = {**of_kind("Deployment"), **of_kind("Job")}
    return {name: manifest["spec"]["template"]["spec"] for name, manifest in made.items()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", ["base", "production"])
def test_every_manifest_is_valid(overlay: str, version: str) -> None:
    # It compiles the grammars of all kinds of URLs, three seconds that every process with tests would take.
    import kubernetes_validate

    for manifest in built(overlay):
        # KEDA's own kinds are not part of Kubernetes.
        if not manifest["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(manifest, version, strict=True)


def test_every_pod_runs_a_command_of_ours_without_rights() -> None:
    found = pods()
    assert found.keys() == {
        *("quiz-reports-migrate", "quiz-reports-api", "quiz-reports-sweeper"),
        *("quiz-reports-worker", "quiz-reports-worker-large"),
    }
    for pod in found.values():
        [container] = pod["containers"]
        name, *words = container["args"]
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, words)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert pod["shareProcessNamespace"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_every_setting_is_one_of_the_service() -> None:
    known = {setting.metadata["env"] for setting in Settings.documented()}
    [configuration] = of_kind("ConfigMap").values()
    assert configuration["data"].keys() <= known
    for pod in pods().values():
        names = {variable["name"] for variable in pod["containers"][0]["env"]}
        assert {name.removesuffix("_FILE") for name in names} <= known | {"TMPDIR"}


def test_only_the_api_gets_the_secret_key() -> None:
    for name, pod in pods().items():
        keys = {
            item["key"] for volume in pod["volumes"] for item in volume.get("secret", {}).get("items", [])
        }
        assert ("secret-key" in keys) is (name == "quiz-reports-api")
        assert ("redis-url" in keys) is (name != "quiz-reports-migrate")


def test_workers_have_longer_to_stop_than_their_reports_have_to_finish() -> None:
    lease = Settings().lease_seconds
    for name in ("quiz-reports-worker", "quiz-reports-worker-large"):
        grace = pods()[name]["terminationGracePeriodSeconds"]
        assert STOP_SECONDS + 10 < grace <= lease


def test_the_runbook_migrates_by_names_that_are_there() -> None:
    runbook = (FOLDER.parent / "README.md").read_text()
    [job] = of_kind("Job").values()
    metadata = job["metadata"]
    assert f"--namespace {metadata['namespace']} delete job {metadata['name']} " in runbook
    assert f"job/{metadata['name']}" in runbook
    component = metadata["labels"]["app.kubernetes.io/component"]
    assert f"--selector app.kubernetes.io/component={component}" in runbook


def test_no_probe_asks_another_part() -> None:
    # A restart of all pods would make an outage of the database or the broker worse.
    for pod in pods().values():
        liveness = pod["containers"][0].get("livenessProbe", {})
        assert "doctor" not in str(liveness)
        assert "readyz" not in str(liveness)


def test_an_upgrade_goes_on_only_when_new_pods_are_at_work() -> None:
    for manifest in of_kind("Deployment").values():
        [container] = manifest["spec"]["template"]["spec"]["containers"]
        ready, alive = container["readinessProbe"], container["livenessProbe"]
        # A worker that takes no jobs is as good as none, so both ask the same.
        assert ready["httpGet"]["path"] == "/readyz" if "httpGet" in ready else ready["exec"] == alive["exec"]


def test_what_grows_with_a_report_or_a_push_is_on_a_disk() -> None:
    for name, variable in {
        "quiz-reports-api": "QUIZ_REPORTS_UPLOAD_FOLDER",
        "quiz-reports-worker": "TMPDIR",
        "quiz-reports-worker-large": "TMPDIR",
    }.items():
        pod = pods()[name]
        [container] = pod["containers"]
        environ = {**of_kind("ConfigMap")["quiz-reports"]["data"]}
        environ |= {variable["name"]: variable["value"] for variable in container["env"]}
        [volume] = [m["name"] for m in container["volumeMounts"] if m["mountPath"] == environ[variable]]
        [mounted] = [v for v in pod["volumes"] if v["name"] == volume]
        if variable == "TMPDIR":
            # Nothing else limits workbooks, and a pod whose emptyDir passes its limit is evicted.
            claim = mounted["ephemeral"]["volumeClaimTemplate"]["spec"]
            assert claim["resources"]["requests"]["storage"]
        else:
            assert "medium" not in mounted["emptyDir"]
            assert mounted["emptyDir"]["sizeLimit"]


def scaling_queries() -> dict[str, str]:
    """The queries by which KEDA scales, by the queues of the worker that is scaled."""
    queries = {}
    for scaler in of_kind("ScaledObject").values():
        [trigger] = scaler["spec"]["triggers"]
        args = pods()[scaler["spec"]["scaleTargetRef"]["name"]]["containers"][0]["args"]
        [queues] = [word.removeprefix("--queues=") for word in args if word.startswith("--queues=")]
        queries[queues] = trigger["metadata"]["query"]
    return queries


def test_every_deployment_that_is_scaled_by_its_queue_has_no_number_of_its_own() -> None:
    deployments = of_kind("Deployment")
    scaled = {m["spec"]["scaleTargetRef"]["name"] for m in of_kind("ScaledObject").values()}
    assert scaled == {"quiz-reports-worker", "quiz-reports-worker-large"}
    assert not any("replicas" in deployments[name]["spec"] for name in scaled)


def test_workers_are_scaled_by_the_age_of_the_oldest_job_that_waits_in_their_queue(
    api: Api, tmp_path: Path
) -> None:
    for report_type in ("student_analysis", "item_analysis"):
        api.post(reports_path(), json={"quiz_report": {"report_type": report_type}})
    with api.database.transaction() as session:
        of_report = update(QuizReport).where(QuizReport.report_type == "item_analysis")
        session.execute(of_report.values(queue="large", updated_at=func.now() - text("interval '700 s'")))
    exposed = text_string_to_metric_families(current_metrics(api.database).decode())
    [family] = [family for family in exposed if family.name == "quiz_reports_oldest_job_seconds"]
    ages = {
        sample.labels["queue"]: sample.value
        for sample in family.samples
        if sample.labels["state"] == "queued"
    }
    assert ages["large"] > 700 > ages["small"] > 0
    series = []
    # Two processes of the API show the same jobs, and Prometheus tells them apart by their instances.
    for sample, instance in itertools.product(family.samples, "ab"):
        labels = {**sample.labels, "instance": instance}.items()
        written = ",".join(f'{name}="{value}"' for name, value in labels)
        series.append({"series": f"{sample.name}{{{written}}}", "values": str(sample.value)})
    cases = [
        {"expr": query, "eval_time": "0s", "exp_samples": [{"labels": "{}", "value": ages[queue]}]}
        for queue, query in scaling_queries().items()
    ]
    file = tmp_path / "scaling_test.yml"
    file.write_text(yaml.safe_dump({"tests": [{"input_series": series, "promql_expr_test": cases}]}))
    promtool("test", "rules", str(file))


def test_policies_close_our_pods_alone_and_open_what_is_served() -> None:
    policies = {name: manifest["spec"] for name, manifest in of_kind("NetworkPolicy").items()}
    ours = {"app.kubernetes.io/name": "quiz-reports"}
    ports = {
        name: {port["name"] for port in pod["containers"][0].get("ports", ())} for name, pod in pods().items()
    }
    for policy in policies.values():
        # The ways out are open: to the servers, the store, and the names of both.
        assert policy["policyTypes"] == ["Ingress"]
        assert policy["podSelector"]["matchLabels"].items() >= ours.items()
    assert policies["quiz-reports"] == {
        "podSelector": {"matchLabels": ours},
        "policyTypes": ["Ingress"],
        "ingress": [],
    }
    [api] = policies["quiz-reports-api"]["ingress"]
    [metrics] = policies["quiz-reports-metrics"]["ingress"]
    assert ports["quiz-reports-api"] == {port["port"] for port in api["ports"]} == {"http"}
    for name in ("quiz-reports-worker", "quiz-reports-worker-large", "quiz-reports-sweeper"):
        assert ports[name] == {port["port"] for port in metrics["ports"]} == {"metrics"}


def test_a_disruption_leaves_one_of_each_part_that_clients_need() -> None:
    budgets = {name: m["spec"] for name, m in of_kind("PodDisruptionBudget").items()}
    assert budgets["quiz-reports-api"]["minAvailable"] == 1
    assert budgets["quiz-reports-worker"]["maxUnavailable"] == 1
