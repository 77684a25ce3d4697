"""How well a direction separates samples that it was not fitted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unhans.clarc.cav_estimators import Solver

FOLDS = 5


def held_out(solver: Solver, affected: NDArray[np.bool_], seed: int) -> tuple[tuple[float, ...], float]:
    """Return how well ⟨h, v⟩ separates samples of a fold, with the unit v from the other folds.

    Stratified folds: five, or as many as there are samples of the smaller class, at least two. The first result is the
    AUC of every fold; the second, which tells apart what is separated without error, the distance of the mean scores
    of affected and unaffected samples of all folds in units of their pooled standard deviation.
    """
    from sklearn.metrics import roc_auc_score

    fold, scores = folds(affected, seed), np.empty(len(affected))
    parts = [np.flatnonzero(fold == k) for k in range(fold.max() + 1)]
    for k, tested in enumerate(parts):
        scores[tested] = solver.scores(solver.solve(np.flatnonzero(fold != k)), tested)
    separations = tuple(float(roc_auc_score(affected[tested], scores[tested])) for tested in parts)
    return separations, _distance(scores[affected], scores[~affected])


def _distance(affected: NDArray[np.float64], unaffected: NDArray[np.float64]) -> float:
    squares = sum(((group - group.mean()) ** 2).sum() for group in (affected, unaffected))
    deviation = np.sqrt(squares / (len(affected) + len(unaffected) - 2))
    difference = affected.mean() - unaffected.mean()
    return float(difference / deviation) if deviation > 0 else float(np.sign(difference) * np.inf if difference else 0)


def folds(affected: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Return the fold (n,) of every sample; each fold has affected and unaffected ones."""
    count = min(FOLDS, int(affected.sum()), int((~affected).sum()))
    rng = np.random.default_rng([seed])
    fold = np.empty(len(affected), dtype=np.int64)
    for group in (affected, ~affected):
        fold[group] = rng.permutation(np.arange(group.sum()) % count)
    return fold
