"""The figure of the steps at which predictions change."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from unhans.faithfulness import PerturbationCurves
from unhans.report.figures.quality import changes_figure


def test_bars_hold_every_prediction_that_changes_once():
    changed = np.zeros((4, 1, 61), bool)
    changed[0, 0, 1], changed[1, 0, 7:], changed[2, 0, 60] = True, True, True
    curves = PerturbationCurves(np.zeros(changed.shape), changed)
    one = SimpleNamespace(
        name="LRP", first_changed={"morf": curves.first_changed_share}, changed_by_step={"morf": curves.changed_share}
    )
    panels = changes_figure([one], curves, "morf", "").axes
    for axes, name in zip(panels, ("LRP", "random order"), strict=True):
        assert axes.get_title(loc="left") == f"{name}: 75 %; V 50 %"
        heights = [bar.get_height() for bar in axes.patches]
        assert len(heights) == 20  # three steps to a bar
        assert [place for place, height in enumerate(heights) if height] == [0, 2, 19]
        assert sum(heights) == pytest.approx(0.75)
