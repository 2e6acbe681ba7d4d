"""Follow a person's themes over time, on vectors alone: born, grew, merged, split, faded, revived. No LLM, no clock, no chance.

    state = advance(State.empty(user), points, vectors, now)      # then again with whatever is new
    state.themes, state.events, state.assignment
    from_json(to_json(state)) == state
    state = replay(user, points, vectors, now)                    # the same, from nothing

A fold over points in time order (lifecycle.py), so that any order and any batches of the same points give the same state
to the byte. It replaces clustering anew each day, after which nobody can say what became of yesterday's themes.
"""

from retrieval.evolution.lifecycle import theme_id
from retrieval.evolution.model import PLACED, RULES, EvolutionRules, Point, Tracked
from retrieval.evolution.saving import from_json, to_json
from retrieval.evolution.state import HistoryNeededError, State, advance, replay

__all__ = [
    "PLACED",
    "RULES",
    "EvolutionRules",
    "HistoryNeededError",
    "Point",
    "State",
    "Tracked",
    "advance",
    "from_json",
    "replay",
    "theme_id",
    "to_json",
]
