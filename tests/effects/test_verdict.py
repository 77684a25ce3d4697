from dataclasses import replace

import numpy as np
import pytest

from unhans.effects import FEWEST, MINIMUM, Proof
from unhans.effects.effect import trial
from unhans.effects.verdict import judge
from unhans.report.text import PROBABILITY, signed, verdict_grounds, verdict_summary
from unhans.report.text.verdict_text import verdict_missing


def of(name, change, n=100, spread=0.02, start=0.1, indices=None, detail=""):
    """A trial whose changes of the probability have this mean and spread."""
    rng = np.random.default_rng(len(name))
    wobble = rng.normal(size=n)
    after = np.clip(start + change + spread * (wobble - wobble.mean()), 1e-6, 1 - 1e-6)
    before, after = (np.log(np.stack([1 - p, p], axis=1)) for p in (np.full(n, start), after))
    return trial(name, before, after, 1, np.arange(n) if indices is None else indices, detail=detail)


class Found:
    """A verdict, and what is said of it."""

    def __init__(self, added, removed):
        self.verdict = judge(added)
        self.proof = Proof(1, "bee", added, removed, self.verdict, (), ())
        self.grounds = verdict_grounds(self.proof)
        self.summary, self.missing = verdict_summary(self.proof), verdict_missing(self.proof)
        self.sentence = " ".join([self.summary, *self.grounds.values()])
        self.effect, self.controls, self.removal = (
            self.grounds.get(label, "") for label in ("Effect", "Controls", "Removal")
        )

    def __getattr__(self, name):
        return getattr(self.verdict, name)


def verdict(artifact, *controls, removed=()):
    return Found((artifact, *controls), removed)


def test_an_effect_above_all_controls_is_proven():
    found = verdict(of("artifact", 0.5), of("mean colour", 0.1), of("patch of the class", 0.0))
    assert found.name == "proven"
    assert found.summary == "Proven: the network uses the artifact as a sign of 'bee'."
    assert found.effect.startswith(
        "Added to 100 samples of other classes, the artifact changes the probability of 'bee' by +0.500 ["
    )
    assert "100 % [96, 100] of them are newly predicted as 'bee'" in found.effect
    assert found.controls.startswith("The artifact does more than each of its 2 controls: its area in its mean colour")
    assert "changes the probability by +0.100 [+0.060, +0.133] (difference: +0.400 [+0.349, +0.422])" in found.controls
    test = "p < 1e-12, at most 0.05 is allowed."
    assert found.grounds == {"Effect": found.effect, "Controls": found.controls, "Test": test}
    assert (found.reason, found.missing, found.tests, found.rate) == (None, "", 1, 0.05)
    assert found.decided_by == ("mean colour",)  # the nearest to it: the largest p-value


@pytest.mark.parametrize(
    ("change", "spread", "words"),
    [
        (0.0, 0.02, f"An effect of {MINIMUM} or more is excluded"),
        (0.02, 0.01, f"It raises the probability, but an effect of {MINIMUM} or more is excluded"),
        (-0.08, 0.01, "It makes the class less probable"),
    ],
)
def test_an_effect_that_is_excluded_is_none(change, spread, words):
    found = verdict(of("artifact", change, 400, spread=spread), of("mean colour", -0.09, 400))
    assert found.name == "not used"
    assert found.summary == "Not used: for the network, the artifact alone is no sign of 'bee'."
    assert words in found.effect
    assert found.controls == ""


@pytest.mark.parametrize(("change", "spread", "n"), [(0.2, 0.5, 20), (0.04, 0.1, 100), (0.0, 0.6, 30), (0.06, 0.1, 60)])
def test_an_effect_that_is_neither_shown_nor_excluded_is_open(change, spread, n):
    artifact = of("artifact", change, n, spread, start=0.5)
    low, high = artifact.effect.probability_interval
    assert low < MINIMUM < high
    found = verdict(artifact, of("mean colour", -0.09, n))
    assert found.name == "open"
    assert found.summary == (f"Open: an effect of 0.05 or more is neither shown nor excluded by {n} samples.")


