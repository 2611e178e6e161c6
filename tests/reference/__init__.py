"""Tests against real data and published figures; where the data come from: data/README.md."""

from pathlib import Path

DATA = Path(__file__).parent / "data"
