"""Concept activation vectors against slow literal versions, closed forms and scikit-learn on all features."""

from __future__ import annotations

import clarc_cases as cases
import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.svm import LinearSVC

from unhans.clarc import ESTIMATORS, fit
from unhans.clarc.cav_estimators import COLUMNS, centred_gram, combined, folds


def unit(vector):
    return vector / np.linalg.norm(vector)


def scaled(activations):
    """The features as the penalties see them: centred, with a mean squared norm of 1."""
    x = activations.flatten(1).double().numpy()
    x = x - x.mean(0)
    return x / np.sqrt((x**2).sum(1).mean())


@pytest.mark.parametrize("estimator", ["mean_difference", "pattern"])
def test_mean_difference_and_pattern_are_what_loops_over_the_definition_give(estimator):
    x, which = cases.marked()
    flat, t = x.flatten(1).double().numpy(), which.double().numpy()
    expected = np.zeros(flat.shape[1])
    for j in range(flat.shape[1]):
        if estimator == "pattern":
            mean_h, mean_t = flat[:, j].sum() / len(t), t.sum() / len(t)
            covariance = sum((flat[i, j] - mean_h) * (t[i] - mean_t) for i in range(len(t))) / len(t)
            expected[j] = covariance / (sum((s - mean_t) ** 2 for s in t) / len(t))
        else:
            expected[j] = flat[t == 1, j].mean() - flat[t == 0, j].mean()
    found = fit(x, which, estimator=estimator)
    assert found.direction.shape == (3, 4, 5)
    np.testing.assert_allclose(found.direction.flatten().numpy(), unit(expected), atol=1e-6)


def test_pattern_is_the_mean_difference_also_for_classes_of_unequal_size():
    x, which = cases.marked(40, 5)
    pattern, difference = fit(x, which, estimator="pattern"), fit(x, which, estimator="mean_difference")
    torch.testing.assert_close(pattern.direction, difference.direction)


def test_two_gaussians_have_the_direction_and_the_auc_of_the_closed_form():
    generator = torch.Generator().manual_seed(0)
    shift = torch.randn(2, 3, 3, generator=generator)
    shift *= 1.5 / shift.norm()
    x = torch.randn(2000, 2, 3, 3, generator=generator)
    which = torch.arange(2000) < 1000
    x[which] += shift
    found = fit(x, which, estimator="mean_difference")
    assert float((found.direction * shift).sum() / shift.norm()) > 0.99
    expected = float(torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(1.5 / 2**0.5)))  # P(a > b) at d' = 1.5
    assert found.separation == pytest.approx(expected, abs=0.03)
    assert found.distance == pytest.approx(1.5, abs=0.1)
    assert found.threshold == pytest.approx(0.75, abs=0.1)


PEERS = {
    "svm": lambda x, t: (
        LinearSVC(C=1, class_weight="balanced", dual=False, tol=1e-8, max_iter=10**5).fit(x, t).coef_[0]
    ),
    "logistic": lambda x, t: (
        LogisticRegression(C=1, class_weight="balanced", tol=1e-10, max_iter=10**4).fit(x, t).coef_[0]
    ),
    "ridge": lambda x, t: Ridge(alpha=1).fit(x, t).coef_,
}


@pytest.mark.parametrize("estimator", PEERS)
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 1, 3)], ids=["more features", "more samples"])
def test_solutions_in_the_span_are_those_of_scikit_learn_on_all_features(estimator, shape):
    x, which = cases.marked(30, 9, shape=shape, shift=1.0)
    expected = unit(PEERS[estimator](scaled(x), which.numpy().astype(int)))
    found = fit(x, which, estimator=estimator).direction.flatten().numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("penalty", [0.3, 1.0, 5.0])
def test_the_lasso_has_the_penalty_that_its_definition_says(penalty):
    x, which = cases.marked(60, 25, shape=(9, 16, 16), shift=1.0)
    flat, t = x.flatten(1).double().numpy(), which.numpy().astype(float)
    flat, t = flat - flat.mean(0), t - t.mean()
    bound = 0.1 * penalty * np.abs(flat.T @ t).max() / len(t)
    expected = unit(Lasso(alpha=bound, fit_intercept=False, tol=1e-8, max_iter=10**6).fit(flat, t).coef_)
    found = fit(x, which, estimator="lasso", penalty=penalty).direction.flatten().numpy()
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert (found != 0).sum() <= 60


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("spatial", ["positions", "channels"])
def test_every_direction_is_a_unit_vector_towards_the_affected(estimator, spatial):
    x, which = cases.marked()
    found, turned = (
        fit(x, which, estimator=estimator, spatial=spatial, axis=1),
        fit(x, ~which, estimator=estimator, spatial=spatial, axis=1),
    )
    assert float(found.direction.norm()) == pytest.approx(1, abs=1e-6)
    assert found.direction.shape == found.affected.shape == ((3,) if spatial == "channels" else (3, 4, 5))
    assert float((found.direction * (found.affected - found.unaffected)).sum()) > 0
    torch.testing.assert_close(turned.direction, -found.direction, atol=1e-4, rtol=1e-3)
    assert found.separation > 0.9
    assert (found.estimator, found.spatial, found.n_affected, found.n_unaffected) == (estimator, spatial, 12, 18)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_scale_of_the_features_does_not_matter(estimator):
    x, which = cases.marked()
    small, large = fit(x * 1e-3, which, estimator=estimator), fit(x * 1e3, which, estimator=estimator)
    torch.testing.assert_close(small.direction, large.direction, atol=1e-3, rtol=1e-2)
    assert small.separations == large.separations


