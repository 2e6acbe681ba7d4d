"""Does a statement follow from its evidence? An entailment model of the user's own, switched on by `profile.entailment_model`.

The setting names a local folder of a transformers sequence-classification model that has a label "entailment" (MNLI models
such as deberta-v3-base-mnli). Off by default: none comes with the package. transformers is imported with the first pair.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from agent.errors import ConfigError

LEAST = 0.5  # probability of the label


class Entailment:
    """One model. Raises ConfigError for a folder without a model or a model without the label."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise ConfigError(f"profile.entailment_model: no transformers model in {folder}")
        self._folder = folder

    def follows(self, premise: str, statement: str) -> bool:
        return self.probability(premise, statement) >= LEAST

    def probability(self, premise: str, statement: str) -> float:
        """P(the premise entails the statement), in [0, 1]. Long premises are cut, statements never."""
        found = self._classify({"text": premise, "text_pair": statement}, top_k=None, truncation="only_first")
        return next(float(row["score"]) for row in found if row["label"].lower() == "entailment")

    @cached_property
    def _classify(self) -> Any:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

        model = AutoModelForSequenceClassification.from_pretrained(self._folder, local_files_only=True)
        if "entailment" not in {label.lower() for label in model.config.id2label.values()}:
            raise ConfigError(f'profile.entailment_model: the model in {self._folder} has no label "entailment"')
        tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        return pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
