"""Settings are read once, strictly, and give no secret away."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from models.errors import InvalidSettingError
from models.settings import DEFAULT_SECRET_KEY, Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_an_empty_variable_counts_as_absent() -> None:
    assert Settings.from_env({"QUIZ_REPORTS_LEASE_SECONDS": ""}).lease_seconds == 60.0


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("DATABASE_URL", "postgres://u:p@h/d", "database_url", "postgresql://u:p@h/d"),
        ("DATABASE_URL", "postgresql+psycopg://u:p@h/d", "database_url", "postgresql://u:p@h/d"),
        ("REDIS_URL", "rediss://:p@h:6380/1", "redis_url", "rediss://:p@h:6380/1"),
        ("STORAGE_URL", "s3://bucket/prefix/", "storage_url", "s3://bucket/prefix"),
        ("PUBLIC_URL", "https://reports.example.edu/", "public_url", "https://reports.example.edu"),
        ("QUIZ_REPORTS_LEASE_SECONDS", "2.5", "lease_seconds", 2.5),
        ("QUIZ_REPORTS_MAX_TRIES", "5", "max_tries", 5),
        ("QUIZ_REPORTS_RATE_LIMIT", "0", "rate_limit", 0),
        ("QUIZ_REPORTS_FORMULA_GUARD", "Yes", "formula_guard", True),
        ("QUIZ_REPORTS_FORMULA_GUARD", "off", "formula_guard", False),
        ("QUIZ_REPORTS_LOG_FORMAT", "console", "log_format", "console"),
        (
            "QUIZ_REPORTS_PAGE_FRAME_ORIGINS",
            "https://lms.example.edu, https://*.example.org:8443",
            "page_frame_origins",
            ("https://lms.example.edu", "https://*.example.org:8443"),
        ),
        ("QUIZ_REPORTS_JWT_JWKS_URL", "http://localhost/jwks", "jwt_jwks_url", "http://localhost/jwks"),
    ],
)
def test_a_setting_is_read(variable: str, text: str, field: str, value: object) -> None:
    with_keys = {"QUIZ_REPORTS_JWT_ISSUER": "i", "QUIZ_REPORTS_JWT_AUDIENCE": "a"}
    assert getattr(Settings.from_env(with_keys | {variable: text}), field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DATABASE_URL", "sqlite:///file"),
        ("DATABASE_URL", "postgresql://u:p/w@h/d"),
        ("REDIS_URL", "redis+cluster://h"),
        ("STORAGE_URL", "/var/files"),
        ("STORAGE_URL", "file://relative"),
        ("STORAGE_URL", "file:///"),
        ("STORAGE_URL", "file:///files?old"),
        ("STORAGE_URL", "file:///files#old"),
        ("STORAGE_URL", "s3://"),
        ("STORAGE_URL", "s3://[x"),
        ("PUBLIC_URL", "reports.example.edu"),
        ("QUIZ_REPORTS_LEASE_SECONDS", "0"),
        ("QUIZ_REPORTS_LEASE_SECONDS", "nan"),
        ("QUIZ_REPORTS_LEASE_SECONDS", "inf"),
        ("QUIZ_REPORTS_MAX_TRIES", "0"),
        ("QUIZ_REPORTS_MAX_TRIES", "three"),
        ("QUIZ_REPORTS_RATE_LIMIT", "-1"),
        ("QUIZ_REPORTS_FORMULA_GUARD", "maybe"),
        ("QUIZ_REPORTS_LOG_LEVEL", "loud"),
        ("QUIZ_REPORTS_PAGE_FRAME_ORIGINS", "http://lms.example.edu"),
        ("QUIZ_REPORTS_PAGE_FRAME_ORIGINS", "https://lms.example.edu/path"),
        ("QUIZ_REPORTS_JWT_JWKS_URL", "http://lms.example.edu/jwks"),
    ],
)
def test_what_cannot_be_read_names_its_variable(variable: str, text: str) -> None:
    with pytest.raises(InvalidSettingError, match=rf"^{variable} "):
        Settings.from_env({variable: text})


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("QUIZ_REPORTS_MAX_TRIES", "three", "must be a whole number"),
        ("QUIZ_REPORTS_RATE_LIMIT", "1.5", "must be a whole number"),
        ("QUIZ_REPORTS_LEASE_SECONDS", "1m", "must be a number of seconds above 0, and less than a year"),
        ("QUIZ_REPORTS_LEASE_SECONDS", "1e9", "must be a number of seconds above 0, and less than a year"),
    ],
)
def test_what_is_not_a_number_is_told_in_the_words_of_an_operator(
    variable: str, text: str, reason: str
) -> None:
    with pytest.raises(InvalidSettingError, match=rf"^{variable} {reason}$"):
        Settings.from_env({variable: text})


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("QUIZ_REPORTS_UPLODA_FOLDER", "QUIZ_REPORTS_UPLOAD_FOLDER"),
        ("QUIZ_REPORTS_LOGLEVEL", "QUIZ_REPORTS_LOG_LEVEL"),
        ("QUIZ_REPORTS_RETENTION_DAY", "QUIZ_REPORTS_RETENTION_DAYS"),
        ("QUIZ_REPORTS_JWT_JWK_URL_FILE", "QUIZ_REPORTS_JWT_JWKS_URL_FILE"),
        ("QUIZ_REPORT_LOG_LEVEL", "QUIZ_REPORTS_LOG_LEVEL"),
        ("quiz_reports_log_level", "QUIZ_REPORTS_LOG_LEVEL"),
        ("QUIZ_REPORTS_DATABASE_URL", "DATABASE_URL"),
    ],
)
def test_a_misspelt_variable_is_found_with_the_setting_that_it_means(variable: str, meant: str) -> None:
    assert list(Settings.find_misspelt({variable: "1"})) == [(variable, meant)]


def test_the_settings_and_the_variables_of_others_are_not_misspelt() -> None:
    settings = [setting.metadata["env"] for setting in Settings.documented()]
    # The client's, Kubernetes's for services of these names, and other programs'.
    others = ["QUIZ_REPORTS_URL", "QUIZ_REPORTS_TOKEN", "MAX_TRIE"]
    for service in ("QUIZ_REPORTS", "QUIZ_REPORTS_API", "QUIZ_REPORTS_POSTGRES", "QUIZ_REPORTS_REDIS"):
        others += [
            f"{service}_{end}" for end in ("PORT", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP")
        ]
        others += [f"{service}_PORT_8000_TCP{end}" for end in ("", "_ADDR", "_PORT", "_PROTO")]
    names = [*settings, *(f"{name}_FILE" for name in settings), *others]

    assert not list(Settings.find_misspelt(dict.fromkeys(names, "1")))


def test_aws_variables_are_handed_to_the_store() -> None:
    settings = Settings.from_env({"AWS_REGION": "eu-north-1", "HOME": "/root"})
    assert settings.s3 == {"AWS_REGION": "eu-north-1"}


def test_an_address_of_keys_that_cannot_be_read_does_not_show_its_password() -> None:
    with pytest.raises(InvalidSettingError) as error:
        Settings.from_env({"QUIZ_REPORTS_JWT_JWKS_URL": "https://user:canary℀@h/keys"})
    assert "canary" not in str(error.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().max_tries = 4  # type: ignore[misc]


def test_no_secret_shows_in_the_representation() -> None:
    settings = Settings(
        database_url="postgresql://u:canary@h/d",
        redis_url="redis://:canary@h",
        secret_key="canary",
        jwt_jwks_url="https://u:canary@h/keys",
        s3={"AWS_SECRET_ACCESS_KEY": "canary"},
    )
    assert "canary" not in repr(settings)


def test_a_required_setting_that_is_missing_is_named() -> None:
    with pytest.raises(InvalidSettingError, match="REDIS_URL is not set"):
        Settings(database_url="postgresql://h/d").require("database_url", "redis_url")


def test_all_that_is_wrong_is_named_at_once_in_one_line(tmp_path: Path) -> None:
    environ = {
        "REDIS_URL": "redis+cluster://h",
        "STORAGE_URL_FILE": str(tmp_path),
        "QUIZ_REPORTS_MAX_TRIES": "three",
        "SECRET_KEY": "short",
    }
    required = ("database_url", "redis_url", "storage_url", "secret_key")

    with pytest.raises(InvalidSettingError) as error:
        Settings.from_env(environ, required)

    assert [reason.split()[0] for reason in str(error.value).split("; ") if reason.split()[0].isupper()] == [
        "REDIS_URL",
        "STORAGE_URL_FILE",
        "QUIZ_REPORTS_MAX_TRIES",
        "DATABASE_URL",
        "SECRET_KEY",
    ]
    assert "\n" not in str(error.value)
    with pytest.raises(InvalidSettingError, match=r"^DATABASE_URL is not set; SECRET_KEY is not set$"):
        Settings(redis_url="redis://h").require("database_url", "redis_url", "secret_key")


def test_keys_of_an_lms_need_its_issuer_and_audience_too() -> None:
    environ = {"QUIZ_REPORTS_JWT_JWKS_URL": "https://lms.example.edu/keys", "QUIZ_REPORTS_JWT_AUDIENCE": "a"}

    with pytest.raises(
        InvalidSettingError, match=r"^DATABASE_URL is not set; QUIZ_REPORTS_JWT_ISSUER is not set$"
    ):
        Settings.from_env(environ, ("database_url",))


@pytest.mark.parametrize("key", [DEFAULT_SECRET_KEY, "short"])
@pytest.mark.contract("9 Settings", "SECRET_KEY is required outside up")
def test_a_secret_key_that_others_could_know_is_refused(key: str) -> None:
    with pytest.raises(InvalidSettingError, match="SECRET_KEY must be a secret"):
        Settings(secret_key=key).require("secret_key")


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret_key"
    file.write_text("x" * 32 + "\n")
    assert Settings.from_env({"SECRET_KEY_FILE": str(file)}).secret_key == "x" * 32
    # The variable itself counts more.
    assert Settings.from_env({"SECRET_KEY": "y", "SECRET_KEY_FILE": str(file)}).secret_key == "y"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingError, match="SECRET_KEY_FILE names a file that cannot be read"):
        Settings.from_env({"SECRET_KEY_FILE": str(tmp_path / "missing")})
