"""What an update costs beside a rebuild: all profiles as of a moment, then news of a few users, brought in both ways.

    document(shop, dataset, Request(share=0.1, days=7, seed=0), tell)

The service does the work, as `leitmotif profile --all` does. `update` goes on from the profiles of the moment; `rebuild` makes
all of them from the same log in an empty home. Tokens are those that the LLM's server reports, read from the call log.
"""

from __future__ import annotations

import asyncio
import math
import random
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.results import Failure
from agent.service import Service
from eval.cases import Dataset
from eval.results import to_json
from eval.workshop import Workshop
from retrieval.embed import Embedder
from retrieval.readers import ReadError
from retrieval.records import Event, Polarity, Profile
from retrieval.store import LLMTotals, Store

if TYPE_CHECKING:
    from eval.rank import Tell

Profiles = Mapping[str, Profile]


@dataclass(frozen=True, slots=True)
class Request:
    """`share` of the users get what they did in the last `days` of the dataset as news; `seed` draws them."""

    share: float
    days: float
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`known` happened by `moment`; `news` is what the `active` among the `users` did from then until `until`."""

    users: tuple[str, ...]
    active: frozenset[str]
    known: tuple[Event, ...]
    news: tuple[Event, ...]
    moment: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Cost:
    """Sums over `users`; `failed` of them have no profile. `by_prompt`: tokens in and out of each prompt (name@version)."""

    users: int
    failed: int
    llm_calls: int
    tokens_in: int
    tokens_out: int
    llm_tokens: int
    tokens_cached: int
    seconds: float
    by_prompt: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Means over users of how alike two profiles of the same log are: `ari` of evidence by theme, `statements`: share with a
    counterpart (both ways), `labels`: share of the themes under one id that have one name. NaN where nothing is to compare."""

    users: int
    ari: float
    statements: float
    labels: float


def plan(dataset: Dataset, request: Request) -> Plan:
    """Who does what when. Raises ReadError where the dataset has no times, or nobody with both a past and news."""
    if not dataset.timed:
        raise ReadError(f"{dataset.name} has no times", hint="news needs a moment: use a dataset with times")
    users = sorted(case.user for case in dataset.cases if dataset.train[case.user])
    until = max((e.at for user in users for e in dataset.train[user]), default=None)
    if until is None:
        raise ReadError(f"{dataset.name}: nobody has a past")
    moment = until - timedelta(days=request.days)
    users = [user for user in users if dataset.train[user][0].at <= moment]
    late = [user for user in users if dataset.train[user][-1].at > moment]
    if not late:
        raise ReadError(f"{dataset.name}: nobody did anything in the last {request.days:g} days that had before")
    wanted = min(len(late), max(1, math.ceil(request.share * len(users))))
    active = frozenset(random.Random(request.seed).sample(late, wanted))  # noqa: S311  a sample, no secret
    events = [e for own in dataset.train.values() for e in own]
    return Plan(
        tuple(users),
        active,
        tuple(e for e in events if e.at <= moment),
        tuple(e for e in events if e.at > moment and e.user in active),
        moment,
        until,
    )


def document(shop: Workshop, dataset: Dataset, request: Request, tell: Tell) -> dict[str, Any]:
    """The published figures. Raises ReadError as `plan`, and LLMUnavailableError."""
    chosen = plan(dataset, request)
    return asyncio.run(_measured(shop, dataset, request, chosen, tell))


async def _measured(shop: Workshop, dataset: Dataset, request: Request, chosen: Plan, tell: Tell) -> dict[str, Any]:
    idle = [user for user in chosen.users if user not in chosen.active]
    active = [user for user in chosen.users if user in chosen.active]
    with tempfile.TemporaryDirectory() as folder:
        with _home(shop, dataset, Path(folder) / "update") as service:
            service.ingest_records(chosen.known)
            _, first = await _built(service, chosen.users, chosen.moment, tell, "first")
            service.ingest_records(chosen.news)
            left, of_idle = await _built(service, idle, chosen.until, tell, "update, idle")
            went, of_active = await _built(service, active, chosen.until, tell, "update, active")
        with _home(shop, dataset, Path(folder) / "rebuild") as service:
            service.ingest_records([*chosen.known, *chosen.news])
            anew, rebuild = await _built(service, chosen.users, chosen.until, tell, "rebuild")
    await shop.llm.close()
    updated, least = {**left, **went}, shop.settings.profile.merge_similarity
    everybody, some = (agreement(updated, anew, who, shop.embedder, least) for who in (chosen.users, active))
    costs = {"first": first, "update": _sum(of_idle, of_active), "rebuild": rebuild}
    systems = {name: to_json(cost) for name, cost in costs.items()}
    systems["update"] |= _gains(costs, of_idle, everybody, some)
    about = {"kind": "refresh", "dataset": dataset.name, "digest": dataset.digest, "seed": request.seed}
    about |= {"share": request.share, "days": request.days, "moment": chosen.moment.isoformat()}
    counts = {"users": len(chosen.users), "active": len(active), "news": len(chosen.news)}
    return {**about, **counts, "model": shop.llm.settings.model, "systems": systems}


