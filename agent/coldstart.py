"""Two sentences about oneself to a provisional profile.

The text is cut into clauses by code (agent/clauses.py); whether a clause tells a like or a dislike is read from its verb, or
where it has none, from the likelihood that the LLM gives to the two closed answers. The words of a statement are always the
user's own, copied and never generated, so nothing can be invented. What the user says is `asserted`: inference never overrules
it. What tells of their age, health, faith and so on (see sensitive.py) is left out unless they allow it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agent import guard, pii, plain, sensitive
from agent.clauses import Clause, Speech, likes_or_not, members, named, parts, spoken, wishes
from agent.errors import LLMError, UsageError
from agent.llm import LLM
from agent.typed import typed
from prompts import library
from retrieval import trust
from retrieval.embed import Embedder
from retrieval.evolution import theme_id
from retrieval.merge import statement_id
from retrieval.records import Horizon, Origin, Polarity, Profile, Source, Statement, Theme

MOST_CHARS = 2000
MOST_STATEMENTS = 12
_I_AM = re.compile(r"^\W*i(?:['’]m| am)(?: not| no longer)?(?: an?)?\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood; `ignored` holds (words, why) of what was left out."""

    statements: tuple[Statement, ...]
    ignored: tuple[tuple[str, str], ...]


async def read(text: str, user: str, now: datetime, llm: LLM, *, allow_sensitive: bool = False) -> Reading:
    """Asserted statements from a self-description. Raises UsageError for one that is empty or too long.

    Without `allow_sensitive`, a clause that tells of the user's health, faith and so on is in `ignored`, with the reason
    "sensitive: health; ...". Addresses, numbers and the like are masked before anything else reads them.
    """
    text = pii.mask(typed(text, "the self-description", MOST_CHARS))
    if not text:
        raise UsageError(
            "the self-description is empty", hint="say in a sentence or two what you like and what you do not"
        )
    heard, ignored = _heard(text)
    statements: list[Statement] = []
    for clause in heard:
        problem = _problem(clause, allow_sensitive)
        if problem is None and len(statements) >= MOST_STATEMENTS:
            problem = "too many"
        if problem:
            ignored.append((clause.span, problem))
            continue
        if _tells(clause):
            own = clause.said.strip(" ,")
            statements.append(asserted(own, plain.told(own), clause.polarity or Polarity.LIKE, user, now))
            continue
        says = clause.polarity or await _ask(clause.span, llm)
        verb = "Is learning" if clause.learning else plain.VERBS[says]
        statements.append(asserted(clause.span, f"{verb} {clause.span}", says, user, now))
    unique = {s.id: s for s in statements}
    return Reading(tuple(unique.values()), tuple(ignored))


def _heard(text: str) -> tuple[list[Clause], list[tuple[str, str]]]:
    """The clauses in which the user speaks of tastes, and what was left out with the reason.

    Who speaks to the system anywhere says nothing by wishes and by names without a verb: anybody could have put them there.
    """
    wished: list[Clause] = []
    rest = text
    for part in parts(text):
        wished += (found := wishes(part))
        rest = rest.replace(part, " ", 1) if found else rest
    own, addressed = trust.honest(rest)
    speech = [(part, spoken(part)) for part in parts(own)]
    trusted = not addressed and all(who is not Speech.ADDRESSED for _, who in speech)
    found, ignored = [], []
    for part, who in speech:
        if who is Speech.ADDRESSED:
            ignored.append((part, _harm(part) or "instruction"))
            continue
        pieces = members(part, own=who is Speech.OWN)
        kept = pieces if who is Speech.OWN else named(pieces) if trusted else []
        found += kept
        ignored += [(c.span, _harm(c.said) or "unclear") for c in pieces if c not in kept]
    if addressed:
        contact = "personal" if pii.MARK in addressed else "instruction"
        ignored.append((addressed, guard.harmful(addressed) or contact))
    if trusted:
        return [*found, *wished], ignored
    return found, [*ignored, *((clause.span, "instruction") for clause in wished)]


def _problem(clause: Clause, allow_sensitive: bool) -> str | None:
    """Why a clause is left out, if it is."""
    if pii.MARK in clause.span and not _likes_more_than_a_mark(clause):
        return "personal"
    return _harm(clause.said, allow_sensitive) or _harm(clause.span, allow_sensitive)


def _harm(words: str, allow_sensitive: bool = False) -> str | None:
    problem = guard.harmful(words, consented=allow_sensitive)
    return f"sensitive: {sensitive.attribute(words)}; allow_sensitive keeps it" if problem == "sensitive" else problem


def _likes_more_than_a_mark(clause: Clause) -> bool:
    """ "I love the bookshop at ■■■" says something; "call me on ■■■" only how to reach somebody."""
    return likes_or_not(clause.said) and bool(guard.words(clause.span))


def _tells(clause: Clause) -> bool:
    """Does it say what the user is rather than what they like? "I'm Muslim" is no liking of Muslims."""
    before = clause.said.partition(clause.span)[0]
    says_no_taste = clause.polarity is None or _I_AM.match(before) is not None
    return says_no_taste and sensitive.attribute(clause.said) is not None


async def _ask(span: str, llm: LLM) -> Polarity:
    """The likelier of the two closed answers; a like when the LLM cannot say."""
    prompt = library.load("read_polarity")
    prefix = prompt.text(clause=span)
    try:
        like, dislike = await llm.likelihood([(prefix, " likes"), (prefix, " dislikes")], ref=prompt.ref)
    except LLMError:
        return Polarity.LIKE
    return Polarity.LIKE if like >= dislike else Polarity.DISLIKE


def asserted(words: str, text: str, says: Polarity, user: str, now: datetime) -> Statement:
    """A statement in the user's own `words`, which `text` makes a sentence of."""
    return Statement(
        id=statement_id(user, says, text, ()),
        user=user,
        text=text,
        polarity=says,
        facet=words,
        evidence=(),
        first_at=now,
        last_at=now,
        horizon=Horizon.LONG,
        source=Source.ASSERTED,
        origin=Origin.USER,
        confidence=1.0,
        prompt="",
        model="",
        written_at=now,
    )


def provisional(user: str, statements: Sequence[Statement], embedder: Embedder, now: datetime) -> Profile:
    """A profile from asserted statements alone: each is a theme of its own under the user's own words. Nothing is stored."""
    vectors = embedder.embed([s.facet for s in statements]) if statements else np.zeros((0, embedder.dim))
    themes = tuple(
        Theme(
            id=theme_id(user, s.id),
            user=user,
            label=plain.capital(s.facet),
            summary=s.text,
            polarity=s.polarity,
            statements=(s.id,),
            medoid=s.id,
            centroid=tuple(float(x) for x in row),
            importance=1.0,
            origin=Origin.USER,
        )
        for s, row in zip(statements, vectors, strict=True)
    )
    tastes = [t for t in themes if not plain.tells(t.summary)]
    likes, dislikes = ([t.label for t in tastes if t.polarity is side] for side in Polarity)
    said = [f"{s.text}." for s in statements if plain.tells(s.text)]
    known = [plain.portrait(likes, dislikes)] if tastes or not said else []
    return Profile(user, now, 0, tuple(statements), themes, " ".join([*known, *said]))
