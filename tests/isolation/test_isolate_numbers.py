"""The parts of isolation, against slow or closed forms."""

import numpy as np
import pytest
import torch
from marked_scenes import first, overlap, photographs
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from unhans.isolation.fixed import Discriminant, deal_folds, gradients
from unhans.isolation.fixed.discriminant import (
    contrast,
    discriminant,
    extent,
    gradient_moments,
    integrate,
    pixel_moments,
    regions,
    significant,
    variance,
)
from unhans.isolation.fixed.mark_parts import Part, mean_relevance, relevance_density, relevant_parts
from unhans.isolation.fixed.matting import PixelStatistics, estimate_layer, guided_filter, own_alpha, ratio_noise
from unhans.isolation.fixed.membership import held_out, refine_membership
from unhans.isolation.validation import area_under_roc, chance, split_scores


@pytest.fixture
def halves():
    images = photographs(24, 12).double()
    return images, first(24, 10), gradient_moments(images.float(), torch.arange(24) // 10 % 2 + 0, 2)


def moments_of(images, members):
    rest, carriers = gradient_moments(images, torch.from_numpy(members).long(), 2)
    return carriers, rest


def test_moments_are_sums_over_samples():
    images = photographs(700, 8)  # several blocks of a tiny image would be one: see below
    groups = torch.arange(700) % 3
    for k, moments in enumerate(gradient_moments(images, groups, 3)):
        field = gradients(images[groups == k].double())
        assert moments.n == int((groups == k).sum())
        torch.testing.assert_close(moments.mean, field.mean(1))
        torch.testing.assert_close(moments.scatter / (moments.n - 1), field.var(1), rtol=1e-4, atol=1e-9)


def test_moments_do_not_depend_on_the_blocks(monkeypatch):
    images = photographs(20, 8)
    whole = pixel_moments(images, torch.arange(20) > 4)
    monkeypatch.setattr("unhans.isolation.fixed.discriminant._BLOCK", 3 * images[0].numel())
    parts = pixel_moments(images, torch.arange(20) > 4)
    torch.testing.assert_close(whole.squares, parts.squares)
    torch.testing.assert_close(whole.mean, images[5:].double().mean(0))


def test_a_score_is_the_inner_product_of_gradients_and_weights():
    images, members = photographs(30, 10), first(30, 12)
    images[:12, :, 2:5, 2:5] = 1
    carriers, rest = moments_of(images, members)
    fitted = discriminant(carriers, rest)
    field = gradients(images.double()).transpose(0, 1)
    sure = significant(carriers, rest)
    weights = torch.where(sure, (carriers.mean - rest.mean) / variance(carriers, rest), 0.0)
    weights /= (weights.square() * variance(carriers, rest)).sum().sqrt()
    slow = ((field - rest.mean) * weights).flatten(1).sum(1)
    torch.testing.assert_close(fitted.scores(images).double(), slow, rtol=1e-3, atol=1e-3)
    assert slow[12:].mean() == pytest.approx(0, abs=1e-6)


def test_a_region_blinds_the_filter_elsewhere():
    images, members = photographs(30, 10), first(30, 12)
    images[:12, :, 2:4, 2:4] = 1
    region = torch.zeros(10, 10, dtype=torch.bool)
    region[6:] = True
    blind = discriminant(*moments_of(images, members), region)
    assert not blind.filter[:, :5].any()


def test_a_filter_scores_only_the_samples_it_has_not_seen(monkeypatch):
    images, members = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(3)), np.arange(40) < 15
    scored, score = [], Discriminant.scores
    monkeypatch.setattr(Discriminant, "scores", lambda own, some: (scored.append(len(some)), score(own, some))[1])
    held_out(images, members, deal_folds(members, np.random.default_rng(0)), None)
    assert sum(scored) == 40


def test_where_rounds_do_not_settle_the_moments_are_of_the_members(monkeypatch):
    """After one round the members are others than the cluster was."""
    monkeypatch.setattr("unhans.isolation.fixed.membership._ROUNDS", 1)
    images = torch.rand(60, 3, 8, 8, generator=torch.Generator().manual_seed(4)) * 0.2
    images[:30, :, 2:6, 2:6] = torch.eye(4)
    cluster = np.arange(60) < 20
    found = refine_membership(images, cluster, 0)
    assert (found.members != cluster).any()
    assert not found.settled
    assert found.carriers.n == found.members.sum()
    expected = gradients(images[torch.from_numpy(found.members)]).double().mean(1)
    torch.testing.assert_close(found.carriers.mean.double(), expected, atol=1e-5, rtol=1e-4)


def test_held_out_scores_come_from_filters_that_have_not_seen_the_sample():
    images, members = photographs(25, 10), first(25, 9)
    parts = deal_folds(members, np.random.default_rng(0))
    scores, carriers, rest = held_out(images, members, parts, None)
    for part in range(5):
        others = parts != part
        slow = discriminant(*moments_of(images[others], members[others])).scores(images).numpy()
        np.testing.assert_allclose(scores[~others], slow[~others], rtol=1e-3, atol=1e-3)
    assert (carriers.n, rest.n) == (9, 16)


