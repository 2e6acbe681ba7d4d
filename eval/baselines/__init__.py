"""The baselines that a sceptic would ask for, each with the settings that a fair rival would choose.

    system = make("itemknn", dataset, index, seed=0)
    ranking = await system.rank(question)

They are fitted at the first question, from `dataset.train` alone, and of the user they see the question's history and
nothing else. So they are for test cases: of a target that is itself in training, those that count know already. No
opinion is NaN (an item outside the catalogue, one without a vector) or 0 (nothing in common with the history).

Settings were chosen by validation on ml-latest-small, each user's last training item being taken out and ranked among 19
uniform negatives, drawn four times. "Validation" in the docstrings is ndcg@10 in percent there (half the 95 % interval is
about 2.4); "short histories" is the same for 6,000 users with about seven of these films each, no times and titles alone.
"""

from __future__ import annotations

from agent.errors import UsageError
from eval.baselines.base import Baseline, Method
from eval.baselines.counts import ItemKNN, Popularity, Random, Recency
from eval.baselines.factors import ALS, BPR
from eval.baselines.text import BM25, Embedding
from eval.cases import Dataset, System
from retrieval.exact import VectorIndex

BASELINES = ("random", "pop", "recency", "bm25", "embed_mean", "embed_max", "itemknn", "als", "bpr")


def make(name: str, dataset: Dataset, index: VectorIndex, seed: int) -> System:
    """The baseline of this name. `index` holds the vectors of the items (the embeddings alone look into it); `seed` is of
    no consequence to those without chance. Raises UsageError for a name that is not in BASELINES."""
    return Baseline(name, _method(name, dataset, index, seed), dataset)


def _method(name: str, dataset: Dataset, index: VectorIndex, seed: int) -> Method:
    match name:
        case "random":
            return Random(seed)
        case "pop":
            return Popularity()
        case "recency":
            return Recency()
        case "bm25":
            return BM25()
        case "embed_mean":
            return Embedding.of(index, dataset.items, best=False)
        case "embed_max":
            return Embedding.of(index, dataset.items, best=True)
        case "itemknn":
            return ItemKNN()
        case "als":
            return ALS(seed)
        case "bpr":
            return BPR(seed)
    raise UsageError(f"no baseline is called {name!r}", hint=f"choose among {', '.join(BASELINES)}")
