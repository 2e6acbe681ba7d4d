"""What OpenAPI shows of every endpoint beside its types: an example that is true to them, and the problems that may come.

The answers are made with the models that really answer, so that an example cannot drift away from its schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from agent.serve import health
from agent.serve.problems import MEDIA_TYPE, Problem
from agent.serve.samples import ANSWERS, REQUESTS

PROBLEMS: Mapping[int, tuple[str, str]] = {
    404: ("not_found", "unknown user 'x'"),
    422: ("invalid_input", "query.k: Input should be less than or equal to 100"),
    503: ("llm_unavailable", "the LLM server cannot be reached"),
}
_KNOWN_USER = (
    "profile", "themes", "diff", "grouping", "rollback", "recommendations", "feedback", "edits", "edit", "preview", "why",
    "export", "withdraw", "forget", "question", "answer",
)  # fmt: skip
_NO_INPUT = ("health", "ready", "communities")


def describe(name: str) -> dict[str, Any]:
    """The keyword arguments of a route: its name, its request's example, and its problems."""
    statuses = [404] if name in _KNOWN_USER else []
    statuses += [] if name in _NO_INPUT else [422]
    statuses += [503] if name == "profile" else []
    responses: dict[int | str, Any] = {status: _problem(status) for status in statuses}
    if name == "ready":
        responses[503] = {"model": health.ReadyOut, "description": "The store cannot be used"}
    found: dict[str, Any] = {"operation_id": name, "responses": responses}
    if name in REQUESTS:
        found["openapi_extra"] = {"requestBody": _content(REQUESTS[name])}
    return found


def documented(app: FastAPI) -> None:
    """Let `app` show the schema of its problems instead of the framework's own."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            known = made["components"]["schemas"]
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            known |= problem.pop("$defs", {})
            known["Problem"] = problem
            for unused in ("HTTPValidationError", "ValidationError"):
                known.pop(unused, None)
            _add_answers(made["paths"])
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's manual has it


def _add_answers(paths: Mapping[str, Any]) -> None:
    """Afterwards, because `get_openapi` drops what is null from examples, and nulls are part of our answers."""
    for operations in paths.values():
        for operation in operations.values():
            answer = ANSWERS[operation["operationId"]].model_dump(mode="json")
            operation["responses"]["200"]["content"]["application/json"]["example"] = answer


def _content(example: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"example": example}}}


def _problem(status: int) -> dict[str, Any]:
    code, detail = PROBLEMS[status]
    title = code.replace("_", " ").capitalize()
    kind = f"urn:leitmotif:{code.replace('_', '-')}"
    example = {"type": kind, "title": title, "status": status, "detail": detail, "instance": "/v1/users/x/profile"}
    return {
        "description": title,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": {**example, "code": code, "hint": ""},
            }
        },
    }
