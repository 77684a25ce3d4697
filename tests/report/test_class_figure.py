"""The page of one class shows what was found, and the samples it says it shows."""

import copy
import dataclasses
import threading

import h5py
import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from unhans.attribution import colorize, picture, scale
from unhans.report.figures import class_figure
from unhans.report.figures.canvas import ALARM
from unhans.spray import Cluster
from unhans.store import write_figure

CLASSES = ["birds", "cats & $dogs$", "fish"]


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def shown(axes):
    return [image.get_array() for image in axes.images]


def test_the_verdict_and_the_numbers_are_written(audit, images, suspicion):
    figure = class_figure(audit, images, CLASSES, suspicion=suspicion(1, suspicious=True), subtitle="epoch 3")
    title = figure.texts[0]
    lambda_2, tau = audit.spray.eigenvalues_[1], audit.spray.separability_
    assert title.get_text().replace("\n", " ") == (
        f"class cats & $dogs$: stands out, λ₂ = {lambda_2:.3f}, τ = {tau:.2f}, "
        "its most striking group holds 15 of 40 samples (found by input relevance)"
    )
    assert to_hex(title.get_color()) == ALARM
    assert "epoch 3" in texts(figure)
    assert "● striking cluster: 15 of 40 samples, score 0.45" in texts(figure)
    assert f"eigengap after {audit.spray.eigengap_}" in texts(figure)


def test_the_spectra_are_those_of_the_heatmaps_and_of_the_raw_images(audit, images):
    lines = {line.get_label(): line for line in class_figure(audit, images, CLASSES).axes[0].lines}
    np.testing.assert_array_equal(lines["heatmaps"].get_ydata(), audit.spray.eigenvalues_)
    np.testing.assert_array_equal(lines["raw images"].get_ydata(), audit.control.eigenvalues_)
    assert lines["heatmaps"].get_xdata()[0] == 1
    assert lines[f"eigengap after {audit.spray.eigengap_}"].get_xdata()[0] == audit.spray.eigengap_ + 0.5


def test_the_map_has_every_sample_once_and_the_cluster_in_red(audit, images):
    grey, red = class_figure(audit, images, CLASSES).axes[1].collections
    np.testing.assert_array_equal(red.get_offsets(), audit.spray.projection_[25:])
    np.testing.assert_array_equal(grey.get_offsets(), audit.spray.projection_[:25])
    assert to_hex(red.get_facecolor()[0]) == ALARM


def test_images_and_heatmaps_belong_together_and_lie_in_their_block(audit, images):
    gallery = class_figure(audit, images, CLASSES).axes[3]
    drawn = shown(gallery)
    pictures = [picture(image) for image in images]
    order = [next(i for i in range(40) if np.array_equal(pictures[i], image)) for image in drawn[::2]]
    assert len(order) == len(set(order)) == 20
    assert all(i >= 25 for i in order[:12])
    assert all(i < 25 for i in order[12:])
    for i, heatmap in zip(order, drawn[1::2], strict=True):
        np.testing.assert_array_equal(heatmap, colorize(scale(audit.heatmaps[i])))
    captions = [text.get_text() for text in gallery.texts if " · " in text.get_text()][: len(order)]
    assert captions == ["birds · 3" if i in (0, 30) else "cats & $dogs$ · 1" for i in order]


def test_members_go_from_typical_to_marginal(audit, images):
    drawn = shown(class_figure(audit, images, CLASSES).axes[3])[:24:2]
    pictures = [picture(image) for image in images]
    order = [next(i for i in range(40) if np.array_equal(pictures[i], image)) for image in drawn]
    centre = sum(audit.spray.embedding_[i] for i in range(25, 40)) / 15
    distances = [np.sqrt(((audit.spray.embedding_[i] - centre) ** 2).sum()) for i in order]
    assert distances == sorted(distances)


def test_the_mean_heatmaps_are_of_the_cluster_and_of_the_rest(audit, images):
    cluster, rest = shown(class_figure(audit, images, CLASSES).axes[2])
    scaled = np.stack([heatmap / np.abs(heatmap).max() for heatmap in audit.heatmaps])
    for drawn, part in ((cluster, scaled[25:]), (rest, scaled[:25])):
        mean = part.sum(0) / len(part)
        assert np.abs(drawn.astype(int) - colorize(mean / np.abs(mean).max())).max() <= 1


