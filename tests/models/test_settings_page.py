"""Every setting stands on the page of settings, with its default and meaning."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from models.settings import Settings

ROOT = Path(__file__).parents[2]
SETTINGS = Settings.documented()


def row(setting: dataclasses.Field[Any]) -> str:
    """The line of the page for this setting: paste it there when the test misses it."""
    match setting.default:
        case "" | ():
            default = "none"
        case bool():
            default = str(setting.default).lower()
        case float():
            default = f"{setting.default:g}"
        case _:
            default = str(setting.default)
    return f"| `{setting.metadata['env']}` | {default} | {setting.metadata['description']} |"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: str(setting.name))
@pytest.mark.contract("9 Settings", "one page lists them all")
def test_the_page_says_variable_default_and_meaning(setting: dataclasses.Field[Any]) -> None:
    assert row(setting) in (ROOT / "ops" / "settings.md").read_text().splitlines()


def test_the_page_names_no_setting_that_does_not_exist() -> None:
    lines = (ROOT / "ops" / "settings.md").read_text().splitlines()
    assert {line for line in lines if re.match(r"\| `[A-Z_]+`", line)} == {
        row(setting) for setting in SETTINGS
    }


def test_the_readme_names_what_a_service_cannot_do_without_and_links_the_page() -> None:
    readme = (ROOT / "README.md").read_text()
    first = [s.metadata["env"] for s in SETTINGS if not s.metadata["env"].startswith("QUIZ_REPORTS_")]
    assert [variable for variable in first if f"| `{variable}` |" not in readme] == []
    assert "(ops/settings.md)" in readme
