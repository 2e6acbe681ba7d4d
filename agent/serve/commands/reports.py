"""What only the command line answers: the figures of a run."""

from __future__ import annotations

from pydantic import Field

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
        description="of these, how many have all their evidence in the store, or are the user's own words"
    )
    by_model: int = Field(description="of these, how many the LLM worded")
    by_fallback: int = Field(description="of these, how many are plain sentences from the data")
    seconds: float
    users_per_hour: float


class PullOut(Out):
    """The weights that the embedded engine loads."""

    path: str
    weights: str = Field(description="w8a8 or float32")


class ServeOut(Out):
    """Where the API listens; printed once, before it starts."""

    url: str


class DemoOut(Out):
    """The figures of a demo run."""

    users: int
    statements: int
    grounded_share: float
    themes: int
    recommendations: int
    reasons_valid_share: float
    llm_tokens: int
    stages: dict[str, float] = Field(description="seconds by stage")
    seconds: float
    page: str = Field(description="the page that shows it all")