def test_a_class_without_cluster_control_or_map_has_its_page(audit, images, suspicion, tmp_path):
    spray = type(audit.spray)(n_clusters=[2], n_eigenvalues=2, projection=None).fit(audit.heatmaps)
    bare = dataclasses.replace(audit, spray=spray, clusters=(), control=None)
    figure = class_figure(bare, images, CLASSES, suspicion=suspicion(1))
    write_figure(tmp_path / "a.png", figure)
    assert figure.texts[0].get_text().endswith("no group stands apart")
    assert "does not stand out" in figure.texts[0].get_text()
    assert len(shown(figure.axes[3])) == 40
    assert "raw images" not in texts(figure)


@pytest.mark.parametrize("count", [1, 40])
def test_a_cluster_of_one_or_of_all_has_its_page(audit, images, count, tmp_path):
    cluster = dataclasses.replace(audit.cluster, members=np.arange(40) >= 40 - count)
    write_figure(tmp_path / "a.png", class_figure(dataclasses.replace(audit, clusters=(cluster,)), images, CLASSES))
    assert (tmp_path / "a.png").stat().st_size > 0


def test_heatmaps_of_zeros_are_black_and_not_an_error(audit, images, tmp_path):
    empty = dataclasses.replace(audit, heatmaps=np.zeros_like(audit.heatmaps))
    figure = class_figure(empty, images, CLASSES)
    write_figure(tmp_path / "a.png", figure)
    assert not any(heatmap.any() for heatmap in shown(figure.axes[3])[1::2])


def test_training_and_validation_samples_are_told_apart(audit, images, tmp_path):
    split = (np.arange(40) % 3 == 0).astype(np.uint8)
    figure = class_figure(dataclasses.replace(audit, split=split), images, CLASSES)
    write_figure(tmp_path / "a.png", figure)
    points = audit.spray.projection_
    parts = [
        (set(map(tuple, marks.get_offsets())), to_hex(marks.get_facecolor()[0]) == ALARM, len(marks.get_paths()[0]))
        for marks in figure.axes[1].collections
    ]
    circle, triangle = parts[0][2], parts[1][2]
    assert circle != triangle
    for found, red, shape in parts:
        chosen = ((np.arange(40) >= 25) == red) & (split == (shape == triangle))
        assert found == set(map(tuple, points[chosen]))
    assert "● train   ▲ validation" in texts(figure)
    assert any("5 of the cluster's 15 are validation images" in text for text in texts(figure))
    pictures = [picture(image) for image in images]
    gallery = figure.axes[3]
    order = [next(i for i in range(40) if np.array_equal(pictures[i], image)) for image in shown(gallery)[::2]]
    captions = [text.get_text() for text in gallery.texts if " · " in text.get_text()]
    assert [text.rpartition(" · ")[2] for text in captions[:20]] == [("train", "validation")[split[i]] for i in order]
    assert captions[20].endswith("(1 = first) · split")


def grouped(audit, *parts):
    """The audit with these groups as candidates, the most striking first."""
    one = dataclasses.replace(audit.cluster, strength=1.0)
    clusters = [dataclasses.replace(one, members=np.isin(np.arange(40), each)) for each in parts]
    return dataclasses.replace(audit, clusters=tuple(clusters))


def test_so_many_striking_groups_stand_side_by_side(audit, images, tmp_path):
    parts = [np.arange(25, 40), np.arange(0, 10), np.arange(10, 16)]
    audit = grouped(audit, *parts)
    count = len(parts)
    figure = class_figure(audit, images, CLASSES, groups=6)
    write_figure(tmp_path / "a.png", figure)
    pictures = [picture(image) for image in images]
    gallery, means = figure.axes[3], figure.axes[2]
    order = [next(i for i in range(40) if np.array_equal(pictures[i], image)) for image in shown(gallery)[::2]]
    for row, one in enumerate(audit.candidates):
        assert set(order[4 * row : 4 * row + 4]) <= set(np.flatnonzero(one.members))
    headings = [text.get_text() for text in gallery.texts if " samples by " in text.get_text()]
    assert headings == [
        f"Group {i}: {one.members.sum()} samples by input relevance" for i, one in enumerate(audit.candidates, 1)
    ]
    assert len(means.lines) == count  # a ring each
    assert "Samples of none of these groups (which may share samples)" in texts(figure)
    alone = class_figure(audit, images, CLASSES, groups=1)
    assert [text.get_text() for text in alone.axes[3].texts].count("Samples of none of these groups") == 1
    assert len(shown(alone.axes[3])) == 2 * 20


def test_more_groups_than_there_is_room_for_are_refused(audit, images):
    with pytest.raises(ValueError, match="room for 1 to 6 groups; got 7"):
        class_figure(audit, images, CLASSES, groups=7)


