"""Structured logs on standard error, the same for every process."""

from __future__ import annotations

import logging
import os
import platform
import sys
from types import TracebackType
from typing import Any, Final

import structlog

from models.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Send the logs of the service and its libraries to standard error, in the configured format."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_process,
        structlog.processors.format_exc_info,
    ]
    renderers: list[structlog.types.Processor] = (
        [structlog.processors.JSONRenderer()]
        if settings.log_format == "json"
        else [
            _escape,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_level=False,
                # Other formatters show the values of variables, which may be secrets.
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
    )
    structlog.configure(
        # What is not written is not prepared either: each request has a line.
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # What Python itself would print becomes a line like every other.
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    # These write a line for each request or poll, which belongs in an access log.
    for chatty in ("httpx", "httpcore", "kombu", "alembic"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        structlog.stdlib.get_logger(__name__).critical("uncaught_error", exc_info=(kind, error, trace))


_NODE: Final = platform.node()


def _add_process(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Name the machine and the process; a child of a worker or of the API has a pid of its own."""
    event.setdefault("node", _NODE)
    event["pid"] = os.getpid()
    return event


def _escape(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Escape control characters, so that no text begins a line or controls the terminal, as JSON does."""
    traceback = event.pop("exception", None)
    escaped = {name: _escaped(text) for name, text in event.items()}
    return escaped if traceback is None else {**escaped, "exception": _escaped(traceback, keep="\n")}


def _escaped(text: Any, keep: str = "") -> Any:
    if not isinstance(text, str) or text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
