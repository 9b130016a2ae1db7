"""One JSON object per line on stderr: no local variables, no statement's values, no secrets."""

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


def configure(level: str) -> None:
    """Makes structlog write lines of at least ``level``; called once per process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=_open_stderr,
    )


class _Stderr:
    """Takes lines as long as it can: a full disk beneath the log costs nobody an answer."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


STDERR = cast("TextIO", _Stderr())


def _open_stderr(*_names: object) -> structlog.WriteLogger:
    return structlog.WriteLogger(STDERR)
