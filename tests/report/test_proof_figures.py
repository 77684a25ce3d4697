"""The figures of a case: its layer, its effect, samples before and after."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from html_proof import CLASSES, case_of, example_of, fixed_of, free_of, proof_of, samples_of, trial_of
from PIL import Image

from unhans.attribution import colorize, scale
from unhans.effects import MINIMUM, gap
from unhans.report.figures import effect_figure, layer_figure, probability_said, proof_figure
from unhans.report.figures.artifact_figure import (
    DARK,
    INNER,
    LIGHT,
    PAIRED,
    alpha_of,
    box_of,
    checkered,
    cropped,
    outlined,
)
from unhans.report.files import write_case
from unhans.store import write_figure

LONG = "a very long $name$ of a class, " * 8


def words(figure):
    return "\n".join(text.get_text() for axes in [figure, *figure.axes] for text in axes.texts)


def pictures(figure):
    """Return what is drawn on the sheet, not the legend."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].get_images()]


def inside(figure):
    """Tell whether all text lies on the page."""
    render = figure.canvas.get_renderer()
    texts = [text for axes in [figure, *figure.axes] for text in axes.texts if text.get_text()]
    boxes = [text.get_window_extent(render) for text in texts]
    return all(b.x0 >= 0 and b.x1 <= figure.bbox.width and b.y0 >= 0 and b.y1 <= figure.bbox.height for b in boxes)


# Pictures of a layer -------------------------------------------------------------------------------------------------


def test_an_opaque_pixel_hides_the_board_and_a_clear_one_shows_it():
    layer = torch.zeros(4, 48, 48)
    layer[:, :4, :4] = torch.tensor([1.0, 0.0, 0.5, 1.0])[:, None, None]
    board = checkered(layer)
    assert (board[:4, :4] == [255, 0, 128]).all()
    assert set(np.unique(board[4:])) == {LIGHT, DARK}
    assert board[10, 10, 0] != board[10, 12, 0]
    layer[3, :4, :4] = 0.5
    assert checkered(layer)[0, 0].tolist() == [250, 122, 186]  # half of 245 and half of the colour
    assert alpha_of(layer)[0, 0].tolist() == [128] * 3


def test_the_crop_holds_what_is_shown_and_an_empty_layer_stays_whole():
    layer = torch.zeros(4, 40, 60)
    layer[3, 10:20, 30:55] = 1
    assert box_of(layer) == (10, 30, 20, 55)
    assert cropped(layer).shape == (4, 14, 29)
    assert box_of(torch.zeros(4, 40, 60)) == (0, 0, 40, 60)


def test_an_outline_lies_round_the_mask_not_on_it():
    image, mask = torch.full((3, 400, 400), 0.5), np.zeros((400, 400), bool)
    mask[100:200, 50:150] = True
    drawn = outlined(image, mask)
    assert (drawn[mask] == 128).all()
    line = (drawn == INNER).all(-1)
    assert line[98:100, 50:150].all()
    assert not line[:95].any()
    assert outlined(torch.zeros(3, 8, 8), mask[:8, :8]).shape == (320, 320, 3)


# The layer -----------------------------------------------------------------------------------------------------------


def test_a_fixed_layer_is_shown_whole_enlarged_and_as_alpha_beside_its_samples():
    images, maps = samples_of((80, 120))
    case = replace(case_of(proof=None), isolated=fixed_of((80, 120)))
    figure = layer_figure(case, images, maps)
    shown = pictures(figure)
    assert len(shown) == 3 + 12
    assert (shown[0] == checkered(case.isolated.layers[0])).all()
    assert (shown[2] == alpha_of(case.isolated.layers[0])).all()
    assert "(cross-fitted AUC of the cluster 0.98). Inside the artifact lies" in words(figure).replace("\n", " ")
    assert inside(figure)


@pytest.mark.parametrize("count", [1, 3, 8, 11])
def test_prototypes_stand_in_rows(count):
    figure = layer_figure(replace(case_of(), isolated=free_of(count)))
    assert len(pictures(figure)) == {1: 2, 3: 3, 8: 8, 11: 8}[count]
    assert inside(figure)


def test_where_there_is_no_layer_there_is_no_figure():
    assert layer_figure(case_of("global", None)) is None
    assert layer_figure(case_of(None, None)) is None


