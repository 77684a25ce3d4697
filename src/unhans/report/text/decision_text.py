"""What a training run decided about its own artifacts, in words."""

from __future__ import annotations

from unhans.effects import MINIMUM
from unhans.repair import Act, Decision, ProvenArtifact
from unhans.report.text.number_format import PROBABILITY, REASON, UNKNOWN, shorten, signed

ACTIONS = {
    "augment": "its artifact is laid over the training images of all classes from now on",
    "a_clarc": "its artifact is added to the features of all training images from now on (A-ClArC)",
    "none": "this is a dry run, so nothing is done; act=augment would lay its artifact over the training images of "
    "all classes, act=a_clarc would add it to their features",
}
ACTED = {
    "augment": "laid over all training images",
    "a_clarc": "in the features of all training images",
    "none": "nothing was done about it",
}
STANDINGS = {
    "proven": "still proven",
    "not used": f"no longer proven, an effect of {MINIMUM} or more is excluded",
    "open": "not proven any more, but its effect is not excluded either",
}
TURNED = f"no longer proven: by {MINIMUM} or more it makes the class less probable"
UNPROVEN = {
    "not tested": "it was not verified in this audit (the most suspicious are), there was no time, or it failed",
    "not used": "its artifact is not used",
    "too few samples": "there are too few samples to tell whether its artifact is used",
    "neither shown nor excluded": "an effect of its artifact is neither shown nor excluded",
    "flips alone": "images with its artifact are newly predicted as the class, but its probability hardly moves",
    "not told from a control": "its artifact's effect cannot be told from that of a control",
    "multiplicity": "its artifact's effect is not sure enough among all that was tested",
    "not isolated": "no artifact could be isolated from its images",
    "features only": "an effect was tested in feature space only, so no artifact is known",
}


def decision_reason(decision: Decision) -> str:
    """Say why a decision was taken."""
    if decision.done == "measured again":
        again = decision.verdict == "proven" != decision.before
        standing = "proven again" if again else _standing(decision.verdict, decision.delta_p_high)
        return f"the artifact proven after epoch {decision.since} ({ACTED[decision.act]}) is {standing}"
    if decision.done != "did not act":
        return f"proven: {ACTIONS[decision.act]}"
    if decision.trouble:
        trouble = shorten(" ".join(decision.trouble.split()), REASON).rstrip(".")
        return f"proven, but acting on it failed: {trouble}"
    if decision.verdict == "proven":
        return f"proven in {decision.streak} of {decision.patience} audits in a row; nothing is done yet"
    return f"suspicious, but nothing is done: {UNPROVEN[decision.reason or decision.verdict]}"


def decision_line(decision: Decision) -> str:
    """Say a decision in one line for the terminal."""
    evidence = "" if decision.n is None else f" ({decision_change(decision)}, n {decision.n})"
    return f"epoch {decision.epoch}: class {decision.name!r}: {decision_reason(decision)}{evidence}"


def decision_change(decision: Decision) -> str:
    """Write Δp of a decision's artifact with its interval."""
    if decision.delta_p is None:
        return UNKNOWN
    return f"Δp {PROBABILITY.with_interval(decision.delta_p, (decision.delta_p_low, decision.delta_p_high))}"


def artifact_sentence(each: ProvenArtifact, act: Act) -> str:
    """Say in a sentence what became of an artifact from its proof to the last measurement."""
    effects = [signed(effect.probability, 3) for effect in each.effects]
    begun = f"Class {each.name!r}: proven after epoch {each.since} (Δp {effects[0]})"
    action = f"since then {ACTED[act]}" if each.acted else "a dry run, so nothing was done about it"
    if len(effects) == 1:
        return f"{begun}; {action}, and no audit followed that could tell what this does."
    standing = _standing(each.verdicts[-1], each.effects[-1].probability_interval[1])
    return f"{begun}; {action}; Δp {' → '.join(effects[-6:])}; the last audit: {standing} (Δp {effects[-1]})."


def _standing(verdict: str, high: float | None) -> str:
    """Say a verdict; where no effect towards the class is left, there may be as large a one away from it."""
    turned = verdict == "not used" and high is not None and high <= -MINIMUM
    return TURNED if turned else STANDINGS[verdict]
