"""What the server logs, and what it does not: nothing that a person typed.

    uvicorn.run(app, log_config=log_config())

The access log names no query string, because a question to the service stands there. In every line, tracebacks included,
personal data is masked: a user id or an item may be an e-mail address, and an exception may quote one.
"""

from __future__ import annotations

import copy
import logging
from typing import Any
from urllib.parse import unquote

from agent import pii

ACCESS = "uvicorn.access"  # its arguments: client, method, path with query, HTTP version, status


class Masked(logging.Filter):
    """Masks personal data in a record, for a handler: what it lets through is what is written."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = pii.mask(str(record.msg))
        if isinstance(record.args, tuple):
            record.args = tuple(_masked(arg, record.name) for arg in record.args)
        elif record.args:
            record.args = {name: _masked(arg, record.name) for name, arg in record.args.items()}
        if record.exc_info and not record.exc_text:  # a formatter takes the text that it finds
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_text = record.exc_text and pii.mask(record.exc_text)
        record.stack_info = record.stack_info and pii.mask(record.stack_info)
        return True


def _masked(arg: object, logger: str) -> object:
    """An argument of a message as it may be written. Numbers stay numbers, as "%d" needs them."""
    if arg is None or isinstance(arg, int | float):
        return arg
    text = str(arg)
    if logger == ACCESS and "?" in text:
        text = text.partition("?")[0] + "?..."
    masked = pii.mask(unquote(text))
    return " ".join(masked.split()) if pii.MARK in masked else text  # a decoded line break must not begin a line


def log_config() -> dict[str, Any]:
    """uvicorn's own, but all on stderr, since stdout is for results; masked; and with the logs of other libraries in it."""
    from uvicorn.config import LOGGING_CONFIG

    config: dict[str, Any] = copy.deepcopy(LOGGING_CONFIG)
    config["handlers"]["access"]["stream"] = "ext://sys.stderr"
    config["filters"] = {"masked": {"()": Masked}}
    for handler in config["handlers"].values():
        handler["filters"] = ["masked"]
    config["root"] = {"handlers": ["default"], "level": "WARNING"}
    return config
