"""What the page calls origins, horizons, parts of a score and what was missing."""

from __future__ import annotations

from retrieval.records import Horizon, Origin

WORDS_ORIGIN = {
    Origin.MODEL: "in the model’s words",
    Origin.FALLBACK: "a plain sentence from the data",
    Origin.USER: "in their own words",
}
WORDS_HORIZON = {
    Horizon.LONG: "lasting",
    Horizon.SHORT: "for a while",
    Horizon.ONE_OFF: "one-off",
    Horizon.SHARED: "shared",
}
WORDS_PART = {
    "prior": "together",
    "llm": "model",
    "theme": "interest",
    "query": "question",
    "bm25": "words",
    "popular": "popular",
    "fresh": "new",
    "dislike": "disliked",
}
WORDS_DEGRADED = {
    "profile": "profile not brought up to date",
    "rerank": "ranked without the model",
    "explain": "explained without the model",
}
