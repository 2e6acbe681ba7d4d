"""The one question worth asking: the one whose answer is expected to tell most about what somebody would like.

    question = asking.question(user)                 # None where nothing is worth asking
    asking.answer(user, question.community, Reply.YES, now)

Questions are the names of interest communities (agent/crowds.py). A yes or no becomes a statement of the user's own, a skip is
remembered, and none is asked again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agent import plain
from agent.coldstart import Reading, read
from agent.crowds import Crowds
from agent.errors import NotFoundError
from agent.known import known_user
from agent.llm import LLM
from agent.will import spoken
from retrieval import inquiry
from retrieval.embed import CachedEmbedder, Embedder, Vectors
from retrieval.inquiry import Floats
from retrieval.kindred import Kindred
from retrieval.records import Edit, EditKind, Polarity, Reply, Source, Statement
from retrieval.store import Replied, Store

LEAST_GAIN = 0.01  # bits; what tells less is not worth anybody's time
_SAYS = {Reply.YES: Polarity.LIKE, Reply.NO: Polarity.DISLIKE}


@dataclass(frozen=True, slots=True)
class Question:
    """`community` is the id to answer with; `likely` is how likely a yes is, `gain` the bits that an answer is expected to
    tell of which community is theirs."""

    community: int
    label: str
    text: str
    why: str
    likely: float
    gain: float


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of somebody: what they said and did, as embedded texts, the events behind that, and their answers."""

    told: Vectors
    done: Vectors
    weights: Floats
    replies: Sequence[Replied] = ()


class Asking:
    """Asks and takes answers. Holds no user."""

    def __init__(self, store: Store, embedder: Embedder, llm: LLM, crowds: Crowds) -> None:
        self._store = store
        self._embedder = embedder
        self._llm = llm
        self._crowds = crowds

    def question(self, user: str) -> Question | None:
        """What to ask a known user, from their stored profile, their own statements and what they answered before.

        Raises NotFoundError.
        """
        known_user(self._store, user)
        return self._best(self._of(user))

    async def question_for(self, text: str, now: datetime) -> tuple[Question | None, Reading]:
        """What to ask a stranger who says `text`, and what was understood of it. Nothing is stored. Raises UsageError."""
        reading = await read(text, "", now, self._llm)
        told = [s.text for s in reading.statements if s.polarity is Polarity.LIKE and not plain.tells(s.text)]
        nothing = np.zeros((0, self._embedder.dim), dtype=np.float32)
        known = _Known(self._embedder.embed(told) if told else nothing, nothing, np.zeros(0))
        return self._best(known), reading

    def answer(self, user: str, community: int, reply: Reply, now: datetime) -> Statement | None:
        """Record an answer; the statement that it makes, None for a skip. A later answer takes the place of an earlier one.

        Raises NotFoundError for an unknown user and for a community that is not shown.
        """
        known_user(self._store, user)
        asked = next((c for c in self._crowds.communities() if c.id == community), None)
        if asked is None:
            raise NotFoundError(f"no community {community}", hint="`leitmotif ask USER` says which one to answer")
        for old in self._store.replies(user):
            if old.community == community and old.reply in _SAYS:
                gone = spoken(_said(old))
                taken_back = Edit(user, EditKind.DELETE, now, target=gone.id, was=gone.text, statements=(gone.id,))
                self._store.save_edit(replace(taken_back, polarity=gone.polarity))
        said = None
        if reply in _SAYS:
            edit = _said(Replied(user, community, asked.label, reply, now))
            said = spoken(edit)
            self._store.save_edit(edit, [said])
        self._store.save_reply(Replied(user, community, asked.label, reply, now))
        return said

    def _of(self, user: str) -> _Known:
        replies = self._store.replies(user)
        from_replies = {spoken(_said(r)).id for r in replies if r.reply in _SAYS}
        own = [s for s in self._store.statements(user) if s.source is not Source.INFERRED and s.id not in from_replies]
        told = [s.text for s in own if s.polarity is Polarity.LIKE and not plain.tells(s.text)]
        profile = self._store.profile(user)
        inferred = {s.id for s in profile.statements if s.source is Source.INFERRED} if profile else set()
        themes = [t for t in profile.themes if t.active and t.polarity is Polarity.LIKE] if profile else []
        themes = [t for t in themes if t.medoid in inferred]
        embedder = CachedEmbedder(self._embedder, self._store, user)
        weights = np.array([t.importance for t in themes])
        return _Known(embedder.embed(told), embedder.embed([t.summary for t in themes]), weights, replies)

    def _best(self, known: _Known) -> Question | None:
        kindred = Kindred.load(self._store, self._embedder.name, self._crowds.least)
        if kindred is None:
            return None
        own = _after(kindred.belief(known.told, known.done, known.weights), kindred, known.replies)
        settled = kindred.fitting(np.concatenate([known.told, known.done]))
        return _chosen(kindred, own, settled, known.replies)


def _after(own: Floats, kindred: Kindred, replies: Iterable[Replied]) -> Floats:
    rows = {community.id: row for row, community in enumerate(kindred.communities)}
    for given in replies:
        if given.community in rows and given.reply in _SAYS:
            own = inquiry.answered(own, kindred.yes[rows[given.community]], given.reply is Reply.YES)
    return own


def _chosen(kindred: Kindred, own: Floats, settled: Collection[int], replies: Iterable[Replied]) -> Question | None:
    """The question that is neither answered nor settled by what is known and tells most; ties go to the lower id."""
    past = {r.community for r in replies} | set(settled)
    names = {r.label.lower() for r in replies}
    open_ = (c.features and c.id not in past and c.label.lower() not in names for c in kindred.communities)
    free = [row for row, asked in enumerate(open_) if asked]
    gains = kindred.gains(own)
    best = max(free, key=lambda row: (gains[row], -row), default=None)
    if best is None or gains[best] < LEAST_GAIN:
        return None
    asked, likely = kindred.communities[best], float(kindred.yes[best] @ own)
    words = plain.lower(asked.label)
    why = (
        "Of all that could be asked, your answer to this tells most about what else to show you: "
        f"about {100 * likely:.0f} % of people like you would say yes."
    )
    return Question(asked.id, asked.label, f"Do you like {words}?", why, likely, float(gains[best]))


def _said(reply: Replied) -> Edit:
    """What an answer, yes or no, adds to the profile in its owner's name."""
    says = _SAYS[reply.reply]
    text = plain.statement(says, plain.lower(reply.label))
    return Edit(reply.user, EditKind.ADD, reply.at, polarity=says, text=text)
