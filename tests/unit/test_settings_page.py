"""Every setting stands on the settings page and in the README, with its default and meaning."""

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
        case "":
            default = "none"
        case bool():
            default = str(setting.default).lower()
        case float():
            default = f"{setting.default:g}"
        case _:
            default = str(setting.default)
    return f"| `{setting.metadata['env']}` | {default} | {setting.metadata['description']} |"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: str(setting.name))
def test_the_page_says_variable_default_and_meaning(setting: dataclasses.Field[Any]) -> None:
    assert row(setting) in (ROOT / "ops" / "settings.md").read_text().splitlines()


def test_the_page_names_no_setting_that_does_not_exist() -> None:
    lines = (ROOT / "ops" / "settings.md").read_text().splitlines()
    assert {line for line in lines if re.match(r"\| `[A-Z_]+`", line)} == {
        row(setting) for setting in SETTINGS
    }


def test_the_readme_names_every_setting() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [s.metadata["env"] for s in SETTINGS if f"`{s.metadata['env']}`" not in readme] == []
