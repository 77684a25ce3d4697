"""One error rate over everything that is tested: the false-discovery rate, over artifacts and over looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scipy.stats import false_discovery_control

from unhans.effects.case import Case
from unhans.effects.proof import Proof
from unhans.effects.verdict import RATE, Verdict


def rate_of(look: int | None, rate: float = RATE) -> float:
    """Return what a look may spend of the error rate: α / (t (t + 1)) for t = 1, 2, …, which sums to α over all looks.

    Args:
        look: t; None is the only one, which may spend everything.

    Raises:
        ValueError: the look is below 1.
    """
    if look is None:
        return rate
    if look < 1:
        raise ValueError(f"looks are counted from 1, got look {look}")
    return rate / (look * (look + 1))


def decide(cases: Sequence[Case], look: int | None = None, rate: float = RATE) -> list[Case]:
    """Return all cases of one look with their final verdicts: only what is sure enough among all of them stays proven.

    A look is an audited epoch, or one run of `analysis=effect`. Benjamini and Hochberg's procedure (1995) is applied to
    the p-values of all cases with a proof, at the look's share of the rate (`rate_of`). A case that is not proven by
    the rule of `judge` counts as a test with p = 1, so what stays proven is what the procedure rejects. A case that was
    proven alone and is not among the others is open, for multiplicity. Cases without a proof count no test and come
    back as they are. To decide again, in a larger family too, gives what deciding at once would have given.

    With V_t false ones among the R_t that are proven in look t, the expectation of V_t / R_t is at most the share α_t
    of the look: the p-values are 1 / e-values, for which the procedure holds however the tests depend on each other
    [Wang & Ramdas 2022]. Over all looks V = Σ V_t and R = Σ R_t ≥ R_t, so that V / R ≤ Σ V_t / R_t, whose expectation
    is at most Σ α_t = α: of everything that is ever said to be proven, a share of α is false at most, on average.

    Args:
        cases: all that were tested in this look, proven or not.
        look: its number, from 1, among those of one network or training run; None: there is only this one.
        rate: the false-discovery rate α over all looks.

    Raises:
        ValueError: the look is below 1.
    """
    allowed = rate_of(look, rate)
    proofs = [case.proof for case in cases if case.proof is not None]
    if not proofs:
        return list(cases)
    adjusted = iter(false_discovery_control([_p_value(proof.verdict) for proof in proofs], method="bh"))
    return [
        case if case.proof is None else replace(case, proof=_settled(case.proof, next(adjusted), len(proofs), allowed))
        for case in cases
    ]


def _alone(verdict: Verdict) -> bool:
    """Whether an artifact is proven if nothing else was tested."""
    return verdict.name == "proven" or verdict.reason == "multiplicity"


def _p_value(verdict: Verdict) -> float:
    return verdict.p_value if _alone(verdict) and verdict.p_value is not None else 1.0


def _settled(proof: Proof, adjusted: float, tests: int, allowed: float) -> Proof:
    """The proof with the verdict that holds among all tests."""
    verdict = replace(proof.verdict, q_value=float(adjusted), tests=tests, rate=allowed)
    if _alone(verdict):
        name, reason = ("proven", None) if adjusted <= allowed else ("open", "multiplicity")
        verdict = replace(verdict, name=name, reason=reason)
    return replace(proof, verdict=verdict)
