"""`leitmotif eval llm`: the ways to rank with a language model alone, side by side on the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.llm import LLM
from eval import results, runner
from eval.candidates import uniform
from eval.cases import Dataset
from eval.llm_systems import VARIANTS, make

NEEDS_PROFILES = ("llm_themes",)  # its themes come from `leitmotif eval profiles`


@dataclass
class Ways:
    """Answers are kept in `folder`: a run goes on where it stopped."""

    dataset: Dataset
    llm: LLM
    folder: Path
    seed: int
    tell: runner.Progress

    async def document(self, names: Sequence[str]) -> dict[str, Any]:
        """The figures of the variants `names`, or of all that need no profiles. Raises LLMUnavailableError."""
        wanted = tuple(names) or tuple(name for name in VARIANTS if name not in NEEDS_PROFILES)
        if unknown := [name for name in wanted if name not in VARIANTS]:
            raise UsageError(f"unknown variant {unknown[0]!r}", hint=f"choose among {', '.join(VARIANTS)}")
        drawn = uniform(self.dataset, self.seed)
        asked = results.prepare(self.dataset, drawn.questions)
        found = {}
        for name in wanted:
            system = make(name, self.dataset, self.llm, self.seed)
            rows = await runner.run(
                [system], drawn.questions, self.folder, data=self.dataset.digest, progress=self.tell
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
            "model": self.llm.settings.model,
            "variants": results.to_json(found),
        }
