"""Structured logs: one JSON line each, with the request's id, and no secret in any of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from catalogue.config import Config

HIDDEN = {"password", "account", "number_encrypted", "token", "cookie", "authorization"}
MAX_TEXT = 2000


def configure(config: Config) -> None:
    """Send every log line to standard error as JSON."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s", force=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _guarded,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.ERROR if config.mode == "test" else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _guarded(_: Any, __: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    return {
        key: "hidden" if key.lower() in HIDDEN else _short(value) for key, value in event.items()
    }


def _short(value: Any) -> Any:
    return value[:MAX_TEXT] if isinstance(value, str) else value
