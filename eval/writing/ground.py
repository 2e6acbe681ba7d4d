"""What an input holds, and so what may be said of it: words for any task, facts for the judge of statements (eval/claims.py).

    bench = Bench(made, embedder)
    bench.unheld("gory slasher films", bench.ground(given))     # the words that nothing in the input speaks for

Shares no code with the checks of the product (agent.guard), as eval/claims.py does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from agent.tuning.examples import Act, EventsIn, GroundsIn, LabelsIn, StatementsIn
from eval.claims import NEAR, Judge
from eval.facts import Fact, english, facts, holds, keys, word_keys, words
from eval.phrasing import GLUE, KINDS
from eval.writing.inputs import Input
from retrieval.embed import Embedder, Vectors
from retrieval.features import DOMAINS
from retrieval.records import Event, EventKind, Item, Polarity

PREFIX = 5  # letters that two forms of a word agree in ("surrealism", "surrealist"), as in eval/reason_judge.py
LONG = 3  # blanks in a text whose words are compared one by one; a shorter one is compared as a whole
_FILLING = """
    come comes coming keep keeps kept ones away long far tell told spot plus happy happiest taste tastes steer steers go goes
    going room built build equally alongside clear eye ear run runs form forms streak soft regular steady heart wary lean leans
    leaning constant return returns returning pass passes touch skip skips unless finds refuse refuses stay stays given bit
    appetite mix takes near end ends better rounded gets cares round does fondness devoted weak mind loyal patience little
    likely nearly whichever turn chiefly
    noch aus zum zur vor allem als diesmal dazu um nun auch bei rund zwar wieder mehr andere anderes denen man hier kein recht
    etwas jetzt mal gegen dann ebenso wie oft doch nur meist ins nichts sonst
    otra otro todo lo al esta siempre entre ahora más vez salvo modo ni nunca aún mejor junto suyo es
    à aux au autre autres par surtout encore souvent ses sauf qui ont tout autour revient mieux entre plus parmi cette fois vers
    aussi d'un d'une
"""
FILLING = GLUE | frozenset(_FILLING.split())
"""Words that claim nothing: those of eval/phrasing.py, and what the answers of the train and dev splits are phrased with."""
_READER = Judge(())  # cuts a text into words that claim something; knows no catalogue
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ground:
    """What may be said: the stems of all words, how they begin, the features and words themselves, and the nouns for the kinds
    of things ("films"), where each thing has one that is known."""

    keys: frozenset[str]
    begins: frozenset[str]
    near: tuple[str, ...]
    nouns: frozenset[str] | None


def content(text: str) -> tuple[str, ...]:
    """The words of `text` that claim something, each once; kinds of things are not among them."""
    found = (word for claim in _READER.cut(text) for word in claim.words)
    return tuple(dict.fromkeys(word for word in found if word not in FILLING))


def kinds(text: str) -> frozenset[str]:
    """The nouns of retrieval.features.DOMAINS that `text` names."""
    return frozenset(claim.kind for claim in _READER.cut(text) if claim.kind)


def repeats(text: str, given: Iterable[str] = ()) -> bool:
    """Does a word that claims something come twice, and oftener than in `given` ("radio history", "pirate radio")?"""
    counted = [english(word) for word in words(text) if word not in FILLING]
    free = [english(word) for part in given for word in words(part)]
    return any(counted.count(stem) > max(1, free.count(stem)) for stem in counted)


def copies(text: str, titles: Iterable[str], ground: Ground) -> bool:
    """Does `text` hold a title of two words, or three words in a row of a longer one, that are not all in features anyway?"""
    said = f" {' '.join(words(text))} "
    for title in titles:
        named = words(title)
        runs = [named[i : i + 3] for i in range(max(1, len(named) - 2))] if len(named) > 1 else []
        for run in runs:
            own = [word for word in run if word not in FILLING and not holds(word, ground.keys)]
            if own and f" {' '.join(run)} " in said:
                return True
    return False


class Bench:
    """What all measures share: the inputs by id and an embedder that remembers."""

    def __init__(self, made: Iterable[Input], embedder: Embedder | None = None) -> None:
        """Without an embedder only stems and beginnings count."""
        self.inputs = {given.id: given for given in made}
        self._embedder = _Remembered(embedder) if embedder else None
        self._grounds: dict[str, Ground] = {}

    def prepare(self, said: Iterable[tuple[Input, str]]) -> None:
        """Embed in one go what measuring these answers will ask for."""
        if self._embedder:
            pairs = list(said)
            known = [near for given, _ in pairs for near in self.ground(given).near]
            self._embedder.embed([*known, *(word for _, text in pairs for word in content(text))])

    def ground(self, given: Input) -> Ground:
        """What the harmless part of an input holds, titles included."""
        if given.id not in self._grounds:
            self._grounds[given.id] = _ground(*_held(given))
        return self._grounds[given.id]

    def unheld(self, text: str, ground: Ground) -> list[str]:
        """The words of `text`, kinds of things included, that nothing in the ground speaks for: no stem, no beginning, nothing
        of about the same meaning."""
        left = [w for w in content(text) if not _known(w, ground)]
        left = [word for word in left if not self._near(word, ground.near)]
        return left + sorted(kinds(text) - ground.nouns if ground.nouns is not None else ())

    def claims(self, given: Input, text: str) -> list[bool]:
        """Is each claim of a statement carried by two things of the evidence, or by words of the user's own?"""
        acts = evidence(given)
        judge = Judge(items_of(acts).values(), self._embedder)
        known = facts_of(acts, side(given))
        made = (c for c in judge.cut(text, side(given)) if not c.words or not FILLING.issuperset(c.words))
        return [judge.supported(claim, known, known) for claim in made]

    def _near(self, word: str, known: Sequence[str]) -> bool:
        if self._embedder is None or not known:
            return False
        return float((self._embedder.embed([word]) @ self._embedder.embed(known).T).max()) >= NEAR


