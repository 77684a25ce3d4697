"""The figures of heatmaps show what they are given, and nothing is clipped or written over."""

import matplotlib
import numpy as np
import pytest
import torch

from unhans.attribution import class_means, colorize, overlay, picture, scale, seen_through
from unhans.report.figures import BLUE, Look, Method, heatmap_figure, legible, output_notes, panel_figure
from unhans.report.figures.canvas import ALARM
from unhans.report.files import HeatmapPages, Looked
from unhans.store import write_figure

LONG = "a $class$ with_an ünusually & long name {that} goes on and on, further than any page is wide, " * 2


def maps(count, height=6, width=8, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, height, width)) * np.arange(1, count + 1)[:, None, None]


def images(count, height=6, width=8, channels=3):
    return np.random.default_rng(9).random((count, channels, height, width))


def output_figure(photo, methods, names, logits, odds, title, **options):
    return panel_figure(methods, names, output_notes(logits, odds), title, image=photo, **options)


def mean_figure(photos, methods, names, counts, title, **options):
    return panel_figure(methods, names, [f"n = {n}" for n in counts], title, images=photos, **options)


def tiles(figure):
    return [
        np.asarray(image.get_array()) for axes in figure.axes if axes.get_label() != "legend" for image in axes.images
    ]


def texts(figure):
    return [line for text in figure.findobj(matplotlib.text.Text) for line in text.get_text().splitlines()]


def joined(figure):
    return " ".join(texts(figure)).replace("\n", " ")


def assert_whole(figure, path):
    """Write it, and see that no text leaves the page and no picture lies over another."""
    write_figure(path, figure)
    width, height = figure.canvas.get_width_height()
    renderer = figure.canvas.get_renderer()
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0, text
            assert box.y0 >= 0, text
            assert box.x1 <= width, text
            assert box.y1 <= height, text
    boxes = [image.get_window_extent(renderer) for axes in figure.axes for image in axes.images]
    for i, one in enumerate(boxes):
        assert not any(min(one.x1, other.x1) - max(one.x0, other.x0) > 1
                       and min(one.y1, other.y1) - max(one.y0, other.y0) > 1 for other in boxes[:i])  # fmt: skip


def test_the_image_is_seen_through_relevance_where_that_is_asked_for():
    photos, given = images(1), maps(1)
    drawn = [
        tiles(heatmap_figure(photos, [Method("LRP", given)], ["a"], "t", look=Look(alpha=on)))[-1] for on in (0, 1)
    ]
    scaled = scale(given)[0]
    np.testing.assert_array_equal(drawn[0], overlay(picture(photos[0]), scaled))
    np.testing.assert_array_equal(drawn[1], seen_through(picture(photos[0]), scaled))


@pytest.mark.parametrize("joint", [False, True])
def test_a_row_is_a_sample_with_each_methods_heatmap_and_overlay(joint):
    photos, methods = images(3), [Method("plus", maps(3)), Method("epsilon", maps(3, seed=1))]
    figure = heatmap_figure(photos, methods, ["a", "b", "c"], "Title", look=Look(joint, "bwr"))
    drawn = tiles(figure)
    assert len(drawn) == 3 * 5
    for method in methods:
        for i, scaled in enumerate(scale(method.maps, joint)):
            assert any(np.array_equal(tile, colorize(scaled, "bwr")) for tile in drawn)
            assert any(np.array_equal(tile, overlay(picture(photos[i]), scaled, "bwr")) for tile in drawn)


def test_a_figure_says_what_it_shows():
    figure = heatmap_figure(
        images(2), [Method("LRP epsilon", maps(2))], ["one", "two"], "Title", subtitle="Target", wrong=[False, True]
    )
    said = joined(figure)
    for part in ("Title", "Target", "LRP epsilon", "−1 contradicts", "0 none", "+1 supports", "of each map"):
        assert part in said
    colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert colours["two"] == ALARM
    assert colours["one"] != ALARM
    assert "all maps of a method" in joined(
        heatmap_figure(images(1), [Method("m", maps(1))], ["one"], "T", look=Look(joint=True))
    )


def test_fine_maps_are_summed_and_the_figure_says_so():
    fine = maps(2, 96, 160)
    figure = heatmap_figure(images(2, 96, 160), [Method("m", fine)], ["a", "b"], "T")
    assert "summed over blocks of 2×2 pixels" in joined(figure)
    expected = scale(legible(fine))[1].repeat(2, 0).repeat(2, 1)
    assert any(np.array_equal(tile, colorize(expected)) for tile in tiles(figure))


SHAPES = [(1, 3, 6, 8), (7, 1, 6, 6), (2, 3, 20, 400), (2, 1, 90, 3), (1, 3, 1, 1)]


@pytest.mark.parametrize(("count", "channels", "height", "width"), SHAPES)
@pytest.mark.parametrize("number", [1, 3])
def test_samples_of_any_shape_fit(count, channels, height, width, number, tmp_path):
    methods = [Method(f"{LONG}{i}", maps(count, height, width, i)) for i in range(number)]
    captions = ["sample 3 · predicted $x$, p = 0.99 · label's rank 1"] * count
    photos = images(count, height, width, channels)
    assert_whole(heatmap_figure(photos, methods, captions, LONG, subtitle=LONG), tmp_path / "a.png")


