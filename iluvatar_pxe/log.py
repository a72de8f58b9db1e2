"""Logging: one line an event, for people on a terminal and as JSON otherwise."""

import io
import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog

from iluvatar_pxe.printable import printable


class _Unfailing(io.TextIOBase):
    """A stream whose reader may be gone, or whose disk full: lines are lost then, and boots go on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_logging(level_name: str, style: str) -> None:
    """Send structlog's and the standard library's records to standard error.

    ``level_name`` is one of the standard library's; ``style`` is ``console``, ``json`` or ``auto``.
    """
    console = is_console(style)
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        _printable,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
    ]
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)
        if console
        else structlog.processors.JSONRenderer()
    )
    level = logging.getLevelNamesMapping()[level_name.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    logging.raiseExceptions = False
    handler = logging.StreamHandler(_Unfailing(sys.stderr))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def _printable(
    _logger: structlog.types.WrappedLogger, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Write out control characters: names come from the network, and a terminal obeys them."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}


def is_console(style: str) -> bool:
    """Say whether people read along: ``style`` says so, or is ``auto`` and standard error a terminal."""
    return style == "console" or (style == "auto" and sys.stderr.isatty())
