"""What a test of faults works with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.scenarios.chaos.client import Client
from tests.scenarios.chaos.findings import Findings
from tests.scenarios.chaos.invariants import Watch
from tests.scenarios.chaos.stack import Stack
from tests.scenarios.chaos.storage import FolderOnDisk
from tests.school import School


@dataclass(frozen=True)
class Run:
    """Everything that a test of faults works with."""

    stack: Stack
    school: School
    client: Client
    watch: Watch
    folder: FolderOnDisk
    findings: Findings
    jitter: random.Random

    def rounds(self, full: int, cut: int) -> int:
        """Tell how many rounds to make."""
        return cut if self.findings.cut else full


@contextmanager
def watched(stack: Stack, folder: FolderOnDisk, findings: Findings) -> Iterator[Run]:
    """Watch a service whose servers run until the block ends."""
    client, own = Client(stack), Client(stack)
    watch = Watch(stack, own, folder)
    watch.start()
    try:
        yield Run(
            stack=stack,
            school=School(stack.postgres.url),
            client=client,
            watch=watch,
            folder=folder,
            findings=findings,
            jitter=random.Random(findings.seed),
        )
    finally:
        watch.stop()
        client.close()
        own.close()
