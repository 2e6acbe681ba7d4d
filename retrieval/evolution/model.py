"""What goes into the evolution of themes and what comes out: points, tracked themes, and the rules between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from retrieval.records import Polarity

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that a person did or said, of one polarity; its meaning is a row of vectors.

    `weight` is the value of the act, above 0 (1: a plain act; echoes of our own recommendations come with less).
    """

    id: str
    at: datetime
    polarity: Polarity = Polarity.LIKE
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Tracked:
    """A theme as of `State.now`. `importance`: decayed weight; `trend`: its change over 30 days; `centroid` (dim,) a unit
    vector, where the points are; `points` in time order, at least one. `session`: no theme, but what may become one (a burst
    that is still going on, a bud) or, where it is not active, what came to nothing."""

    id: str
    polarity: Polarity
    active: bool
    importance: float
    trend: float
    centroid: Vectors = field(repr=False, compare=False)
    points: tuple[str, ...]
    session: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A point in a group: its place in time order, the visit and the sitting it belongs to, and its meaning, a unit vector
    (dim,)."""

    id: str
    place: int
    visit: int
    at: datetime
    vector: Vectors = field(repr=False)
    sitting: int


@dataclass(frozen=True, slots=True)
class EvolutionRules:
    """The constants of the algorithm. Similarities are cosines of centred topic vectors (retrieval.topics): on
    retrieval/sample .40 within a subject and -.04 between subjects. Set on planted streams of 400 events (seeds 0 to 11 and
    300 to 311), on streams of items of the sample's subjects (seeds 0 to 11), and since on those of `eval themes` (seeds 100 to
    123); what failed is in eval/LOG.md.

    Joining. `share`: of a group's own mean cosine that a new member must have, at least `floor`; a small group's own is
    mixed with `prior` parts of the usual `cohesion`, and its bar is 1 + `caution` / size higher.
    Birth. `birth` different acts that weigh `birth_weight` and have a mean cosine of `birth_cohesion`, `later` of them more
    than `burst` after the first or as `many`, within `near` visits; or spread over `seldom` bursts. Within `visit`: one visit.
    A bud at `kin` of the bar of a theme whose points since are `kin_above` like the bud's, is a part of it.
    Fading. `silence`: the probability under which a silence is no chance; false alarms cost two events (faded, revived), and
    a theme has a silence for each act, hence so small. `rhythm`: visits after which a third of a rhythm is remembered.
    Merging. `bridges`: points in a row that fit both. Splitting: among the last `split_looks` points two halves with a mean
    cosine under `split_below` (halves of one subject of the sample: 5 % are under .17; of two planted topics: 95 %).
    Sittings. Acts less than `sitting` apart are one. The group of the act before takes a new one in at `ease` of its bar. A
    bud that has acts of one theme in `beside` of its sittings, of no other in half as many, and a mean cosine of `beside_floor`
    to it, is a part of it. Halves with acts of both in over `mixed` of the sittings with several do not part; two themes
    without a sitting in common among the last `met` acts of each do not merge.
    One-offs. A bud whose acts lie within `gift` is over when the person has turned to other things `onward` times since and
    `quiet` has passed. Chosen by hand: it costs a bud nothing but its place in retrieval until somebody comes back to it.
    Memory. `window`: members kept with their vectors; `memory`: acts after which a third of a centre is remembered; `buds`
    kept, one-offs mostly; `keep`: points kept for late ones. `decay` of importance a day (PinnerSage, arXiv 2007.03634).
    """

    share: float = 0.5
    floor: float = 0.12
    cohesion: float = 0.4
    prior: float = 3.0
    caution: float = 0.25
    birth: int = 3
    birth_weight: float = 1.5
    birth_cohesion: float = 0.28
    burst: timedelta = timedelta(days=1.5)
    many: int = 10
    later: int = 2
    near: int = 40
    seldom: int = 7
    kin: float = 1.0
    kin_above: float = 0.15
    visit: timedelta = timedelta(hours=6)
    silence: float = 0.001
    rhythm: float = 200.0
    bridges: int = 4
    split_looks: tuple[int, ...] = (6, 8, 10, 12, 16)
    split_below: float = 0.15
    sitting: timedelta = timedelta(minutes=30)
    ease: float = 0.4
    beside: float = 0.25
    beside_floor: float = 0.05
    mixed: float = 0.35
    met: int = 12
    gift: timedelta = timedelta(days=7)
    onward: int = 5
    quiet: timedelta = timedelta(days=30)
    window: int = 24
    memory: float = 60.0
    buds: int = 32
    decay: float = 0.01
    keep: int = 512


RULES = EvolutionRules()
PLACED = EvolutionRules(
    floor=0.2,
    cohesion=0.6,
    caution=0.4,
    birth_cohesion=0.35,
    kin=0.7,
    split_looks=(8, 10, 12, 16),
    split_below=0.18,
    mixed=0.25,
)
"""For points that lie along learnt axes (retrieval.axes), where what is about one thing lies nearer together. Set on the
streams of `eval themes` with seeds 100 to 123, 400 to 423 and 600 to 623."""