def evidence(given: Input) -> tuple[Act, ...]:
    """The events of a statement's input, without what was planted."""
    source = given.harmless or given.given
    return source.events if isinstance(source, EventsIn) else ()


def side(given: Input) -> Polarity:
    return Polarity(given.given.polarity) if isinstance(given.given, EventsIn) else Polarity.LIKE


# --- acts as the judge reads them -------------------------------------------------------------------------------------


def items_of(acts: Iterable[Act]) -> dict[str, Item]:
    """By title, which is the id. A kind that the judge does not know is a word like others."""
    return {a.title: Item(a.title, a.title, categories=(a.kind, *a.features)) for a in acts if a.title}


def facts_of(acts: Sequence[Act], about: Polarity) -> tuple[Fact, ...]:
    """One fact for each item and search. An item's last act says its side (agent/tuning/render.py); a search is `about`."""
    items = items_of(acts)
    last = {a.title: a for a in acts}
    events = [
        Event(str(n), "somebody", _kind(a), _BEGIN + timedelta(n), a.title or None, text=a.text or None)
        for n, a in enumerate(acts)
    ]
    found = []
    for fact in facts(events, items):
        if fact.item is None:
            found.append(replace(fact, side=about))
            continue
        act = last[fact.item]
        both = any(word in KINDS for feature in act.features for word in words(feature))  # "music podcasts"
        side = Polarity.DISLIKE if act.against else Polarity.LIKE
        found.append(replace(fact, side=side, noun=None if both else DOMAINS.get(act.kind)))
    return tuple(found)


def _kind(act: Act) -> EventKind:
    return EventKind.SEARCH if not act.title else EventKind.DISLIKE if act.against else EventKind.LIKE


def _known(word: str, ground: Ground) -> bool:
    """By stem or beginning; of a run of Chinese, which nobody cuts into words here, by any pair of characters."""
    if word[0] >= "\u3400":
        return not word_keys(word).isdisjoint(ground.keys)
    return holds(word, ground.keys) or word[:PREFIX] in ground.begins


def _held(given: Input) -> tuple[list[str], list[str]]:
    """All texts of an input, and the kinds of its things."""
    match given.harmless or given.given:
        case EventsIn(events=acts):
            return _texts(acts), [a.kind for a in acts if a.title]
        case GroundsIn(evidence=acts, item=item):
            return [*_texts(acts), item.kind, *item.features], [*(a.kind for a in acts if a.title), item.kind]
        case StatementsIn(statements=statements):
            return list(statements), []
        case LabelsIn(likes=likes, dislikes=dislikes):
            return [*likes, *dislikes], []
        case _:
            return [], []


def _texts(acts: Iterable[Act]) -> list[str]:
    return [text for a in acts for text in (a.title, a.kind, *a.features, a.text) if text]


def _ground(texts: Sequence[str], things: Sequence[str]) -> Ground:
    said = [word for text in texts for word in words(text)]
    begins = frozenset(word[:PREFIX] for word in said if len(word) >= PREFIX)
    near = (part for text in texts for part in ([text] if text.count(" ") < LONG else content(text)))
    known = [DOMAINS.get(thing) for thing in things]
    told = {KINDS[word] for word in said if word in KINDS}
    nouns = frozenset(noun for noun in known if noun) | told if known and all(known) else None
    return Ground(keys(texts), begins, tuple(dict.fromkeys(near)), nouns)


class _Remembered:
    """An embedder that embeds each text once."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self._known: dict[str, Vectors] = {}
        self.name, self.dim = inner.name, inner.dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        fresh = list(dict.fromkeys(text for text in texts if text not in self._known))
        if fresh:
            self._known |= dict(zip(fresh, self._inner.embed(fresh), strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dim)
