"""Does a layer, laid over other images, draw relevance?"""

import numpy as np
import pytest
import torch
from marked_scenes import first, mark, photographs, planted

from unhans.effects import Bench, portion
from unhans.effects.relevance_share import reproduce
from unhans.isolation import Isolated
from unhans.isolation.isolated import boxes
from unhans.report.text import quality_sentence

N, SIDE = 12, 16


def isolated_mark(kind="fixed"):
    layer, mask = mark(SIDE, color=(1.0, 0.0, 0.0))
    members = first(N, 5)
    masks = members[:, None, None] & mask
    layers = {"fixed": (layer,), "free": (layer[:, mask.any(1)][:, :, mask.any(0)],), "global": ()}[kind]
    return Isolated(kind, layers, members, masks, None, 1.0, boxes(masks))


def bench_of(images, looks=True):
    """A model whose relevance is redness where it looks for it, else the same everywhere."""

    def explain(batch, target):
        red = (batch[:, 0] - batch[:, 1]).clamp(min=0).numpy()
        return (red**4 + 1e-3 if looks else np.ones_like(red)) * (target + 1)

    labels = np.zeros(len(images), np.int64)
    return Bench(lambda batch: np.zeros((len(batch), 2)), explain, lambda i: (images[i], i), labels, ("a", "b"), 4)


@pytest.mark.parametrize("kind", ["fixed", "free"])
def test_a_layer_that_draws_relevance(kind):
    isolated, images = isolated_mark(kind), photographs(30, SIDE, seed=2).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    bench = bench_of(images.clone())
    layer, _ = mark(SIDE, color=(1.0, 0.0, 0.0))
    heatmaps = bench.explain(planted(isolated.members, layer, images[:N]), 1)
    quality = reproduce(bench, isolated, 1, heatmaps, np.arange(30), samples=20)
    area = isolated.masks[0].mean()
    assert (quality.cluster.n, quality.after.n, quality.before.n) == (5, 20, 20)
    assert quality.cluster.mean > 0.95
    assert quality.before.mean == pytest.approx(area)
    assert quality.after.interval[0] > 0.95
    assert "5 images that carry it; on 20 other images" in quality_sentence(quality)
    assert (quality.correlation is None) == (kind == "free" or np.ptp(heatmaps[0][isolated.masks[0]]) == 0)


def test_a_model_that_looks_elsewhere_draws_no_relevance():
    isolated, images = isolated_mark(), photographs(10, SIDE)
    bench = bench_of(images, looks=False)
    quality = reproduce(bench, isolated, 0, bench.explain(images[:N].repeat(2, 1, 1, 1)[:N], 0), np.arange(10))
    area = isolated.masks[0].mean()
    assert quality.cluster.mean == pytest.approx(area)
    assert quality.after.mean == pytest.approx(area)
    assert quality.correlation is None


def test_the_correlation_is_that_of_the_mean_maps_inside_the_mask():
    isolated, images = isolated_mark(), torch.zeros(8, 3, SIDE, SIDE)
    maps = np.random.default_rng(0).random((N, SIDE, SIDE)).astype(np.float32)
    drawn = np.random.default_rng(1).random((SIDE, SIDE)).astype(np.float32)
    bench = bench_of(images)
    fixed = Bench(
        bench.predict,
        lambda batch, target: np.repeat(drawn[None], len(batch), 0),
        bench.read,
        bench.labels,
        bench.classes,
    )
    quality = reproduce(fixed, isolated, 0, maps, np.arange(8))
    inside = isolated.masks[0]
    assert quality.correlation == pytest.approx(np.corrcoef(maps[:5].mean(0)[inside], drawn[inside])[0, 1])
    assert quality.after.mean == pytest.approx(drawn[inside].sum() / drawn.sum(), rel=1e-5)


def test_portion_by_hand():
    heatmap, mask = np.array([[1.0, -5.0], [3.0, 0.0]]), np.array([[True, True], [False, False]])
    assert portion(heatmap, mask) == 1 / 4
    assert portion(-np.ones((2, 2)), mask) == 0


def test_the_same_seed_draws_the_same_others():
    isolated, images = isolated_mark(), photographs(40, SIDE)
    maps = np.ones((N, SIDE, SIDE), np.float32)
    one, two = (reproduce(bench_of(images), isolated, 0, maps, np.arange(40), samples=7) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("kind", "n", "others", "message"),
    [
        ("global", N, 4, "global artifact has no layer"),
        ("fixed", N - 1, 4, "heatmaps must be of the 12 images"),
        ("fixed", N, 0, "other images are needed"),
    ],
)
def test_what_does_not_fit_is_refused(kind, n, others, message):
    bench = bench_of(photographs(8, SIDE))
    with pytest.raises(ValueError, match=message):
        reproduce(bench, isolated_mark(kind), 0, np.ones((n, SIDE, SIDE)), np.arange(others))


def test_unreadable_others_are_refused():
    bench = bench_of(photographs(8, SIDE))
    broken = Bench(bench.predict, bench.explain, lambda i: (torch.zeros(0, 3, SIDE, SIDE), i[:0]), bench.labels, ("a",))
    with pytest.raises(ValueError, match="none of the 8 other images could be read"):
        reproduce(broken, isolated_mark(), 0, np.ones((N, SIDE, SIDE)), np.arange(8))
