"""Fixed samples under two networks, on disk and as a figure ([000] figs 9 and 10)."""

import numpy as np
import pytest

from unhans.attribution import colorize
from unhans.report.figures import Look, Pair, chosen_epochs, evolution_pair_figure, pair_shares, pair_tiles
from unhans.report.figures.artifact_figure import INNER
from unhans.report.files import evolution_pairs, load_evolution, save_evolution

EPOCHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
LOOK = Look(joint=True)


def pair_of(epochs=EPOCHS, size=(32, 32), seed=0, title="sample 7"):
    random = np.random.default_rng(seed)
    mask = np.zeros(size, bool)
    mask[-8:-2, 2:14] = True
    first = random.normal(size=(len(epochs), *size)).astype(np.float32)
    second = random.normal(size=(len(epochs), *size)).astype(np.float32)
    return Pair(random.random((3, *size)), mask, list(epochs), first, second, title)


def inside(figure):
    """Assert that all text lies on the page."""
    render = figure.canvas.get_renderer()
    texts = [text for axes in [figure, *figure.axes] for text in axes.texts if text.get_text()]
    boxes = [text.get_window_extent(render) for text in texts]
    return all(b.x0 >= 0 and b.x1 <= figure.bbox.width and b.y0 >= 0 and b.y1 <= figure.bbox.height for b in boxes)


def words(figure):
    return [text.get_text() for axes in [figure, *figure.axes] for text in axes.texts]


def test_few_epochs_are_shown_with_the_first_and_the_last():
    assert [EPOCHS[i] for i in chosen_epochs(EPOCHS)] == [0, 1, 2, 5, 10, 11]
    assert chosen_epochs([3]) == [0]
    assert [[2, 3, 4][i] for i in chosen_epochs([2, 3, 4])] == [2, 4]


def test_a_figure_shows_image_and_maps_of_both_networks_at_these_epochs():
    figure = evolution_pair_figure([pair_of(seed=0), pair_of(seed=1, size=(32, 48))][:1], "Evidence", subtitle="LRP.")
    assert len(figure.axes[0].get_images()) == 1 + 2 * 7
    said = words(figure)
    assert [text for text in said if text.startswith("epoch")] == [f"epoch {k}" for k in (1, 2, 5, 10, 11)]
    assert said.count("before") == 1
    assert said.count("last − first") == 1
    assert "A: unaltered data above, B: artifact on all images below. LRP." in said
    assert inside(figure)


def test_shares_under_the_maps_are_those_inside_the_mask():
    pair = pair_of()
    shares = pair_shares(pair, [0, 5])
    for row, maps in zip(shares, (pair.first, pair.second), strict=True):
        for share, i in zip(row, (0, 5), strict=True):
            total = sum(max(0.0, float(x)) for x in maps[i].ravel())
            within = sum(max(0.0, float(maps[i][y, x])) for y, x in zip(*np.nonzero(pair.mask), strict=True))
            assert share == pytest.approx(within / total, rel=1e-5)
    figure = evolution_pair_figure([pair], "Evidence")
    assert f"{100 * shares[1][1]:.0f} % inside" in words(figure)


def test_both_networks_are_scaled_together_and_the_mask_is_outlined():
    pair = pair_of([0, 1])
    loud = Pair(pair.image, pair.mask, pair.epochs, pair.first, 100 * pair.second, pair.title)
    image, (first, second) = pair_tiles(loud, [0, 1], LOOK)
    assert (image == INNER).all(-1).any()
    middle = (slice(100, 140), slice(250, 300))  # far from the outline
    assert np.abs(first[0][middle].astype(int) - colorize(np.zeros((1, 1)))[0, 0]).max() < 60  # next to nothing
    assert second[0][middle].max() > 100
    line = (second[0] == INNER).all(-1)
    assert line.any()
    assert not line[: 20 * 10].any()


def test_the_last_tile_is_the_signed_change_on_the_scale_of_all():
    flat = np.full((2, 32, 32), 2.0, np.float32)
    flat[1] = -1
    pair = Pair(np.zeros((3, 32, 32)), np.zeros((32, 32), bool), [0, 1], flat, 0 * flat)
    _, (first, second) = pair_tiles(pair, [0, 1], LOOK)
    wanted = [colorize(np.array([[value / 3]]))[0, 0] for value in (2, -1, -3)]
    assert [tile[5, 5].tolist() for tile in first] == [colour.tolist() for colour in wanted]
    assert (second[2] == colorize(np.zeros((1, 1)))[0, 0]).all()


