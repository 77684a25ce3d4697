"""How surely a mean lies above a bound: p-values that hold for any distribution and any number of samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

BETS = 64  # stakes that share the capital; twice as many change no p-value by 1 %
MOST = 100_000  # samples: more than these are not asked for


def p_value(values: NDArray[np.floating], least: float = 0.0, possible: float = 1.0) -> float:
    """Return the one-sided p-value of "the mean is `least` or less", of independent values in ± possible.

    A bet that wins where the mean lies above `least` [Waudby-Smith & Ramdas 2023, §4]: a stake λ in [0, 1 / (possible +
    least)] turns a capital of 1 into W(λ) = Π (1 + λ (x_i − least)) ≥ 0. Under the hypothesis E W(λ) ≤ 1: the factors
    are independent, and by the inequality of the arithmetic and geometric means Π E(…) ≤ (1 + λ (mean − least))ⁿ ≤ 1,
    also where the x_i have different means, and by Maclaurin's inequality also where they are drawn without putting
    them back.
    Nobody knows the best stake beforehand, so the capital is spread evenly over stakes that follow the arcsine law. The
    mean of their outcomes, e, is then an e-value, and p = 1 / e is a p-value by Markov's inequality, for every n.

    - It agrees with the printed intervals (`unhans.stats.intervals`): n equal values x win at most
      ((possible + x) / (possible + least))ⁿ, which is 1 / α where the lower end of `with_unseen` at level α is `least`.
    - Student's test is not used. Where most values lie a little above and a few lie far below, p = 0.0001 by it has up
      to twenty times that probability, and so small ones are what many tests need.
    - Benjamini and Hochberg's procedure on 1 / e-values holds whatever the dependence between the tests [Wang & Ramdas
      2022]; candidates that are pasted on the same images are dependent.

    Args:
        values: (n,), each in ± possible.
        least: the largest mean that the hypothesis allows, above −possible.
        possible: the largest size of a value.
    """
    return _p(_winnings(values, least, possible))


def samples_to_show(values: NDArray[np.floating], rate: float, least: float = 0.0, possible: float = 1.0) -> int | None:
    """Return about how many values like these give a p-value of `rate` or less; None where 100,000 do not."""
    logs, n = _winnings(values, least, possible), len(values)
    enough, most = n, MOST
    if _p(logs * most / n) > rate:
        return None
    while most - enough > 1:
        middle = (enough + most) // 2
        enough, most = (enough, middle) if _p(logs * middle / n) <= rate else (middle, most)
    return enough if _p(logs * enough / n) <= rate else most


def _winnings(values: NDArray[np.floating], least: float, possible: float) -> NDArray[np.float64]:
    """The logarithms of what the stakes (BETS,) have won."""
    angles = np.pi * (2 * np.arange(1, BETS + 1) - 1) / (4 * BETS)
    stakes = np.sin(angles) ** 2 / (possible + least)
    return np.log1p(stakes[:, None] * (np.asarray(values, dtype=np.float64) - least)).sum(1)


def _p(winnings: NDArray[np.float64]) -> float:
    """One over the mean of what was won; a number above 0, so that it has a logarithm."""
    return float(np.exp(np.clip(np.log(len(winnings)) - logsumexp(winnings), np.log(np.finfo(float).tiny), 0.0)))
