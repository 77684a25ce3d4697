"""The figure of context ratios against accuracy: no tick above 100 %, and every class's name is legible."""

import numpy as np

from unhans.faithfulness import AccuracyRelation
from unhans.report.figures.quality import context_accuracy_figure

ANY = None  # of what this figure does not look at


def test_dots_that_lie_on_each_other_share_a_name_and_no_tick_is_above_all():
    mu, accuracy = np.array([0.12, 0.2, 0.2, 0.3, 0.5]), np.array([0.85, 1, 1, 1, 0.95])
    found = AccuracyRelation(np.arange(5), np.log(mu), accuracy, ANY, None, ANY, ANY)
    axes = context_accuracy_figure({"run": found}, list("abcde"), {"run": "Said."}).axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["a", "b, c", "d", "e"]
    assert max(axes.get_yticks()) <= 1 < axes.get_ylim()[1]
    assert len(axes.get_yticks()) >= 3