def _gains(costs: Mapping[str, Cost], idle: Cost, everybody: Agreement, active: Agreement) -> dict[str, Any]:
    """What is told of the update beside its cost. `times_fewer`: null where it asked for nothing."""
    spent = costs["update"].llm_tokens
    return {
        "times_fewer": round(costs["rebuild"].llm_tokens / spent, 2) if spent else None,
        "idle_tokens": idle.llm_tokens,
        **{f"{name}_active": value for name, value in to_json(active).items() if name != "users"},
        **{name: value for name, value in to_json(everybody).items() if name != "users"},
    }


def _home(shop: Workshop, dataset: Dataset, folder: Path) -> Service:
    """A service on an empty home with the catalogue, whose vectors are made: they are no part of what is timed."""
    folder.mkdir(parents=True)
    settings = shop.settings.model_copy(update={"home": folder, "database_url": None})
    service = Service(settings, Store(settings.db_url), shop.embedder, shop.llm)
    service.ingest_records(list(dataset.items.values()))
    service.parts.crowd()
    return service


async def _built(
    service: Service, users: Sequence[str], now: datetime, tell: Tell, stage: str
) -> tuple[dict[str, Profile], Cost]:
    before, started = service.llm_totals(), time.monotonic()
    found = await service.profiles(users, now=now, progress=lambda done, total: tell(stage, done, total))
    seconds = time.monotonic() - started
    made = {user: p for user, p in zip(users, found, strict=True) if not isinstance(p, Failure)}
    return made, _cost(before, service.llm_totals(), len(users), len(users) - len(made), seconds)


def _cost(before: LLMTotals, after: LLMTotals, users: int, failed: int, seconds: float) -> Cost:
    spent = {
        prompt: tokens - (_tokens(before.by_prompt[prompt]) if prompt in before.by_prompt else 0)
        for prompt, tokens in ((name, _tokens(totals)) for name, totals in after.by_prompt.items())
    }
    return Cost(
        users=users,
        failed=failed,
        llm_calls=after.calls - before.calls,
        tokens_in=after.tokens_in - before.tokens_in,
        tokens_out=after.tokens_out - before.tokens_out,
        llm_tokens=_tokens(after) - _tokens(before),
        tokens_cached=after.tokens_cached - before.tokens_cached,
        seconds=seconds,
        by_prompt={prompt: tokens for prompt, tokens in spent.items() if tokens},
    )


def _tokens(totals: LLMTotals) -> int:
    return totals.tokens_in + totals.tokens_out


def _sum(one: Cost, other: Cost) -> Cost:
    prompts = sorted({*one.by_prompt, *other.by_prompt})
    return replace(
        one,
        **{
            name: getattr(one, name) + getattr(other, name)
            for name in ("users", "failed", "llm_calls", "tokens_in", "tokens_out", "llm_tokens", "tokens_cached", "seconds")
        },
        by_prompt={p: one.by_prompt.get(p, 0) + other.by_prompt.get(p, 0) for p in prompts},
    )  # fmt: skip


def agreement(one: Profiles, other: Profiles, users: Iterable[str], embedder: Embedder, least: float) -> Agreement:
    """How alike the profiles are of those who have both. `least`: cosine from which two statements say the same."""
    both = [(one[user], other[user]) for user in users if user in one and user in other]
    return Agreement(
        users=len(both),
        ari=_mean([_ari(a, b) for a, b in both]),
        statements=_mean([_alike(a, b, embedder, least) for a, b in both]),
        labels=_mean([_same_labels(a, b) for a, b in both]),
    )


def _ari(one: Profile, other: Profile) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985) of the evidence by theme; what only one of them cites is in no theme of
    the other."""
    from sklearn.metrics import adjusted_rand_score

    here, there = _homes(one), _homes(other)
    events = sorted({*here, *there})
    if not events:
        return math.nan
    return float(adjusted_rand_score([here.get(e, "") for e in events], [there.get(e, "") for e in events]))


def _homes(profile: Profile) -> dict[str, str]:
    """Event id -> the theme that rests on it."""
    of = {i: theme.id for theme in profile.themes for i in theme.statements}
    return {e: of[s.id] for s in profile.statements if s.id in of for e in s.evidence}


def _alike(one: Profile, other: Profile, embedder: Embedder, least: float) -> float:
    """The share of the statements of both that have a counterpart of the same side in the other."""
    found: list[bool] = []
    for side in Polarity:
        mine, theirs = ([s.text for s in p.statements if s.polarity is side] for p in (one, other))
        if not (mine and theirs):
            found += [False] * (len(mine) + len(theirs))
            continue
        near = np.asarray(embedder.embed(mine) @ embedder.embed(theirs).T) >= least
        found += [bool(row.any()) for row in (*near, *near.T)]
    return float(np.mean(found)) if found else math.nan


def _same_labels(one: Profile, other: Profile) -> float:
    names = {t.id: t.label for t in other.themes}
    same = [t.label == names[t.id] for t in one.themes if t.id in names]
    return float(np.mean(same)) if same else math.nan


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
