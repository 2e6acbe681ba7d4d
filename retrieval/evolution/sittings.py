"""What is done in one sitting is mostly about one thing: evidence on groups that their meanings alone do not give.

Points of one theme that an embedding puts far apart still come in the same sittings, and two themes that it puts near each
other do not (so do search logs fall into tasks: Jones and Klinkner, CIKM 2008). Nothing here tells a point's home by itself,
so where times are not known to the minute, or all is done at once, the meanings decide as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.evolution.groups import Group
from retrieval.evolution.model import EvolutionRules, Member

TOLD = 0.25  # of a group's points that are not the first of it in their sitting, for the sittings to tell anything


def companion(bud: Group, themes: Iterable[Group], rules: EvolutionRules) -> Group | None:
    """The theme in whose sittings the bud's acts come, and in no other's nearly as often, if they are not about quite another
    thing: the bud is a part of it."""
    own = _sittings(bud.window)
    shared = sorted(((len(own & _sittings(g.window)), -g.serial, g) for g in themes), key=lambda found: found[:2])
    if not shared:
        return None
    most, _, theme = shared[-1]
    second = shared[-2][0] if len(shared) > 1 else 0
    near = float(theme.total @ bud.vectors().mean(axis=0)) / theme.count >= rules.beside_floor
    return theme if near and most >= rules.beside * len(own) and most > 2 * second else None


def strangers(one: Group, two: Group, look: int) -> bool:
    """Do sittings have several points of one group, and none, among the last `look` points of each, points of both?"""
    first, second = one.window[-look:], two.window[-look:]
    apart = not _sittings(first) & _sittings(second)
    return apart and (_several(first) or _several(second))


def scattered(members: Iterable[Member], themes: Iterable[Group]) -> bool:
    """Do these come one by one, where the points of the person's themes come several in a sitting? So does what has nothing in
    common but chance."""
    own = list(members)
    return len(_sittings(own)) == len(own) and _several([m for g in themes for m in g.window])


def mixed(members: Sequence[Member], sides: NDArray[np.bool_]) -> float:
    """Of the sittings with several of the members, the share that has them on both sides."""
    seen: dict[int, list[bool]] = {}
    for member, side in zip(members, sides, strict=True):
        seen.setdefault(member.sitting, []).append(bool(side))
    several = [own for own in seen.values() if len(own) > 1]
    return sum(len(set(own)) > 1 for own in several) / len(several) if several else 0.0


def _several(members: Sequence[Member]) -> bool:
    """Do they come several in a sitting, often enough for sittings to tell anything?"""
    return bool(members) and len(_sittings(members)) <= (1 - TOLD) * len(members)


def _sittings(members: Iterable[Member]) -> set[int]:
    return {member.sitting for member in members}
