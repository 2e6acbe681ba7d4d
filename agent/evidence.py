"""What events show, as the writer may say it: shared features, the kinds of things that they hold for, the user's queries.

    evidence, reason = weighed(segment, judge)      # features worth saying first; a reason where nothing should be said
    evidence.notes                                  # what the model sees: "mystery films, books (slow-burn, arctic)"
    evidence.phrase                                 # the same from the data alone

A claim needs two things that carry it: what one item happens to be is no taste. That holds for each feature, and for each
feature together with each kind of thing that it is said of ("mystery books" needs two mystery books).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent import guard, phrases, pii, plain, sensitive
from agent.gate import Judge
from agent.notes import Notes, counted
from retrieval.features import CatalogueStats, distinctive, domain, domains, features, kind
from retrieval.records import Event, EventKind, Item, Segment
from retrieval.trust import suspicion, trusted

FEATURES = 4  # features that go into a prompt; the untuned model strings together what is more
ENOUGH = 2  # items that carry a claim
KINDS = 2  # kinds of things named in a sentence
_SECOND_SENTENCE = re.compile(r"[.!?。！？]\s+\S")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a segment (or several) shows: items, features best first, nouns for the kinds of things, the user's queries.

    `genres` are the features that hold for each of the kinds in `domains`. `known` are the words of the catalogue; `worth`
    the features of which a statement must name one (agent/gate.py); `names` how the catalogue writes names.
    """

    items: tuple[Item, ...]
    features: tuple[str, ...]
    domains: tuple[str, ...]
    genres: frozenset[str] = frozenset()
    queries: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    worth: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def split(self) -> tuple[list[str], list[str]]:
        """The features that may stand before the kinds of things, and the others, each best first."""
        return [f for f in self.features if f in self.genres], [f for f in self.features if f not in self.genres]

    @property
    def notes(self) -> str:
        """What the model sees: "mystery films, books (slow-burn, arctic)"."""
        genres, details = self.split()
        head = f"{', '.join(genres[:2])} {', '.join(self.domains)}".strip()
        if not head:
            return ", ".join(details[:FEATURES])
        return f"{head} ({', '.join(details[:2])})" if details else head

    @property
    def counted(self) -> Notes:
        """The same with the number of items that each holds for, for the tuned model (agent/notes.py)."""
        told = [found for item in self.items if domain(item) in self.domains and (found := kind(item))]
        kinds = counted(list(dict.fromkeys(told)), [[found] for found in told])
        typed = tuple(query for query in self.queries if may_be_shown(query))
        return Notes(kinds, counted(self.features, [features(item) for item in self.items]), typed=typed)

    @property
    def phrase(self) -> str:
        """The same from the data alone."""
        return plain.phrase(*self.split(), self.domains)

    @property
    def of_kind(self) -> dict[str, frozenset[str]]:
        """Kind -> the stems of the features that enough things of that kind have."""
        counts = Counter((feature, domain(item)) for item in self.items for feature in features(item))
        kinds = domains(self.items)
        return {kind: guard.stems(f for f in self.features if counts[f, kind] >= ENOUGH) for kind in kinds}

    @property
    def texts(self) -> tuple[str, ...]:
        """What the evidence is written in."""
        return (*self.features, *self.domains, *self.queries, *(item.title for item in self.items))

    @property
    def premise(self) -> str:
        """What an entailment model reads: what each item is, in the catalogue's words, and what the user typed."""
        known = (f"{', '.join(features(item))} ({domain(item) or 'items'})" for item in map(trusted, self.items))
        return ". ".join(("This person chose: " + "; ".join(known), *self.queries))

    @property
    def support(self) -> guard.Support:
        """What may be said: the features, and words that two items share and one of them is marked with."""
        marked = guard.stems([feature for item in self.items for feature in features(item)])
        counts = Counter(stem for item in self.items for stem in guard.stems([trusted(item).text, *features(item)]))
        base = guard.support(
            self.features,
            texts=self.queries,
            titles=[item.title for item in self.items],
            domains=self.domains,
            known=self.known,
        )
        return replace(base, stems=base.stems | {stem for stem in marked if counts[stem] >= ENOUGH})


