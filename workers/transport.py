"""The workers' transport: it logs and drops each message that the service or its operators did not send.

Anything may have been written to Redis, and Celery trusts what it finds there. An envelope that it cannot
parse ends the worker and is put back for the next one; an envelope that it can parse may set time limits,
compress its body or name further tasks. The transport therefore gives Celery a new message, made from the few
values that a valid one contains.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import structlog
from kombu.transport import redis
from kombu.transport.virtual import Empty

from models.publisher import GENERATE_REPORT
from models.reports.tables import Queue

log = structlog.get_logger(__name__)

_MOST_BODY_LENGTH: Final = 16 * 1024
_MOST_TEXT_LENGTH: Final = 255
_MOST_ID: Final = 2**63 - 1

# The commands by which operators inspect workers. Celery's others stop a worker, its queues or its jobs.
_INSPECTIONS: Final = frozenset(
    {"active", "active_queues", "ping", "registered", "reserved", "revoked", "scheduled", "stats"}
)

# What an invalid message makes kombu and Redis raise; the connection is still usable.
_UNREADABLE: Final[tuple[type[Exception], ...]] = (
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    *redis.Transport.channel_errors,
)


class InvalidMessageError(Exception):
    """The message is not one that the service or its operators send."""


class QoS(redis.QoS):
    """The messages that no worker has acknowledged yet; one that cannot be put back is dropped."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put a message back into its queue."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except _UNREADABLE as error:
            log.error("message_refused", reason=type(error).__name__)
            self._remove_from_indices(tag).execute()  # type: ignore[attr-defined]


class Channel(redis.Channel):
    """A channel that drops envelopes that are not JSON."""

    QoS = QoS

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except (ValueError, RecursionError) as error:
            # Redis has removed it from its list already.
            log.error("message_refused", reason=type(error).__name__)
            raise Empty from None

    def _receive_one(self, c: Any) -> Any:
        try:
            return super()._receive_one(c)  # type: ignore[misc]
        except (ValueError, RecursionError) as error:
            log.error("message_refused", reason=type(error).__name__)
            raise Empty from None


class Transport(redis.Transport):
    """Kombu's transport over Redis, which delivers valid messages only."""

    Channel = Channel

    # Called before each try to connect: while the broker is absent, nothing else shows that the worker lives.
    before_connecting: ClassVar[list[Callable[[], None]]] = []

    def establish_connection(self) -> Any:
        """Connect to the broker."""
        for call in self.before_connecting:
            call()
        return super().establish_connection()

    def _deliver(self, message: Any, queue: str | None) -> None:
        try:
            checked = job_message(message, str(queue)) if queue in set(Queue) else control_message(message)
        except (InvalidMessageError, ValueError, RecursionError) as error:
            log.error("message_refused", queue=queue, reason=str(error)[:_MOST_TEXT_LENGTH])
            return
        super()._deliver(checked, queue)


def job_message(message: Any, queue: str) -> dict[str, Any]:
    """Return a new message of the same job; raise InvalidMessageError or ValueError if it is invalid."""
    headers, body = _parts(message)
    if headers.get("task") != GENERATE_REPORT:
        raise InvalidMessageError("unknown task")
    task_id = _text(headers.get("id"))
    match body:
        case [[], {"report_id": report_id, "progress_id": progress_id, **others}, _] if not others:
            arguments = {"report_id": _id(report_id), "progress_id": _id(progress_id)}
        case _:
            raise InvalidMessageError("other arguments than a report and its Progress")
    made = [[], arguments, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    task = {"lang": "py", "task": GENERATE_REPORT, "id": task_id, "root_id": task_id, "ignore_result": True}
    return _envelope(task, made, queue)


def control_message(message: Any) -> dict[str, Any]:
    """Return a new message of the same command; raise InvalidMessageError or ValueError if it is invalid."""
    _, body = _parts(message)
    if not isinstance(body, dict):
        raise InvalidMessageError("not a command")
    method, arguments, destination = body.get("method"), body.get("arguments"), body.get("destination")
    match method, arguments:
        case "revoke", {"task_id": str(task_id), **options} if not options.get("terminate"):
            made = {"task_id": _text(task_id), "terminate": False}
        case str(command), _ if command in _INSPECTIONS:
            made = {}
        case _:
            raise InvalidMessageError("a command that is not accepted")
    if destination is not None and not isinstance(destination, list):
        raise InvalidMessageError("a destination that is not a list")
    content = {"method": method, "arguments": made, "destination": destination}
    match body.get("reply_to"):
        case {"routing_key": routing_key}:
            content["reply_to"] = {"exchange": "reply.celery.pidbox", "routing_key": _text(routing_key)}
            content["ticket"] = _text(body.get("ticket"))
        case None:
            pass
        case _:
            raise InvalidMessageError("an invalid address for replies")
    return _envelope({"clock": 0, "expires": 0}, content, "")


def _parts(message: Any) -> tuple[Mapping[str, Any], Any]:
    match message:
        case {
            "headers": dict(headers),
            "body": str(body),
            "properties": {"body_encoding": "base64"},
            "content-type": "application/json",
        } if len(body) <= _MOST_BODY_LENGTH:
            return headers, json.loads(base64.b64decode(body, validate=True))
    raise InvalidMessageError("not an envelope")


def _envelope(headers: Mapping[str, Any], body: Any, queue: str) -> dict[str, Any]:
    return {
        "headers": headers,
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
        },
    }


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MOST_TEXT_LENGTH:
        raise InvalidMessageError("an id that is not a short text")
    return value


def _id(value: Any) -> int:
    if type(value) is not int or not 0 < value <= _MOST_ID:
        raise InvalidMessageError("an id that is not a positive integer")
    return value
