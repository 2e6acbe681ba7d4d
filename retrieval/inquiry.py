"""What to ask somebody: the one question whose answer would tell most about which people they are like. Pure functions.

    own = belief(shares, told @ centres.T, done @ centres.T, weights)    # (k,) how likely each community is theirs
    gains = information_gain(own, yes)                                   # (questions,) bits
    own = answered(own, yes[3], True)

A community stands for what somebody is after next; `yes` (questions, k) says how likely those of a community are to say yes.
The gain is the entropy of the belief less the one that is expected after the answer (Lindley 1956): never below 0, and 0 for an
answer that is known already.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.warmth import warmth

Floats = NDArray[np.float64]

SHARPNESS = (
    8.0  # of a cosine beside a share: on MovieLens, 4, 8 and 16 find the next film about as well (decision 0012)
)
PSEUDO = 2.0  # people added to those who were counted, so that a few who agree prove nothing


def belief(shares: Floats, told: Floats, done: Floats, weights: Floats) -> Floats:
    """(k,) The probability of each community, 1 in sum.

    `shares` (k,) of all people; `told` (m, k) and `done` (n, k): cosines of what somebody says and of what their acts show to
    the centres, `weights` (n,) the events behind the latter. What is said is a prior: see retrieval/warmth.py. Without words
    the prior is what holds of all.
    """
    prior: Floats = shares / shares.sum()
    said: Floats = _likely(prior, told).mean(axis=0) if len(told) else prior
    events = float(weights.sum())
    if events <= 0:
        return said
    shown: Floats = weights @ _likely(prior, done) / events
    share = warmth(events)
    return share * said + (1 - share) * shown


def _likely(prior: Floats, cosines: Floats) -> Floats:
    """(n, k) For each row the communities that it may come from, by Bayes with a von Mises-Fisher likelihood."""
    raw = np.log(prior) + SHARPNESS * cosines
    mass = np.exp(raw - raw.max(axis=1, keepdims=True))
    found: Floats = mass / mass.sum(axis=1, keepdims=True)
    return found


def yes_rates(people: Floats, both: Floats, total: int) -> Floats:
    """(k, k) How likely somebody of community c (a column) says yes to what community j (a row) likes: the share of c's people
    who are in j as well, drawn towards j's share of all; 1 where j is c.

    `people` (k,) in each community, `both` (k, k) in two of them, `total` of all.
    """
    rates = (both + PSEUDO * (people / total)[:, None]) / (people + PSEUDO)[None, :]
    np.fill_diagonal(rates, 1.0)
    return np.clip(rates, 0.0, 1.0)


def answered(own: Floats, yes: Floats, answer: bool) -> Floats:
    """(k,) The belief after an answer to a question with these rates of yes (k,). An answer that nobody could give changes
    nothing."""
    mass = own * (yes if answer else 1 - yes)
    return mass / mass.sum() if mass.sum() > 0 else own


def information_gain(own: Floats, yes: Floats) -> Floats:
    """(questions,) Bits that the answer to each question is expected to tell, for a belief (k,) and `yes` (questions, k)."""
    agree = np.clip(yes @ own, 0.0, 1.0)
    gain: Floats = _entropy(agree) - _entropy(yes) @ own
    return np.clip(gain, 0.0, None)  # below 0 is rounding: what is asked is concave (Jensen)


def _entropy(p: Floats) -> Floats:
    """Of a yes or no, in bits."""
    inside = np.clip(p, 1e-300, 1 - 1e-16)
    found: Floats = np.where((p <= 0) | (p >= 1), 0.0, -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside)))
    return found
