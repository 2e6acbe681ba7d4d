"""What only the command line answers: the figures of a run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from agent.serve.schemas import Out, ProfileOut


class FailureOut(Out):
    """A user whose profile could not be built, and why."""

    user: str
    error: str


class ProfilesOut(Out):
    """The profiles of a run, what failed, and the figures of the run."""

    profiles: list[ProfileOut]
    failures: list[FailureOut]
    statements: int = Field(description="statements in these profiles")
    grounded: int = Field(
        description="of these, how many have all their evidence among the user's own events so far, or are the user's own words"
    )
    by_model: int = Field(description="of these, how many the LLM worded")
    by_fallback: int = Field(description="of these, how many are plain sentences from the data")
    refused: dict[str, int] = Field(description="sentences of the LLM that code refused in this run, by check")
    dropped: dict[str, int] = Field(description="segments and statements of which nothing was said or kept, by reason")
    seconds: float
    users_per_hour: float


class RankCheckOut(Out):
    """Shipped and fitted weights on people that the latter have not seen: ndcg@10 (0 to 1), means over users."""

    shipped: float
    fitted: float
    gain: float = Field(description="fitted less shipped")
    ci95: tuple[float, float] = Field(description="95 % interval of the gain")


class FitOut(Out):
    """What became of the ranking's weights."""

    outcome: Literal["kept", "dropped", "reset"] = Field(
        description="kept: the learnt weights rank from now on; dropped: they are clearly worse; reset: the shipped ones rank"
    )
    message: str
    users: int = Field(description="users learnt from; 0 on a reset")
    lists: int = Field(description="lists learnt from, one for each item that somebody took")
    check: RankCheckOut | None = Field(description="none on a reset")
    channels: dict[str, float] = Field(description="the learnt weight of each kind of evidence; empty on a reset")


class TuneOut(Out):
    """A training run. Losses are nats a token of the answers."""

    model: str = Field(description="the name to start and to ask for: the setting llm.model")
    adapter: str = Field(description="the folder of the adapter, its loss curve and its settings")
    weights: str = Field(description="the folder that the engine loads: base and adapter in one")
    train_examples: int
    preferences: int = Field(description="pairs of a chosen and a refused answer")
    dev_examples: int
    steps: int
    tokens: int = Field(description="tokens trained on, prompts included")
    first_loss: float
    train_loss: float = Field(description="mean of the last 20 steps")
    dev_loss: float | None = Field(description="on examples that were not learnt; none where there are none")
    seconds: float
    precision: str
    adapter_bytes: int
    adapter_sha256: str


class ResampleOut(Out):
    """Answers of the tuned model that hold, to train on."""

    folder: str = Field(description="`chosen` and `preferences` lie there")
    inputs: int = Field(description="that were made")
    kept: int = Field(description="that have an answer which holds")
    pairs: int = Field(description="kept answers that have a refused one beside them")
    tasks: dict[str, int] = Field(description="kept answers by task")


class PullOut(Out):
    """The weights that the embedded engine loads."""

    path: str
    weights: str = Field(description="w8a8 or float32")


class ServeOut(Out):
    """Where the API listens; printed once, before it starts."""

    url: str


class ExcerptOut(Out):
    """What the demo prints of one person: statements as (text, events, origin), recommendations as (title, reason)."""

    user: str
    portrait: str
    statements: list[tuple[str, int, str]]
    recommendations: list[tuple[str, str]]


class DemoOut(Out):
    """The figures of a demo run."""

    users: int
    statements: int
    grounded_share: float
    model_share: float = Field(description="share of the statements in the LLM's words")
    refused: dict[str, int] = Field(description="sentences of the LLM that code refused in this run, by check")
    dropped: dict[str, int] = Field(description="segments and statements of which nothing was said or kept, by reason")
    themes: int
    recommendations: int
    reasons_valid_share: float
    llm_tokens: int
    stages: dict[str, float] = Field(description="seconds by stage")
    seconds: float
    page: Annotated[str, BeforeValidator(str)] = Field(description="the page that shows it all")
    excerpts: list[ExcerptOut] = Field(exclude=True)
