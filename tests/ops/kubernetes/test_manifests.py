"""The manifests are valid for Kubernetes, and agree with the commands and metrics that exist."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from models.settings import Settings
from ops.cli import cli
from ops.serve.worker_node import STOP_SECONDS
from tests.ops.prometheus.test_rules import existing_metrics

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
        assert {name.removesuffix("_FILE") for name in names} <= known


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


def test_no_probe_asks_another_part() -> None:
    # A restart of all pods would make an outage of the database or the broker worse.
    for pod in pods().values():
        liveness = pod["containers"][0].get("livenessProbe", {})
        assert "doctor" not in str(liveness)
        assert "readyz" not in str(liveness)


def test_every_deployment_that_is_scaled_by_its_queue_has_no_number_of_its_own() -> None:
    deployments = of_kind("Deployment")
    scaled = {m["spec"]["scaleTargetRef"]["name"]: m for m in of_kind("ScaledObject").values()}
    assert scaled.keys() == {"quiz-reports-worker", "quiz-reports-worker-large"}
    for name, scaler in scaled.items():
        assert "replicas" not in deployments[name]["spec"]
        [trigger] = scaler["spec"]["triggers"]
        query = trigger["metadata"]["query"]
        assert set(re.findall(r"quiz_reports[a-z_]+", query)) <= set(existing_metrics())
        # The queue that this worker takes, and jobs that wait.
        [queues] = [
            word.removeprefix("--queues=")
            for word in pods()[name]["containers"][0]["args"]
            if word.startswith("--queues=")
        ]
        assert f'queue="{queues}",state="queued"' in query


def test_a_disruption_leaves_one_of_each_part_that_clients_need() -> None:
    budgets = {name: m["spec"] for name, m in of_kind("PodDisruptionBudget").items()}
    assert budgets["quiz-reports-api"]["minAvailable"] == 1
    assert budgets["quiz-reports-worker"]["maxUnavailable"] == 1
