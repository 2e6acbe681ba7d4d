"""The templates that are shipped: each loads, renders, asks for bounded output and has its line in the changelog."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from prompts import library, outputs
from prompts.library import TEMPLATES, Prompt

FILES = sorted(TEMPLATES.glob("*.md"))
PROMPTS = [library.load(name, version) for name in library.names() for version in library.versions(name)]
WRITTEN = [prompt for prompt in PROMPTS if prompt.output is not None]
OUTPUTS = [
    found
    for found in vars(outputs).values()
    if isinstance(found, type)
    and issubclass(found, BaseModel)
    and found.__module__ == outputs.__name__
    and found.__name__[0] != "_"
]
CHANGELOG = TEMPLATES.parent / "CHANGELOG.md"


def by_ref(prompt: Prompt) -> str:
    return prompt.ref


def sample(prompt: Prompt) -> dict[str, str]:
    return {name: f"<{name} ## system>" for name in prompt.inputs}


def test_every_file_in_the_folder_is_a_prompt_of_its_name() -> None:
    assert {file.name for file in FILES} == {f"{p.name}.v{p.version}.md" for p in PROMPTS}
    assert FILES


@pytest.mark.parametrize("prompt", PROMPTS, ids=by_ref)
def test_it_renders_with_sample_values(prompt: Prompt) -> None:
    values = sample(prompt)
    rendered = prompt.render(**values)
    assert len(rendered) == len(prompt.sections)
    text = "\n".join(message.content for message in rendered)
    assert all(value in text for value in values.values())
    assert "{{" not in text
    assert all(message.content for message in rendered)


@pytest.mark.parametrize("prompt", PROMPTS, ids=by_ref)
def test_it_says_what_it_is_for(prompt: Prompt) -> None:
    assert prompt.description


@pytest.mark.parametrize("prompt", PROMPTS, ids=by_ref)
def test_what_changes_comes_last_so_that_the_prefix_is_shared(prompt: Prompt) -> None:
    """The server reuses the work on equal beginnings; a variable in an early message would spoil it for all that follows."""
    assert all("{{" not in section.content for section in prompt.sections[:-1])


@pytest.mark.parametrize("prompt", WRITTEN, ids=by_ref)
def test_a_written_answer_follows_a_user_message_and_is_bounded(prompt: Prompt) -> None:
    assert prompt.sections[-1].role == "user"
    assert 0 < prompt.params.max_tokens <= 256


@pytest.mark.parametrize("prompt", WRITTEN, ids=by_ref)
def test_the_examples_are_answers_that_we_would_take(prompt: Prompt) -> None:
    assert prompt.output is not None
    for section in prompt.sections:
        if section.role == "assistant":
            prompt.output.model_validate_json(section.content)


@pytest.mark.parametrize("prompt", PROMPTS, ids=by_ref)
def test_each_version_has_a_line_in_the_changelog(prompt: Prompt) -> None:
    assert CHANGELOG.is_file(), "prompts/CHANGELOG.md is not there"
    lines = CHANGELOG.read_text(encoding="utf-8").splitlines()
    assert any(prompt.ref in line for line in lines)


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for value in schema.values():
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, dict):
                yield from nodes(child)


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_output_has_no_room_to_write_for_ever(output: type[BaseModel]) -> None:
    for node in nodes(output.model_json_schema()):
        if node.get("type") == "string" and "enum" not in node and "const" not in node:
            assert "maxLength" in node or re.search(r"\{\d+,\d+\}\$$", node["pattern"])
        if node.get("type") == "array":
            assert "maxItems" in node
        if node.get("type") == "object":
            assert node.get("additionalProperties") is False


def test_every_output_is_some_prompts() -> None:
    """As the whole answer, or as a part of one."""
    asked = {p.output for p in WRITTEN if p.output}
    parts = {name for output in asked for name in output.model_json_schema().get("$defs", {})}
    assert {o.__name__ for o in OUTPUTS} == {o.__name__ for o in asked} | parts
