"""The table of `leitmotif eval refresh`: what an update costs beside a rebuild, and how alike the outcome is."""

from __future__ import annotations

from eval.report_tables import column, percent, seconds, share, whole

CAPTION = "All profiles as of a moment; then the news of a few users, by an update and by writing all anew."
REFRESH = (
    column("users", whole),
    column("llm_calls", whole, "LLM calls"),
    column("tokens_in", whole, "tokens in"),
    column("tokens_out", whole, "tokens out"),
    column("seconds", seconds),
    column("times_fewer", percent, "times fewer tokens"),
    column("idle_tokens", whole, "of users without news"),
    column("ari_active", share, "ARI, active users"),
    column("ari", share, "ARI, all"),
    column("statements_active", share, "statements alike, active"),
    column("labels_active", share, "same names, active"),
)
