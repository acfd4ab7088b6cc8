"""Logs: lines for people at a terminal, JSON lines anywhere else; never a mail address in them."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import Processor

from dateline.redact import redacted

_QUIET = (
    "apscheduler",
    "asyncio",
    "urllib3",
    "uvicorn",
    "alembic",
    "markdown_it",
    "charset_normalizer",
)
Event = MutableMapping[str, Any]  # structlog's own: any value may be a key's


def configure_logs(*, level: str = "info", stream: TextIO | None = None) -> None:
    """Sets up structlog and the standard library's logging, both onto `stream` (standard error); safe to repeat."""
    out = stream or cast(TextIO, _StandardError())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    ending = _console(out) if out.isatty() else _json_lines()
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,  # a second call (tests, the daemon after a verb) must take effect
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


class _StandardError:
    """Standard error as it is at the moment of writing: tests and callers put another in its place and close it."""

    def write(self, text: str) -> int:
        """As a file does."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """As a file does."""
        sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether a person looks on."""
        return sys.stderr.isatty()


def without_addresses(_logger: object, _method: str, event: Event) -> Event:
    """A processor: takes addresses out of every text in `event`, however deep (DESIGN.md 8.8)."""
    return {key: _clean(value) for key, value in event.items()}


def _clean(value: object) -> object:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redacted(str(value))


def _console(out: TextIO) -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        without_addresses,
        structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=0),
    ]


def _json_lines() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        without_addresses,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