def test_means_and_threshold_are_those_of_the_samples():
    x, which = cases.marked()
    found = fit(x, which)
    torch.testing.assert_close(found.affected, x[which].mean(0))
    torch.testing.assert_close(found.unaffected, x[~which].mean(0))
    scores = [float((found.direction * mean).sum()) for mean in (found.unaffected, found.affected)]
    assert scores[0] < found.threshold < scores[1]
    assert found.threshold == pytest.approx(sum(scores) / 2, rel=1e-5)


def test_channels_are_fitted_on_means_over_positions():
    x, which = cases.marked()
    channels = fit(x, which, spatial="channels", axis=1)
    pooled = fit(x.mean((2, 3), keepdim=True), which)
    torch.testing.assert_close(channels.direction, pooled.direction.flatten())
    assert channels.separations == pooled.separations


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_held_out_auc_is_that_of_a_fit_on_the_other_folds_alone(estimator):
    x, which = cases.marked(26, 11, shift=0.7)
    found = fit(x, which, estimator=estimator, seed=3)
    for (inside, fold), separation in zip(folds(which.numpy(), 3), found.separations, strict=True):
        direction = fit(x[inside], which[inside], estimator=estimator).direction
        scores = (x[fold] * direction).flatten(1).sum(1)
        assert roc_auc_score(which[fold], scores) == pytest.approx(separation, abs=1e-12)
    assert found.separation == pytest.approx(np.mean(found.separations))


@pytest.mark.parametrize("affected", [2, 3, 12])
def test_every_fold_has_samples_of_both_kinds_and_every_sample_a_fold(affected):
    which = np.arange(30) < affected
    parts = [fold for _, fold in folds(which, 0)]
    assert len(parts) == min(5, affected)
    assert all(which[fold].any() and not which[fold].all() for fold in parts)
    assert np.ptp([which[fold].sum() for fold in parts]) <= 1
    assert sorted(np.concatenate(parts)) == list(range(30))
    assert len(fit(*cases.marked(30, affected)).separations) == min(5, affected)


def test_noise_is_not_separated_on_held_out_samples():
    separations = [fit(*cases.marked(60, 30, shift=0.0, seed=seed)).separation for seed in range(20)]
    assert np.mean(separations) == pytest.approx(0.5, abs=0.06)


def test_the_same_seed_gives_the_same_concept_and_nothing_random_is_drawn_elsewhere():
    x, which = cases.marked(shift=0.5)
    state = torch.get_rng_state()
    first, again, other = (fit(x, which, estimator="svm", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.direction, again.direction)
    assert first.separations == again.separations != other.separations
    assert torch.equal(torch.get_rng_state(), state)


def test_wide_features_are_worked_on_in_parts_without_being_written():
    x = torch.randn(5, 2 * COLUMNS + 3, generator=torch.Generator().manual_seed(0)) + 50
    kept, wide = x.clone(), x.double()
    centred = wide - wide.mean(0)
    np.testing.assert_allclose(centred_gram(x), (centred @ centred.T).numpy(), rtol=1e-9)
    weights = np.random.default_rng(0).normal(size=(2, 5))
    np.testing.assert_allclose(combined(x, weights).numpy(), weights @ wide.numpy(), rtol=1e-9, atol=1e-9)
    double = x.double()
    centred_gram(double)
    assert torch.equal(x, kept)
    assert torch.equal(double, wide)


def test_half_precision_activations_are_fitted_in_float32_or_better():
    x, which = cases.marked()
    torch.testing.assert_close(fit(x.half(), which).direction, fit(x, which).direction, atol=1e-3, rtol=0)
    assert fit(x.half(), which).direction.dtype == torch.float32


REFUSED = [
    ({"affected": torch.zeros(30)}, "at least two affected and two unaffected samples, got 0 affected"),
    ({"affected": torch.ones(30)}, "at least two affected and two unaffected samples, got 0 unaffected"),
    ({"affected": torch.arange(30) < 1}, "got 1 affected"),
    ({"affected": torch.ones(29)}, r"affected \(n,\), got"),
    ({"activations": torch.zeros(30, 4)}, r"activations \(n, C, H, W\)"),
    ({"activations": torch.ones(30, 1, 2, 2)}, "There is no direction at features.3"),
    ({"activations": torch.full((30, 1, 2, 2), float("nan"))}, "at features.3 must be finite"),
    ({"activations": torch.full((30, 1, 2, 2), float("inf"))}, "must be finite"),
    ({"estimator": "lda"}, "estimator expects one of svm, logistic, .*, got 'lda'"),
    ({"spatial": "pixels"}, "spatial expects one of positions, channels, got 'pixels'"),
    ({"spatial": "channels"}, r"shape \(30, 3, 4, 5\) do not tell which axis holds the channels; give axis=1 for"),
    ({"axis": 2}, r"axis expects 1 or 3 of four axes, 2 of three, got 2 of \(30, 3, 4, 5\)"),
    ({"penalty": 0.0}, "penalty expects a number above 0"),
    ({"estimator": "lasso", "penalty": 20.0}, "There is no direction"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED)
def test_bad_input_is_refused_in_one_sentence(changed, message):
    x, which = cases.marked()
    given = {"activations": x, "affected": which, "layer": "features.3"} | changed
    with pytest.raises(ValueError, match=message) as error:
        fit(given.pop("activations"), given.pop("affected"), **given)
    assert str(error.value).endswith(".")
