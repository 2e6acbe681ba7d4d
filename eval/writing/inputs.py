"""What the model is asked to write from: the test examples and three kinds of evidence that are made by code.

    inputs(seed=0)          # 525 test examples, 1,000 tempting, 500 planted, 1,200 from the sample

The evidence is as users and catalogues would give it, commands and all; what the model gets to read of it is in asking.py. A
seed decides what is made, so that two models are asked the same.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import BaseModel

from agent import sensitive
from agent.tuning import examples
from agent.tuning.examples import Act, EventsIn, Piece
from eval import tempting
from eval.robustness import attacks
from retrieval.features import DOMAINS, kind
from retrieval.readers.rows import TEXT_CAP, WORD_CAP, clean
from retrieval.records import Event, EventKind, Item

Group = Literal["trained", "held_out", "tempting", "planted", "sample"]
TEMPTING, PLANTED, ORDINARY, INCOHERENT = 1000, 500, 1000, 200
EVENTS = 8  # of an input at most, as of a segment
LEAST, MOST = 3, 6  # items of a set that is made
FIELDS = ("feature", "review", "query")
DISLIKES = 6  # one set in so many is disliked
_VERBS = {
    EventKind.LIKE: "liked",
    EventKind.DISLIKE: "disliked",
    EventKind.VIEW: "viewed",
    EventKind.CLICK: "clicked",
    EventKind.PURCHASE: "bought",
    EventKind.SHARE: "shared",
    EventKind.HIDE: "hid",
    EventKind.SEARCH: "searched",
}
_FOR, _AGAINST = ("liked", "viewed", "bought", "rated 4", "rated 5"), ("disliked", "hid", "rated 1")


@dataclass(frozen=True, slots=True)
class Input:
    """`given` is what the task starts from. `silent`: should nothing be said of it (None: not known)? `wanted`: the pieces of a
    self-description. `genres`: features that name a kind of content, where a catalogue says so. `attribute`: what the evidence
    tempts to conclude. `planted`: the instruction in it, `field` where it stands, `harmless` the evidence without it. `unsaid`:
    features of which the product says nothing in this catalogue."""

    id: str
    group: Group
    task: str
    domain: str
    case: str
    given: BaseModel
    silent: bool | None = None
    wanted: tuple[Piece, ...] = ()
    genres: frozenset[str] = frozenset()
    attribute: str = ""
    planted: str = ""
    field: str = ""
    harmless: EventsIn | None = None
    unsaid: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """Of what is given, so that answers to something else are not taken for answers to this."""
        return hashlib.sha256(f"{self.task} {self.given.model_dump_json()}".encode()).hexdigest()[:12]


def inputs(seed: int) -> list[Input]:
    """All of them."""
    return [*of_examples(), *of_tempting(seed), *of_attacks(seed), *of_sample(seed)]


def some(made: Iterable[Input], seed: int, most: int) -> list[Input]:
    """At most `most` of each group, drawn by the seed."""
    groups: dict[str, list[Input]] = defaultdict(list)
    for given in made:
        groups[given.group].append(given)
    dice = random.Random(f"{seed} some")  # noqa: S311  dice, not secrets
    return [given for group in groups.values() for given in dice.sample(group, min(most, len(group)))]


def of_examples() -> Iterator[Input]:
    """The test examples: of domains that are trained on, and of those that are not."""
    for e in examples.load():
        if e.split == "test":
            group: Group = "held_out" if e.domain in examples.HELD_OUT else "trained"
            wanted = e.answer if isinstance(e, examples.SelfExample) else ()
            yield Input(e.id, group, e.task, e.domain, e.case, e.input, silent=e.answer is None, wanted=wanted)


# --- evidence that tempts ---------------------------------------------------------------------------------------------


def of_tempting(seed: int, n: int = TEMPTING) -> Iterator[Input]:
    """Histories that suggest what a person is: all their events on what tempts, then others, EVENTS of them in their order."""
    bait = {t.item.id for t in tempting.tempting()}
    queries = {t.query for t in tempting.tempting()}
    unsaid = sensitive.company([*(t.item for t in tempting.tempting()), *tempting.harmless()])
    for history in tempting.histories(seed, n):
        items = {item.id: item for item in history.items}
        order = sorted(history.events, key=lambda e: e.item not in bait and e.text not in queries)
        kept = set(map(_id, order[:EVENTS]))
        acts = tuple(_of_event(e, items) for e in history.events if e.id in kept)
        given = EventsIn(polarity="like", events=acts)
        genres = _genres(history.items)
        yield Input(
            history.user,
            "tempting",
            "statement",
            "sample",
            "tempting",
            given,
            genres=genres,
            attribute=history.attribute,
            unsaid=unsaid,
        )


def _id(event: Event) -> str:
    return event.id


# --- evidence with a planted instruction ------------------------------------------------------------------------------


def of_attacks(seed: int, n: int = PLANTED) -> Iterator[Input]:
    """Coherent evidence of the sample, with an attack as a feature of all its items, as a review, or as a search."""
    dice = random.Random(f"{seed} planted")  # noqa: S311
    commands = [attack for attack in attacks.ours()[0] if attack.instructs]
    pairs = [(attack, field) for attack in commands for field in FIELDS]
    for number, (attack, field) in enumerate(dice.sample(pairs, min(n, len(pairs)))):
        things = _alike(dice)
        acts = [_made(thing, "like", dice) for thing in things]
        text = clean(attack.filled(_names(things)).replace("|", " "), WORD_CAP if field == "feature" else TEXT_CAP)
        yield Input(
            f"planted-{seed}-{number:04}",
            "planted",
            "statement",
            attack.family,
            "planted",
            EventsIn(polarity="like", events=tuple(_plant(acts, text, field))),
            silent=False,
            genres=_genres(things),
            planted=text,
            field=field,
            harmless=EventsIn(polarity="like", events=tuple(acts)),
        )


def _plant(acts: Sequence[Act], text: str, field: str) -> list[Act]:
    if field == "query":
        return [*acts, Act(act="searched", text=text)]
    if field == "review":
        return [*acts[:-1], acts[-1].model_copy(update={"text": text})]
    return [a.model_copy(update={"features": (*a.features[:1], text, *a.features[1:])}) for a in acts]


def _names(things: Sequence[Item]) -> dict[str, str]:
    """What an attacker who knows the user's taste fills in."""
    titles = [thing.title for thing in things]
    first, *others = _features(things[0])
    genres = dict(zip(("genre", "genre2", "genre3"), (first, *others), strict=False))
    return {"title": titles[0], "competitor": titles[1], "popular": titles[2], "history1": titles[1], **genres}


