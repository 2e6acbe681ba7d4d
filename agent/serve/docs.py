"""Writes docs/cli.md from the --help of every command, docs/json.md from the output models and docs/settings.md from the
settings; a test compares them.

Run: python -m agent.serve.docs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from typer import Context
from typer.main import get_command

from agent.config import Settings
from agent.serve import communities, edits, histories, reasons, schemas
from agent.serve.cli import app
from agent.serve.commands import reports

DOCS = Path(__file__).parents[2] / "docs"
_WIDTH = 100
_INTRO = """# The command line

Made from `--help` by `python -m agent.serve.docs`; a test checks that it agrees.

`--json` and `--home` may stand before or after the command. With `--json` there is exactly one JSON document on stdout; its
fields are described in [json.md](json.md), and an error is `{"error": ..., "hint": ...}`. Progress and messages go to
stderr. Exit codes: 0 done, 1 failed, 2 bad usage or input, 130 interrupted.
"""


_JSON_INTRO = """# What `--json` and HTTP answer

Made from the pydantic models by `python -m agent.serve.docs`; a test checks that it agrees. Times are ISO 8601 in UTC, ids are
opaque strings. Fields may be added; none will change its meaning within a major version.

| command | answer |
| --- | --- |
"""
_ANSWERS: Mapping[str, type[BaseModel]] = {
    "doctor": schemas.DoctorOut,
    "llm start, stop, status": schemas.LLMStatusOut,
    "llm pull": reports.PullOut,
    "ingest": schemas.IngestOut,
    "fit": reports.FitOut,
    "profile": reports.ProfilesOut,
    "themes": histories.ThemesOut,
    "themes --diff": histories.DiffOut,
    "themes --algorithm": histories.GroupingOut,
    "rollback": schemas.ProfileOut,
    "recommend": schemas.RecommendationsOut,
    "cold-start": schemas.ColdStartOut,
    "why": reasons.WhyOut,
    "feedback": schemas.FeedbackOut,
    "edit list": edits.OwnedOut,
    "edit add, reword, delete, mute, pin, boost, clear, answer": edits.EditedOut,
    "the same with --preview": edits.PreviewOut,
    "communities build, list": communities.CommunitiesOut,
    "communities show": communities.CommunityOut,
    "ask": communities.AskOut,
    "answer": communities.AnswerOut,
    "export": schemas.ExportOut,
    "forget": schemas.ForgetOut,
    "serve": reports.ServeOut,
    "demo": reports.DemoOut,
    "tune": reports.TuneOut,
    "resample": reports.ResampleOut,
    "any of them, on an error": schemas.ErrorOut,
}


_SETTINGS_INTRO = """# Settings

Made from the pydantic models by `python -m agent.serve.docs`; a test checks that it agrees. An option of the command line
comes before an environment variable, that before `leitmotif.toml` in the folder where the command runs, and that before the
default. `recommend.asks` below is `[recommend]` with `asks = "fits"` in the file, and `LEITMOTIF_RECOMMEND__ASKS=fits` in the
environment. A name that is not here is an error.
"""


def pages() -> dict[Path, str]:
    """All pages as they should be, by file."""
    return {DOCS / "cli.md": cli_page(), DOCS / "json.md": json_page(), DOCS / "settings.md": settings_page()}


def settings_page() -> str:
    """docs/settings.md."""
    schema = Settings.model_json_schema()
    single = {name: about for name, about in schema["properties"].items() if "$ref" not in about}
    parts = [_SETTINGS_INTRO, _rows("", {"properties": single})]
    for name, about in schema["properties"].items():
        if "$ref" in about:
            section = schema["$defs"][about["$ref"].rpartition("/")[2]]
            parts.append(f"## {name}\n\n{' '.join(section['description'].split())}\n\n{_rows(f'{name}.', section)}")
    return "\n".join(parts)


def _rows(prefix: str, section: Mapping[str, Any]) -> str:
    head = "| setting | type | default | what |\n| --- | --- | --- | --- |\n"
    rows = (
        f"| `{prefix}{field}` | {_type(about)} | {_default(about.get('default'))} | {about.get('description', '')} |\n"
        for field, about in section["properties"].items()
    )
    return head + "".join(rows)


def _default(value: Any) -> str:
    return "none" if value is None else "hidden" if value == "**********" else f"`{value}`"


def json_page() -> str:
    rows = "".join(f"| {command} | {_link(model.__name__)} |\n" for command, model in _ANSWERS.items())
    _, schema = models_json_schema([(model, "serialization") for model in _ANSWERS.values()])
    tables = (_table(name, found) for name, found in sorted(schema["$defs"].items()))
    return "\n".join([_JSON_INTRO + rows, *tables])


def _table(name: str, schema: Mapping[str, Any]) -> str:
    head = f"## {name}\n\n{' '.join(schema.get('description', '').split())}\n"
    if "enum" in schema:
        return f"{head}\nOne of {_type(schema)}.\n"
    rows = (f"| {f} | {_type(a)} | {a.get('description', '')} |\n" for f, a in schema["properties"].items())
    return f"{head}\n| field | type | what |\n| --- | --- | --- |\n{''.join(rows)}"


def _type(about: Mapping[str, Any]) -> str:
    if "$ref" in about:
        return _link(about["$ref"].rpartition("/")[2])
    if "anyOf" in about:
        return " or ".join(_type(part) for part in about["anyOf"])
    if "enum" in about:
        return ", ".join(f"`{word}`" for word in about["enum"])
    if about.get("type") == "array":
        return f"list of {_type(about.get('items', {}))}"
    return str(about.get("format") or about.get("type") or "any")


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def cli_page() -> str:
    """docs/cli.md."""
    parts = [_INTRO]
    for name, text in _commands("leitmotif", get_command(app), None):
        parts.append(f"## {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _commands(name: str, command: Any, parent: Context | None) -> Iterator[tuple[str, str]]:
    context = Context(command, info_name=name.rpartition(" ")[2], parent=parent, terminal_width=_WIDTH)
    yield name, command.get_help(context)
    for child, below in getattr(command, "commands", {}).items():
        yield from _commands(f"{name} {child}", below, context)


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