@pytest.mark.parametrize("count", [1, 6, 13])
@pytest.mark.parametrize(("height", "width"), [(6, 8), (3, 90), (90, 3)])
def test_panels_of_any_number_and_shape_fit(count, height, width, tmp_path):
    methods = [Method(LONG, maps(count, height, width)), Method("b", maps(count, height, width, 1))]
    names, numbers = [LONG] * count, np.linspace(-99999, 1e6, count)
    photo = images(1, height, width)[0]
    assert_whole(output_figure(photo, methods, names, numbers, numbers / 1e6, LONG, marked=0), tmp_path / "a.png")
    figure = mean_figure(images(count, height, width), methods, names, [3] * count, LONG, subtitle=LONG)
    assert_whole(figure, tmp_path / "b.png")
    assert len(tiles(figure)) == 3 * count


def test_every_output_has_its_logit_and_probability():
    photo, one = images(1)[0], maps(3)
    figure = output_figure(
        photo, [Method("LRP", one)], ["cat", "dog", "$"], [3.14159, 1, -2], [0.9, 0.0999, 0.0001], "T", marked=1
    )
    assert [text for text in texts(figure) if text.startswith("logit")] == ["logit 3.14", "logit 1", "logit -2"]
    assert [text for text in texts(figure) if text.startswith("p =")] == ["p = 0.900", "p = 0.100", "p = 0.000"]
    image, *panels = sorted(tiles(figure), key=lambda tile: not np.array_equal(tile, picture(photo)))
    np.testing.assert_array_equal(image, picture(photo))
    np.testing.assert_array_equal(panels, colorize(scale(one)))
    blue = [text.get_text() for text in figure.axes[0].texts if text.get_color() == BLUE]
    assert blue == ["dog"]


def test_outputs_scaled_jointly_keep_their_relative_strength():
    figure = output_figure(
        images(1)[0], [Method("m", maps(3))], list("abc"), [1, 2, 3], [0.1, 0.2, 0.7], "T", look=Look(joint=True)
    )
    expected = colorize(scale(maps(3), joint=True))
    assert all(any(np.array_equal(tile, one) for tile in tiles(figure)) for one in expected)


def test_means_stand_under_their_mean_image():
    photos, one = images(2), maps(2)
    figure = mean_figure(photos, [Method("m", one)], ["cat", "dog"], [5, 12], "T")
    expected = [tile for pair in zip(map(picture, photos), colorize(scale(one)), strict=True) for tile in pair]
    np.testing.assert_array_equal(tiles(figure), expected)
    assert [text for text in texts(figure) if text.startswith("n =")] == ["n = 5", "n = 12"]


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match=r"got 2 images, 1 captions and heatmaps \[2\]"):
        heatmap_figure(images(2), [Method("m", maps(2))], ["a"], "T")
    with pytest.raises(ValueError, match="needs images"):
        heatmap_figure(images(2), [], ["a", "b"], "T")
    with pytest.raises(ValueError, match=r"got the numbers \[2, 2, 3\]"):
        output_figure(images(1)[0], [Method("m", maps(3))], ["a", "b"], [1, 2], [0.5, 0.5], "T")
    with pytest.raises(ValueError, match="need a method"):
        mean_figure(images(1), [], ["a"], [3], "T")


def looked(label, count, names=("one", "two")):
    random = np.random.default_rng(label)
    methods = [Method(name, random.normal(size=(count, 6, 6)).astype(np.float32)) for name in names]
    logits = torch.tensor(random.normal(size=(count, 3)))
    return Looked(label, torch.tensor(random.random((count, 3, 6, 6))), np.arange(count) + 40, logits, methods)


def pages(folder, look=Look()):  # noqa: B008
    return HeatmapPages(folder, ["cat", LONG, "dog/fish"], "the label", "train", look)


def test_pages_of_a_class_go_on_and_the_means_come_last(tmp_path):
    writer = pages(tmp_path)
    writer.add(looked(0, 17))
    writer.add(looked(2, 1))
    writer.add_outputs(looked(2, 1), 0, [1, 2], [Method("one", maps(2, 6, 6))])
    writer.finish()
    names = [str(path.relative_to(tmp_path)) for path in writer.files]
    assert names == ["0000-cat.png", "0000-cat-2.png", "0002-dog_fish.png", "outputs/000040.png", "means.png"]
    assert all(path.is_file() for path in writer.files)


def test_nothing_added_is_nothing_written(tmp_path):
    writer = pages(tmp_path / "none")
    writer.finish()
    assert writer.files == []
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("joint", [False, True])
def test_the_means_are_those_of_all_samples_of_a_class(joint, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "unhans.report.files.heatmap_pages.panel_figure",
        lambda methods, classes, notes, title, **options: drawn.update(
            methods=methods, classes=classes, notes=notes, figure=panel_figure(
                methods, classes, notes, title, **options), **options
        ) or drawn["figure"],
    )  # fmt: skip
    writer, parts = pages(tmp_path, Look(joint)), [looked(2, 4), looked(0, 3)]
    for part in parts:
        writer.add(part)
    writer.finish()
    assert drawn["notes"] == ["n = 4", "n = 3"]
    assert drawn["classes"] == ["dog/fish", "cat"]
    np.testing.assert_allclose(drawn["images"][1], parts[1].images.mean(0))
    for j, method in enumerate(drawn["methods"]):
        all_maps = np.concatenate([part.methods[j].maps for part in parts])
        expected = class_means(all_maps, np.array([2] * 4 + [0] * 3), joint)
        np.testing.assert_allclose(method.maps, [expected[2], expected[0]])
