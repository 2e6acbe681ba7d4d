"""What the LLM must return. Every string and list is bounded, because an unbounded one lets a small model write for ever."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SentenceOut(_Output):
    """One sentence: a statement, a reason."""

    text: Annotated[str, StringConstraints(min_length=3, max_length=160)]


class LabelOut(_Output):
    """The name of a theme: a few words that one would use with a friend."""

    label: Annotated[str, StringConstraints(min_length=3, max_length=48)]


class ParagraphOut(_Output):
    """The portrait: two or three sentences."""

    text: Annotated[str, StringConstraints(min_length=3, max_length=420)]
