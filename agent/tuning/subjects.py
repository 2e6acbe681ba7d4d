"""Groups of texts about one thing, out of the training examples, for `retrieval.axes` to learn from.

    python -m agent.tuning.subjects        # learns them anew, for the embedder that is set

A group is what a theme was made of, or what a statement was made from, the statement included: things as the product describes
them, and sentences as it writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

import numpy as np

from agent.config import Settings
from agent.tuning import examples
from agent.tuning.examples import Example, StatementExample, ThemeExample
from agent.weights import embedder_folder
from retrieval import axes
from retrieval.embed import SentenceTransformerEmbedder, Vectors

K = 96  # 64 to 128 part subjects about equally well; see docs/decisions/0010
VERB = {"like": "Likes", "dislike": "Dislikes"}


def groups(rows: Sequence[Example]) -> list[tuple[str, ...]]:
    """Distinct texts about one thing, two at least, of the English training examples."""
    found = (_told(e) for e in rows if e.split == "train" and e.language == "en")
    return [texts for texts in found if len(texts) > 1]


def _told(example: Example) -> tuple[str, ...]:
    match example:
        case ThemeExample(input=given, answer=named) if named is not None:
            return tuple(dict.fromkeys(given.statements))
        case StatementExample(input=given, answer=text, case=case) if text and case in ("plain", "against"):
            things = [", ".join(act.features) for act in given.events if act.title]
            return tuple(dict.fromkeys([*things, f"{VERB[given.polarity]} {text}."]))
        case _:
            return ()


def learnt(rows: Sequence[Example], embed: Callable[[Sequence[str]], Vectors]) -> axes.Floats:
    """(dim, K) The axes of these examples."""
    told = groups(rows)
    texts = list(dict.fromkeys(text for group in told for text in group))
    vectors = dict(zip(texts, embed(texts), strict=True))
    return axes.learn([np.stack([vectors[text] for text in group]) for group in told], K)


def digest(rows: Sequence[Example]) -> str:
    """Of the groups: other examples, other axes."""
    return hashlib.sha256(json.dumps(groups(rows)).encode()).hexdigest()[:16]


def main() -> None:
    settings = Settings()
    embedder = SentenceTransformerEmbedder(embedder_folder(settings.embed.model), settings.embed.batch_size)
    rows = examples.load()
    axes.save(axes.FILE, embedder.name, learnt(rows, embedder.embed), digest(rows))
    print(f"{axes.FILE.name}: {K} axes from {len(groups(rows))} groups")


if __name__ == "__main__":
    main()