@pytest.mark.parametrize(("size", "count"), [((24, 64), 1), ((64, 24), 3), ((32, 32), 5)])
def test_any_shape_and_number_of_samples_fits(size, count):
    pairs = [pair_of([0, 1], size, seed, "a very long $title$ " * 9) for seed in range(count)]
    assert inside(evolution_pair_figure(pairs, "Evidence", subtitle="what is said " * 30))


def test_what_does_not_fit_together_is_refused():
    good = pair_of([0, 1])
    with pytest.raises(ValueError, match="A pair needs heatmaps"):
        Pair(good.image, good.mask, [0], good.first, good.second)
    with pytest.raises(ValueError, match="A pair needs heatmaps"):
        Pair(good.image, good.mask, [], good.first[:0], good.second[:0])
    with pytest.raises(ValueError, match="at least one sample"):
        evolution_pair_figure([], "Evidence")
    with pytest.raises(ValueError, match="same epochs"):
        evolution_pair_figure([good, pair_of([0, 2])], "Evidence")


# On disk -------------------------------------------------------------------------------------------------------------


def stored(path, index, epochs, seed=0, size=(16, 16)):
    random = np.random.default_rng(seed)
    n, maps = len(index), {epoch: random.normal(size=(len(index), *size)) for epoch in epochs}
    save_evolution(path, random.random((n, 3, *size)), random.random((n, *size)) > 0.8, index, maps)
    return load_evolution(path), maps


def test_what_is_written_is_read(tmp_path):
    found, maps = stored(tmp_path / "evolution.npz", [4, 9, 2], [10, 0, 1])
    assert found.epochs.tolist() == [0, 1, 10]
    assert found.index.tolist() == [4, 9, 2]
    np.testing.assert_allclose(found.maps[2], maps[10], rtol=1e-6)
    assert found.masks.dtype == bool
    assert [path.name for path in tmp_path.iterdir()] == ["evolution.npz"]


def test_samples_and_epochs_of_both_are_paired(tmp_path):
    first, one = stored(tmp_path / "a.npz", [4, 9, 2], [0, 1, 5, 10])
    second, other = stored(tmp_path / "b.npz", [2, 4, 7], [0, 1, 5, 7], seed=1)
    pairs = evolution_pairs(first, second, split="validation sample")
    assert [pair.title for pair in pairs] == ["validation sample 2", "validation sample 4"]
    assert list(pairs[0].epochs) == [0, 1, 5]
    np.testing.assert_allclose(pairs[0].first[2], one[5][2], rtol=1e-6)
    np.testing.assert_allclose(pairs[0].second[1], other[1][0], rtol=1e-6)
    np.testing.assert_array_equal(pairs[1].mask, first.masks[0])
    assert len(evolution_pairs(first, second, count=1)) == 1


def test_files_and_numbers_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="one per epoch and sample"):
        save_evolution(
            tmp_path / "x.npz", np.zeros((2, 3, 4, 4)), np.zeros((2, 4, 4)), [0, 1], {0: np.zeros((1, 4, 4))}
        )
    with pytest.raises(ValueError, match="one per epoch and sample"):
        save_evolution(tmp_path / "x.npz", np.zeros((2, 3, 4, 4)), np.zeros((2, 4, 4)), [0, 1], {})
    assert not list(tmp_path.iterdir())
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(ValueError, match="does not hold heatmaps by epoch"):
        load_evolution(tmp_path / "other.npz")
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ValueError, match="does not hold heatmaps by epoch"):
        load_evolution(tmp_path / "torn.npz")
    with pytest.raises(OSError, match=r"none\.npz"):
        load_evolution(tmp_path / "none.npz")
    first, _ = stored(tmp_path / "a.npz", [1], [0])
    second, _ = stored(tmp_path / "b.npz", [2], [0])
    with pytest.raises(ValueError, match="samples and epochs in common"):
        evolution_pairs(first, second)
