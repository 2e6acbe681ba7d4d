"""A judge without an LLM: what does a statement claim, and does what the user did support it?

    judge = Judge(dataset.items.values(), embedder)
    claims = judge.cut("Likes slow-burn mystery films set in Iceland")   # slow-burn / mystery films / iceland, all liked
    judge.supported(claims[0], evidence, whole_history)

It shares no code with the checks of the product (agent.guard) and works for statements of any system. A claim is a polarity and
a qualifying word or phrase, with the kind of thing where the statement ties the two together. It holds when at least two facts
of the evidence (eval/facts.py: an item or a search is one fact, however often it was touched) carry it in categories, tags,
title, text or the user's own words, by stem or by nearness of embeddings, on the same side. One of
them has to carry it otherwise than in the item's prose. Where the user says so in words of their own (a search, a review) one
fact is enough, and so is one item that is called by its title. What the judge cannot read is
unsupported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from eval.facts import Fact, english, holds, keys, title_words, word_keys, words
from eval.phrasing import AND, BREAKS, FLIPS, GLUE, KINDS, clauses
from retrieval.embed import Embedder
from retrieval.features import DOMAINS, features
from retrieval.records import Item, Polarity

NEAR = 0.7  # cosine of a word and a feature that mean the same; chosen on half of the labelled claims (eval/data)
ENOUGH = 2  # facts that make a taste: what one item happens to hold is none
_QUOTED = re.compile(r"[“\"«„]([^“”\"«»„]{2,200})[”\"»“]|(?<!\w)'([^']{2,200})'(?!\w)")
_TOKEN = re.compile(r"[\u3400-\u9fff]+|[^\W\d_\u3400-\u9fff]+(?:['’][^\W\d_]+)?|[^\w\s\-‐]")
_PARTICLES = re.compile(r"[的和与及、了在是对很也等或]|喜欢|不喜欢|讨厌|感兴趣|用户|关于|尤其|爱好|喜爱")
_KINDS_ZH = {
    "电影": "films",
    "书籍": "books",
    "书": "books",
    "游戏": "games",
    "音乐": "music",
    "文章": "articles",
    "课程": "courses",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a statement says: all of `words` of things of a `kind` ("films"; None: of whatever kind).

    `quoted`: it names a title or a search. No words and no kind: the judge could not read it, and nothing supports it.
    """

    text: str
    polarity: Polarity
    words: tuple[str, ...] = ()
    kind: str | None = None
    quoted: bool = False


@dataclass(slots=True)
class _Run:
    """Neighbouring words of a statement that claim something, as `parts` (features of the catalogue, or other words)."""

    parts: list[tuple[str, ...]]
    kind: str | None = None
    joined: bool = False  # to the run before, by "and" or a comma
    against: bool = False
    title: bool = False


