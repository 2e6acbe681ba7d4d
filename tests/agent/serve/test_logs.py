"""The server's logs: who asked for what address is there, what people typed is not."""

from __future__ import annotations

import io
import logging
import logging.config
from collections.abc import Callable, Iterator

import pytest

from agent.pii import MARK
from agent.serve.logs import log_config

ACCESS = '%s - "%s %s HTTP/%s" %d'


@pytest.fixture
def err() -> Iterator[Callable[[], str]]:
    """What the server's logging has written since; afterwards logging is what it was."""
    loggers = [logging.getLogger(name) for name in ("", "uvicorn", "uvicorn.access", "uvicorn.error")]
    before = [(log, log.handlers[:], log.level, log.propagate) for log in loggers]
    stream = io.StringIO()
    config = log_config()
    for handler in config["handlers"].values():
        assert handler.pop("stream") == "ext://sys.stderr"  # stdout is for results
        handler["stream"] = stream
    logging.config.dictConfig(config)
    yield stream.getvalue
    for log, handlers, level, propagate in before:
        log.handlers, log.propagate = handlers, propagate
        log.setLevel(level)


def access(path: str) -> None:
    logging.getLogger("uvicorn.access").info(ACCESS, "127.0.0.1:41234", "GET", path, "1.1", 200)


def test_the_access_log_names_the_path_and_no_query(err: Callable[[], str]) -> None:
    access("/v1/users/ann/recommendations?k=3&query=secret%20wish")
    assert 'GET /v1/users/ann/recommendations?... HTTP/1.1" 200' in err()
    assert "127.0.0.1:41234" in err()
    assert "secret" not in err()


@pytest.mark.parametrize("user", ["ann@example.com", "ann%40example.com", "%2B49301234567"])
def test_an_id_that_is_personal_is_masked(user: str, err: Callable[[], str]) -> None:
    access(f"/v1/users/{user}/profile")
    assert f"GET /v1/users/{MARK}/profile" in err()
    assert user not in err()


def test_a_decoded_line_break_begins_no_line(err: Callable[[], str]) -> None:
    access("/v1/users/ann%40example.com%0AERROR%20forged/profile")
    assert len(err().strip().splitlines()) == 1


def test_a_traceback_is_written_without_what_it_quotes(err: Callable[[], str]) -> None:
    for name in ("agent.serve.problems", "uvicorn.error"):
        try:
            raise RuntimeError("cannot read 'call 030 1234567, or ann@example.com'")
        except RuntimeError:
            logging.getLogger(name).exception("%s %s failed", "GET", "/v1/users/bob@example.com/why/x")
            assert f"RuntimeError: cannot read 'call {MARK}, or {MARK}'" in err()
        assert f"GET /v1/users/{MARK}/why/x failed" in err()
        assert "Traceback" in err()


def test_a_message_with_numbers_and_names_is_written_as_it_was(err: Callable[[], str]) -> None:
    logging.getLogger("uvicorn.error").info("Started server process [%d] in %.1f s", 12345, 2.5)
    logging.getLogger("uvicorn.error").warning("%(what)s of %(who)s", {"what": "Profile", "who": "ann@example.com"})
    assert "Started server process [12345] in 2.5 s" in err()
    assert f"Profile of {MARK}" in err()


def test_what_other_libraries_warn_of_is_masked_too(err: Callable[[], str]) -> None:
    logging.getLogger("somebody.else").warning("bad text: %r", ["12 Baker Street"])
    logging.getLogger("somebody.else").info("not written")
    assert f"bad text: \"['{MARK}']\"" in err()
    assert "not written" not in err()
