"""Lines and medians against SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from unhans.stats import least_squares, median_of


@pytest.fixture
def pairs():
    random = np.random.default_rng(0)
    x = random.normal(size=12).round(1)  # with ties
    return x, 2 * x + random.normal(size=12)


def test_the_line_is_scipys_and_its_band_that_of_the_covariance_of_its_coefficients(pairs):
    x, y = pairs
    line, known = least_squares(x, y), stats.linregress(x, y)
    t = stats.t.ppf(0.975, 10)
    assert (line.slope, line.intercept) == pytest.approx((known.slope, known.intercept))
    assert line.slope_interval == pytest.approx((known.slope - t * known.stderr, known.slope + t * known.stderr))
    design, at = np.stack([np.ones(12), x], 1), np.array([-1.0, 0.0, 3.0])
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    covariance = np.linalg.inv(design.T @ design) * (rest @ rest) / 10
    literal = [t * np.sqrt(np.array([1, each]) @ covariance @ np.array([1, each])) for each in at]
    assert line.half(at) == pytest.approx(np.array(literal))
    assert line.at(at) == pytest.approx(known.intercept + known.slope * at)


def test_no_line_goes_through_two_points_or_points_above_each_other():
    assert least_squares(np.arange(2), np.arange(2)) is None
    assert least_squares(np.ones(5), np.arange(5)) is None


def test_median_with_its_interval():
    random = np.random.default_rng(1)
    values = random.normal(size=31)
    found = median_of(values, seed=3)
    assert found.value == np.median(values)
    assert found.n == 31
    plain = stats.bootstrap((values,), np.median, method="percentile", rng=0, n_resamples=2000).confidence_interval
    low, high = found.interval  # a little wider than the plain percentiles
    assert low <= plain.low + 0.1
    assert high >= plain.high - 0.1
    assert (low, high) == pytest.approx(plain, abs=0.25)
    assert median_of(values, seed=3) == found
    assert median_of(np.full(4, 2.0)).interval == (2, 2)


def test_the_median_of_one_value_and_of_none():
    assert median_of(np.array([2.0])).interval == (-np.inf, np.inf)
    assert np.isnan(median_of(np.array([])).value)
    assert median_of(np.array([])).n == 0
