"""One error rate: over the artifacts of a look, and over the looks."""

from dataclasses import replace

import numpy as np
import pytest

from unhans.effects import Case, Proof, decide
from unhans.effects.effect import trial
from unhans.effects.false_discovery import rate_of
from unhans.effects.verdict import judge
from unhans.isolation import Failure
from unhans.report.text import verdict_grounds, verdict_summary
from unhans.report.text.verdict_text import verdict_missing


def case_of(change, n=40, label=1, spread=0.0, control=0.0, seed=0):
    """A case whose artifact changes the probability by this much, and its control by `control`."""
    wobble = spread * np.random.default_rng(seed).uniform(-1, 1, n)
    before = np.log(np.tile([0.9, 0.1], (n, 1)))

    def tried(name, by):
        p = np.clip(0.1 + by, 1e-6, 1 - 1e-6)
        return trial(name, before, np.log(np.stack([1 - p, p], axis=1)), 1, np.arange(n))

    added = tried("artifact", change + wobble), tried("mean colour", np.full(n, control))
    return Case(label, "bee", proof=Proof(label, "bee", added, (), judge(added), (), ()))


def slow(p_values, rate):
    """Benjamini and Hochberg's step-up procedure, word for word: the largest k with p_(k) ≤ k α / m."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    passed = [k for k, i in enumerate(order, 1) if p_values[i] <= k * rate / len(p_values)]
    return set(order[: max(passed, default=0)])


STRONG, WEAK = case_of(0.8), case_of(0.2)


def test_one_test_alone_is_decided_as_by_judge():
    assert STRONG.proven
    assert WEAK.proven
    assert decide([WEAK]) == [replace(WEAK)]
    assert (WEAK.proof.verdict.tests, WEAK.proof.verdict.rate) == (1, 0.05)
    assert WEAK.proof.verdict.q_value == WEAK.proof.verdict.p_value


def test_among_many_only_what_is_sure_enough_stays_proven():
    family = [STRONG, *[case_of(0.0)] * 30, WEAK, case_of(0.6, spread=0.3)]
    found = decide(family)
    expected = slow([each.proof.verdict.p_value for each in family], 0.05)
    assert {i for i, each in enumerate(found) if each.proven} == expected == {0, 32}
    proof, weak = found[31].proof, found[31].proof.verdict
    assert (weak.name, weak.reason) == ("open", "multiplicity")
    assert weak.tests == 33
    assert weak.q_value > weak.rate == 0.05 > weak.p_value
    assert verdict_summary(proof) == (
        "Open: alone its effect would be proven, but it is not sure enough among the 33 tests of this look."
    )
    assert verdict_grounds(proof)["Test"].startswith(
        f"p = {weak.p_value:.2g}; adjusted for the 33 tests of this look (Benjamini"
    )
    assert verdict_missing(proof).startswith("About ")
    assert [each.proof.verdict.name for each in found[1:31]] == [family[1].proof.verdict.name] * 30


def test_the_samples_that_are_said_to_be_missing_are_enough():
    weak = decide([WEAK, *[case_of(0.0)] * 30])[0].proof
    needed = int(verdict_missing(weak).split()[1])
    assert 40 < needed < 200
    assert decide([case_of(0.2, n=needed), *[case_of(0.0)] * 30])[0].proven
    assert not decide([case_of(0.2, n=needed - 10), *[case_of(0.0)] * 30])[0].proven


def test_a_case_that_fails_the_intervals_counts_and_is_never_proven():
    """One on too few samples, however sure, is a test of p = 1: what is proven is what the procedure rejects."""
    few = case_of(0.8, n=9)
    assert few.proof.verdict.p_value < 0.05
    found = decide([STRONG, few])
    assert [each.proof.verdict.q_value for each in found] == [2 * STRONG.proof.verdict.p_value, 1.0]
    assert (found[1].proof.verdict.name, found[1].proof.verdict.reason) == ("open", "too few samples")


def test_deciding_again_in_another_family_is_deciding_at_once():
    small, large = [WEAK], [WEAK, *[case_of(0.0)] * 30]
    assert not decide(large)[0].proven
    assert decide(decide(large)[:1]) == decide(small)
    assert decide([decide(small)[0], *large[1:]])[0].proof.verdict == decide(large)[0].proof.verdict


def test_cases_without_a_proof_are_no_test():
    without = Case(2, "ant", failures=(Failure("parts disagree"),))
    assert decide([without, WEAK])[0] is without
    assert decide([without, WEAK])[1].proof.verdict.tests == 1
    assert decide([without]) == [without]
    assert decide([]) == []


def test_all_looks_together_spend_the_rate():
    assert [rate_of(look) for look in (1, 2, 3)] == pytest.approx([0.05 / 2, 0.05 / 6, 0.05 / 12])
    assert sum(rate_of(look) for look in range(1, 100_000)) == pytest.approx(0.05, rel=1e-4)
    assert rate_of(None, 0.1) == 0.1
    with pytest.raises(ValueError, match="looks are counted from 1, got look 0"):
        decide([WEAK], look=0)


def test_a_later_look_takes_more():
    looks = [decide([WEAK], look)[0] for look in (1, 2, 5, 10, 20)]
    proven = [each.proven for each in looks]
    assert proven == sorted(proven, reverse=True)
    assert proven[0]
    assert not proven[-1]
    assert "not sure enough for this look" in verdict_summary(looks[-1].proof)
    assert all(each.proven for each in (decide([STRONG], look)[0] for look in (1, 10, 100)))


def test_false_ones_are_as_rare_as_they_should_be_over_looks_of_dependent_tests():
    """Runs of 2 looks at 8 artifacts on the same samples, 2 of them used; the effect of the others is MINIMUM."""
    shares = []
    for run in range(6):
        rng, false, every = np.random.default_rng(run), 0, 0
        for look in range(1, 3):
            common = rng.choice([-0.1, 0.1], 60)  # what all tests share
            own = rng.choice([-0.05, 0.05], (8, 60))
            cases = [case_of(0.05 + common + own[each] + 0.4 * (each < 2), n=60) for each in range(8)]
            proven = [number for number, each in enumerate(decide(cases, look)) if each.proven]
            false, every = false + sum(number >= 2 for number in proven), every + len(proven)
        shares.append(false / max(1, every))
        assert every >= 4
    assert np.mean(shares) <= 0.05