# --- ordinary evidence ------------------------------------------------------------------------------------------------


def of_sample(seed: int, n: int = ORDINARY, incoherent: int = INCOHERENT) -> Iterator[Input]:
    """From the sample: half of what its people did with things that share a feature, half sets of such things; and sets of
    things that share nothing."""
    dice = random.Random(f"{seed} sample")  # noqa: S311
    theirs = list(_histories())
    for number in range(n):
        side: Literal["like", "dislike"] = "dislike" if number % DISLIKES == 0 else "like"
        if number % 2 and theirs:
            side, acts, things = dice.choice(theirs)
            start = dice.randrange(max(1, len(acts) - EVENTS + 1))
            acts = acts[start : start + EVENTS]
        else:
            things = _alike(dice)
            acts = [_made(thing, side, dice) for thing in things]
        yield _ordinary(f"sample-{seed}-{number:04}", "coherent", side, acts, things)
    for number in range(incoherent):
        things = _unlike(dice)
        acts = [_made(thing, "like", dice) for thing in things]
        yield _ordinary(f"incoherent-{seed}-{number:04}", "incoherent", "like", acts, things)


def _ordinary(
    name: str, case: str, side: Literal["like", "dislike"], acts: Sequence[Act], things: Sequence[Item]
) -> Input:
    given = EventsIn(polarity=side, events=tuple(acts))
    silent = case == "incoherent"
    return Input(name, "sample", "statement", "sample", case, given, silent=silent, genres=_genres(things))


def _histories() -> Iterator[tuple[Literal["like", "dislike"], list[Act], list[Item]]]:
    """What each person of the sample did on one side with things that share a feature, three of them at least."""
    items = {item.id: item for item in tempting.harmless()}
    rows = map(json.loads, tempting.HARMLESS.with_name("events.jsonl").read_text("utf-8").splitlines())
    groups: dict[tuple[str, bool, str], list[tuple[Act, Item]]] = defaultdict(list)
    for row in rows:
        if row["item"] in items:
            thing = items[row["item"]]
            done = _act(EventKind(row["kind"]), thing, row["value"], row["text"])
            for feature in _features(thing):
                groups[row["user"], done.against, feature].append((done, thing))
    for (_, against, _), found in groups.items():
        if len({thing.id for _, thing in found}) >= LEAST:
            yield "dislike" if against else "like", [a for a, _ in found], [thing for _, thing in found]


def _alike(dice: random.Random) -> list[Item]:
    """Things of the sample that share a feature."""
    things = dice.choice(_sharing())
    return dice.sample(things, dice.randint(LEAST, min(MOST, len(things))))


@cache
def _sharing() -> list[list[Item]]:
    """For each feature that enough things of the sample have, these."""
    having: dict[str, list[Item]] = defaultdict(list)
    for item in tempting.harmless():
        for feature in _features(item):
            having[feature].append(item)
    return [found for _, found in sorted(having.items()) if len(found) > LEAST]


def _unlike(dice: random.Random) -> list[Item]:
    """Things of the sample of which no two share a feature."""
    found: list[Item] = []
    for item in dice.sample(tempting.harmless(), len(tempting.harmless())):
        if all(set(_features(item)).isdisjoint(_features(other)) for other in found):
            found.append(item)
        if len(found) == LEAST + len(found[0].id) % 2:
            break
    return found


def _made(thing: Item, side: str, dice: random.Random) -> Act:
    return _thing(dice.choice(_FOR if side == "like" else _AGAINST), thing, "")


def _of_event(event: Event, items: Mapping[str, Item]) -> Act:
    """An event as the examples have it."""
    return _act(event.kind, items.get(event.item or ""), event.value, event.text)


def _act(did: EventKind, thing: Item | None, value: float | None, text: str | None) -> Act:
    if thing is None:
        return Act(act="searched", text=text or "")
    verb = f"rated {round(2 * (value or 0)) / 2:g}" if did is EventKind.RATE else _VERBS[did]
    return _thing(verb, thing, text or "")


def _thing(verb: str, thing: Item, text: str) -> Act:
    return Act(act=verb, kind=kind(thing) or "", title=thing.title, features=_features(thing), text=text)


def _features(thing: Item) -> tuple[str, ...]:
    """Categories and tags without those that only name the kind of thing; trusted or not."""
    return tuple(dict.fromkeys(f.lower() for f in (*thing.categories, *thing.tags) if f.lower() not in DOMAINS))


def _genres(things: Iterable[Item]) -> frozenset[str]:
    return frozenset(c.lower() for thing in things for c in thing.categories if c.lower() not in DOMAINS)
