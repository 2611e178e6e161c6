"""What the tests of the pages share: a browser that draws and runs scripts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect, sync_playwright

from models.db.session import Database
from models.settings import Settings
from ops.local.ports import free_port
from tests import serving
from tests.factories import Api, open_api

# In milliseconds. By default five seconds, in which a busy machine may not have drawn a page.
PATIENCE = 60_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Debian's Chromium without a window."""
    program = shutil.which("chromium")
    if program is None:
        assert not os.environ.get("CI"), "chromium is not installed"
        pytest.skip("chromium is not installed")
    # Its sandbox does not start as root.
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, chromium_sandbox=os.geteuid() != 0)
        yield chromium
        chromium.close()


@pytest.fixture
def served(settings: Settings, database: Database) -> Iterator[Api]:
    """An application that a browser can reach at its public URL."""
    port = free_port()
    public = replace(settings, public_url=f"http://127.0.0.1:{port}")
    with open_api(public, database) as api, serving.served(api.app, port):
        yield api
