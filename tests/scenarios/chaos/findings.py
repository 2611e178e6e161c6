"""What a run found: one row a fault, printed at the end and written to a file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """How often a fault was made, and what came of it."""

    fault: str
    rounds: int
    result: str
    not_shown: str = ""


@dataclass
class Findings:
    """The findings of one run."""

    seed: int
    cut: bool
    rows: list[Finding] = field(default_factory=list)

    def add(self, fault: str, rounds: int, result: str, *, not_shown: str = "") -> None:
        self.rows.append(Finding(fault, rounds, result, not_shown))

    def lines(self) -> list[str]:
        """Lay the table out for a terminal."""
        width = max((len(row.fault) for row in self.rows), default=0)
        lines = [f"{'fault':<{width}}  rounds  result", f"{'-' * width}  ------  ------"]
        for row in sorted(self.rows, key=_place):
            lines.append(f"{row.fault:<{width}}  {row.rounds:>6}  {row.result}")
            if row.not_shown:
                lines.append(f"{'':<{width}}          not shown: {row.not_shown}")
        kind = "a cut of the rounds" if self.cut else "all rounds"
        return [*lines, f"{kind}; seed {self.seed}"]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n")


def _place(row: Finding) -> tuple[int, str]:
    number = row.fault.split(" ")[0].rstrip("abcdef.")
    return (int(number) if number.isdigit() else 99, row.fault)
