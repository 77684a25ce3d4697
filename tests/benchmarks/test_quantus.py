"""Measures of heatmaps are those of Quantus where definitions agree."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("quantus", reason="quantus is in the extra rivals")

from quantus_speed import measures

COMPARED = {
    "entropy and Gini index": 1e-5, "absolute and positive share of a region": 1e-6,
    "layers random from the top": 1e-6, "input shift": 0, "continuity": 1e-4,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_measures_are_those_of_quantus():
    found = {one.name: one for one in measures(4, 16)}
    assert set(found) == set(COMPARED)
    for name, tolerance in COMPARED.items():
        ours, theirs = (np.asarray(each(), float) for each in (found[name].ours, found[name].theirs))
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=name)
        assert ours.std() > 0 or name == "input shift"
