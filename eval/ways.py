"""`leitmotif eval llm`: the ways to rank with a language model alone, side by side on the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.errors import UsageError
from eval import results, runner
from eval.candidates import uniform
from eval.cases import Dataset
from eval.llm_systems import VARIANTS, make
from eval.workshop import Workshop
from eval.written import written

NEEDS_PROFILES = {"llm_themes", "llm_fits"}


@dataclass
class Ways:
    """Answers are kept in the shop's folder: a run goes on where it stopped."""

    dataset: Dataset
    shop: Workshop
    seed: int
    tell: runner.Progress

    async def document(self, names: Sequence[str]) -> dict[str, Any]:
        """The figures of the variants `names`, or of all. Profiles are written first where a variant shows their themes to
        the LLM. Raises LLMUnavailableError."""
        wanted = tuple(names) or VARIANTS
        if unknown := [name for name in wanted if name not in VARIANTS]:
            raise UsageError(f"unknown variant {unknown[0]!r}", hint=f"choose among {', '.join(VARIANTS)}")
        drawn = uniform(self.dataset, self.seed)
        asked = results.prepare(self.dataset, drawn.questions)
        profiles = await written(self.shop, self.dataset, self.tell) if NEEDS_PROFILES & set(wanted) else {}
        found = {}
        for name in wanted:
            system = make(name, self.dataset, self.shop.llm, self.seed, profiles)
            rows = await runner.run(
                [system], drawn.questions, self.shop.folder, data=self.dataset.digest, progress=self.tell
            )
            figures = results.measure(asked, rows[name], self.seed).figures
            found[name] = {
                "ndcg@10": figures.ndcg_at_10,
                "ci95": figures.ci95,
                "calls": figures.llm_calls,
                "tokens": figures.llm_tokens,
                "seconds_per_user": figures.seconds_per_user,
                "invalid": figures.invalid,
                "errors": figures.errors,
            }
        return {
            "kind": "llm",
            "dataset": self.dataset.name,
            "digest": self.dataset.digest,
            "seed": self.seed,
            "users": len(drawn.questions),
            "model": self.shop.llm.settings.model,
            "variants": results.to_json(found),
        }
