import numpy as np
import pytest

from unhans.artifacts.trial import Trial, trial
from unhans.artifacts.verdict import FEWEST, MINIMUM, judge


def of(name, change, n=100, spread=0.02, start=0.1, indices=None, detail=""):
    """A trial whose changes of the probability have this mean and spread."""
    rng = np.random.default_rng(len(name))
    wobble = rng.normal(size=n)
    after = np.clip(start + change + spread * (wobble - wobble.mean()), 1e-6, 1 - 1e-6)
    before, after = (np.log(np.stack([1 - p, p], axis=1)) for p in (np.full(n, start), after))
    return trial(name, before, after, 1, np.arange(n) if indices is None else indices, detail=detail)


def verdict(artifact, *controls, removed=()):
    return judge((artifact, *controls), removed, "bee")


def test_an_effect_above_all_controls_is_proven():
    found = verdict(of("artifact", 0.5), of("mean colour", 0.1), of("patch of the class", 0.0))
    assert found.name == "proven"
    assert (
        "Pasted on 100 samples of other classes, the artifact changes the probability of 'bee' by +0.50"
        in found.sentence
    )
    assert "the closest, its area in its mean colour, changes it by +0.10" in found.sentence
    assert "the artifact by +0.40 [+0.39, +0.41] more" in found.sentence


@pytest.mark.parametrize(
    ("change", "spread", "words"),
    [
        (0.0, 0.02, f"An effect of {MINIMUM} or more is excluded"),
        (0.02, 0.01, f"It raises the probability, but an effect of {MINIMUM} or more is excluded"),
        (-0.08, 0.01, "It makes the class less probable"),
        (0.04, 0.1, "is not shown; with these samples one larger than 0.07 is excluded"),
    ],
)
def test_what_is_too_small_or_not_shown_is_no_effect(change, spread, words):
    found = verdict(of("artifact", change, spread=spread), of("mean colour", -0.09))
    assert found.name == "no effect"
    assert words in found.sentence


def test_the_minimum_is_for_the_lower_end():
    assert verdict(of("artifact", MINIMUM + 0.003, spread=0.02), of("mean colour", 0.0)).name == "no effect"
    assert verdict(of("artifact", MINIMUM + 0.006, spread=0.02), of("mean colour", 0.0)).name == "proven"


def test_one_control_that_does_as_much_is_enough():
    found = verdict(of("artifact", 0.5), of("mean colour", 0.1), of("patch of the class", 0.52))
    assert found.name == "not separable"
    assert "It cannot be told from its control: a patch of the class in its area changes it by +0.52" in found.sentence
    assert "mean colour" not in found.sentence
    both = verdict(of("artifact", 0.5), of("mean colour", 0.5), of("other classes", 0.6, detail="dog"))
    assert "from its controls: " in both.sentence
    assert "the class that gains most from it besides, 'dog'," in both.sentence


def test_the_difference_is_paired():
    """Both vary far more than they differ, but sample by sample they differ by the same: apart they would overlap."""
    changes = np.random.default_rng(0).uniform(0.1, 0.8, 60)
    base = np.log(np.tile([0.9, 0.1], (60, 1)))

    def shifted(name, more):
        p = 0.1 + changes * 0.9 + more
        return trial(name, base, np.log(np.stack([1 - p, p], axis=1)), 1, np.arange(60))

    artifact, control = shifted("artifact", 0.06), shifted("mean colour", 0.04)
    assert artifact.effect.probability_interval[0] < control.effect.probability_interval[1]
    assert judge([artifact, control], (), "bee").name == "proven"
    assert judge([control, artifact], (), "bee").name == "not separable"


@pytest.mark.parametrize("n", [1, 2, FEWEST - 1])
def test_few_samples_never_prove(n):
    found = verdict(of("artifact", 0.8, n=n, spread=0.0), of("mean colour", 0.0, n=n, spread=0.0))
    assert found.name != "proven"
    assert f"Pasted on {n} sample{'s' * (n > 1)} of" in found.sentence
    few = verdict(of("artifact", 0.0, n=n, spread=0.0), of("mean colour", 0.0, n=n, spread=0.0))
    assert f"fewer than {FEWEST} samples exclude none" in few.sentence
    if n > 1:
        assert found.name == "not separable"
        assert f"A proof takes {FEWEST} samples per comparison, got {n}." in found.sentence


def test_a_control_on_few_samples_does_not_prove_either():
    few = of("other classes", 0.0, n=4, indices=np.arange(4), detail="dog")
    assert verdict(of("artifact", 0.5), few).name == "not separable"


@pytest.mark.parametrize(
    ("away", "elsewhere", "words"),
    [
        (-0.6, -0.1, "the network leans on it"),
        (-0.01, 0.0, "the network has back-up strategies"),
        (-0.6, -0.62, "stays open"),
        (0.1, 0.0, "the network has back-up strategies"),
    ],
)
def test_removal_is_graded_and_does_not_decide(away, elsewhere, words):
    removed = of("telea", away, start=0.85), of("elsewhere", elsewhere, start=0.85, detail="telea")
    found = verdict(of("artifact", 0.5), of("mean colour", 0.1), removed=removed)
    assert found.name == "proven"
    assert found.sentence.endswith(".")
    assert words in found.sentence
    assert (
        f"Taken away from 100 affected samples (fill: telea), it changes the probability of 'bee' by {away:+.2f}"
        in (found.sentence)
    )
    assert verdict(of("artifact", 0.0), of("mean colour", 0.0), removed=removed).name == "no effect"


def test_few_affected_samples_are_said():
    removed = of("telea", -0.6, n=5, start=0.85), of("elsewhere", 0.0, n=5, start=0.85)
    found = verdict(of("artifact", 0.5), of("mean colour", 0.1), removed=removed)
    assert "too few samples to say whether the network leans on it" in found.sentence


def test_numbers_have_no_negative_zero():
    found = verdict(of("artifact", -0.001, spread=0.0001), of("mean colour", 0.0))
    assert "-0.00" not in found.sentence
    assert isinstance(of("artifact", 0.1), Trial)
