"""Errors over HTTP: RFC 9457 application/problem+json, one shape for ours, for bad input and for unknown addresses.

{"type": "urn:leitmotif:not-found", "title": "Not found", "status": 404, "detail": "unknown user 'x'",
 "instance": "/v1/users/x/profile", "code": "not_found", "hint": "ingest their events, or ..."}
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from agent.errors import ConfigError, LeitmotifError, LLMUnavailableError, NotFoundError, UsageError
from retrieval.store import BusyError, ConflictError, ErasedError, StoreError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 30  # about what a started engine needs to free a place; a client may well come back later
MOST_ERRORS = 20  # of a validation: a thousand bad rows need no thousand lines

# The first class that fits decides, so subclasses stand before their bases.
KINDS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (NotFoundError, 404, "not_found", "Not found"),
    (ConfigError, 500, "configuration", "The server is set up wrongly"),
    (UsageError, 422, "bad_request", "The request cannot be carried out"),
    (LLMUnavailableError, 503, "llm_unavailable", "The language model is out of reach"),
    (ErasedError, 410, "erased", "The user was erased"),
    (ConflictError, 409, "conflict", "Somebody else was faster"),
    (BusyError, 503, "busy", "The store is busy"),
    (StoreError, 500, "store", "The store failed"),
    (LeitmotifError, 500, "failed", "It did not work"),
)


class FieldError(BaseModel):
    """What is wrong with one part of the input. The input itself is not repeated."""

    where: str = Field(description="body.0.title, say, or query.k")
    message: str


class Problem(BaseModel):
    """An RFC 9457 problem. `code` is for programs, `detail` and `hint` are for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path that was asked for")
    code: str
    hint: str = Field("", description="what to do about it; may be empty")
    errors: list[FieldError] = Field(default=[], description="for bad input: what is wrong where")


def install(app: FastAPI) -> None:
    """Answer every failure of `app` with a problem."""
    app.add_exception_handler(LeitmotifError, _ours)
    app.add_exception_handler(StoreError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


def respond(
    path: str,
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    hint: str = "",
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    kind = f"urn:leitmotif:{code.replace('_', '-')}"
    problem = Problem(
        type=kind, title=title, status=status, detail=detail, instance=path, code=code, hint=hint, errors=errors or []
    )
    left_out = set() if errors else {"errors"}
    body = problem.model_dump(exclude=left_out)
    return JSONResponse(body, status, media_type=MEDIA_TYPE, headers=headers)


async def _ours(request: Request, exc: Exception) -> JSONResponse:
    status, code, title = next((s, c, t) for kind, s, c, t in KINDS if isinstance(exc, kind))
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    hint = str(getattr(exc, "hint", ""))
    return respond(request.url.path, status, code, title, str(exc), hint=hint, headers=headers)


async def _http(request: Request, exc: Exception) -> JSONResponse:
    """What the framework refuses: unknown addresses, wrong methods, bodies that are too long."""
    assert isinstance(exc, HTTPException)  # noqa: S101  what it is registered for
    phrase = "Content Too Large" if exc.status_code == 413 else HTTPStatus(exc.status_code).phrase  # renamed in 3.13
    hint = "the addresses are in /openapi.json" if exc.status_code in (404, 405) else ""
    detail = str(exc.detail) if exc.detail != phrase else f"{request.method} {request.url.path}: {phrase.lower()}"
    code = phrase.lower().replace(" ", "_")
    headers = dict(exc.headers) if exc.headers else None
    return respond(request.url.path, exc.status_code, code, phrase, detail, hint=hint, headers=headers)


async def _invalid(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)  # noqa: S101
    found = [_field_error(error) for error in exc.errors()[:MOST_ERRORS]]
    detail = f"{found[0].where}: {found[0].message}" if found else "the input is not valid"
    return respond(request.url.path, 422, "invalid_input", "The input is not valid", detail, errors=found)


async def _unexpected(request: Request, exc: Exception) -> JSONResponse:
    """A bug of ours. The log has it; the client learns nothing about our insides."""
    logging.getLogger(__name__).error("%s %s failed", request.method, request.url.path, exc_info=exc)
    return respond(request.url.path, 500, "internal", "Something went wrong here", "the log of the server says more")


def _field_error(error: dict[str, Any]) -> FieldError:
    where = ".".join(str(part) for part in error["loc"])
    return FieldError(where=where[:200], message=str(error["msg"])[:200])
