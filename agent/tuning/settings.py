"""The one configuration file of a training run, validated."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ConfigError

CONFIG = Path(__file__).with_name("config.toml")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lora(_Section):
    """Low-rank adaptation of all linear layers (arXiv 2106.09685)."""

    rank: int = Field(16, ge=1, le=256)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)


class Training(_Section):
    batch: int = Field(16, ge=1)
    learning_rate: float = Field(4e-4, gt=0)
    warmup: float = Field(0.05, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    save_every: int = Field(100, ge=1)
    precision: Literal["auto", "bfloat16", "float32"] = "auto"


class Preference(_Section):
    """After the examples: make chosen answers likelier than refused ones (agent/tuning/trainer.py)."""

    copies: int = Field(1, ge=1, le=20, description="passes over the pairs")
    learning_rate: float = Field(1e-4, gt=0)
    beta: float = Field(2.0, gt=0, description="how hard a difference of one nat a token counts")
    margin: float = Field(1.0, ge=0, description="how much more is wanted than a tie")


class TuneConfig(_Section):
    seed: int = 0
    copies: int = Field(4, ge=1, le=100, description="passes over the examples")
    chosen_copies: int = Field(2, ge=0, le=100, description="of these, passes that have the chosen answers, too")
    pair_copies: int = Field(1, ge=0, le=100, description="of these, passes that also teach whether an item fits")
    lora: Lora = Lora()
    training: Training = Training()
    preference: Preference = Preference()


def read(file: Path = CONFIG) -> TuneConfig:
    """The configuration in a TOML file. Raises ConfigError with the offending key in one line."""
    try:
        return TuneConfig.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file.name} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file.name}: bad setting {where!r}: {first['msg']}") from error
