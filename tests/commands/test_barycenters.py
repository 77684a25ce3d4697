"""`analyze.py analysis=barycenters`: the barycenters themselves, the figure, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from unhans.data.sources import Digits, Npz
from unhans.experiment.analyses import draw_barycenters
from unhans.spray.metrics import (
    chebyshev_weights,
    cloud,
    coarsen,
    draw_cloud,
    euclidean_barycenter,
    gromov_barycenter,
    wasserstein_barycenter,
)
from unhans.spray.metrics.gromov_wasserstein import gromov_wasserstein


@pytest.fixture(scope="module")
def digits():
    data = Digits(image_size=32)
    data.setup()
    return data


def test_weights_are_one_in_the_corner_and_zero_on_far_sides():
    weights = chebyshev_weights(5)
    np.testing.assert_allclose(weights.sum(axis=2), 1)
    assert weights[0, 0].tolist() == [1, 0, 0, 0]
    assert weights[4, 0].tolist() == [0, 0, 1, 0]
    assert weights[0, 1].tolist() == [0.75, 0.25, 0, 0]
    assert weights[2, 2].tolist() == [0.25] * 4
    # at (1, 1) the Chebyshev distances are 1/4, 3/4, 3/4, 3/4
    assert weights[1, 1].tolist() == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6])


def spots(*places):
    y, x = np.mgrid[:30, :30]
    return np.stack([np.exp(-((y - top) ** 2 + (x - left) ** 2) / 6) for top, left in places])


def test_under_wasserstein_a_spot_moves_under_euclidean_it_fades():
    images, halves = spots((15, 5), (15, 25)), np.array([0.5, 0.5])
    moved, mean = wasserstein_barycenter(images, halves), euclidean_barycenter(images, halves)
    assert np.unravel_index(moved.argmax(), moved.shape) == (15, 15)
    assert moved[15, 5] < 1e-3 * moved.max()
    np.testing.assert_allclose(mean, images.mean(axis=0))


def test_under_gromov_wasserstein_turned_copies_have_themselves_as_barycenter():
    image = np.zeros((30, 30))
    image[5:17, 6:9] = image[14:17, 6:14] = 1
    image *= np.random.default_rng(1).uniform(0.8, 1, image.shape)
    shapes = [coarsen(cloud(each), 25) for each in (image, np.rot90(image), image.T, np.roll(image, 9))]
    centre = gromov_barycenter(shapes, np.full(4, 0.25))
    assert gromov_wasserstein(coarsen(centre, 25), shapes[0]) < 0.1


def test_a_barycenter_lies_between_its_shapes():
    image = np.zeros((2, 30, 30))
    image[0, 4:20, 10:13] = image[1, 8:16, 8:14] = 1
    first, second = (coarsen(cloud(each), 25) for each in image)
    whole = gromov_wasserstein(first, second)
    centre = coarsen(gromov_barycenter([first, second], np.array([0.5, 0.5])), 25)
    assert gromov_wasserstein(centre, first) < 0.75 * whole
    assert gromov_wasserstein(centre, second) < 0.75 * whole


def test_a_drawn_cloud_keeps_its_mass_and_its_centre():
    points = cloud(spots((12, 17))[0])
    found = draw_cloud(points, 30, 30)
    assert found.sum() == pytest.approx(1)
    middle = [(np.arange(30) * found.sum(axis=axis)).sum() for axis in (1, 0)]
    assert middle == pytest.approx(points.weights @ points.points, abs=1e-6)


def test_the_figure_is_written_the_same_by_the_same_seed(digits, tmp_path):
    for name in ("one", "two"):
        assert draw_barycenters(digits, tmp_path / name, seed=3, size=2) == {"images": 12}
    draw_barycenters(digits, tmp_path / "other", seed=4, size=2)
    one, two, other = ((tmp_path / name / "barycenters.png").read_bytes() for name in ("one", "two", "other"))
    assert one == two != other
    with Image.open(tmp_path / "one" / "barycenters.png") as picture:
        assert picture.size[0] > 1500
        assert np.asarray(picture.convert("L")).std() > 10


def test_given_classes_and_samples_are_drawn(digits, tmp_path, capsys):
    draw_barycenters(digits, tmp_path, 0, classes=["1", "4", "7", "9"], size=2)
    chosen = [int(word.strip(",")) for word in capsys.readouterr().out.split() if word.strip(",").isdigit()][:4]
    assert digits.train_set.labels[chosen].tolist() == [1, 4, 7, 9]
    draw_barycenters(digits, tmp_path, 0, samples=chosen, size=2)
    assert ", ".join(map(str, chosen)) in capsys.readouterr().out


SENTENCES = [
    ({"classes": ["1", "2"]}, "classes expects four, one per corner, got 2"),
    ({"classes": ["1", "2", "3", "cat"]}, "classes names no class: .* got 'cat'"),
    ({"samples": [0, 1, 2, 10**6]}, "samples expects indices from 0 to .*, got 1000000"),
    ({"samples": [1, 2, 3, 4], "classes": ["1"] * 4}, "classes and samples exclude each other"),
    ({"size": 1}, "size expects 2 or more, got 1"),
]


@pytest.mark.parametrize(("options", "sentence"), SENTENCES)
def test_bad_options_are_one_sentence(options, sentence, digits, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        draw_barycenters(digits, tmp_path, 0, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("colour", "sentence"), [((200, 30, 30), "grey images, .* has colours"), (0, "is dark")])
def test_colour_images_and_black_ones_are_one_sentence(colour, sentence, tmp_path):
    images = np.zeros((8, 16, 16, 3), dtype=np.uint8)
    images[:, 4:9, 4:9] = colour
    labels = np.arange(8) % 2
    np.savez(tmp_path / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    data = Npz(tmp_path / "data.npz", image_size=16)
    data.setup()
    with pytest.raises(ValueError, match=sentence):
        draw_barycenters(data, tmp_path, 0)
