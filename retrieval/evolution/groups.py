"""A group of points that mean something alike: a bud, which may come to nothing, or a theme. Statistics only, no decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import exp

import numpy as np

from retrieval.evolution.measures import patience
from retrieval.evolution.model import EvolutionRules, Member, Point, Vectors
from retrieval.records import Polarity

DAY = 86400.0


@dataclass(slots=True)
class Group:
    """Sufficient statistics of a group, and a window of its latest members.

    `total` (dim,), `count` and `squares`: sums of vectors, of their weights of memory, and of the squares of these.
    `weight`: of all acts; `mass`: the same, decayed up to `last_at`; `told`: the mass when growth was last told.
    `hits` of `trials` visits were to this group, the latest at visit `seen`; silent until visit `deadline`, it has faded.
    `returned`: the visit of a first sign of life since it faded, or 0. `since`: no split looks at members before this place.
    `bridges`: how many of the latest points in a row fitted a younger theme too, by its serial.
    `was`: the themes that merged into it, (id, unit centroid).
    """

    serial: int
    id: str
    polarity: Polarity
    last_at: datetime
    total: Vectors = field(repr=False)
    count: float = 0.0
    squares: float = 0.0
    weight: float = 0.0
    mass: float = 0.0
    told: float = 0.0
    size: int = 0
    theme: bool = False
    active: bool = False
    hits: float = 0.0
    trials: float = 0.0
    seen: int = 0
    deadline: int = 0
    returned: int = 0
    since: int = 0
    bar: float = 0.0
    window: tuple[Member, ...] = field(default=(), repr=False)
    bridges: dict[int, int] = field(default_factory=dict)
    was: tuple[tuple[str, Vectors], ...] = field(default=(), repr=False)

    def vectors(self) -> Vectors:
        """(n, dim) The meanings of the window."""
        return np.stack([member.vector for member in self.window])


def join(group: Group, point: Point, member: Member, rules: EvolutionRules) -> None:
    """Add a point. `member.visit` is the visit it belongs to; older members are forgotten little by little."""
    keep = 1 - 1 / rules.memory
    group.total = group.total * np.float32(keep) + member.vector
    group.count = group.count * keep + 1
    group.squares = group.squares * keep * keep + 1
    group.mass = group.mass * exp(-rules.decay * (point.at - group.last_at).total_seconds() / DAY) + point.weight
    group.weight += point.weight
    group.size += 1
    group.window = (*group.window, member)[-rules.window :]
    if member.visit > group.seen:
        _beat(group, member.visit, rules)
    group.last_at = point.at
    settle(group, member.visit, rules)


def _beat(group: Group, visit: int, rules: EvolutionRules) -> None:
    """One more hit after some trials. The silence of a theme that had faded is no part of its rhythm."""
    passed = float(visit - group.seen) if group.seen else 1.0
    if group.theme and not group.active:
        passed = min(passed, group.trials / group.hits)
    kept = (1 - 1 / rules.rhythm) ** passed
    group.hits = group.hits * kept + 1
    group.trials = max(group.trials * kept + (1 - kept) * rules.rhythm, group.hits)
    group.seen = visit


def settle(group: Group, visit: int, rules: EvolutionRules) -> None:
    """What follows from the statistics: the bar for new members, and when silence from `visit` on means fading.

    The bar is the mean cosine to the members that a point must have: half of what the members have among themselves, a
    half-way between strangers (0, as vectors are centred) and members. The few are not trusted: their own cohesion
    counts like one of `prior` usual ones, and their bar is higher.
    """
    pairs = group.count**2 - group.squares
    trust = max(group.count - 1, 0.0)
    own = (float(group.total @ group.total) - group.squares) / pairs if pairs > 1e-6 else 0.0
    cohesion = (own * trust + rules.cohesion * rules.prior) / (trust + rules.prior)
    group.bar = max(rules.floor, rules.share * cohesion) * (1 + rules.caution / group.count)
    if group.theme:
        group.deadline = visit + patience(group.hits, group.trials, rules.silence)


def reset(group: Group, members: Sequence[Member]) -> None:
    """Make `members` all that is remembered of a group's meaning."""
    group.window = tuple(members)
    group.total = np.sum([member.vector for member in members], axis=0, dtype=np.float32)
    group.count = group.squares = float(len(members))


def take(group: Group, other: Group, rules: EvolutionRules) -> None:
    """Add the members and the evidence of `other`, which is no more. Its rhythm is that of the livelier: nobody who had two
    interests must turn to the one that they have become as often as to both."""
    both = sorted((*group.window, *other.window), key=lambda member: member.place)
    reset(group, both[-rules.window :])
    group.weight += other.weight
    group.mass += other.mass
    group.size += other.size
    group.last_at = max(group.last_at, other.last_at)
    group.trials = max(group.trials, other.trials)
    group.hits = min(max(group.hits, other.hits), group.trials)
    group.seen = max(group.seen, other.seen)


def centroid(group: Group) -> Vectors:
    """(dim,) The unit vector of what a group means now."""
    norm = np.linalg.norm(group.total)
    return np.asarray(group.total / norm if norm else group.total, dtype=np.float32)
