"""The bars of five eigenvalues: those of every class and model, in the order of the first model's λ₂."""

import numpy as np

from unhans.report.figures.models import eigenvalue_figure


def test_bars_are_the_first_five_eigenvalues_in_the_order_of_the_first_model():
    random = np.random.default_rng(0)
    spectra = {
        label: {name: np.sort(random.random(9)) for name in ("images", "one", "other")} for label in ("a", "b", "c")
    }
    del spectra["c"]["other"]  # all heatmaps of a class may be the same
    order = sorted(spectra, key=lambda label: spectra[label]["one"][1])
    panels = eigenvalue_figure(spectra, "title").axes
    for axes, name in zip(panels, ("images", "one", "other"), strict=True):
        heights = [bar.get_height() for bar in axes.patches]
        expected = np.concatenate([spectra[label].get(name, np.empty(0))[:5] for label in order])
        np.testing.assert_array_equal(heights, expected)
    assert [label.get_text() for label in panels[-1].get_xticklabels()] == order