# The effect ----------------------------------------------------------------------------------------------------------


def test_dots_and_intervals_are_the_trials_and_their_differences():
    proof = proof_of()
    axes = effect_figure(proof).axes[0]
    numbers = [(trial.effect.probability, trial.effect.probability_interval) for trial in proof.added]
    numbers += [gap(proof.added[0], control) for control in proof.added[1:]]
    numbers += [(trial.effect.probability, trial.effect.probability_interval) for trial in proof.removed]
    dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    ends = [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert list(zip(dots, ends, strict=True)) == numbers
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert heights == sorted(set(heights))
    dashed = [each for each in axes.collections if each.get_linestyle()[0][1] is not None]
    assert [each.get_segments()[0][0][0] for each in dashed] == [MINIMUM, 0]


@pytest.mark.parametrize("verdict", ["proven", "not used", "open"])
def test_the_title_is_the_verdict(verdict):
    figure = effect_figure(proof_of(verdict, removed=False))
    assert figure.texts[0].get_text().endswith(f": {verdict}")
    assert "Removed" not in words(figure)
    assert inside(figure)


def test_long_names_one_sample_and_no_control_fit():
    proof = proof_of(name=LONG, added=(trial_of(n=1),), removed=(trial_of(LONG, n=3),))
    figure = effect_figure(proof)
    assert "minus" not in words(figure)
    assert inside(figure)
    assert "∞" not in words(figure)


# Before and after ----------------------------------------------------------------------------------------------------


def test_both_maps_of_a_sample_share_one_scale(tmp_path):
    proof = proof_of(removed=False, examples=1)
    figure = proof_figure(proof, CLASSES)
    shown = pictures(figure)
    assert len(shown) == 4
    expected = colorize(scale(proof.examples[0].heatmaps, joint=True))
    assert (shown[1] == expected[0]).all()
    assert (shown[3] == expected[1]).all()
    assert PAIRED in words(figure).replace("\n", " ")
    assert "true class: fish" in words(figure)
    assert "p 0.02 → 0.97, a typical change" in words(figure)
    write_figure(tmp_path / "a.png", figure)


@pytest.mark.parametrize(("removed", "count"), [(False, 1), (False, 3), (True, 2)])
def test_rows_of_additions_and_removals(removed, count):
    figure = proof_figure(proof_of(removed=removed, examples=count), CLASSES)
    assert len(pictures(figure)) == 4 * count * (1 + removed)
    assert inside(figure)
    assert ("Removed from affected samples" in words(figure)) == removed


def test_long_names_stay_on_the_page_and_no_example_is_no_figure():
    proof = proof_of(name=LONG, examples=1, removed=False)
    assert inside(proof_figure(proof, [LONG] * 3, LONG))
    assert proof_figure(proof_of(examples=0), CLASSES) is None
    assert inside(proof_figure(replace(proof_of(removed=False), examples=(example_of(0, 0, (90, 30)),)), CLASSES))


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0.00"), (0.004, "<0.01"), (0.5, "0.50"), (0.996, ">0.99"), (1, "1.00")]
)
def test_a_probability_is_not_rounded_to_certainty(value, said):
    assert probability_said(value) == said


# Files ---------------------------------------------------------------------------------------------------------------


def test_a_case_leaves_its_pictures_and_its_layers(tmp_path):
    case = case_of()
    images, maps = samples_of()
    files = write_case(tmp_path, case, CLASSES, images, maps)
    assert set(files) == {"layer", "effect", "examples", "layer-1"}
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in files.values()}
    layer = np.asarray(Image.open(files["layer-1"]))
    assert layer.shape == (16, 24, 4)
    np.testing.assert_array_equal(layer[..., 3] > 0, case.isolated.layers[0][3].numpy() > 0)


def test_prototypes_get_a_file_each_and_nothing_isolated_gets_none(tmp_path):
    files = write_case(tmp_path, case_of("free"), CLASSES)
    assert [name for name in files if name.startswith("layer-")] == ["layer-1", "layer-2", "layer-3"]
    assert len({path.name for path in files.values()}) == len(files)
    assert write_case(tmp_path / "none", case_of(None, None), CLASSES) == {}
    assert not (tmp_path / "none").exists()
