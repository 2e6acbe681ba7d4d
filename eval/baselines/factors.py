"""The baselines that are trained: matrix factorisation by `implicit`, with alternating least squares and with BPR.

A user's factors are always folded in from the history of the question, the item factors held fixed. So both see what the
other baselines see and answer for somebody whom training does not hold. They lose nothing by it: the factors that
training left for the user, from all that they did, are worse on validation (ALS by 1.2, BPR by about 0.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, vstack
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from eval.baselines.base import Floats, Interactions, Scorer, binary
from eval.cases import Dataset, Question

ONE_THREAD: Mapping[str, Any] = {"limits": 1, "user_api": "blas"}
"""For matrices this small, threads of BLAS wait for each other longer than they work (a BPR question: 3 ms against 40 on two
busy cores), and `implicit` warns of them."""


@dataclass(frozen=True, slots=True)
class ALS:
    """Implicit ALS: Hu, Koren and Volinsky, Collaborative filtering for implicit feedback datasets (ICDM 2008).

    Validation: 76.4. Of 75 settings (64 to 256 factors, alpha 1 to 20, regularisation 2.5 to 20 times alpha) the best had
    76.9 (alpha 10, regularisation 50), but with short histories 65.4, where this one has 68.0. The library's own (100
    factors, alpha 1, regularisation 0.01): 67.0 and 53.0. The regularisation is meant for thousands of interactions; of a few
    hundred it makes all factors 0, which is no opinion.
    """

    seed: int
    factors: int = 128
    regularization: float = 100.0
    alpha: float = 20.0
    iterations: int = 15

    def fit(self, dataset: Dataset) -> Scorer:
        taken = Interactions.of(dataset)
        libraries = ThreadpoolController()
        with libraries.limit(**ONE_THREAD):
            model = AlternatingLeastSquares(
                self.factors, self.regularization, self.alpha,
                iterations=self.iterations, num_threads=1, random_state=self.seed,
            )  # fmt: skip
            model.fit(taken.matrix, show_progress=False)

        def score(question: Question) -> Floats:
            history = np.unique(taken.columns.known(question.case.history))
            with libraries.limit(**ONE_THREAD):
                user = model.recalculate_user(0, binary([history], len(taken.columns.of)))
            return taken.columns.spread(question.candidates, lambda columns: model.item_factors[columns] @ user)

        return score


@dataclass(frozen=True, slots=True)
class BPR:
    """Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback (UAI 2009), on one thread: with more,
    `implicit` gives other factors every time.

    The paper draws negatives uniformly; `implicit` draws them by popularity, which takes popularity out of the scores and
    never trains an item that nobody took. `uniform` parts of uniform negatives to one by popularity put that right:
    beside the users stand some who took everything. No draw of theirs trains anything, because all items are theirs, but
    their items are drawn as the negatives of others. `drawn` negatives are what a history is set against in folding in.

    Validation: 75.3, short histories 68.7. Without uniform negatives: 71.9 and 57.7. The library's own settings (100 factors,
    rate 0.01, regularisation 0.01, 100 rounds) without them: 65.5.
    """

    seed: int
    factors: int = 128
    learning_rate: float = 0.1
    regularization: float = 0.02
    iterations: int = 150
    uniform: float = 2.0
    drawn: int = 400

    def fit(self, dataset: Dataset) -> Scorer:
        taken = Interactions.of(dataset)
        matrix = _with_everything(taken.matrix, self.uniform)
        model = BayesianPersonalizedRanking(
            self.factors, self.learning_rate, self.regularization,
            iterations=self.iterations, num_threads=1, random_state=self.seed,
        )  # fmt: skip
        model.fit(matrix, show_progress=False)
        items, bias = model.item_factors[:, :-1], model.item_factors[:, -1]
        libraries = ThreadpoolController()
        negatives = np.random.default_rng(self.seed).choice(matrix.indices, self.drawn)

        def score(question: Question) -> Floats:
            history = np.unique(taken.columns.known(question.case.history))
            with libraries.limit(**ONE_THREAD):
                user = self._fold_in(model.item_factors, history, negatives[~np.isin(negatives, history)])
            return taken.columns.spread(question.candidates, lambda columns: items[columns] @ user + bias[columns])

        return score

    def _fold_in(self, factors: Floats, taken: NDArray[np.intp], negatives: NDArray[np.intp]) -> Floats:
        """The user (factors,) that maximises the objective of BPR, the mean over all pairs of ln sigmoid(difference) less
        the penalty, with the item factors and biases as they are. Zero, which leaves the biases, where there is no pair."""
        if not len(taken) or not len(negatives):
            return np.zeros(self.factors)
        liked, other = factors[taken].astype(np.float64), factors[negatives].astype(np.float64)

        def loss(user: Floats) -> tuple[float, Floats]:
            with_bias = np.append(user, 1.0)
            difference = np.subtract.outer(liked @ with_bias, other @ with_bias)
            pull = expit(-difference) / difference.size
            gradient = pull.sum(axis=0) @ other[:, :-1] - pull.sum(axis=1) @ liked[:, :-1]
            value = np.logaddexp(0.0, -difference).mean() + self.regularization / 2 * (user @ user)
            return float(value), gradient + self.regularization * user

        best: Floats = minimize(loss, np.zeros(self.factors), jac=True, method="L-BFGS-B").x
        return best


def _with_everything(matrix: csr_matrix, uniform: float) -> csr_matrix:
    """`matrix` and, below it, users who took every item: as many as it takes for `uniform` entries to one of `matrix`."""
    items = matrix.shape[1]
    users = max(1, round(uniform * matrix.nnz / items))
    return vstack([matrix, csr_matrix(np.ones((users, items), dtype=np.float32))], format="csr")
