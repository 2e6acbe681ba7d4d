"""Edits of a profile as pydantic models: what comes in, what goes out, and how the one becomes the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from agent.serve.incoming import In
from agent.serve.schemas import Moment, Out, ProfileOut, QuestionOut, StatementOut
from retrieval.readers.rows import ID_CAP
from retrieval.records import EditKind, Polarity

if TYPE_CHECKING:  # the service imports numpy and more, which `leitmotif --help` should not wait for
    from agent.control import Edited, Owned, Preview, Wish
    from agent.service import Service

MOST_TEXT = 200  # characters; a name of a theme has fewer
NOTE = "ranked by the data alone: the LLM's part is left out, and nothing was stored"
MARKED = {EditKind.MUTE: "muted", EditKind.PIN: "pinned", EditKind.BOOST: "boosted"}
DONE = {
    EditKind.ADD: "added",
    EditKind.REWORD: "reworded",
    EditKind.DELETE: "deleted",
    **MARKED,
    EditKind.CLEAR: "no longer muted, pinned or boosted",
    EditKind.RESTORE: "may come back at the next profile",
    EditKind.REFUSE: "stays away",
}


class EditIn(In):
    """What an owner wants of their profile."""

    kind: EditKind
    target: str = Field(
        "", max_length=ID_CAP, description="statement or theme id; of restore and refuse the number of the deletion"
    )
    text: str = Field("", max_length=MOST_TEXT, description="their words, for add and reword")
    polarity: Polarity | None = Field(None, description="where the words have no verb; default: like")
    allow_sensitive: bool = Field(False, description="keep words that tell of health, faith, age and so on")


class EditOut(Out):
    """An entry of the log of edits."""

    number: int = Field(description="from 1 for each user; 0 or the next one for what is not logged")
    kind: EditKind
    at: Moment
    target: str
    of_theme: bool = Field(description="the target is a theme, not a statement")
    was: str = Field(description="what the target said then")
    polarity: Polarity
    text: str = Field(description="the owner's words")


class MarkOut(Out):
    """A mark that holds, on a statement or theme of today."""

    target: str = Field(description="statement or theme id")
    mark: Literal["muted", "pinned", "boosted"]
    words: str = Field(description="the statement, or the name of the theme")


class OwnedOut(Out):
    """What the owner said about their profile, and what holds of it."""

    user: str
    edits: list[EditOut] = Field(description="oldest first")
    marks: list[MarkOut]
    questions: list[QuestionOut]
    superseded: list[StatementOut] = Field(description="statements that others took the place of: when, and which")


class EditedOut(Out):
    """An edit as it was logged, and the profile with it."""

    edit: EditOut
    message: str
    profile: ProfileOut | None = Field(description="none where there is no profile yet: the next one keeps to the edit")


class MoveOut(Out):
    """An item before and after an edit."""

    item: str = Field(description="item id")
    title: str
    theme: str | None = Field(description="name of the theme that speaks for it")
    before: int | None = Field(description="place; none when not among the first")
    after: int | None
    change: Literal["new", "rises", "stays", "falls", "gone"]


class PreviewOut(Out):
    """What an edit would do to the first k recommendations."""

    edit: EditOut
    k: int
    note: str = Field(description="what the ranking left out")
    moves: list[MoveOut] = Field(description="the list as it would be, then what would be gone")


def wish(body: EditIn) -> Wish:
    from agent.control import Wish

    return Wish(body.kind, body.target, body.text, body.polarity, body.allow_sensitive)


def owned(user: str, found: Owned) -> OwnedOut:
    words = {t.id: t.label for t in found.profile.themes} if found.profile else {}
    words |= {s.id: s.text for s in found.profile.statements} if found.profile else {}
    return OwnedOut(
        user=user,
        edits=[EditOut.model_validate(e) for e in found.log],
        marks=[
            MarkOut.model_validate({"target": i, "mark": MARKED[kind], "words": words[i]})
            for i, kind in found.marks.of.items()
            if i in words
        ],
        questions=[QuestionOut.model_validate(q) for q in found.questions],
        superseded=[StatementOut.model_validate(s) for s in found.superseded],
    )


def edited(found: Edited) -> EditedOut:
    edit = found.edit
    said = edit.text if edit.kind in (EditKind.ADD, EditKind.REWORD) else edit.was
    profile = ProfileOut.model_validate(found.profile) if found.profile else None
    return EditedOut(edit=EditOut.model_validate(edit), message=f"{DONE[edit.kind]}: {said}", profile=profile)


def preview(service: Service, found: Preview) -> PreviewOut:
    items = service.store.items([m.item for m in found.moves])
    return PreviewOut(
        edit=EditOut.model_validate(found.edit),
        k=found.k,
        note=NOTE,
        moves=[
            MoveOut(
                item=m.item,
                title=items[m.item].title if m.item in items else m.item,
                theme=m.theme,
                before=m.before,
                after=m.after,
                change=m.change,
            )
            for m in found.moves
        ],
    )
