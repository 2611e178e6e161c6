"""The order of stopping."""

from __future__ import annotations

from pathlib import Path

from ops.local.supervisor import Supervisor


class Part:
    """A part that notes what is done to it."""

    log: Path | None = None

    def __init__(self, name: str, notes: list[str], *, interrupted: bool = False) -> None:
        self.name = name
        self._notes = notes
        self._interrupted = interrupted

    def start(self) -> None:
        self._notes.append(f"start {self.name}")

    def ask_to_stop(self) -> None:
        self._notes.append(f"ask {self.name}")

    def stop(self, patience: float = 30.0) -> None:
        self._notes.append(f"stop {self.name} within {patience:g}")
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt

    def is_running(self) -> bool:
        return True


def test_all_are_asked_at_once_and_the_last_started_is_waited_for_first() -> None:
    notes: list[str] = []
    supervisor = Supervisor(print)
    for name in ("database", "api"):
        supervisor.start(Part(name, notes))

    supervisor.stop()

    assert notes[:2] == ["start database", "start api"]
    assert notes[2:] == ["ask api", "ask database", "stop api within 30", "stop database within 30"]


def test_an_interrupt_while_stopping_makes_it_hurry_and_leaves_nobody_behind() -> None:
    notes: list[str] = []
    supervisor = Supervisor(print)
    supervisor.start(Part("database", notes))
    supervisor.start(Part("api", notes, interrupted=True))

    supervisor.stop()

    assert notes[4:] == ["stop api within 30", "stop api within 1", "stop database within 1"]
