"""The service's answers as schemas, with the titles and texts looked up that people and pages show beside ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agent.changes import note
from agent.serve.commands.reports import FitOut, RankCheckOut
from agent.serve.histories import ThemesOut, VersionOut
from agent.serve.schemas import (
    CitationOut,
    ColdStartOut,
    CountsOut,
    EventOut,
    ExportOut,
    FeedbackOut,
    IgnoredOut,
    IngestOut,
    ItemRef,
    RecommendationOut,
    RecommendationsOut,
    RefusalOut,
    StatementOut,
    ThemeEventOut,
    ThemeOut,
)
from retrieval.records import Citation, Event, Item, Profile, Recommendation, Statement, ThemeEvent

if TYPE_CHECKING:  # the service imports numpy and more, which `leitmotif --help` should not wait for
    from agent.fitting import Fitted
    from agent.results import ColdStart, Counts, Recommended
    from agent.service import Service
    from retrieval.store import IngestSummary, ProfileVersion


def recommendations(service: Service, user: str, query: str | None, k: int, found: Recommended) -> RecommendationsOut:
    items = _items_of(service, found.recommendations)
    out = [recommendation(r, items, found.profile) for r in found.recommendations]
    return RecommendationsOut(user=user, query=query, k=k, items=out, degraded=_missing(found.recommendations))


def cold_start(service: Service, k: int, found: ColdStart) -> ColdStartOut:
    items = _items_of(service, found.recommendations)
    return ColdStartOut(
        portrait=found.profile.portrait,
        statements=[StatementOut.model_validate(s) for s in found.profile.statements],
        ignored=[IgnoredOut(text=text, reason=reason) for text, reason in found.ignored],
        k=k,
        items=[recommendation(r, items, found.profile) for r in found.recommendations],
        degraded=_missing(found.recommendations),
    )


def recommendation(rec: Recommendation, items: Mapping[str, Item], profile: Profile | None) -> RecommendationOut:
    """`items` by id: the recommended one and those that its reason cites."""
    item = items.get(rec.item)
    theme = next((t for t in profile.themes if t.id == rec.theme), None) if profile else None
    return RecommendationOut(
        rank=rec.rank,
        item=rec.item,
        title=item.title if item else rec.item,
        url=item.url if item else None,
        score=rec.score,
        parts=dict(rec.parts),
        reason=rec.reason,
        reason_origin=rec.reason_origin,
        citations=[_citation(c, items, profile) for c in rec.citations],
        theme=rec.theme,
        theme_label=theme.label if theme else None,
        degraded=list(rec.degraded),
        propensity=rec.propensity,
        impression=rec.impression,
    )


def themes(profile: Profile, steps: Sequence[ThemeEvent], versions: Sequence[ProfileVersion] = ()) -> ThemesOut:
    """`steps` and `versions` where the history is asked for."""
    said = {s.id: s for s in profile.statements}
    return ThemesOut(
        user=profile.user,
        as_of=profile.as_of,
        version=profile.version,
        themes=[ThemeOut.model_validate(t).model_copy(update={"note": note(t, said)}) for t in profile.themes],
        statements=[StatementOut.model_validate(s) for s in profile.statements],
        history=[_step(step, profile.statements) for step in steps],
        versions=[VersionOut.model_validate(v) for v in versions],
    )


def _step(step: ThemeEvent, statements: Sequence[Statement]) -> ThemeEventOut:
    """A step with the statements that speak of what caused it."""
    causes = set(step.causes)
    speaking = [s.id for s in statements if s.id in causes or not causes.isdisjoint(s.evidence)]
    return ThemeEventOut.model_validate(step).model_copy(update={"statements": speaking})


def ingest(summary: IngestSummary, counts: Counts) -> IngestOut:
    return IngestOut(
        items_new=summary.items_new,
        items_updated=summary.items_updated,
        items_same=summary.items_same,
        events_new=summary.events_new,
        events_duplicate=summary.events_duplicate,
        refused=summary.refused,
        refusals=[RefusalOut.model_validate(r) for r in summary.refusals],
        store=CountsOut.model_validate(counts),
    )


def fit(found: Fitted) -> FitOut:
    check = RankCheckOut.model_validate(found.check)
    became = (
        "rank from now on" if found.kept else "were dropped, since the shipped ones rank better (--force keeps them)"
    )
    message = (
        f"weights learnt from {found.lists} lists of {found.users} users {became}: ndcg@10 on people they have not seen is "
        f"{check.fitted:.3f}, with the shipped weights {check.shipped:.3f} "
        f"(gain {check.gain:+.3f}, 95 % interval {check.ci95[0]:+.3f} to {check.ci95[1]:+.3f})"
    )
    return FitOut(
        outcome="kept" if found.kept else "dropped",
        message=message,
        users=found.users,
        lists=found.lists,
        check=check,
        channels=dict(found.weights.channels),
    )


def reset(had: bool) -> FitOut:
    message = "returned to the shipped weights" if had else "the shipped weights hold already"
    return FitOut(outcome="reset", message=message, users=0, lists=0, check=None, channels={})


def feedback(event: Event) -> FeedbackOut:
    return FeedbackOut(event=EventOut.model_validate(event), recommended=bool(event.context.get("recommended")))


def export(service: Service, user: str) -> ExportOut:
    return ExportOut(user=user, tables=service.export(user))


def _citation(citation: Citation, items: Mapping[str, Item], profile: Profile | None) -> CitationOut:
    said = profile.statement(citation.statement) if profile else None
    refs = [ItemRef(id=i, title=items[i].title if i in items else i) for i in citation.items]
    return CitationOut(
        statement=citation.statement, text=said.text if said else None, events=list(citation.events), items=refs
    )


def _items_of(service: Service, found: Sequence[Recommendation]) -> dict[str, Item]:
    cited = (i for r in found for c in r.citations for i in c.items)
    return service.store.items([*(r.item for r in found), *cited])


def _missing(found: Sequence[Recommendation]) -> list[str]:
    return list(dict.fromkeys(part for r in found for part in r.degraded))
