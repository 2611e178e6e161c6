"""A running worker drops every message that is not one of ours, and goes on."""

from __future__ import annotations

import base64
import gzip
import json
import os
import pickle
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from models.publisher import GENERATE_REPORT, JobPublisher
from models.reports.tables import JobMessage, Queue
from models.settings import Settings
from tests.waiting import wait_for

# Reports that do not exist: the worker logs each as one that cannot be claimed.
_UNKNOWN = count(10**12)


@dataclass(frozen=True)
class Node:
    """A worker of one slot, with its log."""

    process: subprocess.Popen[bytes]
    log: Path
    broker: redis.Redis
    publisher: JobPublisher
    log_start: int = 0

    @property
    def logged(self) -> str:
        return self.log.read_text()[self.log_start :]

    def handles_jobs(self) -> bool:
        """Send a job, and wait until this same process has handled it."""
        report_id = next(_UNKNOWN)
        assert self.publisher.send(JobMessage(report_id, report_id, Queue.SMALL, 1))
        return self.logs(f'"report_id": {report_id}')

    def logs(self, text: str, times: int = 1) -> bool:
        """Wait until the log holds a text so often; False if the process has ended."""
        wait_for(lambda: self.process.poll() is not None or self.logged.count(text) >= times)
        return self.process.poll() is None


