"""Cases of a class as an examination may find them: proven, not used, open for every reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from unhans.effects import Case, FeatureEffect, Proof, Trial, flip_effect
from unhans.effects.verdict import judge
from unhans.isolation import Failure, Isolated
from unhans.isolation.isolated import boxes

WEAK = 1.6  # a change that is proven alone and not sure enough after the first look
INDEX = np.arange(1, 33, 2)
OTHERS = np.arange(0, 32, 2)

FAILURES = (Failure("parts disagree"),)


def isolated(alpha=1.0):
    layer = torch.zeros(4, 16, 16)
    layer[:, :5, :5] = alpha
    masks = np.zeros((16, 16, 16), dtype=bool)
    masks[::2, :5, :5] = True
    return Isolated("fixed", (layer,), masks.any((1, 2)), masks, None, 1.0, boxes(masks))


def proof_of(change, control=0.0, n=16):
    """A proof whose artifact changes the logit of class 1 in proportion to `change`, and its control to `control`.

    Where it rises, it does so from 0.02: the more it can rise, the fewer samples are enough.
    """
    before = np.array([4.0 * (change > 0), 0]) + np.linspace(0, 0.01, n)[:, None] * [1, -1]

    def tried(name, by):
        after = before + np.array([0, by * (2.5 if change > 0 else 1)])
        differences = np.array([flip_effect(before[[i]], after[[i]], 1).probability for i in range(n)])
        indices = OTHERS[:n] if n <= len(OTHERS) else np.arange(n)
        return Trial(name, flip_effect(before, after, 1), differences, indices)

    added = tried("artifact", change), tried("mean colour", control)
    return Proof(1, "1", added, (), judge(added), (), ())


CASES = {
    "proven": Case(1, "1", isolated=isolated(), proof=proof_of(3.0)),
    "not used": Case(1, "1", isolated=isolated(), proof=proof_of(-3.0)),
    "as the control": Case(1, "1", isolated=isolated(), proof=proof_of(3.0, 3.0)),
    "too few": Case(1, "1", isolated=isolated(), proof=proof_of(3.0, n=9)),
    "not isolated": Case(1, "1", failures=FAILURES),
    "no layer": Case(1, "1", isolated=replace(isolated(), kind="global", layers=()), failures=FAILURES),
    "features only": Case(1, "1", features=FeatureEffect("conv", proof_of(3.0).added)),
    "not verified": None,
}
