"""How the themes of a profile came to weigh what they do: the acts behind each, as retrieval.evolution counts them.

found = course(state, profile, silent=frozenset(), decay=0.01)
found.importance(theme_id, moments)         # (n,); at the profile's moment it is the importance of the theme
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from retrieval.evolution import State
from retrieval.records import Horizon, Profile, Theme
from retrieval.themes import DAY, SAID_WEIGHT

Floats = NDArray[np.float64]
Acts = tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True)
class Course:
    """`acts`: theme id -> (time, weight) of what it rests on, oldest first, at least one; `decay` of a weight a day."""

    acts: Mapping[str, Acts] = field(default_factory=dict, hash=False)
    decay: float = 0.01

    def importance(self, theme: str, moments: Sequence[datetime]) -> Floats:
        """(len(moments),) The decayed weight at each moment of what had happened by then."""
        times = np.array([at.timestamp() for at, _ in self.acts[theme]]) / DAY
        weights = np.array([weight for _, weight in self.acts[theme]])
        ages = np.array([moment.timestamp() / DAY for moment in moments])[:, None] - times
        value = np.where(ages >= 0, weights * np.exp(-self.decay * np.maximum(ages, 0)), 0.0)
        return np.asarray(value.sum(axis=1))


def course(state: State, profile: Profile, silent: Collection[str], decay: float) -> Course:
    """The course of the themes that recommendations are made from: without one-offs, what is somebody else's, and themes whose
    statements are all `silent` (muted). What owners say of themselves weighs as in `retrieval.themes`."""
    known = {id_: (at, weight) for id_, at, weight in state.past.settled}
    known |= {entry.point.id: (entry.point.at, entry.point.weight) for entry in state.past.log}
    groups = {group.id: group.points for group in (*state.themes, *state.buds)}
    said = {s.id: (s.first_at, float(SAID_WEIGHT)) for s in profile.statements if not s.evidence}
    found: dict[str, Acts] = {}
    for theme in profile.themes:
        shown = [known[point] for point in groups.get(theme.id, ())]
        acts = sorted([*shown, *(said[i] for i in theme.statements if i in said)])
        if acts and _counts(theme, silent):
            found[theme.id] = tuple(acts)
    return Course(found, decay)


def _counts(theme: Theme, silent: Collection[str]) -> bool:
    muted = bool(theme.statements) and set(theme.statements) <= set(silent)
    return not muted and theme.horizon not in (Horizon.ONE_OFF, Horizon.SHARED)
