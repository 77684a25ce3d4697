"""The effect of artifacts over the epochs of a training."""

from dataclasses import replace

import numpy as np
import pytest
from html_proof import trial_of

from unhans.report.figures import monitor_figure


def effects(count, seed=0):
    random = np.random.default_rng(seed)
    return [replace(trial_of(shift=s, seed=seed).effect, n=500) for s in random.uniform(0, 3, count)]


def test_curves_are_the_numbers_and_bands_their_intervals():
    found = effects(5)
    left, right = monitor_figure(range(5), {"mark": found}, 0.05).axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [effect.probability for effect in found])
    np.testing.assert_array_equal(right.lines[0].get_ydata(), [effect.share for effect in found])
    band = left.collections[0].get_paths()[0].vertices
    for epoch, effect in enumerate(found):
        heights = band[band[:, 0] == epoch, 1]
        assert (heights.min(), heights.max()) == pytest.approx(effect.probability_interval)
    assert any(set(line.get_ydata()) == {0.05} for line in left.lines)


@pytest.mark.parametrize(("epochs", "artifacts"), [(1, 1), (3, 2), (90, 9)])
def test_any_number_of_epochs_and_artifacts_fits(epochs, artifacts):
    named = {f"$artifact {k}$ " * 12: effects(epochs, k) for k in range(artifacts)}
    figure = monitor_figure(list(range(epochs)), named, 0.05)
    figure.draw_without_rendering()
    render, key = figure.canvas.get_renderer(), figure.subfigs[0].legends[0]
    boxes = [text.get_window_extent(render) for text in (*figure.texts[:2], *key.get_texts())]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height for box in boxes)
    panel = figure.axes[0].get_tightbbox(render)
    assert min(box.y0 for box in boxes) >= panel.y1  # the key stands above the curves
    looks = {(line.get_color(), str(line._dash_pattern)) for line in figure.axes[0].lines[:artifacts]}
    assert len(looks) == artifacts


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="got 2 epochs and \\[1\\] effects"):
        monitor_figure([0, 1], {"mark": effects(1)}, 0.05)
    with pytest.raises(ValueError, match="got 0 epochs"):
        monitor_figure([], {}, 0.05)
    with pytest.raises(ValueError, match="got 1 epochs and \\[\\] effects"):
        monitor_figure([0], {}, 0.05)
