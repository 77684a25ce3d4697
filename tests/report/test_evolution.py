"""The strips that grow with the epochs."""

import numpy as np
import pytest

from unhans.attribution import colorize, picture
from unhans.report.figures import Strip, evolution_sheet
from unhans.store import write_figure


def strip(count, title="sample", seed=0):
    random = np.random.default_rng(seed)
    maps = random.normal(size=(count, 6, 6)) * np.arange(1, count + 1)[:, None, None]
    names = [f"$class {i}" for i in range(count)]
    return Strip(random.random((3, 9, 12)), list(range(2, 2 + count)), maps, names, list(range(count)), title)


def drawn(figure):
    return [image.get_array() for image in figure.axes[0].images]


def test_a_strip_is_the_image_and_its_jointly_scaled_heatmaps():
    one = strip(4)
    image, *maps = drawn(evolution_sheet([one]))
    np.testing.assert_array_equal(image, picture(one.image))
    change = one.heatmaps[-1] - one.heatmaps[0]
    largest = max(abs(value) for value in [*one.heatmaps.ravel(), *change.ravel()])
    for ours, theirs in zip([change, *one.heatmaps], maps, strict=True):
        np.testing.assert_array_equal(theirs, colorize(ours / largest))


def test_above_each_heatmap_stand_its_epoch_class_and_rank():
    written = [text.get_text() for text in evolution_sheet([strip(3)]).axes[0].texts]
    assert written == [
        "sample",
        "last − first",
        "epoch 2",
        "$class 0 · 1",
        "epoch 3",
        "$class 1 · 2",
        "epoch 4",
        "$class 2 · 3",
    ]


@pytest.mark.parametrize("count", [1, 10, 11])
def test_no_picture_lies_on_another_or_off_the_page(count, tmp_path):
    figure = evolution_sheet([strip(count, seed=seed) for seed in range(2)])
    write_figure(tmp_path / "a.png", figure)
    axes = figure.axes[0]
    corners = {(round(left, 6), round(top, 6)) for left, _, _, top in (each.get_extent() for each in axes.images)}
    assert len(corners) == 2 * (1 + min(count, 10) + (count > 1))
    assert all(each.get_extent()[1] <= axes.get_xlim()[1] + 1e-9 for each in axes.images)
    assert all(each.get_extent()[2] <= axes.get_ylim()[0] + 1e-9 for each in axes.images)


def test_a_sheet_shows_at_most_ten_epochs_with_the_first_and_the_last():
    strips = [strip(31, f"sample {seed}", seed) for seed in range(3)]
    figure = evolution_sheet(strips, "Evolution")
    assert len(drawn(figure)) == 3 * 12
    written = [text.get_text() for text in figure.axes[0].texts]
    epochs = [int(text.split()[1]) for text in written if text.startswith("epoch")]
    assert epochs[:10] == epochs[10:20] == sorted(set(epochs))
    assert (epochs[0], epochs[9]) == (2, 32)
    assert [text for text in written if text.startswith("sample")] == ["sample 0", "sample 1", "sample 2"]


def test_samples_are_scaled_each_for_itself():
    small, large = strip(2, seed=0), strip(2, seed=1)
    loud = Strip(large.image, large.epochs, 1000 * large.heatmaps, large.predictions, large.ranks, "loud")
    np.testing.assert_array_equal(drawn(evolution_sheet([small, loud]))[1], drawn(evolution_sheet([small, large]))[1])


def test_parts_of_different_length_are_refused():
    one = strip(3)
    with pytest.raises(ValueError, match="got 3 epochs, 2 heatmaps, 3 predictions, 3 ranks"):
        Strip(one.image, one.epochs, one.heatmaps[:2], one.predictions, one.ranks, "")


def test_strips_of_different_epochs_are_refused():
    with pytest.raises(ValueError, match="same epochs"):
        evolution_sheet([strip(2), strip(3)])
    with pytest.raises(ValueError, match="at least one strip"):
        evolution_sheet([])
