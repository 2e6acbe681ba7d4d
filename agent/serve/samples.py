"""An example of every request and answer of the HTTP service, made with the models that really answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agent.serve import communities, edits, health, histories, reasons, rows, schemas
from retrieval.records import EditKind, EventKind, Horizon, Origin, Polarity, Reply, Source, ThemeEventKind

FIRST, LAST = datetime(2026, 8, 24, 19, 30, tzinfo=UTC), datetime(2026, 10, 31, 8, 5, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)

ITEM = {
    "id": "book-026",
    "title": "Flour, Water, Weather",
    "categories": ["book", "food"],
    "tags": ["sourdough", "rye"],
}
EVENT = {"id": "e-1", "user": "mara", "item": "book-026", "kind": "rate", "value": 5, "at": "2026-10-31T08:05:00Z"}
STATEMENT = schemas.StatementOut(
    id="s-7136a547156b",
    text="Likes baking sourdough",
    polarity=Polarity.LIKE,
    facet="fermentation",
    evidence=["e-1"],
    first_at=FIRST,
    last_at=LAST,
    horizon=Horizon.LONG,
    source=Source.INFERRED,
    origin=Origin.MODEL,
    confidence=0.67,
    prompt="write_statement@1.0.0",
    model="leitmotif-smollm2-135m",
    written_at=NOW,
    superseded_by=None,
)
THEME = schemas.ThemeOut(
    id="t-8990c8d67f",
    label="Fermentation and sourdough",
    summary="Likes baking sourdough",
    polarity=Polarity.LIKE,
    statements=[STATEMENT.id],
    medoid=STATEMENT.id,
    importance=13.2,
    trend=4.8,
    origin=Origin.MODEL,
    active=True,
    horizon=Horizon.LONG,
)
BORN = schemas.ThemeEventOut(
    theme=THEME.id, kind=ThemeEventKind.BORN, at=LAST, sources=[], detail="", causes=["e-1"], statements=[STATEMENT.id]
)
VERSION = histories.VersionOut(version=3, as_of=NOW, events_seen=80, restores=None)
CITATION = schemas.CitationOut(
    statement=STATEMENT.id,
    text=STATEMENT.text,
    events=["e-1"],
    items=[schemas.ItemRef(id="book-026", title="Flour, Water, Weather")],
)
RECOMMENDATION = schemas.RecommendationOut(
    rank=1,
    item="course-011",
    title="Sourdough Without Fear",
    url=None,
    score=1.9,
    parts={"theme": 0.71, "bm25": 0.93, "prior": 1.9, "llm": 1.05},
    reason="You rated Flour, Water, Weather 5; this is baking and sourdough too.",
    reason_origin=Origin.FALLBACK,
    citations=[CITATION],
    theme=THEME.id,
    theme_label=THEME.label,
    degraded=[],
)
MUTED = edits.EditOut(
    number=1,
    kind=EditKind.MUTE,
    at=NOW,
    target=THEME.id,
    of_theme=True,
    was=THEME.label,
    polarity=Polarity.LIKE,
    text="",
)
ADDED = edits.EditOut(
    number=2,
    kind=EditKind.ADD,
    at=NOW,
    target="",
    of_theme=False,
    was="",
    polarity=Polarity.LIKE,
    text="Likes old radio plays",
)
ACT = schemas.EventOut(
    id="e-1", user="mara", kind=EventKind.RATE, at=LAST, item="book-026", value=5, text="Finally, a crust.", context={}
)
THING = schemas.ItemOut.model_validate({**ITEM, "text": "", "url": None, "image": None, "published_at": None})
COMMUNITY = communities.CommunityOut(
    id=3,
    label="Slow-burn mysteries",
    origin=Origin.FALLBACK,
    features=["mystery", "slow-burn"],
    people=41,
    share=0.12,
    since=FIRST,
    sizes=[communities.SizeOut(at=FIRST, people=38), communities.SizeOut(at=LAST, people=41)],
    items=[],
)
QUESTION = communities.QuestionOut(
    community=3,
    label=COMMUNITY.label,
    text="Do you like slow-burn mysteries?",
    why="Of all that could be asked, your answer to this tells most about what else to show you: "
    "about 40 % of people like you would say yes.",
    likely=0.4,
    gain=0.31,
)

REQUESTS: Mapping[str, Any] = {
    "items": [ITEM],
    "events": [EVENT],
    "cold_start": {"text": "I love slow-burn mysteries set in cold places, and I can't stand gore.", "k": 5},
    "feedback": {"item": "course-011", "kind": "like", "impression": 7},
    "edit": {"kind": "mute", "target": THEME.id},
    "preview": {"kind": "add", "text": "old radio plays"},
    "answer": {"community": 3, "reply": "yes"},
    "stranger_question": {"text": "I love books about cold places."},
    "rollback": {"version": 2},
}
ANSWERS: Mapping[str, schemas.Out] = {
    "items": rows.RowsOut(
        accepted=1, duplicate=0, refused=0, rows=[rows.RowOut(row=1, id="book-026", outcome="accepted")]
    ),
    "events": rows.RowsOut(
        accepted=0,
        duplicate=0,
        refused=1,
        rows=[rows.RowOut(row=1, id="e-1", outcome="refused", reason="unknown item 'book-026'")],
    ),
    "profile": schemas.ProfileOut(
        user="mara",
        as_of=NOW,
        version=3,
        portrait="Mostly interested in fermentation and sourdough.",
        portrait_origin=Origin.FALLBACK,
        events_seen=80,
        statements=[STATEMENT],
        themes=[THEME],
        theme_events=[],
        restores=None,
    ),
    "themes": histories.ThemesOut(
        user="mara",
        as_of=NOW,
        version=3,
        themes=[THEME],
        statements=[STATEMENT],
        history=[BORN],
        versions=[VERSION],
    ),
    "diff": histories.DiffOut(
        user="mara",
        from_version=2,
        from_as_of=FIRST,
        to_version=3,
        to_as_of=NOW,
        changes=[
            histories.ChangeOut(
                kind="rose", id=THEME.id, text=f"“{THEME.label}” rose from 4.0 to 13.2.", before=4.0, after=13.2
            )
        ],
    ),
    "grouping": histories.GroupingOut(
        user="mara",
        version=3,
        themes=1,
        sides=[
            histories.SideOut(
                polarity=Polarity.LIKE,
                algorithm="ward",
                clusters=1,
                rule="nothing to tell apart",
                silhouette=None,
                groups=[[STATEMENT.id]],
            )
        ],
        texts={STATEMENT.id: STATEMENT.text},
    ),
    "rollback": schemas.ProfileOut(
        user="mara",
        as_of=NOW,
        version=4,
        portrait="Mostly interested in fermentation and sourdough.",
        portrait_origin=Origin.FALLBACK,
        events_seen=80,
        statements=[STATEMENT],
        themes=[THEME],
        theme_events=[],
        restores=2,
    ),
    "recommendations": schemas.RecommendationsOut(user="mara", query=None, k=1, items=[RECOMMENDATION], degraded=[]),
    "cold_start": schemas.ColdStartOut(
        portrait="Mostly interested in slow-burn mysteries.",
        statements=[],
        ignored=[],
        k=5,
        items=[],
        degraded=["explain"],
    ),
    "feedback": schemas.FeedbackOut(
        event=ACT.model_copy(update={"kind": EventKind.LIKE, "value": None, "text": None}), recommended=True
    ),
    "why": reasons.WhyOut(
        target=STATEMENT.id,
        reason=STATEMENT.text,
        statements=[STATEMENT],
        themes=[THEME],
        events=[ACT],
        items=[THING],
        against=[],
        standing=None,
    ),
    "edits": edits.OwnedOut(
        user="mara",
        edits=[MUTED],
        marks=[edits.MarkOut(target=THEME.id, mark="muted", words=THEME.label)],
        questions=[],
        superseded=[],
    ),
    "edit": edits.EditedOut(edit=MUTED, message="muted: Fermentation and sourdough", profile=None),
    "preview": edits.PreviewOut(
        edit=ADDED,
        k=1,
        note=edits.NOTE,
        moves=[
            edits.MoveOut(
                item="podcast-003", title="The Air Waves", theme="Old radio plays", before=None, after=1, change="new"
            ),
            edits.MoveOut(
                item="course-011",
                title="Sourdough Without Fear",
                theme=THEME.label,
                before=1,
                after=None,
                change="gone",
            ),
        ],
    ),
    "communities": communities.CommunitiesOut(
        at=LAST, people=340, rule="from 18 centres", least=5, communities=[COMMUNITY]
    ),
    "question": communities.AskOut(user="mara", question=QUESTION, statements=[], ignored=[]),
    "stranger_question": communities.AskOut(user=None, question=QUESTION, statements=[], ignored=[]),
    "answer": communities.AnswerOut(user="mara", community=3, reply=Reply.SKIP, statement=None),
    "export": schemas.ExportOut(user="mara", tables={"events": [EVENT]}),
    "withdraw": schemas.ForgetOut(user="mara", rows={"events": 1}, scrubbed=True),
    "forget": schemas.ForgetOut(user="mara", rows={"events": 80, "statements": 6}, scrubbed=True),
    "health": health.HealthOut(),
    "ready": health.ReadyOut(
        state="degraded",
        store=health.PartOut(state="ok"),
        index=health.PartOut(state="ok"),
        llm=health.PartOut(state="degraded", detail="the LLM server cannot be reached"),
    ),
}
# Any request may also be too long (413), misdirected (421) or find the store at fault (500).