@contextmanager
def running_node(settings: Settings, log: Path) -> Iterator[Node]:
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "STORAGE_URL": settings.storage_url,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ops.cli", "worker"], env=environment, stdout=output, stderr=output
        )
    publisher = JobPublisher(settings.redis_url)
    try:
        with redis.Redis.from_url(settings.redis_url) as broker:
            yield Node(process, log, broker, publisher)
    finally:
        publisher.close()
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def running(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(module_settings, tmp_path_factory.mktemp("worker") / "log") as running:
        assert running.handles_jobs()
        yield running


@pytest.fixture
def node(running: Node) -> Node:
    """The worker that all tests share, with the part of its log that it writes from now on."""
    return replace(running, log_start=len(running.log.read_text()))


def body(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.b64encode(raw).decode()


def envelope(content: Any = b"", **others: Any) -> dict[str, Any]:
    """Make a message as Celery sends it, with other content or parts; a part that is None is left out."""
    headers = {
        "lang": "py",
        "task": GENERATE_REPORT,
        "id": "forged",
        "eta": None,
        "expires": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": "forged",
        "parent_id": None,
        **others.pop("task_headers", {}),
    }
    message = {
        "body": body(content),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": "forged",
            "delivery_info": {"exchange": "", "routing_key": "small"},
            "priority": 0,
            **others.pop("task_properties", {}),
        },
        **others,
    }
    return {name: part for name, part in message.items() if part is not None}


GOOD: list[Any] = [[], {"report_id": 1, "progress_id": 1}, {}]
_DEEP = b"[" * 100_000 + b"]" * 100_000
_BOMB = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
BAD_ENVELOPES: Mapping[str, bytes] = {
    "empty": b"",
    "no JSON": b"no message at all",
    "a pickle": pickle.dumps({"a": 1}),
    "no UTF-8": b'{"body": "\xff\xfe"}',
    "UTF-16": json.dumps(envelope(GOOD)).encode("utf-16"),
    "a number": b"1",
    "a huge number": b"9" * 10_000,
    "null": b"null",
    "a list": b"[]",
    "a text": b'"text"',
    "an empty object": b"{}",
    "a body alone": b'{"body": ""}',
    "deep": _DEEP,
    "10 MB": json.dumps(envelope([[], {"report_id": "x" * 10_000_000}, {}])).encode(),
}
BAD_MESSAGES: Mapping[str, dict[str, Any]] = {
    "empty body": envelope(b""),
    "body left out": {**envelope(), "body": None},
    "body a number": {**envelope(), "body": 1},
    "invalid base64": {**envelope(), "body": "a"},
    "body no ASCII": {**envelope(), "body": "ü"},
    "body no JSON": envelope(b"no JSON"),
    "body no UTF-8": envelope(b"\xff"),
    "body deep": envelope(_DEEP),
    "body of another encoding": envelope(GOOD, task_properties={"body_encoding": "rot13"}),
    "number": envelope(1),
    "null body": envelope(None),
    "an object": envelope({"report_id": 1}),
    "protocol 1": envelope({"task": GENERATE_REPORT, "id": "x", "args": [], "kwargs": 1}, headers={}),
    "one element": envelope([1]),
    "four elements": envelope([*GOOD, 4]),
    "arguments of other types": envelope([1, 2, 3]),
    "texts for ids": envelope([[], {"report_id": "1", "progress_id": None}, {}]),
    "ids beyond the columns": envelope([[], {"report_id": 2**63, "progress_id": -1}, {}]),
    "further arguments": envelope([[], {**GOOD[1], "course_id": 1}, {}]),
    "by position": envelope([[1, 1], {}, {}]),
    "unknown task": envelope(GOOD, task_headers={"task": "celery.backend_cleanup"}),
    "task a list": envelope(GOOD, task_headers={"task": ["x"]}),
    "id a list": envelope(GOOD, task_headers={"id": ["x"]}),
    "id left out": envelope(GOOD, headers={"task": GENERATE_REPORT}),
    "headers left out": envelope(GOOD, headers=None),
    "headers a list": envelope(GOOD, headers=[]),
    "properties left out": envelope(GOOD, properties=None),
    "properties empty": envelope(GOOD, properties={}),
    "pickled": envelope(pickle.dumps(GOOD), **{"content-type": "application/x-python-serialize"}),
    "unknown type": envelope(GOOD, **{"content-type": "x/y"}),
    "compressed bomb": envelope(_BOMB, task_headers={"compression": "application/x-gzip"}),
    "compressed": envelope(zlib.compress(json.dumps(GOOD).encode()), task_headers={"compression": "zlib"}),
}
# A job that may be claimed is what the message says; whatever else it says does not count.
DISREGARDED: Mapping[str, dict[str, Any]] = {
    "compression that is not there": {"task_headers": {"compression": "application/x-gzip"}},
    "eta in the past": {"task_headers": {"eta": "0001-01-01T00:00:00+00:00"}},
    "eta far away": {"task_headers": {"eta": "9999-12-31T23:59:59+00:00"}},
    "eta no time": {"task_headers": {"eta": "x"}},
    "eta a number": {"task_headers": {"eta": 10**30}},
    "expired": {"task_headers": {"expires": "2000-01-01T00:00:00+00:00"}},
    "expires a list": {"task_headers": {"expires": [1]}},
    "no time": {"task_headers": {"timelimit": [0.001, 0.001]}},
    "timelimit a text": {"task_headers": {"timelimit": "x"}},
    "retries a text": {"task_headers": {"retries": "x"}},
    "another encoding": {"content-encoding": "rot13"},
    "delivery_tag a list": {"task_properties": {"delivery_tag": ["x"]}},
    "delivery_tag null": {"task_properties": {"delivery_tag": None}},
    "delivery_info left out": {"task_properties": {"delivery_info": None}},
    "delivery_info to nowhere": {"task_properties": {"delivery_info": {"exchange": "x", "routing_key": 1}}},
    "priority a text": {"task_properties": {"priority": "x"}},
}


def test_bytes_that_are_no_message_are_dropped_and_the_worker_goes_on(node: Node) -> None:
    messages = {**BAD_ENVELOPES, **{name: json.dumps(m).encode() for name, m in BAD_MESSAGES.items()}}
    for name, message in messages.items():
        refused = node.logged.count("message_refused")
        node.broker.lpush(Queue.SMALL.value, message)
        assert node.logs("message_refused", refused + 1), name
    assert node.handles_jobs()
    # A message is acknowledged a moment after its job has been logged.
    wait_for(lambda: not node.broker.exists(Queue.SMALL.value, "unacked", "unacked_index"))
    log = node.logged
    assert "Traceback" not in log
    assert log.count("message_refused") == len(messages)


def test_only_the_ids_of_a_message_count(node: Node) -> None:
    for name, others in DISREGARDED.items():
        report_id = next(_UNKNOWN)
        content = [[], {"report_id": report_id, "progress_id": 1}, {"chain": [{"task": "x"}], "callbacks": 1}]
        node.broker.lpush(Queue.SMALL.value, json.dumps(envelope(content, **others)))
        assert node.logs(f'"report_id": {report_id}'), name
    assert node.handles_jobs()
    assert "Traceback" not in node.logged


def test_remote_control_neither_stops_a_worker_nor_its_queues(node: Node, module_settings: Settings) -> None:
    with Celery("test", broker=module_settings.redis_url, set_as_current=False) as operator:
        operator.control.shutdown()
        operator.control.cancel_consumer(Queue.SMALL.value)
        operator.control.rate_limit(GENERATE_REPORT, "0/m")
        operator.control.time_limit(GENERATE_REPORT, soft=1, hard=1)
        operator.control.pool_shrink(1)
        operator.control.revoke("x", terminate=True, signal="SIGKILL")
        assert node.logs("message_refused", 6)
        # It returns at the first reply.
        assert len(operator.control.ping(timeout=60, limit=1) or ()) == 1
    assert node.handles_jobs()


def test_remote_control_that_cannot_be_read_is_dropped(node: Node) -> None:
    channel = f"/{node.broker.connection_pool.connection_kwargs.get('db', 0)}.celery.pidbox"
    commands: list[Any] = [1, None, [], {}, {"method": []}, {"method": "ping", "destination": 1}]
    commands += [{"method": "ping", "arguments": {}, "destination": None, "reply_to": 1}]
    commands += [{"method": "revoke", "arguments": {"task_id": ["x"] * 1000}, "destination": None}]
    raw = [b"no JSON", b"\xff", _DEEP, b"1", b"{}"]
    for message in [*raw, *(json.dumps(envelope(command)).encode() for command in commands)]:
        assert node.broker.publish(channel, message) == 1
        assert node.handles_jobs(), message[:100]


def test_a_revoke_of_one_send_does_not_hold_the_next(node: Node) -> None:
    report_id = next(_UNKNOWN)
    first, second = (JobMessage(report_id, report_id, Queue.SMALL, send) for send in (1, 2))
    assert node.publisher.revoke(first)
    assert node.logs(f"Tasks flagged as revoked: {first.task_id}")
    assert node.publisher.send(first)
    assert node.logs(f"Discarding revoked task: {GENERATE_REPORT}[{first.task_id}]")
    assert node.publisher.send(second)
    assert node.logs(f'"report_id": {report_id}')


def test_what_was_put_among_unacknowledged_messages_does_not_end_the_worker(node: Node) -> None:
    for tag, content in {
        "a": b"no JSON",
        "b": b"\xff",
        "c": b"1",
        "d": b"[1, 2, 3]",
        "e": b"[{}, [], {}]",
    }.items():
        node.broker.hset("unacked", tag, content)
        node.broker.zadd("unacked_index", {tag: 1})
    # Looked through every ten seconds.
    wait_for(lambda: node.process.poll() is not None or not node.broker.exists("unacked"))
    assert node.handles_jobs()
