"""Prompts are files: load, validate, render, version.

A template is Markdown with YAML front matter and one `## system|user|assistant` section a message:

    ---
    name: write_statement
    version: 1
    output: StatementOut
    inputs: [polarity, evidence]
    params: {max_tokens: 48, temperature: 0.7}
    ---
    ## system
    ...

`for: tuned` marks a version as meant for the tuned embedded model alone. Sections are split before rendering, so a value that
contains "## system" cannot open a message of its own. A missing or an unknown variable is an error. See prompts/CHANGELOG.md
for what each version changed and what that was worth.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from prompts import outputs

TEMPLATES = Path(__file__).parent / "templates"
_FRONT_MATTER = re.compile(r"\A---\n(?P<meta>.*?)\n---\n(?P<body>.*)\Z", re.DOTALL)
_SECTION = re.compile(r"^## (system|user|assistant)[ \t]*$", re.MULTILINE)
_FILE_NAME = re.compile(r"(?P<name>[a-z_]+)\.v(?P<version>\d+)\.md\Z")
_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


class PromptError(ValueError):
    """A template that cannot be loaded or rendered; the message names the prompt and the offending part."""


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Params:
    """Sampling defaults of a prompt. `once`: no word twice, where the server can see to it (the embedded engine does)."""

    max_tokens: Annotated[int, Field(ge=1)] = 64
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    once: bool = False


_PARAMS = TypeAdapter(Params)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt and the type that must come back are one object. `sha` is the SHA-256 of the whole file."""

    name: str
    version: int
    sha: str
    inputs: frozenset[str]
    output: type[BaseModel] | None
    params: Params
    sections: tuple[Message, ...] = field(repr=False)
    description: str = ""
    tuned: bool = False

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    def render(self, **variables: Any) -> tuple[Message, ...]:
        """The messages to send. Raises PromptError on a missing or unknown variable."""
        if self.inputs != variables.keys():
            wrong = sorted(self.inputs ^ variables.keys())
            raise PromptError(f"{self.ref}: missing or unknown variables {wrong}")
        try:
            return tuple(Message(s.role, _compiled(s.content).render(variables).strip()) for s in self.sections)
        except TemplateError as exc:
            raise PromptError(f"{self.ref}: {exc}") from exc

    def text(self, **variables: Any) -> str:
        """The messages as one running text, for prompts that are scored and not chatted with."""
        return "\n".join(message.content for message in self.render(**variables))


def parse(source: str, origin: str) -> Prompt:
    """Build a Prompt from the text of a template file; `origin` is its file name and must agree with the front matter."""
    match = _FRONT_MATTER.match(source)
    if match is None:
        raise PromptError(f"{origin}: no front matter")
    try:
        head = yaml.safe_load(match["meta"])
    except yaml.YAMLError as exc:
        raise PromptError(f"{origin}: the front matter is not YAML: {exc}") from exc
    if not isinstance(head, Mapping) or not {"name", "version", "inputs"} <= head.keys():
        raise PromptError(f"{origin}: front matter needs name, version and inputs")
    if not isinstance(head["version"], int) or not isinstance(head["inputs"], list):
        raise PromptError(f"{origin}: version must be a number and inputs a list")
    unknown = head.keys() - {"name", "version", "inputs", "output", "params", "description", "for"}
    if unknown:
        raise PromptError(f"{origin}: unknown front matter keys {sorted(unknown)}")
    if head.get("for", "tuned") != "tuned":
        raise PromptError(f"{origin}: `for` can only be `tuned`")
    if origin != f"{head['name']}.v{head['version']}.md":
        raise PromptError(f"{origin}: the file name must be {head['name']}.v{head['version']}.md")
    sections = _sections(match["body"], origin)
    inputs = frozenset(str(name) for name in head["inputs"])
    _check_variables(sections, inputs, origin)
    return Prompt(
        name=str(head["name"]),
        version=int(head["version"]),
        sha=hashlib.sha256(source.encode()).hexdigest(),
        inputs=inputs,
        output=_output(head.get("output"), origin),
        params=_params(head.get("params") or {}, origin),
        sections=sections,
        description=str(head.get("description", "")),
        tuned="for" in head,
    )


def _params(given: Any, origin: str) -> Params:
    try:
        return _PARAMS.validate_python(asdict(Params(**given)))
    except TypeError as exc:
        raise PromptError(f"{origin}: bad params: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        raise PromptError(f"{origin}: bad params: {first['loc'][0]}: {first['msg']}") from exc


def _sections(body: str, origin: str) -> tuple[Message, ...]:
    before, *parts = _SECTION.split(body)
    if before.strip() or not parts:
        raise PromptError(f"{origin}: the body must consist of `## system|user|assistant` sections")
    return tuple(Message(role, text.strip()) for role, text in zip(parts[::2], parts[1::2], strict=True))


def _check_variables(sections: tuple[Message, ...], inputs: frozenset[str], origin: str) -> None:
    used: set[str] = set()
    for section in sections:
        try:
            used |= meta.find_undeclared_variables(_ENVIRONMENT.parse(section.content))
        except TemplateError as exc:
            raise PromptError(f"{origin}: {exc}") from exc
    if used != inputs:
        raise PromptError(f"{origin}: declared and used variables differ: {sorted(used ^ inputs)}")


def _output(name: str | None, origin: str) -> type[BaseModel] | None:
    if name is None:
        return None
    found = getattr(outputs, name, None)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise PromptError(f"{origin}: unknown output type {name!r}")
    return found


@cache
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


@cache
def load(name: str, version: int | None = None, *, tuned: bool = False) -> Prompt:
    """The prompt `name` in a version, by default the newest that is meant for the model in use: `tuned` or any other. The tuned
    model takes the others' newest where it has none of its own. Raises PromptError for one that is not there."""
    found = versions(name)
    if not found or (version is not None and version not in found):
        raise PromptError(f"no prompt {name!r}" + (f" in version {version}; there are {found}" if found else ""))
    if version is not None:
        return _read(name, version)
    newest = [_read(name, v) for v in reversed(found)]
    fitting = [p for p in newest if p.tuned == tuned] or [p for p in newest if not p.tuned]
    if not fitting:
        raise PromptError(f"no prompt {name!r} for a model that is not tuned; there are versions {found}")
    return fitting[0]


@cache
def _read(name: str, version: int) -> Prompt:
    file = TEMPLATES / f"{name}.v{version}.md"
    return parse(file.read_text(encoding="utf-8"), file.name)


def versions(name: str) -> list[int]:
    """The versions there are of a prompt, in rising order."""
    matches = (_FILE_NAME.match(path.name) for path in TEMPLATES.glob("*.md"))
    return sorted(int(m["version"]) for m in matches if m and m["name"] == name)


def names() -> list[str]:
    """The names of all prompts."""
    matches = (_FILE_NAME.match(path.name) for path in TEMPLATES.glob("*.md"))
    return sorted({m["name"] for m in matches if m})