def test_parts_are_dealt_evenly():
    parts = deal_folds(first(23, 7), np.random.default_rng(0))
    assert max(np.bincount(parts[:7], minlength=5)) - min(np.bincount(parts[:7], minlength=5)) <= 1
    assert max(np.bincount(parts[7:], minlength=5)) - min(np.bincount(parts[7:], minlength=5)) <= 1


def test_two_groups_of_scores_are_split_at_otsus_threshold():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0, 1, 80), rng.normal(30, 2, 20)])
    split = split_scores(rng.permutation(scores))
    assert 8 <= split.threshold <= 15  # at least .3, at most .5 of the way
    assert split.gap == pytest.approx(30, rel=0.25)
    slow = min(
        range(1, 100),
        key=lambda k: sum(((part - part.mean()) ** 2).sum() for part in (np.sort(scores)[:k], np.sort(scores)[k:])),
    )
    assert slow == 80
    assert (scores > split.threshold).sum() == 20


def test_scores_of_one_group_have_no_gap():
    assert split_scores(np.random.default_rng(1).normal(size=300)).gap < 4
    assert split_scores(np.array([0.0, 0.0])).gap == 0


def test_area_under_the_curve_with_ties():
    rng = np.random.default_rng(0)
    scores, members = rng.integers(0, 6, 40), rng.random(40) < 0.4
    assert area_under_roc(scores[members], scores[~members]) == pytest.approx(roc_auc_score(members, scores))


def test_chance_is_small_for_separated_scores_and_uniform_for_noise():
    rng = np.random.default_rng(0)
    members, folds = first(40, 15), np.arange(40) % 5
    assert chance(members + 0.1 * rng.random(40), members, folds, rng) < 0.01
    values = [chance(rng.random(40), members, folds, rng) for _ in range(30)]
    assert 0.3 < np.mean(values) < 0.7


def uniform(mean, variance, side=12):
    return PixelStatistics(20, np.full((3, side, side), mean), np.full((side, side), variance))


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.8, 1.0])
def test_alpha_and_colour_of_exact_statistics(alpha):
    """mean_c = (1 − α)·mean_r + α·c and var_c = (1 − α)²·var_r give α and c back."""
    near = np.zeros((12, 12), bool)
    near[4:8, 4:8] = True
    rest, carriers = uniform(0.5, 0.09), uniform(0.5, 0.09)
    carriers.mean[:, near] = (1 - alpha) * 0.5 + alpha * 0.7
    carriers.variance[near] *= (1 - alpha) ** 2
    change = torch.from_numpy(carriers.mean - rest.mean)
    assert own_alpha(carriers, rest, near)[near] == pytest.approx(alpha, abs=0.02)
    layer = estimate_layer(carriers, rest, change, [near], 0)
    assert layer[3][near].numpy() == pytest.approx(alpha, abs=0.02)
    assert layer[:3, near].numpy() == pytest.approx(0.7, abs=0.02)
    assert not layer[:, ~near].any()


def test_alpha_is_relative_to_the_surroundings():
    """The carriers' images vary half as much everywhere: that is their content, not a veil over them."""
    near = np.zeros((40, 40), bool)
    near[18:22, 18:22] = True
    carriers, rest = uniform(0.5, 0.04, 40), uniform(0.5, 0.08, 40)
    carriers.variance[near] *= 0.25
    assert own_alpha(carriers, rest, near)[near] == pytest.approx(0.5, abs=0.02)


def test_the_guided_filter_is_a_mean_where_the_guide_is_flat_and_keeps_its_edges():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(20, 20))
    flat = guided_filter(np.zeros((1, 20, 20)), noise, 2)
    padded = np.pad(noise, 4, mode="symmetric")
    window = padded[6:15, 6:15]  # of means of means, round pixel (6, 6)
    slow = np.mean([window[i : i + 5, j : j + 5].mean() for i in range(5) for j in range(5)])
    assert flat[6, 6] == pytest.approx(slow)
    step = np.repeat([0.0, 1.0], 10)[None] * np.ones((20, 1))
    kept = guided_filter(step[None], step + 0.1 * noise, 3)
    assert kept[:, 10].mean() - kept[:, 9].mean() > 0.9
    assert kept[:, 5].std() < 0.05


def test_an_integrated_contrast_has_its_height():
    image = torch.zeros(3, 20, 20, dtype=torch.float64)
    image[:, :4] = 0.6
    change = integrate(gradients(image))
    assert float(change[0, 0, 0] - change[0, -1, -1]) == pytest.approx(0.6)


def test_letters_of_a_word_are_one_part_and_specks_none():
    mask = np.zeros((64, 64), bool)
    mask[10:20, 10:14] = mask[10:20, 16:20] = mask[50:60, 50:60] = True
    mask[40, 5] = True
    square, word = sorted(regions(mask), key=lambda part: part[55].any(), reverse=True)
    assert word.sum() == 80
    assert square.sum() == 100