@pytest.mark.parametrize(
    ("change", "spread", "n", "enough"),
    [
        (0.2, 0.5, 20, "About 81 samples would decide"),
        (0.04, 0.1, 100, "samples would decide"),
        (0.05, 0.1, 20, "No number"),
    ],
)
def test_what_is_missing_is_estimated(change, spread, n, enough):
    found = verdict(of("artifact", change, n, spread, start=0.4), of("mean colour", 0.0, n))
    assert (found.name, found.reason) == ("open", "neither shown nor excluded")
    assert enough in found.missing
    assert found.grounds["Missing"] == found.missing


def test_an_interval_alone_is_not_enough_where_the_exact_test_is_not_sure():
    """A few samples with a large effect, most with none: the bootstrap's interval lies high enough, bets do not win."""
    changes = np.tile([0.0, 0.22], 8)
    p = np.stack([0.9 - changes, 0.1 + changes], axis=1)
    artifact = trial("artifact", np.log(np.tile([0.9, 0.1], (16, 1))), np.log(p), 1, np.arange(16))
    effect = replace(artifact.effect, probability_interval=(MINIMUM, 0.2))
    found = verdict(replace(artifact, effect=effect), of("mean colour", 0.0, 16, spread=0.0))
    assert found.p_value > 0.05
    assert (found.name, found.reason, found.q_value) == ("open", "neither shown nor excluded", 1.0)
    assert found.grounds["Test"].startswith("p = 0.")


def test_more_samples_do_not_help_where_a_control_does_more():
    found = verdict(of("artifact", 0.5), of("mean colour", 0.55))
    assert found.missing.startswith("More samples would not decide this: on these, the artifact changes")
    near = verdict(of("artifact", 0.5, spread=0.05), of("mean colour", 0.49, spread=0.05))
    assert (near.reason, near.missing[:6]) == ("not told from a control", "About ")


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [
        (MINIMUM, 0.9, "proven"),
        (MINIMUM - 1e-9, 0.9, "open"),
        (-0.3, MINIMUM, "open"),
        (-0.3, MINIMUM - 1e-9, "not used"),
        (0.01, MINIMUM - 1e-9, "not used"),
    ],
)
def test_the_minimum_is_for_both_ends(low, high, name):
    artifact = of("artifact", 0.5)
    effect = replace(artifact.effect, probability_interval=(low, high), share=0.02, share_interval=(0.01, 0.07))
    assert verdict(replace(artifact, effect=effect), of("mean colour", 0.0)).name == name


def test_samples_that_change_sides_are_an_effect_though_the_probability_hardly_moves():
    artifact = of("artifact", 0.0)
    unmoved = replace(artifact.effect, probability_interval=(0.0, 0.01), share=0.6, share_interval=(MINIMUM, 0.7))
    found = verdict(replace(artifact, effect=unmoved), of("mean colour", 0.0))
    assert found.name == "open"
    assert found.reason == "flips alone"
    assert "60 % [5, 70] of the samples are newly predicted as 'bee'" in found.summary


def test_one_control_that_does_as_much_is_enough():
    found = verdict(of("artifact", 0.5), of("mean colour", 0.1), of("patch of the class", 0.52))
    assert found.name == "open"
    assert found.summary.startswith(
        "Open: not told from its control. The artifact raises the probability of 'bee', but"
    )
    assert (found.reason, found.decided_by) == ("not told from a control", ("patch of the class",))
    assert "a patch of the class in its area" in found.summary
    assert "cannot be told from its control: a patch of the class in its area changes the probability by +0.520" in (
        found.controls
    )
    assert "It does more than the others: its area in its mean colour changes" in found.controls
    both = verdict(of("artifact", 0.5), of("mean colour", 0.5), of("other classes", 0.6, detail="dog"))
    assert both.summary.startswith("Open: not told from its controls. ")
    assert both.decided_by == ("mean colour", "other classes")
    assert "its effect on 'dog', the class that gains most from it besides" in both.summary


def test_controls_that_could_not_be_had_are_named():
    alone = verdict(of("artifact", 0.5), of("mean colour", 0.1)).controls
    assert alone.startswith("The artifact does more than its only control: ")
    assert "The patch of the class is left out: too few samples" in alone
    assert "another class is left out: there are only two classes." in alone
    every = of("mean colour", 0.1), of("patch of the class", 0.1), of("other classes", 0.1, detail="dog")
    assert "left out" not in verdict(of("artifact", 0.5), *every).controls


