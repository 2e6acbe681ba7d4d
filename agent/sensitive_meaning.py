"""Which tags and categories tell of a person by their meaning, though no word of sensitive.yaml stands in them?

    telling(["kidney failure", "jazz piano"], embed)     # {"kidney failure"}

A second check beside sensitive.py, made once for a catalogue. A feature tells where the nearest short phrase of the file's
`alike` is one that tells of a person, and near. The embedder of this project reads English; in other languages it finds little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.sensitive import ATTRIBUTES, HARMLESS, contents, entries

NEAR, MARGIN = 0.5, 0.15  # cosines. eval/LOG.md has what other values find, and what they refuse


def telling(features: Sequence[str], embed: Callable[[Sequence[str]], NDArray[np.float32]]) -> frozenset[str]:
    """Those of `features` that are NEAR to a phrase that tells, and nearer by MARGIN than to any harmless one.

    `embed` gives unit vectors, so that a product is a cosine. Raises KeyError for a file without phrases of some attribute.
    """
    if not features:
        return frozenset()
    alike = contents()["alike"]
    told = [phrase for attribute in ATTRIBUTES for phrase in entries(alike[attribute])]
    own = embed(features)
    nearest = (own @ embed(told).T).max(axis=1)
    harmless = (own @ embed(entries(alike[HARMLESS])).T).max(axis=1)
    found = (nearest >= NEAR) & (nearest - harmless >= MARGIN)
    return frozenset(feature for feature, tells in zip(features, found, strict=True) if tells)