class Judge:
    """Knows the features of one catalogue: which words belong together, and which are near to which."""

    def __init__(self, items: Iterable[Item], embedder: Embedder | None = None) -> None:
        """Without an embedder only stems count."""
        catalogue = list(items)
        self._features = sorted({feature for item in catalogue for feature in features(item)})
        self._titles = {_stems(title) for item in catalogue if len(_telling(title := title_words(item))) > 1}
        self._phrases = {_stems(words(feature)) for feature in self._features}
        self._longest = max(map(len, self._phrases | self._titles), default=1)
        self._embedder = embedder
        self._vectors = embedder.embed(self._features) if embedder and self._features else None
        self._near: dict[str, frozenset[str]] = {}

    def cut(self, statement: str, polarity: Polarity | None = None) -> tuple[Claim, ...]:
        """The atomic claims of a statement, at least one; `polarity` where its system says it, else it is read."""
        sides = (Polarity.LIKE, Polarity.DISLIKE)
        claims = []
        for against, text in clauses(statement):
            says = polarity or sides[against]
            quotes = (next(filter(None, found.groups())) for found in _QUOTED.finditer(text))
            claims += [Claim(quote, says, tuple(words(quote)), quoted=True) for quote in quotes if words(quote)]
            claims += [claim for run in _inherit(self._runs(_QUOTED.sub(" ; ", text))) for claim in _claims(run, says)]
        self._learn(word for claim in claims for word in claim.words)
        return tuple(dict.fromkeys(claims)) or (Claim(statement.strip(), polarity or Polarity.LIKE),)

    def supported(self, claim: Claim, evidence: Sequence[Fact], history: Sequence[Fact]) -> bool:
        """Do the facts of `evidence` carry the claim, and does the user's whole `history` not speak against it?

        Against: at least as many facts of the other side that carry it, counted from the first that supports it on, so that
        a change of taste is no contradiction.
        """
        found = self.supporters(claim, evidence)
        told = any(_told(claim, fact) or _named(claim, fact) for fact in found)
        if not told and (len(found) < ENOUGH or not any(self._marked(claim, fact) for fact in found)):
            return False
        since = min(fact.last_at for fact in found)
        other = replace(claim, polarity=Polarity.DISLIKE if claim.polarity is Polarity.LIKE else Polarity.LIKE)
        against = [fact for fact in self.supporters(other, history) if fact.last_at >= since]
        return len(against) < len(self.supporters(claim, history) or found)

    def supporters(self, claim: Claim, evidence: Iterable[Fact]) -> list[Fact]:
        """The facts that carry the claim and stand on its side."""
        return [fact for fact in evidence if fact.side is claim.polarity and self.carries(claim, fact)]

    def carries(self, claim: Claim, fact: Fact) -> bool:
        """Does the fact show what the claim names, whichever side it stands on?"""
        if not claim.words and claim.kind is None:
            return False
        if claim.quoted:
            return _named(claim, fact) or _told(claim, fact)
        if claim.kind is not None and (fact.noun or claim.kind) != claim.kind:
            return False
        if not claim.words:
            return fact.item is not None  # a search is no kind of thing
        return all(self._has(word, fact) for word in claim.words) or _named(claim, fact)

    def _has(self, word: str, fact: Fact) -> bool:
        return holds(word, fact.keys) or holds(word, fact.own) or not fact.features.isdisjoint(self._close(word))

    def _marked(self, claim: Claim, fact: Fact) -> bool:
        """Does the fact carry it in what it is marked with? Prose alone makes no taste: "comes" stands in many texts."""
        near = (not fact.features.isdisjoint(self._close(word)) for word in claim.words)
        return all(holds(word, fact.marks) or close for word, close in zip(claim.words, near, strict=True))

    def _close(self, word: str) -> frozenset[str]:
        """The features of the catalogue that mean about what `word` does."""
        if word not in self._near:
            self._learn([word])
        return self._near[word]

    def _learn(self, unknown: Iterable[str]) -> None:
        """Embed the words that are new, all at once."""
        fresh = sorted({word for word in unknown if word not in self._near})
        if self._embedder is None or self._vectors is None or not fresh:
            self._near.update(dict.fromkeys(fresh, frozenset()))
            return
        for word, cosines in zip(fresh, self._embedder.embed(fresh) @ self._vectors.T, strict=True):
            self._near[word] = frozenset(self._features[row] for row in np.flatnonzero(cosines >= NEAR))

    def _runs(self, text: str) -> list[_Run]:
        """Cut at punctuation and at words that claim nothing; keep the features of the catalogue whole."""
        tokens = [part for token in _TOKEN.findall(text.casefold()) for part in _parts(token)]
        runs, run, place = [], _Run([]), 0
        while place < len(tokens):
            token = tokens[place]
            title = self._longest_of(self._titles, tokens[place:])
            phrase = title or self._longest_of(self._phrases, tokens[place:])
            if title:
                runs += [run, _Run([title], against=run.against, title=True)]
                run = _Run([], against=run.against)
            elif phrase:
                run.parts.append(phrase)
            elif token in KINDS and (token in DOMAINS.values() or _stems([token]) not in self._phrases):
                run.kind = KINDS[token]
                runs.append(run)
                run = _Run([], against=run.against)
            elif token in GLUE or not words(token):
                runs.append(run)
                turned = token in FLIPS or (run.against and token not in BREAKS)
                run = _Run([], joined=token in AND, against=turned)
            else:
                run.parts.append((token,))
            place += len(phrase) or 1
        return [found for found in (*runs, run) if found.parts or found.kind]

    def _longest_of(self, known: set[tuple[str, ...]], tokens: Sequence[str]) -> tuple[str, ...]:
        """The longest of `known`, of two words or more, that `tokens` begin with; empty when there is none."""
        for length in range(min(self._longest, len(tokens)), 1, -1):
            if _stems(tokens[:length]) in known:
                return tuple(tokens[:length])
        return ()


def statement_keys(text: str) -> frozenset[str]:
    """The stems of what a statement names, for comparing statements: word order and filling do not count."""
    return keys(word for word in words(text) if word not in GLUE)


def _telling(title: Iterable[str]) -> list[str]:
    return [word for word in title if word not in GLUE]


def _stems(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(english(token) for token in tokens)


def _parts(token: str) -> list[str]:
    """A token as it is; Chinese has no blanks, so it is cut at its particles and before a kind of thing."""
    if not re.match(r"[\u3400-\u9fff]", token):
        return [token.replace("’", "'").removesuffix("'s")]
    found = []
    for piece in _PARTICLES.sub(" ", token).split():
        kind = next((noun for noun in _KINDS_ZH if piece.endswith(noun)), "")
        found += [part for part in (piece.removesuffix(kind), _KINDS_ZH.get(kind, "")) if part]
    return found


def _inherit(runs: Sequence[_Run]) -> list[_Run]:
    """ "mystery films and books" means mystery books: a kind joined to a kind takes over what is said of it."""
    found = list(runs[:1])
    for before, run in pairwise(runs):
        whole = not run.parts and run.joined and before.kind is not None and before.parts
        found.append(replace(run, parts=[before.parts[-1]]) if whole else run)
        if whole:
            run.parts = [before.parts[-1]]
    return found


def _claims(run: _Run, says: Polarity) -> list[Claim]:
    """One claim for each part; the last one is tied to the kind of thing."""
    if run.against:
        says = Polarity.DISLIKE if says is Polarity.LIKE else Polarity.LIKE
    if not run.parts:
        return [Claim(run.kind or "", says, (), run.kind)]
    if run.title:
        return [Claim(" ".join(run.parts[0]), says, run.parts[0], quoted=True)]
    free = [Claim(" ".join(part), says, part) for part in run.parts[:-1]]
    last = run.parts[-1]
    return [*free, Claim(" ".join([*last, *([run.kind] if run.kind else [])]), says, last, run.kind)]


def _told(claim: Claim, fact: Fact) -> bool:
    """Does the user say it in their own words?"""
    return bool(claim.words) and all(holds(word, fact.own) for word in claim.words)


def _named(claim: Claim, fact: Fact) -> bool:
    """Does the claim call the item by its title? A title of one word counts only where it is quoted."""
    title = _telling(fact.title) or list(fact.title)
    if not title or (len(title) == 1 and not claim.quoted):
        return False
    said = {key for word in claim.words for key in word_keys(word)}
    return all(holds(word, frozenset(said)) for word in title)