def test_density_is_of_the_surface_or_of_its_outline():
    mask = np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True
    flat = np.where(mask, 4.0, 0.5)
    near = ndimage.binary_dilation(mask)  # 64/112 of a pixel, rounded
    assert relevance_density(mask, flat) == pytest.approx(max(flat[near].mean(), 4) / flat.mean())
    edge = np.where(mask & ~ndimage.binary_erosion(mask), 3.0, 0.5)
    assert relevance_density(mask, edge) == pytest.approx(3 / edge.mean())
    assert relevance_density(mask, 0 * flat) == 0
    assert relevance_density(~np.zeros((8, 8), bool), np.ones((8, 8))) == 1


def part(density, alpha=1.0, color=(1, 1, 1), error=0.0, size=10):
    mask = np.zeros((8, 64), bool)
    mask[0, :size] = True
    return Part(mask, density, alpha, np.array(color, float), error)


def test_relevant_parts_and_what_continues_them_are_kept():
    loud, same, veiled, red = part(2), part(0.1), part(0.1, alpha=0.5), part(0.5, color=(1, 0, 0))
    assert relevant_parts([loud, same, veiled, red]) == ([loud, same], None)


def test_noise_makes_parts_look_the_same():
    assert not part(1, alpha=0.5).looks_like(part(1, alpha=0.7))
    assert part(1, alpha=0.5, error=0.06).looks_like(part(1, alpha=0.7))
    assert not part(1, alpha=0.5).looks_like(part(1, alpha=0.5, color=(1, 0.8, 1)))
    assert part(1, alpha=0.5, error=0.03).looks_like(part(1, alpha=0.5, color=(1, 0.8, 1)))


def test_without_a_relevant_part_those_of_one_look_are_judged_together():
    sides = [part(0.2, size=10), part(0.5, size=30)]
    other = part(0.35, color=(0, 0, 0))
    assert relevant_parts([*sides, other]) == (sides, pytest.approx((0.2 * 10 + 0.5 * 30) / 40))
    assert relevant_parts([part(0.2), part(0.24)]) == ([], pytest.approx(0.22))


def test_the_mean_relevance_is_that_of_the_members_where_it_is_positive():
    maps = np.random.default_rng(0).normal(size=(6, 4, 5)).astype(np.float32)
    members = first(6, 4)
    np.testing.assert_allclose(mean_relevance(maps, members), maps[:4].clip(0).mean(0), rtol=1e-6)


def test_a_line_in_one_channel_is_seen_to_the_rim():
    images, members = photographs(60, 24), first(60, 30)
    images[:30, 0, :, :3] = 1  # red only: one significant gradient per pixel of its edge
    change = contrast(*moments_of(images, members))
    expected = np.zeros((24, 24), bool)
    expected[:, :3] = True
    assert extent(change)[:, :3].all()
    assert overlap(extent(change), expected) > 0.8


def test_alpha_is_drawn_to_its_level_as_far_as_noise_explains_it():
    """Variances of 11 and 31 normal values: the layer has one alpha; a true step of alpha stays."""
    rng, near = np.random.default_rng(0), np.zeros((40, 40), bool)
    near[10:30, 10:30] = True
    keep = np.where(near, 0.7, 1.0)
    noisy = [rng.chisquare(n - 1, (40, 40)) / (n - 1) * 0.09 for n in (11, 31)]
    carriers = PixelStatistics(11, np.full((3, 40, 40), 0.5) + 0.15 * near, noisy[0] * keep**2)
    rest = PixelStatistics(31, np.full((3, 40, 40), 0.5), noisy[1])
    change = torch.from_numpy(carriers.mean - rest.mean)
    alpha = estimate_layer(carriers, rest, change, [near], 0)[3].numpy()
    assert own_alpha(carriers, rest, near)[near].std() > 0.15
    assert alpha[near].std() < 0.03
    assert alpha[near].mean() == pytest.approx(0.3, abs=0.06)
    carriers.variance[10:30, 10:20] *= (0.1 / 0.7) ** 2
    change[:, 10:30, 10:20] *= 3
    alpha = estimate_layer(carriers, rest, change, [near], 0)[3].numpy()
    assert alpha[12:28, 12:18].mean() == pytest.approx(0.9, abs=0.1)
    assert alpha[12:28, 22:28].mean() == pytest.approx(0.3, abs=0.12)


@pytest.mark.parametrize(("n", "m"), [(10, 190), (40, 40)])
def test_the_noise_of_alpha_is_that_of_ratios_of_standard_deviations(n, m):
    rng = np.random.default_rng(0)
    ratios = rng.normal(size=(n, 4000)).std(0, ddof=1) / rng.normal(size=(m, 4000)).std(0, ddof=1)
    assert ratio_noise(0.3, n, m) == pytest.approx((0.7 * ratios).std(), rel=0.1)
