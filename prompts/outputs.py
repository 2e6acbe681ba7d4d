"""What the LLM must return. Every string and list is bounded, because an unbounded one lets a small model write for ever."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

NOTHING = "nothing"  # in place of a taste

Label = Literal["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T"]


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class SentenceOut(_Output):
    """One sentence: a statement, a reason."""

    text: Annotated[str, StringConstraints(min_length=3, max_length=160)]


def told(text: Any) -> Any:
    """What an answer says; None where it is the word for nothing."""
    return None if isinstance(text, str) and text.strip(" .").lower() == NOTHING else text


class TasteOut(_Output):
    """The words that name a taste, without a verb; None: the notes show none, and the model wrote "nothing".

    The server's grammar asks for text in any case: where null is allowed beside it, a small model that has written the
    quotation mark can no longer say nothing, and writes "nothing else than nothing".
    """

    text: Annotated[
        Annotated[str, StringConstraints(min_length=2, max_length=160)] | None,  # "日常" is a whole taste
        BeforeValidator(told),
        WithJsonSchema({"type": "string", "minLength": 2, "maxLength": 160}),
    ]


class LabelOut(_Output):
    """The name of a theme: a few words that one would use with a friend."""

    label: Annotated[str, StringConstraints(min_length=3, max_length=48)]


class ThemeName(_Output):
    """What statements have in common, in a few words. The pattern ends a name where the tuned model, which has learnt to go on
    with a sentence, would: without it the name runs on into that sentence. A grammar with a pattern takes no other bounds."""

    label: Annotated[str, StringConstraints(pattern=r"^[^,;:&\x22{}\[\]\\]{2,48}$")]


class ThemeOut(_Output):
    """A name in any case: whether statements belong together is decided before anybody is asked for it."""

    theme: ThemeName


class Piece(_Output):
    """Words of a self-description, copied, and what they tell."""

    says: Literal["like", "dislike", "want"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=120)]


class PiecesOut(_Output):
    """The pieces of a self-description in their order; none where it tells no taste."""

    pieces: Annotated[tuple[Piece, ...], Field(max_length=8)]


class ParagraphOut(_Output):
    """The portrait: two or three sentences."""

    text: Annotated[str, StringConstraints(min_length=3, max_length=420)]


class OrderOut(_Output):
    """An order of labelled options, best first. That each is named once is for the reader to see."""

    order: Annotated[tuple[Label, ...], Field(min_length=1, max_length=20)]
