"""How a direction is found from labelled samples, and how well it separates others [001; METHODS §5].

An estimate with an L2 penalty lies in the span of its samples, so all that it needs is their Gram matrix (n, n): a
matrix (d, d) is never formed, nor a second copy of the features (n, d). The lasso has no such form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Labels = NDArray[np.bool_]
Coefficients = Callable[[Array, Labels, float], Array]

COLUMNS = 8192  # worked on at once; of 1,000 samples in float64: 64 MB
NEGLIGIBLE = 1e-10  # eigenvalues of the Gram matrix below this share of the largest are rounding
SHARE = 0.1  # of the smallest λ at which every weight of the lasso is zero
FOLDS = 5

# Each function takes the centred Gram matrix (n, n) of the samples, scaled so that their mean squared norm is 1, and
# which of them are affected (n,), and returns one coefficient per sample: the direction is their weighted sum.


def mean_difference(gram: Array, affected: Labels, penalty: float) -> Array:
    """Mean of the affected less mean of the unaffected samples."""
    return affected / affected.sum() - ~affected / (~affected).sum()


def pattern(gram: Array, affected: Labels, penalty: float) -> Array:
    """cov(h, t) / var(t) for the labels t: how the features depend on the label, not how to tell it from them.

    For two classes that is their mean difference exactly, whatever their sizes.
    """
    label = affected.astype(np.float64)
    return (label - label.mean()) / (len(label) * label.var())


def ridge(gram: Array, affected: Labels, penalty: float) -> Array:
    """Least squares of the centred labels with penalty‖w‖²: (K + penalty I)⁻¹ t."""
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), affected - affected.mean())


def svm(gram: Array, affected: Labels, penalty: float) -> Array:
    """Linear support vector machine, squared hinge, C = 1/penalty, both classes of equal weight."""
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=1 / penalty, class_weight="balanced", dual=False, tol=1e-6, max_iter=10_000)
    return _in_coordinates(machine, gram, affected)


def logistic(gram: Array, affected: Labels, penalty: float) -> Array:
    """Logistic regression, C = 1/penalty, both classes of equal weight."""
    from sklearn.linear_model import LogisticRegression

    machine = LogisticRegression(C=1 / penalty, class_weight="balanced", tol=1e-8, max_iter=10_000)
    return _in_coordinates(machine, gram, affected)


def _in_coordinates(classifier: Any, gram: Array, affected: Labels) -> Array:
    """Fit a linear classifier to the samples' coordinates in their own span, where distances are the same."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > NEGLIGIBLE * values[-1]
    lengths, axes = np.sqrt(values[kept]), vectors[:, kept]
    weights = classifier.fit(axes * lengths, affected).coef_[0]
    return axes @ (weights / lengths)


IN_SPAN: dict[str, Coefficients] = {
    function.__name__: function for function in (svm, logistic, ridge, mean_difference, pattern)
}
ESTIMATORS = (*IN_SPAN, "lasso")


class InSpan:
    """An estimator whose solution (n,) is one coefficient per sample.

    Args:
        features: (n, d) of all samples.
        affected: (n,), which carry the artifact.
        estimator: a key of `IN_SPAN`.
        penalty: in units of the default.
    """

    def __init__(self, features: Tensor, affected: Labels, estimator: str, penalty: float) -> None:
        self.features, self.affected, self.penalty = features, affected, penalty
        self.coefficients, self.gram = IN_SPAN[estimator], centred_gram(features)

    def solve(self, rows: Rows) -> Array:
        """Return the estimate from these samples."""
        gram = self.gram[np.ix_(rows, rows)]
        gram = gram - gram.mean(0) - gram.mean(1)[:, None] + gram.mean()
        scale = np.trace(gram) / len(rows)
        found = self.coefficients(gram / (scale or 1.0), self.affected[rows], self.penalty)
        solution = np.zeros(len(self.gram))
        solution[rows] = found - found.mean()  # of features less the mean of these rows
        return solution

    def scores(self, solution: Array, rows: Rows) -> Array:
        """Return the inner products of samples, less the mean of all, with an estimate made a unit vector."""
        squared = float(solution @ self.gram @ solution)
        return self.gram[rows] @ solution / (np.sqrt(squared) if squared > 0 else 1.0)

    def direction(self, solution: Array) -> Tensor:
        """Return an estimate as a vector (d,) in float64."""
        return combined(self.features, solution[None])[0]


