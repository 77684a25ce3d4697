"""The numbers behind artifacts at changing places, against slow or closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from unhans.isolation.free.rigid_object import cutout
from unhans.isolation.free.templates import (
    Spectra,
    _mean_pattern,
    best_correlations,
    calibrate,
    contrast_floor,
    local_contrast,
)
from unhans.isolation.free.windows import crop_to, cut, peaks, put, smooth_relevance, window_side
from unhans.isolation.validation import area_under_roc, best_threshold, held_out_separation


def test_search_is_the_inner_product_at_every_place() -> None:
    rng = np.random.default_rng(0)
    images, template = rng.normal(size=(3, 6, 9, 11)), rng.normal(size=(6, 4, 4))
    scores, places = Spectra(torch.from_numpy(images), 4).best(torch.from_numpy(template))
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    for image, score, place in zip(padded, scores, places, strict=True):
        products = np.array([[(image[:, y : y + 4, x : x + 4] * template).sum() for x in range(12)] for y in range(10)])
        assert score == pytest.approx(products.max())
        assert tuple(place + 2) == np.unravel_index(products.argmax(), products.shape)


def test_pairs_are_compared_at_their_best_shift() -> None:
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(3, 2, 5, 5))
    alike = best_correlations(torch.from_numpy(windows))
    for i in range(3):
        for j in range(3):
            one = np.pad(windows[i], ((0, 0), (4, 4), (4, 4)))
            products = [(one[:, y : y + 5, x : x + 5] * windows[j]).sum() for y in range(9) for x in range(9)]
            expected = max(products) / np.linalg.norm(windows[i]) / np.linalg.norm(windows[j])
            assert alike[i, j] == pytest.approx(expected)
    assert best_correlations(torch.zeros(2, 1, 3, 3)) == pytest.approx(np.zeros((2, 2)))


def test_contrast_does_not_depend_on_brightness_or_strength_where_it_is_large() -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    contrast = local_contrast(images, 1e-9)
    torch.testing.assert_close(local_contrast(0.5 * images + 0.2, 1e-9), contrast, atol=1e-5, rtol=1e-5)
    assert float(contrast.abs().max()) <= 3
    assert local_contrast(torch.ones(1, 3, 4, 4), contrast_floor(torch.ones(1, 3, 4, 4))).eq(0).all()


def test_layer_follows_from_mean_and_variance() -> None:
    rng = np.random.default_rng(0)
    backgrounds = torch.from_numpy(rng.random((4000, 3, 14, 14)))
    alpha, color = torch.zeros(14, 14, dtype=torch.float64), torch.tensor([0.9, 0.2, 0.4]).double()[:, None, None]
    alpha[3:11, 4:10] = 0.6
    windows = backgrounds * (1 - alpha) + alpha * color
    found = cutout(windows, torch.full((3,), 0.5).double(), torch.full((3,), 1 / 12).double())
    assert found is not None
    assert found.layer[3][4:10, 5:9].numpy() == pytest.approx(0.6, abs=0.02)
    difference = (found.layer[:3] - color).abs()[:, 4:10, 5:9]
    assert float(difference.max()) < 0.03
    assert float(found.layer[3][torch.from_numpy(found.shape)].mean()) == pytest.approx(0.6, abs=0.05)
    assert not found.touches_rim
    cropped = crop_to(found.shape, found.layer)
    assert abs(cropped.shape[1] - 8) <= 2
    assert abs(cropped.shape[2] - 6) <= 2


def test_windows_of_chance_share_no_object() -> None:
    windows = torch.from_numpy(np.random.default_rng(0).random((50, 3, 16, 16)))
    assert cutout(windows, torch.full((3,), 0.5).double(), torch.full((3,), 1 / 12).double()) is None


def test_own_part_leaves_the_mean_of_the_others() -> None:
    aligned = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 6, 3, 3)))
    mean, own = _mean_pattern(aligned)
    for index in range(4):
        others = torch.cat((aligned[:index], aligned[index + 1 :])).mean(0)
        score = float((mean * aligned[index]).sum())
        assert (4 * score - own[index]) / 3 == pytest.approx(float((others * aligned[index]).sum()))


def test_threshold_of_a_template_is_robust() -> None:
    rest = np.concatenate((np.random.default_rng(0).normal(10, 1, 1000), np.full(200, 100.0)))
    template = calibrate(torch.zeros(6, 3, 3), np.full(50, 11.0), rest)
    assert template.centre == pytest.approx(10, abs=0.4)
    assert template.reach == pytest.approx(5 * 1.3, abs=1.0)  # a sixth of outliers widens it by a third
    far = calibrate(torch.zeros(6, 3, 3), np.full(50, 100.0), rest)
    assert far.reach == pytest.approx((100 - far.centre) / 3)
    assert far.scale(np.array([100.0]))[0] == pytest.approx(3)


def test_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 30), rng.integers(0, 4, 20)
    pairs = (a[:, None] > b).mean() + (a[:, None] == b).mean() / 2
    assert area_under_roc(a, b) == pytest.approx(pairs)
    assert best_threshold(np.array([3.0, 4, 5]), np.array([0.0, 1, 2])) == 2.5
    assert best_threshold(np.ones(3), np.ones(4)) == 1


def test_separation_scores_only_what_was_not_learnt() -> None:
    members, others, seen = np.arange(10), np.arange(10, 30), []

    def learn(some):
        seen.append(some)
        return lambda indices: np.isin(indices, members) & ~np.isin(indices, some)

    separation = held_out_separation(learn, members, others)
    assert separation.area == 1
    assert separation.convincing
    assert sorted(np.concatenate(seen)) == list(range(10))
    assert separation.error == pytest.approx((31 / (12 * 10 * 20)) ** 0.5)
    assert not held_out_separation(lambda some: None, members, others).convincing


def test_window_cut_and_put_are_inverse_also_at_the_rim() -> None:
    mask = np.random.default_rng(0).random((6, 6)) > 0.5
    for place in ([2, 3], [-2, 0], [0, -3], [5, 6]):
        whole = put(mask, np.array(place), (8, 9))
        back = cut(torch.from_numpy(whole)[None, None].float(), np.array([place]), 6)[0, 0].numpy() > 0
        y, x = np.mgrid[:6, :6] + np.array(place)[:, None, None]
        inside = (y >= 0) & (y < 8) & (x >= 0) & (x < 9)
        np.testing.assert_array_equal(back, mask & inside)
        assert whole.sum() == (mask & inside).sum()


@pytest.mark.parametrize(("width", "side"), [(8, 8), (11, 12), (15, 16), (23, 24), (60, 32)])
def test_window_holds_the_relevance_round_the_peak(width: int, side: int) -> None:
    heatmaps = np.zeros((3, 64, 64))
    heatmaps[:, 20 : 20 + min(width, 44), 30 : 30 + min(width, 34)] = 1
    heatmaps[:, 5, 5] = 0.9  # another peak, not part of it
    assert window_side(smooth_relevance(heatmaps)) in (side, round(64 * 2 / 7))
    assert window_side(np.zeros((2, 8, 8))) <= 8


def test_peaks_keep_their_distance() -> None:
    relevance = np.zeros((40, 40))
    relevance[10, 10], relevance[12, 12], relevance[30, 30], relevance[35, 5] = 1, 0.9, 0.5, 0.2
    np.testing.assert_array_equal(peaks(relevance, 8, 5), [[6, 6], [26, 26]])


def test_relevance_is_smoothed_to_a_peak_of_one_without_its_negative_part() -> None:
    heatmaps = np.random.default_rng(0).normal(size=(2, 28, 28)).astype(np.float32)
    heatmaps[1] = -1
    smooth = smooth_relevance(heatmaps)
    expected = gaussian_filter(np.maximum(heatmaps[0], 0), 0.5)
    np.testing.assert_allclose(smooth[0], expected / expected.max(), rtol=1e-5)
    assert not smooth[1].any()
