"""The stages beside a job's own thread: one item each, failures raised in time, no thread left."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from workers.overlap import read_ahead, write_behind

PATIENCE = 60.0


class FaultError(Exception):
    pass


def stage_threads() -> list[str]:
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name.startswith(("read-ahead", "write-behind"))]


def test_one_item_is_read_while_the_one_before_it_is_used() -> None:
    begun = [threading.Event() for _ in range(4)]

    def numbers() -> Generator[int]:
        for number, event in enumerate(begun):
            event.set()
            yield number

    with read_ahead(numbers()) as items:
        assert next(items) == 0
        assert begun[1].wait(PATIENCE)
        assert not begun[2].is_set()
        assert list(items) == [1, 2, 3]
    assert stage_threads() == []


def test_a_failure_of_reading_is_raised_at_the_next_item() -> None:
    def failing() -> Generator[int]:
        yield 1
        raise FaultError

    with read_ahead(failing()) as items:
        assert next(items) == 1
        with pytest.raises(FaultError):
            next(items)
    assert stage_threads() == []


def test_reading_ends_with_its_block_whatever_ends_that() -> None:
    closed = threading.Event()

    def endless() -> Generator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    def use_one() -> None:
        with read_ahead(endless()) as items:
            next(items)
            raise FaultError

    with pytest.raises(FaultError):
        use_one()
    assert closed.is_set()
    assert stage_threads() == []


def test_nothing_is_an_end_at_once() -> None:
    def nothing() -> Generator[int]:
        yield from ()

    with read_ahead(nothing()) as items:
        assert list(items) == []
    assert stage_threads() == []


def test_one_item_is_written_while_the_next_is_made() -> None:
    begun, may_end, written = threading.Event(), threading.Event(), []

    def write(item: int) -> None:
        begun.set()
        assert may_end.wait(PATIENCE)
        written.append(item)

    with write_behind(write) as hand_over:
        hand_over(1)
        assert begun.wait(PATIENCE)
        assert written == []
        may_end.set()
        hand_over(2)
        # The first is written before the second is taken.
        assert 1 in written
    assert written == [1, 2]
    assert stage_threads() == []


def test_a_failure_of_writing_is_raised_at_the_next_item_or_at_the_end() -> None:
    attempted = []

    def fail(item: int) -> None:
        attempted.append(item)
        raise FaultError

    def write_two() -> None:
        with write_behind(fail) as hand_over:
            hand_over(1)
            hand_over(2)

    def write_one() -> None:
        with write_behind(fail) as hand_over:
            hand_over(1)

    for block in (write_two, write_one):
        with pytest.raises(FaultError):
            block()
    assert attempted == [1, 1]
    assert stage_threads() == []


def test_nothing_more_is_written_after_a_failure_of_the_block() -> None:
    written: list[int] = []

    def fail_after_one() -> None:
        with write_behind(written.append) as hand_over:
            hand_over(1)
            raise FaultError

    with pytest.raises(FaultError):
        fail_after_one()
    assert written == [1]
    assert stage_threads() == []