class Lasso:
    """Minimises ‖t − Xw‖²/(2n) + λ‖w‖₁ for labels t less their mean; its solution (d,) has few weights.

    λ is `penalty` tenths of the one at which all weights vanish. scikit-learn leaves out features that cannot matter.
    """

    def __init__(self, features: Tensor, affected: Labels, penalty: float) -> None:
        self.features, self.affected, self.penalty = features, affected, penalty

    def solve(self, rows: Rows) -> Array:
        """Return the estimate from these samples."""
        from sklearn import linear_model

        features = self.features[torch.from_numpy(rows)]
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        columns = (features - features.mean(0)).T.contiguous().numpy()  # (d, n): scikit-learn goes by columns
        labels = (self.affected[rows] - self.affected[rows].mean()).astype(columns.dtype)
        bound = SHARE * self.penalty * float(np.abs(columns @ labels).max()) / len(rows)
        lasso = linear_model.Lasso(alpha=bound, fit_intercept=False, copy_X=False, max_iter=100_000)
        return lasso.fit(columns.T, labels).coef_.astype(np.float64)

    def scores(self, solution: Array, rows: Rows) -> Array:
        """Return the inner products of samples, less the mean of all, with an estimate made a unit vector."""
        kept = np.flatnonzero(solution)
        columns = self.features[:, torch.from_numpy(kept)].double().numpy()
        return (columns[rows] - columns.mean(0)) @ solution[kept] / (float(np.linalg.norm(solution)) or 1.0)

    def direction(self, solution: Array) -> Tensor:
        """Return an estimate as a vector (d,) in float64."""
        return torch.from_numpy(solution)


def held_out(solver: InSpan | Lasso, affected: Labels, seed: int) -> tuple[tuple[float, ...], float]:
    """Return how well ⟨h, v⟩ separates samples of a fold, with the unit v from the other folds.

    Stratified folds: five, or as many as there are samples of the smaller class, at least two. The first result is the
    AUC of every fold; the second, which tells apart what is separated without error, the distance of the mean scores
    of affected and unaffected samples of all folds in units of their pooled standard deviation.
    """
    from sklearn.metrics import roc_auc_score

    scores, separations = np.empty(len(affected)), []
    for others, tested in folds(affected, seed):
        scores[tested] = solver.scores(solver.solve(others), tested)
        separations.append(float(roc_auc_score(affected[tested], scores[tested])))
    return tuple(separations), _distance(scores[affected], scores[~affected])


def folds(affected: Labels, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Return the other samples and those of every fold; each fold has affected and unaffected ones."""
    from sklearn.model_selection import StratifiedKFold

    count = min(FOLDS, int(affected.sum()), int((~affected).sum()))
    return StratifiedKFold(count, shuffle=True, random_state=seed).split(affected, affected)


def _distance(affected: Array, unaffected: Array) -> float:
    squares = sum(((group - group.mean()) ** 2).sum() for group in (affected, unaffected))
    deviation = np.sqrt(squares / (len(affected) + len(unaffected) - 2))
    difference = affected.mean() - unaffected.mean()
    return float(difference / deviation) if deviation > 0 else float(np.sign(difference) * np.inf if difference else 0)


def centred_gram(features: Tensor) -> Array:
    """Return the inner products (n, n) of the rows of features (n, d), less their mean, in float64."""
    gram = torch.zeros(len(features), len(features), dtype=torch.float64)
    for part in _parts(features):
        part -= part.mean(0)
        gram += part @ part.T
    return gram.numpy()


def combined(features: Tensor, weights: Array) -> Tensor:
    """Return weighted sums (m, d) in float64 of the rows of features (n, d), for weights (m, n)."""
    factors = torch.from_numpy(np.ascontiguousarray(weights))
    return torch.cat([factors @ part for part in _parts(features)], 1)


def _parts(features: Tensor) -> Iterator[Tensor]:
    """Some columns of the features at a time, as new tensors in float64."""
    return (part.to(torch.float64, copy=True) for part in features.split(COLUMNS, 1))
