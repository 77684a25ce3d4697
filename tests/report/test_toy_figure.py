"""The figure of points around known centres: what is drawn is what SpRAy finds, and the groups where they are apart."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from unhans.report.figures.quality import toy_figure


def rows_of(figure, count):
    axes = figure.axes
    return [axes[5 * row : 5 * row + 5] for row in range(count)]


def test_groups_that_are_apart_have_a_zero_each_and_their_own_colour():
    near, far = rows_of(toy_figure((0.2, 0.8), each=40), 2)
    values = near[2].lines[0].get_ydata()
    assert len(values) == 10
    np.testing.assert_allclose(values[:4], 0, atol=1e-10)
    assert values[4] > 0.02
    assert near[2].lines[1].get_xdata()[0] == 4.5  # the gap
    points = near[4].collections[0]
    numbers, colours = points.get_offsets()[:, 0], [to_hex(one) for one in points.get_facecolors()]
    for centre in (2, 4, 6, 8):
        own = {colour for number, colour in zip(numbers, colours, strict=True) if abs(number - centre) < 1}
        assert len(own) == 1
    assert len(set(colours)) == 4
    assert far[2].lines[0].get_ydata()[1] > 0  # they overlap: one piece


def test_without_deviations_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="at least one deviation"):
        toy_figure(())