def test_several_directions_of_tau_are_told(audit, images):
    several = dataclasses.replace(audit, spray=copy.copy(audit.spray).set_params(tau_directions=3))
    for one, words in ((audit, "over k ≤ 2)"), (several, "over k ≤ 2, 3 directions)")):
        assert class_figure(one, images, CLASSES).axes[0].get_title(loc="left").endswith(words)


def test_a_long_title_fits_on_the_page(audit, images, suspicion):
    named = dataclasses.replace(audit, name="garbage truck, dustcart or refuse lorry")
    figure = class_figure(named, images, CLASSES, suspicion=suspicion(1, suspicious=True))
    box = figure.texts[0].get_window_extent(figure.canvas.get_renderer())
    assert box.x1 < figure.bbox.x1


def test_one_split_alone_is_not_marked(audit, images):
    found = texts(class_figure(audit, images, CLASSES))
    assert not any("validation" in text for text in found)


def test_images_may_be_bytes(audit, images):
    drawn = [shown(class_figure(audit, each, CLASSES).axes[3]) for each in (images, np.rint(255 * images).astype("u1"))]
    for left, right in zip(*drawn, strict=True):
        np.testing.assert_array_equal(left, right)


def test_heatmaps_may_lie_on_disk(audit, images, tmp_path):
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        file["maps"] = audit.heatmaps
        lazy = class_figure(dataclasses.replace(audit, heatmaps=file["maps"]), images, CLASSES)
    whole = class_figure(audit, images, CLASSES)
    for axes in (2, 3):
        for left, right in zip(shown(lazy.axes[axes]), shown(whole.axes[axes]), strict=True):
            np.testing.assert_array_equal(left, right)


def test_only_the_images_that_are_shown_are_read(audit, images):
    class Reader:
        read = 0

        def __len__(self):
            return 40

        def __getitem__(self, i):
            self.read += 1
            return torch.as_tensor(images[i])

    reader = Reader()
    class_figure(audit, reader, CLASSES)
    assert reader.read == 20


def test_too_few_images_are_refused(audit, images):
    with pytest.raises(ValueError, match=r"one image per audited sample \(40\); got 39"):
        class_figure(audit, images[:39], CLASSES)


def test_figures_leave_no_global_state_and_can_be_drawn_in_threads(audit, images, tmp_path):
    before = dict(matplotlib.rcParams)
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    threads = [
        threading.Thread(target=lambda path=path: write_figure(path, class_figure(audit, images, CLASSES)))
        for path in paths
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({path.read_bytes() for path in paths}) == 1
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("shape", [(3, 4, 6), (4, 6, 3), (1, 4, 6), (4, 6, 1), (4, 6)])
def test_images_of_every_layout_become_rgb(shape):
    image = np.zeros(shape)
    image[...] = 0.2
    found = picture(image)
    assert found.shape == (4, 6, 3)
    assert (found == 51).all()


def test_an_image_keeps_its_channels():
    image = np.zeros((3, 5, 5))
    image[0, 1, 2] = 1
    assert picture(image)[1, 2].tolist() == [255, 0, 0]
    assert picture(image.transpose(1, 2, 0))[1, 2].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("image", "message"), [
    (np.full((3, 4, 4), -1.5), "from -1.5 to -1.5"),
    (np.full((3, 4, 4), 255), "from 255 to 255"),
    (np.full((3, 4, 4), np.nan), "from nan"),
    (np.zeros((2, 4, 4)), r"got \(.*\)"),
])  # fmt: skip
def test_images_that_cannot_be_shown_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        picture(image)


def test_several_groups_stand_side_by_side_with_a_ring_where_their_relevance_is_largest(audit, images):
    """Two groups whose relevance lies in opposite corners; the ring of each is in its own corner."""
    maps = np.random.default_rng(3).random((40, 8, 8)).astype(np.float32)
    first, second = np.arange(40) < 15, (np.arange(40) >= 15) & (np.arange(40) < 25)
    maps[first, 1, 6], maps[second, 7, 0] = 30, 30
    groups = tuple(Cluster("cut", 2, 0, each, strength=2.0 - i, score=0.5) for i, each in enumerate((first, second)))
    one = dataclasses.replace(audit, heatmaps=maps, clusters=groups)
    means = class_figure(one, images, CLASSES).axes[2]
    assert [text.get_text() for text in means.texts] == ["group 1: 15", "group 2: 10", "rest"]
    assert len(shown(means)) == 3
    rings = [line.get_xydata()[0] for line in means.lines]
    np.testing.assert_allclose(rings, [(6.5 / 8, 0.22 + 1.5 / 8), (1.45 + 0.5 / 8, 0.22 + 7.5 / 8)])
