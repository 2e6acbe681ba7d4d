"""When a bud is a theme, and when it has come to nothing. Pure questions about a group; lifecycle.py acts on the answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from retrieval.evolution.groups import Group
from retrieval.evolution.measures import cohesion, distinct
from retrieval.evolution.model import EvolutionRules
from retrieval.evolution.sittings import scattered
from retrieval.records import Polarity


def enough(bud: Group, rules: EvolutionRules) -> bool:
    """Has a bud enough acts, on enough different things, that belong together?"""
    if bud.size < rules.birth or bud.weight < rules.birth_weight:
        return False
    own = distinct(bud.vectors())
    return len(own) >= rules.birth and cohesion(own) >= rules.birth_cohesion


def lasting(bud: Group, groups: Iterable[Group], visits: int, rules: EvolutionRules) -> bool:
    """Is a bud more than a burst and more than chance, as of so many visits?

    A gift is a few acts within a day or two and hardly ever again. So some acts come later, more than one, or there are many;
    and where they come so seldom, or so scattered, that chance may have brought them together, there are more of them."""
    near = [m.at for m in bud.window if visits - m.visit <= rules.near]
    later = sum(at - near[0] > rules.burst for at in near)
    often = len(near) >= rules.birth and (later >= rules.later or bud.size >= rules.many)
    return (often and not scattered(bud.window, [g for g in groups if g.theme])) or _bursts(bud, rules) >= rules.seldom


def over(bud: Group, visits: int, now: datetime, rules: EvolutionRules) -> bool:
    """Has a bud come to nothing? A gift is a burst after which the person turned to other things and never came back. Nobody
    gives what they dislike, and who avoids a thing does not come back to it."""
    if bud.polarity is Polarity.DISLIKE:
        return False
    burst = bud.window[-1].at - bud.window[0].at <= rules.gift and bud.size <= len(bud.window)
    return burst and visits - bud.seen >= rules.onward and now - bud.last_at >= rules.quiet


def _bursts(bud: Group, rules: EvolutionRules) -> int:
    """How many bursts its acts make."""
    found, start = 1, bud.window[0].at
    for member in bud.window:
        if member.at - start > rules.burst:
            found, start = found + 1, member.at
    return found
