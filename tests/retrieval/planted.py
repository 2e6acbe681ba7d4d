"""Lives with planted interests: unit vectors around topic centres, as noisy as the project's embedder makes them.

Measured on retrieval/sample (topic_text, MiniLM, the catalogue's mean taken out): cosines between two items of one subject
.40 (quartiles .26 and .54), between subjects -.04 (-.11 and .05). Here: .35 to .60 to each topic, and about .07 between topics.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from retrieval.evolution import EvolutionRules, Point, State, replay
from retrieval.evolution.model import Vectors
from retrieval.records import Polarity

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DIM = 384
NEAR, FAR = 0.60, 0.35  # within-topic cosines
COMMON = 0.15  # cosine between two topics
SPECTRUM = np.arange(1, DIM + 1) ** -0.35  # some directions vary more than others: about 200 count


class Life:
    """What somebody does, in time order. `live` goes on for some events; every event is of one of the topics named."""

    def __init__(self, seed: int, per_day: float = 1.5) -> None:
        self._random = np.random.default_rng(seed)
        self._base = self._rough()
        self._centres: dict[str, Vectors] = {}
        self._rows: list[Vectors] = []
        self._day = timedelta(days=1) / per_day
        self.now = T0
        self.points: list[Point] = []
        self.truth: dict[str, str] = {}

    @property
    def vectors(self) -> Vectors:
        return np.array(self._rows, dtype=np.float32).reshape(len(self._rows), DIM)

    def live(self, count: int, *topics: str, says: Polarity = Polarity.LIKE) -> None:
        for _ in range(count):
            self.now += self._day * float(self._random.exponential())
            self._act(topics[self._random.integers(len(topics))], says)

    def burst(self, count: int, topic: str) -> None:
        """Acts within a few hours."""
        for _ in range(count):
            self.now += timedelta(hours=1)
            self._act(topic, Polarity.LIKE)

    def away(self, days: float) -> None:
        self.now += timedelta(days=days)

    def part(self, topic: str, one: str, two: str, cosine: float = 0.1) -> None:
        """Plant two topics with this cosine, on either side of `topic`."""
        middle = self._centre(topic)
        side = self._rough()
        side -= (side @ middle) * middle
        side *= np.sqrt((1 - cosine) / 2) / np.linalg.norm(side)
        self._centres[one] = np.sqrt((1 + cosine) / 2) * middle + side
        self._centres[two] = np.sqrt((1 + cosine) / 2) * middle - side

    def join(self, one: str, two: str, topic: str) -> None:
        """Plant `topic` half-way between two others."""
        middle = self._centre(one) + self._centre(two)
        self._centres[topic] = middle / np.linalg.norm(middle)

    def state(self, rules: EvolutionRules | None = None) -> State:
        return replay("u", self.points, self.vectors, self.now, rules)

    def of(self, state: State, topic: str) -> str | None:
        """The theme that most of the last ten points of a topic are in."""
        homes = [state.assignment.get(id_) for id_, t in self.truth.items() if t == topic][-10:]
        return max(homes, key=homes.count)

    def _act(self, topic: str, says: Polarity) -> None:
        point = Point(f"e{len(self.points):05d}", self.now, says)
        cosine = self._random.uniform(FAR, NEAR)
        row = np.sqrt(cosine) * self._centre(topic) + np.sqrt(1 - cosine) * self._rough()
        self._rows.append(row / np.linalg.norm(row))
        self.points.append(point)
        self.truth[point.id] = topic

    def _centre(self, topic: str) -> Vectors:
        if topic not in self._centres:
            centre = np.sqrt(COMMON) * self._base + np.sqrt(1 - COMMON) * self._rough()
            self._centres[topic] = centre / np.linalg.norm(centre)
        return self._centres[topic]

    def _rough(self) -> Vectors:
        row = self._random.normal(size=DIM) * SPECTRUM
        return np.asarray(row / np.linalg.norm(row))


def kinds(state: State) -> list[str]:
    """What happened, but for growth."""
    return [event.kind.value for event in state.events if event.kind.value != "grew"]


def agreement(truth: Mapping[str, str], state: State) -> float:
    """Adjusted Rand index of the assignment; a point in no theme is on its own."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(list(truth.values()), [state.assignment.get(id_, id_) for id_ in truth]))
