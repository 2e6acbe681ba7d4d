"""Settings. Precedence: command line > environment LEITMOTIF_* (nested: LEITMOTIF_LLM__BASE_URL) > leitmotif.toml > defaults.

Unknown keys are errors everywhere, because a misspelt setting that is silently ignored costs an afternoon.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from sqlalchemy import URL

from agent.errors import ConfigError

EMBEDDED_MODEL = "leitmotif-smollm2-135m"  # with the adapter that ships (agent/tuning/adapter)
BASE_MODEL = f"{EMBEDDED_MODEL}-base"  # without
EMBEDDED_PORT = 8765
CONFIG_FILE = "leitmotif.toml"
ENV_PREFIX = "LEITMOTIF_"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LLMSettings(_Section):
    """Where the LLM is. Any OpenAI-compatible server; the defaults point at the embedded vLLM."""

    base_url: str = Field(f"http://127.0.0.1:{EMBEDDED_PORT}/v1", description="follows engine.port unless it is set")
    model: str = Field(EMBEDDED_MODEL, description="the name that the server gives it")
    api_key: SecretStr = Field(SecretStr("none"), description="sent as a bearer token, never shown or logged")
    concurrency: int = Field(64, ge=1, description="requests in flight at once")
    timeout_s: float = Field(120.0, gt=0, description="one request, queueing included")
    retries: int = Field(2, ge=0, description="tries after the first, for retryable failures only")

    @property
    def embedded(self) -> bool:
        """Is this the embedded model, whose abilities (and prompts) differ from a large one's?"""
        return self.model.startswith(EMBEDDED_MODEL)

    @property
    def tuned(self) -> bool:
        """Is it the embedded model with an adapter, which has prompts of its own?"""
        return self.embedded and self.model != BASE_MODEL


class EngineSettings(_Section):
    """The embedded vLLM server that `leitmotif llm start` runs on loopback."""

    port: int = Field(EMBEDDED_PORT, ge=1, le=65535, description="on loopback")
    weights: Literal["w8a8", "float32"] = Field("w8a8", description="eight-bit integers, or as they were trained")
    kv_cache_gib: float = Field(1.0, gt=0, description="memory for what was read, GiB")
    max_model_len: int = Field(4096, ge=512, le=8192, description="tokens of a prompt and its answer, at most")
    max_num_seqs: int = Field(64, ge=1, description="answers written at once")
    start_timeout_s: float = Field(600.0, gt=0, description="until it must answer")


class EmbedSettings(_Section):
    """The sentence embedder: "embedded" is the all-MiniLM-L6-v2 that comes from the package index; a path also works."""

    model: str = Field("embedded", description="or a folder of a sentence-transformers model")
    batch_size: int = Field(64, ge=1, description="texts at once")


class ProfileSettings(_Section):
    """How behaviour becomes statements and themes. Times in days."""

    window_events: int = Field(120, ge=10, description="most recent events that a profile reads")
    segment_max: int = Field(8, ge=3, description="events a statement is written from, at most")
    segment_min: int = Field(2, ge=1, description="items a statement is written from, at least")
    segment_similarity: float = Field(0.25, ge=0, le=1, description="cosine of topic vectors to join a segment")
    segment_gap_days: float = Field(60.0, gt=0, description="a longer pause starts a new segment")
    samples: int = Field(3, ge=1, le=16, description="answers drawn a segment; the guard and likelihood choose")
    merge_similarity: float = Field(0.88, ge=0, le=1, description="cosine above which two statements mean the same")
    contradiction: float = Field(0.75, ge=0, le=1, description="cosine of two topics that a like and a dislike share")
    entailment_model: Path | None = Field(
        None, description="folder of a transformers model that says whether a statement follows from its evidence; off"
    )
    decay_per_day: float = Field(
        0.01, ge=0, description="importance is the sum of exp(-decay * age); PinnerSage uses 0.01"
    )


class RecommendSettings(_Section):
    """How candidates are found, ranked and shown."""

    pool: int = Field(200, ge=10, description="candidates before fusion")
    rerank: int = Field(20, ge=0, le=100, description="candidates the LLM scores; 0 switches it off")
    llm_weight: float | None = Field(
        None, ge=0, description="weight of the LLM's z-score beside the prior's 1.0; 0 asks no LLM; default: as learnt"
    )
    asks: Literal["titles", "fits"] = Field(
        "titles",
        description="what the LLM is asked of a candidate: is its title next, or (the tuned one) does it fit",
    )
    max_rise: int = Field(10, ge=0, description="places an item may rise on the LLM's word alone")
    diversity: float = Field(0.3, ge=0, le=1, description="MMR trade-off: 0 is relevance only")
    deadline_s: float = Field(60.0, gt=0, description="after this the prior answers, and says so")
    explore: float = Field(0.0, ge=0, le=1, description="probability that chance chooses the last place; 0: never")
    explore_seed: int | None = Field(None, description="of that chance; default: another one at each start")
    community: float = Field(
        0.0, ge=0, description="weight of what people chose who describe themselves alike, for strangers; 0 is off"
    )


class CommunitySettings(_Section):
    """Interest communities of everybody."""

    least: int = Field(5, ge=2, description="people below whom a community is neither stored, shown nor used")


class Settings(BaseSettings):
    """Everything that can be set, frozen once read."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, toml_file=CONFIG_FILE
    )

    home: Path = Field(Path(".leitmotif"), description="data, index, weights and logs live here")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default: SQLite in home")
    llm: LLMSettings = LLMSettings()
    engine: EngineSettings = EngineSettings()
    embed: EmbedSettings = EmbedSettings()
    profile: ProfileSettings = ProfileSettings()
    recommend: RecommendSettings = RecommendSettings()
    communities: CommunitySettings = CommunitySettings()

    @model_validator(mode="before")
    @classmethod
    def _address_follows_port(cls, data: Any) -> Any:
        """Whoever moves the embedded engine to another port means to talk to it there."""
        engine, llm = data.get("engine"), data.get("llm", {})
        if not (isinstance(engine, dict) and "port" in engine and isinstance(llm, dict)):
            return data
        return {**data, "llm": {"base_url": f"http://127.0.0.1:{engine['port']}/v1", **llm}}

    @model_validator(mode="after")
    def _only_the_tuned_model_says_what_fits(self) -> Self:
        if self.recommend.asks == "fits" and not self.llm.tuned:
            raise ValueError(
                f"recommend.asks = 'fits' needs the tuned embedded model, and llm.model is {self.llm.model!r}"
            )
        return self

    @property
    def db_url(self) -> str:
        path = str(self.home.resolve() / "leitmotif.db")
        return self.database_url or URL.create("sqlite", database=path).render_as_string(hide_password=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings once, at the edge. Raises ConfigError with the offending key in one line."""
    _refuse_unknown_environment()
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as exc:
        first = exc.errors()[0]
        if not first["loc"]:  # two settings that do not go together
            raise ConfigError(first["msg"].removeprefix("Value error, ")) from exc
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"bad setting {where!r}: {first['msg']}") from exc
    except ValueError as exc:  # an unreadable TOML file or environment value
        raise ConfigError(f"settings cannot be read: {exc}") from exc


def _refuse_unknown_environment() -> None:
    """pydantic-settings ignores unknown top-level variables; we do not."""
    known = {name.upper() for name in Settings.model_fields}
    for key in os.environ:
        if key.startswith(ENV_PREFIX) and key.removeprefix(ENV_PREFIX).split("__")[0].upper() not in known:
            raise ConfigError(f"unknown environment variable {key!r}")
