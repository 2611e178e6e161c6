"""The settings of the service: read from the environment once, then frozen."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.errors import InvalidSettingError

# Public, so only `quiz-reports up` accepts it, for the stack of one machine.
DEFAULT_SECRET_KEY = "insecure-development-key"  # noqa: S105
MINIMUM_SECRET_KEY_LENGTH = 32

_PREFIX = "QUIZ_REPORTS_"
_LIKE_PREFIX = re.compile("quiz_?reports?_", re.IGNORECASE)
# The share of characters that a misspelt name has in common with the right one.
_NEARLY = 0.8

# What a process that accepts JWTs needs beside the address of their keys.
_WITH_KEYS = ("jwt_issuer", "jwt_audience")
_STORE = re.compile("file:///[^?#]*[^?#/]/*|s3://[A-Za-z0-9._-]+(/[^?#]*)?")
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def _boolean(text: str) -> bool:
    match text.strip().lower():
        case "true" | "1" | "on" | "yes" | "t":
            return True
        case "false" | "0" | "off" | "no" | "f" | "":
            return False
    raise ValueError("must be true or false")


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        # Python's reason speaks of literals and bases.
        raise ValueError("must be a whole number") from None


def _positive(text: str) -> int:
    if (number := _whole_number(text)) < 1:
        raise ValueError("must be at least 1")
    return number


def _not_negative(text: str) -> int:
    if (number := _whole_number(text)) < 0:
        raise ValueError("must not be negative")
    return number


def _positive_seconds(text: str) -> float:
    reason = "must be a number of seconds above 0, and less than a year"
    try:
        number = float(text)
    except ValueError:
        raise ValueError(reason) from None
    if not 0 < number < 86_400 * 365:
        raise ValueError(reason)
    return number


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def _require_address(rest: str) -> None:
    """Refuse a URL that libraries would parse differently: their error might quote the password."""
    credentials, _, address = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    ports = [re.sub(r"^\[[^\]]*\]|^[^:\[\]]*", "", host) for host in address.split(",")]
    if "@" in credentials or not all(re.fullmatch(r"(:[0-9]{0,5})?", port) for port in ports):
        raise ValueError(
            "has no host and port where they belong (in a password, write @ / ? # as %40 %2F %3F %23)"
        )


def _postgresql_url(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        raise ValueError("must begin with postgresql://")
    rest = text.split("://", 1)[1]
    _require_address(rest)
    return f"postgresql://{rest}"


def _redis_url(text: str) -> str:
    if not text.startswith(("redis://", "rediss://")):
        raise ValueError("must begin with redis:// or rediss://; Redis Cluster cannot be a Celery broker")
    _require_address(text.split("://", 1)[1])
    return text


def _storage_url(text: str) -> str:
    if not _STORE.fullmatch(text):
        raise ValueError("must be file:///path or s3://bucket/prefix, without ? or #")
    return text.rstrip("/")


def _base_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return text.rstrip("/")


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.replace(",", " ").split())
    if not all(re.fullmatch(r"https://[A-Za-z0-9*.-]+(:[0-9]{1,5})?", origin) for origin in origins):
        raise ValueError("must be origins such as https://lms.example.edu, separated by commas")
    return origins


def _key_set_url(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        # The library's reason would print a password.
        raise ValueError("is no address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
        raise ValueError("must begin with https://, since an attacker could replace the keys on the way")
    return text


def _content(variable: str, environ: Mapping[str, str]) -> str:
    if not (path := environ.get(variable, "")):
        return ""
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettingError(f"{variable} names a file that cannot be read ({error})") from None


def _setting(
    env: str, parse: Callable[[str], Any], default: Any, description: str, *, is_secret: bool = False
) -> Any:
    metadata = {"env": env, "parse": parse, "description": description}
    return field(default=default, repr=not is_secret, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Every setting of the service; each field names its environment variable, default and meaning.

    The representation leaves secrets out, so a traceback or a log shows none.
    """

    database_url: str = _setting(
        "DATABASE_URL",
        _postgresql_url,
        "",
        "PostgreSQL, `postgresql://user:password@host:port/database`",
        is_secret=True,
    )
    redis_url: str = _setting(
        "REDIS_URL",
        _redis_url,
        "",
        "Redis or Valkey, the broker, `redis://host:port/0`",
        is_secret=True,
    )
    storage_url: str = _setting(
        "STORAGE_URL",
        _storage_url,
        "",
        "store of report files: `file:///path` or `s3://bucket/prefix` (with the usual `AWS_*` variables)",
    )
    public_url: str = _setting(
        "PUBLIC_URL",
        _base_url,
        "",
        "the address that clients use, the base of every URL in a response; empty: that of the request",
    )
    secret_key: str = _setting(
        "SECRET_KEY",
        str,
        "",
        "signs download verifiers and the sessions of pages; at least 32 characters, required outside `up`",
        is_secret=True,
    )
    lease_seconds: float = _setting(
        "QUIZ_REPORTS_LEASE_SECONDS",
        _positive_seconds,
        60.0,
        "how long a worker may be silent before another takes over its report",
    )
    sweep_seconds: float = _setting(
        "QUIZ_REPORTS_SWEEP_SECONDS",
        _positive_seconds,
        10.0,
        "how often the sweeper looks for lost jobs",
    )
    max_tries: int = _setting(
        "QUIZ_REPORTS_MAX_TRIES",
        _positive,
        3,
        "how many workers may be lost while generating one report before it fails",
    )
    course_jobs: int = _setting(
        "QUIZ_REPORTS_COURSE_JOBS",
        _positive,
        8,
        "how many jobs of one course the broker holds or workers run at a time; the others wait for their"
        " turn in the database. Not less than the worker slots that one course may keep busy",
    )
    large_responses: int = _setting(
        "QUIZ_REPORTS_LARGE_RESPONSES",
        _positive,
        100_000,
        "from this many responses (attempts × questions) on, a report goes to the large queue",
    )
    chunk_attempts: int = _setting(
        "QUIZ_REPORTS_CHUNK_ATTEMPTS",
        _positive,
        5_000,
        "the most attempts that a worker holds in memory at a time",
    )
    max_json_bytes: int = _setting(
        "QUIZ_REPORTS_MAX_JSON_BYTES", _positive, 32 * 2**20, "the largest JSON body that is read"
    )
    max_ndjson_bytes: int = _setting(
        "QUIZ_REPORTS_MAX_NDJSON_BYTES", _positive, 2**30, "the largest NDJSON body that is read"
    )
    upload_folder: str = _setting(
        "QUIZ_REPORTS_UPLOAD_FOLDER",
        str,
        "",
        "the folder for pushed bodies beyond 1 MiB, in files without a name; on a disk, with room for"
        " `QUIZ_REPORTS_MAX_UPLOADS` × `QUIZ_REPORTS_MAX_NDJSON_BYTES` × the API's processes; empty: the"
        " system's folder of temporary files, which in a container may be memory",
    )
    max_uploads: int = _setting(
        "QUIZ_REPORTS_MAX_UPLOADS",
        _positive,
        4,
        "how many bodies beyond 1 MiB one API process receives at a time; a further one gets 503",
    )
    rate_limit: int = _setting(
        "QUIZ_REPORTS_RATE_LIMIT",
        _not_negative,
        0,
        "requests a minute that one token or session of pages may make, as many again by which open pages"
        " follow a job, and bad tokens or links that one address may send; 0: no limit",
    )
    retention_days: int = _setting(
        "QUIZ_REPORTS_RETENTION_DAYS",
        _not_negative,
        0,
        "after how many days a report's file is removed; 0: never",
    )
    formula_guard: bool = _setting(
        "QUIZ_REPORTS_FORMULA_GUARD",
        _boolean,
        False,
        "put `'` before texts that a spreadsheet would run as a formula; files then differ from Canvas's",
    )
    presigned_downloads: bool = _setting(
        "QUIZ_REPORTS_PRESIGNED_DOWNLOADS",
        _boolean,
        False,
        "redirect downloads to S3 instead of streaming the bytes through the API",
    )
    trusted_proxies: int = _setting(
        "QUIZ_REPORTS_TRUSTED_PROXIES",
        _not_negative,
        0,
        "how many buffering reverse proxies are in front of the API; their `X-Forwarded-For`, `-Proto`,"
        " `-Host` and `X-Request-Start` are trusted",
    )
    jwt_issuer: str = _setting("QUIZ_REPORTS_JWT_ISSUER", str, "", "the `iss` of JWTs that the LMS signs")
    jwt_audience: str = _setting("QUIZ_REPORTS_JWT_AUDIENCE", str, "", "the `aud` of JWTs that the LMS signs")
    jwt_jwks_url: str = _setting(
        "QUIZ_REPORTS_JWT_JWKS_URL",
        _key_set_url,
        "",
        "where the LMS publishes its signing keys, beside the two above; empty: no JWT is accepted",
        is_secret=True,
    )
    page_frame_origins: tuple[str, ...] = _setting(
        "QUIZ_REPORTS_PAGE_FRAME_ORIGINS",
        _origins,
        (),
        "origins that may show the pages in a frame, as `https://lms.example.edu`, separated by commas; the"
        " cookie of the pages is then sent in frames too, and needs HTTPS",
    )
    log_level: str = _setting(
        "QUIZ_REPORTS_LOG_LEVEL",
        _one_of("debug", "info", "warning", "error"),
        "info",
        "the lowest level that is logged",
    )
    log_format: str = _setting(
        "QUIZ_REPORTS_LOG_FORMAT",
        _one_of("json", "console"),
        "json",
        "`json`: one object a line; `console`: for people",
    )
    s3: Mapping[str, str] = field(default_factory=dict, repr=False, metadata={"env": "AWS_*"})

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, require: Collection[str] = ()) -> Settings:
        """Read the settings; an empty variable counts as absent, and each field of `require` must be set.

        With the address of an LMS's keys, the issuer and the audience of its JWTs must be set, too.
        Instead of a variable, one whose name has `_FILE` added may name a file that contains the value.
        Raises InvalidSettingError, which names all that is wrong.
        """
        values: dict[str, Any] = {"s3": {k: v for k, v in environ.items() if k.startswith("AWS_")}}
        invalid: dict[str, str] = {}
        for setting in cls.documented():
            env = setting.metadata["env"]
            try:
                if text := environ.get(env, "") or _content(f"{env}_FILE", environ):
                    values[setting.name] = setting.metadata["parse"](text)
            except InvalidSettingError as error:
                invalid[setting.name] = str(error)
            except ValueError as error:
                invalid[setting.name] = f"{env} {error}"
        settings = cls(**values)
        needed = [*require, *(_WITH_KEYS if settings.jwt_jwks_url else ())]
        missing = settings._missing([name for name in needed if name not in invalid])
        if reasons := [*invalid.values(), *missing]:
            raise InvalidSettingError(*reasons)
        return settings

    @classmethod
    def documented(cls) -> list[dataclasses.Field[Any]]:
        """List the fields that have their own variable; ops/settings.md describes each of them."""
        return [setting for setting in dataclasses.fields(cls) if "parse" in setting.metadata]

    @classmethod
    def find_misspelt(cls, environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
        """Find variables that no process reads, each with the setting whose name is nearly the same.

        Only near ones: Kubernetes adds variables such as QUIZ_REPORTS_API_SERVICE_HOST.
        """
        names = [setting.metadata["env"] for setting in cls.documented()]
        names += [f"{name}_FILE" for name in names]
        by_rest = {name.removeprefix(_PREFIX): name for name in names}
        for variable in sorted(environ):
            prefix = _LIKE_PREFIX.match(variable)
            if prefix is None or variable in names:
                continue
            rest = variable[prefix.end() :].upper()
            for near in difflib.get_close_matches(rest, by_rest, n=1, cutoff=_NEARLY):
                yield variable, by_rest[near]

    def require(self, *names: str) -> Settings:
        """Return these settings if each named field is set and safe, else raise InvalidSettingError."""
        if reasons := list(self._missing(names)):
            raise InvalidSettingError(*reasons)
        return self

    def _missing(self, names: Collection[str]) -> Iterator[str]:
        """Say which of the named fields are not set, or not safe."""
        for name in names:
            if not getattr(self, name):
                env = next(f.metadata["env"] for f in dataclasses.fields(self) if f.name == name)
                yield f"{env} is not set"
            elif name == "secret_key" and (
                self.secret_key == DEFAULT_SECRET_KEY or len(self.secret_key) < MINIMUM_SECRET_KEY_LENGTH
            ):
                yield f"SECRET_KEY must be a secret of at least {MINIMUM_SECRET_KEY_LENGTH} characters"
