"""Logs: for people on a terminal, JSON lines otherwise."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog


def set_up(level: str = "info", *, stream: TextIO | None = None, colors: bool | None = None) -> None:
    """Send our logs, and the warnings of the libraries, to one place in one form.

    Args:
        level: least severity that is logged.
        stream: where to; default: standard error.
        colors: whether people read it; default: whether the stream is a terminal.
    """
    stream = stream or sys.stderr
    for_people = stream.isatty() if colors is None else colors
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=not for_people),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)]
        if for_people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # the transport, or the journal, says in one line what these say in twenty
    for name in ("aio_pika", "aiormq", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
