"""Workbooks as their readers see them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

_CONVERSION_SECONDS = 300

# Texts that a spreadsheet might take for a formula, a link, markup or another type.
HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    '=HYPERLINK("http://evil.example")',
    "{=1+1}",
    "\t=1+1",
    "=\r\n1",
    "http://evil.example",
    "mailto:x@evil.example",
    "internal:Sheet1!A1",
    "<r>text</r>",
    "<r><t>&bogus;</t></r>",
    "</t></is></c>",
    " spaces ",
    "line\nbreak",
    "carriage\rreturn",
    "_x0041_",
    "\x01\x1f\x7f",
    "山 👍 e\u0301",
    "TRUE",
    "1.0",
    "2026-09-10",
    "#N/A",
    "'quoted",
]


def sheets(content: bytes) -> dict[str, list[list[Any]]]:
    """Return the rows of each sheet."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def saved_by_libreoffice(contents: Sequence[bytes], folder: Path) -> list[bytes]:
    """Return workbooks as LibreOffice saves them; skip the test where it is not installed, except in CI."""
    program = shutil.which("soffice")
    if program is None and not os.environ.get("CI"):
        pytest.skip("LibreOffice is not installed (Debian and Ubuntu: apt install libreoffice-calc-nogui)")
    assert program is not None, "CI needs LibreOffice"
    opened, saved = folder / "opened", folder / "saved"
    opened.mkdir()
    paths = [opened / f"{number}.xlsx" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    subprocess.run(
        [
            program,
            f"-env:UserInstallation=file://{folder}/profile",
            "--headless",
            "--convert-to",
            "xlsx",
            "--outdir",
            str(saved),
            *map(str, paths),
        ],
        check=True,
        capture_output=True,
        timeout=_CONVERSION_SECONDS,
    )
    return [(saved / path.name).read_bytes() for path in paths]
