"""Whether heatmaps are right, in sentences: what is unknown is said to be."""

from __future__ import annotations

import numpy as np

from unhans.faithfulness import RandomizedStep
from unhans.report.tables.quality import label_rows, sanity_rows
from unhans.report.text.quality import class_sentence, label_sentence, sanity_sentence
from unhans.stats import Estimate

NAN = float("nan")


def steps(*correlations):
    return [RandomizedStep(f"layer{i}", np.array(each), np.array(each)) for i, each in enumerate(correlations)]


def test_maps_without_a_rank_correlation_are_counted():
    known, some, none = [0.9, 0.7], [0.2, NAN], [NAN, NAN]
    assert sanity_sentence("LRP", steps(known, none)) == (
        "LRP: whether heatmaps depend on what the network has learned is not known; one of the two maps is constant "
        "for 2 of 2 images."
    )
    assert (
        "change with what the network has learned (Spearman’s ρ of |R| 0.20 once all are random; one of the two "
        in (sanity_sentence("LRP", steps(known, some)))
    )
    assert "for 1 of 2 images, which are left out" in sanity_sentence("LRP", steps(known, some))
    unknown = label_sentence("LRP", steps(none, known))
    assert "whether heatmaps depend on the labels that the network was trained on is not known" in unknown
    assert "(Spearman’s ρ of |R|: unknown with permuted ones, +0.80" in unknown
    assert "n = 2; left out, as one of the two maps is constant: 2 and 0)." in unknown
    assert "nan" not in unknown
    assert "left out" not in label_sentence("LRP", steps(known, known))
    for rows in (sanity_rows, label_rows):
        assert [row[-2:] for row in rows({"LRP": steps(known, some, none)}).rows] == [(2, 2), (1, 2), (0, 2)]


def test_classes_whose_heatmaps_are_better_or_worse_than_random_are_named():
    ends = {"cat": (0.1, 0.3), "dog": (-0.3, -0.1), "cow": (-0.1, 0.1)} | {f"c{i}": (0.1, 0.2) for i in range(6)}
    found = {name: Estimate(sum(each) / 2, each, "samples", 1, 6) for name, each in ends.items()}
    found["ant"] = Estimate(0.2, (0.1, 0.3), "samples", 1, 5)
    assert class_sentence("LRP", found, "morf") == (
        "LRP, 10 classes apart: better than random order in 7 (cat, c0, c1, c2, c3 and 2 more); worse than random "
        "order in 1 (dog); not told from it in 1; too few images to tell in 1, which takes 6 (analysis.per_class) "
        "(n = 6 each, or fewer)."
    )
    assert "better than random order in 1 (dog)" in class_sentence("LRP", found, "lerf")