def evidence_of(events: Sequence[Event], items: Mapping[str, Item], stats: CatalogueStats) -> Evidence:
    """Gather what `events` show. Features are ranked by how much more frequent they are here than in the catalogue."""
    touched = tuple(items[i] for i in dict.fromkeys(e.item for e in events if e.item in items) if i is not None)
    searches = (e.text for e in events if e.text and e.kind is EventKind.SEARCH)
    fit = (text for text in searches if may_be_told(text) and not holds_any(text.lower(), stats.unsaid))
    queries = tuple(map(pii.mask, fit))
    ranked = [feature for feature, _ in distinctive(touched, stats)]
    told = ranked if touched else [" ".join(guard.words(query)) for query in queries]
    return replace(common(touched, told, stats), queries=queries)


def common(touched: Sequence[Item], ranked: Sequence[str], stats: CatalogueStats) -> Evidence:
    """What may be said of items that have some of the features `ranked`, best first."""
    chosen: list[str] = []
    for feature in ranked:
        if holds_any(feature, stats.unsaid):
            continue
        if guard.fit_to_say(feature) and not guard.overlap(feature, chosen):
            chosen.append(feature)
    return replace(_held(touched, chosen), known=stats.words, names=stats.names)


def may_be_told(search: str) -> bool:
    """Is a search no attack, and nothing in it a hint at what is sensitive? It is the user's, but nobody asked to keep it."""
    return not suspicion(search) and guard.harmful(search) is None and not sensitive.hints(search)


def may_be_shown(search: str) -> bool:
    """May the model read a search, as something that it may repeat? The guard would refuse the words of any other. Who
    searches writes no second sentence."""
    return (
        may_be_told(search)
        and not _SECOND_SENTENCE.search(search.strip())
        and phrases.nominal(" ".join(guard.words(search)), guard.MOST_TYPED)
    )


def holds_any(feature: str, unsaid: Collection[str]) -> bool:
    """Is the feature, or a phrase of whole words in it, among those that nothing may be said of?"""
    said = feature.split()
    spans = (" ".join(said[i:j]) for i in range(len(said)) for j in range(i + 1, len(said) + 1))
    return any(span in unsaid for span in spans)


def _held(touched: Sequence[Item], chosen: Sequence[str]) -> Evidence:
    """The kinds of which the first possible genre is true often enough, and the genres that are true of all of these."""
    categories = {c.lower() for item in touched for c in item.categories}
    counts = Counter((feature, domain(item)) for item in touched for feature in features(item))
    kinds = domains(touched)

    def kinds_of(feature: str) -> list[str]:
        return [kind for kind in kinds if counts[feature, kind] >= ENOUGH]

    possible = [f for f in chosen if f in categories]
    lead = next((f for f in possible if kinds_of(f)), None)
    if lead is not None:
        kinds = kinds_of(lead)[:KINDS]
    elif possible:
        kinds = []
    else:
        common = Counter(map(domain, touched))
        kinds = [kind for kind in kinds if common[kind] >= ENOUGH][:KINDS]
    genres = frozenset(f for f in possible if set(kinds) <= set(kinds_of(f)))
    return Evidence(tuple(touched), tuple(chosen), tuple(kinds), genres)


def weighed(segment: Segment, judge: Judge) -> tuple[Evidence, str]:
    """What a segment shows, features worth saying first, and why nothing should be said of it ("" where something should)."""
    evidence = evidence_of(segment.events, judge.items, judge.stats)
    verdict = judge.weigh(segment, evidence.features, evidence.queries)
    several = len(evidence.items) > 1  # of a single item nothing is said but what is worth it
    rest = (f for f in evidence.features if several and f not in verdict.worth)
    return replace(evidence, features=(*verdict.worth, *rest), worth=verdict.worth), verdict.reason