def test_the_difference_is_paired():
    """Both vary far more than they differ, but sample by sample they differ by the same: apart they would overlap."""
    changes = np.random.default_rng(0).uniform(0.1, 0.8, 200)
    base = np.log(np.tile([0.9, 0.1], (200, 1)))

    def shifted(name, more):
        p = 0.1 + changes * 0.9 + more
        return trial(name, base, np.log(np.stack([1 - p, p], axis=1)), 1, np.arange(200))

    artifact, control = shifted("artifact", 0.06), shifted("mean colour", 0.03)
    assert artifact.effect.probability_interval[0] < control.effect.probability_interval[1]
    assert judge([artifact, control]).name == "proven"
    assert judge([control, artifact]).name == "open"


@pytest.mark.parametrize("n", [1, 2, FEWEST - 1])
@pytest.mark.parametrize("change", [0.0, 0.8])
def test_few_samples_neither_prove_nor_exclude(n, change):
    found = verdict(of("artifact", change, n=n, spread=0.0), of("mean colour", 0.0, n=n, spread=0.0))
    assert found.name == "open"
    assert f"Added to {n} sample{'s' * (n > 1)} of" in found.sentence
    assert (found.reason, found.decided_by) == ("too few samples", ("artifact",))
    assert found.missing == f"{FEWEST} samples or more for each comparison."
    assert f"A verdict takes {FEWEST} for each comparison, but one has only {n}" in found.summary


def test_a_control_on_few_samples_does_not_prove_either():
    few = of("mean colour", -0.09, n=9, indices=np.arange(9))
    found = verdict(of("artifact", 0.85, spread=0.001), few)
    assert found.name == "open"
    assert "but one has only 9" in found.summary
    assert (found.reason, found.decided_by) == ("too few samples", ("mean colour",))
    assert "does more than its only control" in found.controls


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
        f"Taken away from 100 affected samples (fill: telea), it changes the probability of 'bee' by {signed(away, 3)}"
        in (found.sentence)
    )
    assert verdict(of("artifact", 0.0), of("mean colour", 0.0), removed=removed).name == "not used"


def test_what_was_not_recognised_before_shows_no_back_up():
    removed = of("telea", -0.01, start=0.3), of("elsewhere", 0.0, start=0.3, detail="telea")
    found = verdict(of("artifact", 0.5), of("mean colour", 0.1), removed=removed)
    assert "only 0 of them were recognised before, so little could be lost" in found.removal


def test_one_donor_of_pixels_is_one_sample():
    """However many samples its pixels are pasted on: that class has one image, which may be unlike its others."""
    patch = of("patch of the class", 0.0)
    assert verdict(of("artifact", 0.5), replace(patch, donors=np.arange(100))).name == "proven"
    found = verdict(of("artifact", 0.5), replace(patch, donors=np.zeros(100, dtype=np.int64)))
    assert found.name == "open"
    assert "but one has only 1" in found.summary
    assert found.missing == "10 images that lend their pixels or more for each comparison."


def test_few_affected_samples_are_said():
    removed = of("telea", -0.6, n=5, start=0.85), of("elsewhere", 0.0, n=5, start=0.85)
    found = verdict(of("artifact", 0.5), of("mean colour", 0.1), removed=removed)
    assert "too few samples to say whether the network leans on it" in found.sentence


def test_a_change_of_nothing_is_said_in_words():
    found = verdict(of("artifact", -0.0001, 100, 0.00001), of("mean colour", 0.0))
    assert "its rank by less than 0.01" in found.sentence
    assert "0.00 [" not in found.sentence
    assert "-" not in found.sentence


@pytest.mark.parametrize(
    ("value", "interval", "said"),
    [
        (0.5049, (0.4, 0.6), "+0.505 [+0.400, +0.600]"),
        (-0.0004, (-0.002, 0.0), "0.000 [−0.002, 0.000]"),
        (0.0004, (0.0, 0.00049), "less than 0.001"),
        (0.0, (-np.inf, np.inf), "0.000 [−∞, +∞]"),
    ],
)
def test_changes_are_written_with_their_interval(value, interval, said):
    assert PROBABILITY.with_interval(value, interval) == said
