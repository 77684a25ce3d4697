"""Outcomes of repairs with made-up numbers that look like real ones, without a network."""

from functools import cache
from pathlib import Path

import numpy as np

from unhans.effects import Portion, flip_effect
from unhans.repair import METHODS, Assessment, FittedConcept, Outcome, Point
from unhans.stats import Rate, area_of, bootstrap

CLASSES = ("tench", "<script>boom()</script> & $chain$ saw", "French horn", "garbage truck", "gas pump")
LABEL = 3
N = 100  # validation images of each class

CONCEPT = FittedConcept("features.3", "pattern", "positions", 0.98, 200, 190, "pasted")

# clean, added, removed accuracy; shift of the logit by the artifact; relevance in the mask; seconds; what was chosen
TRUTHS = {
    "uncorrected": (0.927, 0.52, 0.70, 4.0, 0.46, 0.0, {}),
    "unaltered": (0.93, 0.55, 0.72, 3.6, 0.44, 131.0, {}),
    "augmented": (0.935, 0.93, 0.90, 0.05, 0.03, 133.0, {}),
    "a_clarc": (0.92, 0.90, 0.88, 0.3, 0.07, 142.0, {"concept": CONCEPT}),
    "p_clarc": (0.925, 0.91, 0.86, 0.1, 0.05, 6.4, {"concept": CONCEPT}),
    "reactive": (0.927, 0.905, 0.86, 0.12, 0.05, 6.6, {"concept": CONCEPT}),
    "right_reasons": (0.90, 0.78, 0.80, 1.5, 0.09, 260.0, {"weight": 10.0}),
}


def rate(share, n, random):
    return Rate(int(random.binomial(n, share)), n)


def effect_of(shift, random, n=200):
    before = random.normal(size=(n, len(CLASSES)))
    before[np.arange(n), random.choice([0, 1, 2, 4], n)] += 3
    after = before + random.normal(scale=0.2, size=before.shape)
    after[:, LABEL] += shift
    return flip_effect(before, after, LABEL)


@cache
def assessment_of(method, seed=0):
    clean, added, removed, shift, relevance, _, _ = TRUTHS[method]
    random = np.random.default_rng([seed, METHODS.index(method)])
    groups = {}
    for number, name in enumerate(CLASSES):
        groups[name, False] = rate(clean, N, random)
        groups[name, True] = rate(0.98 if number == LABEL else added - 0.02 * number, N, random)
    clean, added = (Rate(sum(groups[name, way].correct for name in CLASSES), N * len(CLASSES)) for way in (False, True))
    shares = np.clip(random.normal(relevance, 0.03 + 0.2 * relevance, 40), 0, 1)
    portion = Portion(40, float(shares.mean()), bootstrap(shares, possible=1.0))
    effect, area = effect_of(shift, random), area_of(random.normal(2.5, 1, N), random.normal(0, 1, 4 * N))
    origins = {"removed_from": "val", "relevance_on": "val", "area": area}
    return Assessment(clean, added, rate(removed, 60, random), groups, effect, portion, **origins)


def curve_of(method, seed=0, epochs=10):
    if method in ("uncorrected", "p_clarc", "reactive"):
        return ()
    clean, added, _, _, last, _, _ = TRUTHS[method]
    random = np.random.default_rng([seed, 7, METHODS.index(method)])
    points = []
    for epoch in range(epochs + 1):
        near = 1 - np.exp(-epoch / 2)
        numbers = (0.46 + near * (last - 0.46), 0.92 + near * (clean - 0.92), 0.52 + near * (added - 0.52))
        points.append(Point(epoch, *(float(np.clip(x + random.normal(0, 0.012), 0, 1)) for x in numbers)))
    return tuple(points)


def outcome_of(method, seed=0, folder=Path("out"), **changes):
    values = {
        "method": method, "seed": seed, "seconds": TRUTHS[method][5] + seed, "assessment": assessment_of(method, seed),
        "curve": curve_of(method, seed), "folder": folder / method / f"seed_{seed:03d}", **TRUTHS[method][6],
    }  # fmt: skip
    return Outcome(**values | changes)


def outcomes_of(methods=METHODS, seeds=3):
    """Return an outcome of every method and seed; the uncorrected network is the same for all seeds."""
    return [
        outcome_of(method, seed, assessment=assessment_of(method, 0 if method == "uncorrected" else seed))
        for method in methods
        for seed in range(seeds)
    ]
