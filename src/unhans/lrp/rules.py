"""The rules: how the relevance of a linear layer's outputs goes to its inputs.

Notation of METHODS §1 and [003] ch. 2: z_ij = x_i w_ij, z_j = Σ_i z_ij + b_j, z = L(x; w) + b. Every rule is
written with L and its transpose Lᵀ (the gradient of L to x), so it holds for dense layers, every convolution and
average pooling alike. A bias is a neuron that keeps its share.

Denominators: a quotient whose denominator is zero is zero, so a dead unit passes nothing on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from unhans.lrp.linear_maps import Convolution, Layer
from unhans.lrp.numerics import divide, negligible, plus, smallest, times

Half = Callable[[Tensor], Tensor]
Part = tuple[Tensor, Callable[[Tensor], Tensor]]


@dataclass(frozen=True)
class LinearCall:
    """One call z = L(x; w) + b of a linear layer.

    Attributes:
        layer, x, weight, bias: L, x, w and b.
        non_negative: whether x ≥ 0 is known from the graph.
        output: gives z as the model computed it.
        ledger: gets what a bias takes, one number per output.
    """

    layer: Layer
    x: Tensor
    weight: Tensor
    bias: Tensor | None = None
    non_negative: bool = False
    output: Callable[[], Tensor] | None = None
    ledger: list[Tensor] | None = None

    def apply(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Part:
        """Return L(x; weight) + bias and the transpose Lᵀ(·; weight)."""
        return self.layer.forward(x, weight, bias), partial(self.layer.transpose, x=x, weight=weight)

    def whole(self) -> Part:
        """Return z and R ↦ Σ_j z_ij R_j."""
        z = self.layer.forward(self.x, self.weight, self.bias) if self.output is None else self.output()
        return z, lambda share: times(self.x, self._transposed(share, self.weight, self.bias))

    def positive(self) -> Part:
        """Return z⁺ = Σ_i (x_i w_ij)⁺ + b_j⁺ and R ↦ Σ_j z⁺_ij R_j."""
        return self._signed(lambda t: t.clamp(min=0), lambda t: t.clamp(max=0))

    def negative(self) -> Part:
        """Return z⁻ = Σ_i (x_i w_ij)⁻ + b_j⁻ and R ↦ Σ_j z⁻_ij R_j."""
        return self._signed(lambda t: t.clamp(max=0), lambda t: t.clamp(min=0))

    def spread(self, relevance: Tensor) -> Tensor:
        """Return the relevance of each output in equal shares for its inputs."""
        return self.layer.spread(self.x, self.weight, relevance)

    def _signed(self, same: Half, other: Half) -> Part:
        """Pair positive inputs with one sign of the weights and negative inputs with the other."""
        bias = None if self.bias is None else same(self.bias)
        weight = same(self.weight)
        up = self.x if self.non_negative else self.x.clamp(min=0)
        z = self.layer.forward(up, weight, bias)
        if self.non_negative:
            return z, lambda share: times(up, self._transposed(share, weight, bias))
        down, against = self.x.clamp(max=0), other(self.weight)
        z = z + self.layer.forward(down, against, None)
        return (
            z,
            lambda share: (
                up * self._transposed(share, weight, bias) + down * self.layer.transpose(share, down, against)
            ),
        )

    def _transposed(self, share: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return Lᵀ(share; weight); the bias keeps its part."""
        if self.ledger is not None and bias is not None:
            self.ledger.append(share * self._shaped(bias, share))
        return self.layer.transpose(share, self.x, weight)

    def _shaped(self, bias: Tensor, share: Tensor) -> Tensor:
        """The bias of every output."""
        return self.layer.forward(torch.zeros_like(self.x), self.weight, bias).expand_as(share)


# A rule takes one call of a linear layer and the relevance of its outputs to the relevance of `call.x`, of its shape.
# One whose relevance is not in proportion to the input says so by an attribute `proportional` that is false: sums,
# average pooling and norms below it then share by their weights alone, since their own value may be near zero.
Rule = Callable[[LinearCall, Tensor], Tensor]


@dataclass(frozen=True)
class Epsilon:
    """ε: z_ij / (z_j + ε sign z_j) R_j with sign 0 = +1 ([003] eq. for ε; ε = 0 is rule 0)."""

    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        _check_amount("Epsilon", "epsilon", self.epsilon)

    def __call__(self, call: LinearCall, relevance: Tensor) -> Tensor:  # noqa: D102
        z, back = call.whole()
        return back(divide(relevance, torch.where(z < 0, z - self.epsilon, z + self.epsilon), ours=True))


@dataclass(frozen=True)
class AlphaBeta:
    """αβ: (α z⁺_ij/z⁺_j + β z⁻_ij/z⁻_j) R_j with α + β = 1, α ≥ 1, β ≤ 0; biases belong to z⁺ and z⁻.

    Where one of the two sums is empty the other one takes the whole R_j, so that relevance is conserved. For β = 0 (z⁺)
    the formula passes nothing on from an output without positive contributions; with `keep` its negative ones take R_j.

    Args:
        alpha, beta: what the positive and the negative contributions take.
        keep: for β = 0, whether relevance that the formula drops is kept. Such an output is negative, so this is the
            form by the output's sign (see `SignedZPlus`) where z⁺ is not defined, and z⁺ wherever it is.
    """

    alpha: float = 2.0
    beta: float = -1.0
    keep: bool = False

    def __post_init__(self) -> None:
        if abs(self.alpha + self.beta - 1) > 1e-9 or self.alpha < 1:
            raise ValueError(f"AlphaBeta expects α + β = 1 with α ≥ 1 ≥ 0 ≥ β, got α={self.alpha}, β={self.beta}.")

    def __call__(self, call: LinearCall, relevance: Tensor) -> Tensor:  # noqa: D102
        z_up, back_up = call.positive()
        if self.beta == 0:
            dropped = self._dropped(relevance, z_up)
            passed = back_up(divide(relevance, z_up, ours=True, positive=True))
            if dropped is None:
                return passed
            z_down, back_down = call.negative()
            return plus(passed, back_down(divide(dropped, z_down, ours=True)))
        z_down, back_down = call.negative()
        no_down, no_up = negligible(z_down), negligible(z_up)
        up = self._part(relevance, z_up, self.alpha, no_down)
        down = self._part(relevance, z_down, self.beta, no_up)
        return plus(back_up(up), back_down(down))

    def _dropped(self, relevance: Tensor, z_up: Tensor) -> Tensor | None:
        """The relevance of outputs without positive contributions, if it is to be kept and there is some."""
        empty = (z_up <= smallest(z_up.dtype)).logical_and_(relevance != 0) if self.keep else None
        return relevance * empty if empty is not None and bool(empty.any()) else None

    @staticmethod
    def _part(relevance: Tensor, z: Tensor, factor: float, alone: Tensor) -> Tensor:
        """factor · R/z, and all of R/z where the other sum is empty."""
        share = divide(relevance, z, ours=True)
        if torch.is_grad_enabled():
            return share * torch.where(alone, 1.0, factor).to(share.dtype)
        whole = share[alone]
        share.mul_(factor)[alone] = whole
        return share


def _check_amount(rule: str, name: str, value: float) -> None:
    """Raise a ValueError unless the value is a finite number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"{rule} expects {name} to be a number of 0 or more, got {value!r}.")


def ZPlus(keep: bool = False) -> AlphaBeta:  # noqa: N802
    """Return z⁺: αβ with α = 1, β = 0; for signed inputs x⁺w⁺ + x⁻w⁻.

    Args:
        keep: whether an output without positive contributions gives its relevance to the negative ones, so that none
            is lost; by default it passes nothing on, as the formula has it.
    """
    return AlphaBeta(1.0, 0.0, keep)


@dataclass(frozen=True)
class SignedZPlus:
    """z⁺ by the output's sign: z⁺_ij / z⁺_j R_j for z_j ≥ 0, z⁻_ij / z⁻_j R_j for z_j < 0.

    Contributions of the output's own sign take all: γ → ∞ of the generalised γ rule (Andéol et al. 2023, "Learning
    domain invariant representations by joint Wasserstein distance minimization"). Where a ReLU follows it is z⁺; where
    none does, as in the bottlenecks of ShuffleNet, z⁺ explains a negative output by what speaks against it, and drops
    one without positive contributions.
    """

    def __call__(self, call: LinearCall, relevance: Tensor) -> Tensor:  # noqa: D102
        (z_up, back_up), (z_down, back_down) = call.positive(), call.negative()
        positive, zero = z_up + z_down >= 0, relevance.new_zeros(())
        up = divide(torch.where(positive, relevance, zero), z_up, ours=True)
        down = divide(torch.where(positive, zero, relevance), z_down, ours=True)
        return plus(back_up(up), back_down(down))


@dataclass(frozen=True)
class Gamma:
    """γ: contributions of the output's own sign count 1 + γ times (generalised to signed inputs by output sign).

    For z_j ≥ 0: (z_ij + γ z⁺_ij) / (z_j + γ z⁺_j) R_j; for z_j < 0 with z⁻. On non-negative inputs and outputs it
    is the rule with weights w + γ w⁺ (Montavon et al. 2019, "LRP: an overview").
    """

    gamma: float = 0.25

    def __post_init__(self) -> None:
        _check_amount("Gamma", "gamma", self.gamma)

    def __call__(self, call: LinearCall, relevance: Tensor) -> Tensor:  # noqa: D102
        (z, back), (z_up, back_up), (z_down, back_down) = call.whole(), call.positive(), call.negative()
        zero = relevance.new_zeros(())
        up = divide(torch.where(z >= 0, relevance, zero), z + self.gamma * z_up)
        down = divide(torch.where(z < 0, relevance, zero), z + self.gamma * z_down)
        return back(up + down) + back_up(self.gamma * up) + back_down(self.gamma * down)


@dataclass(frozen=True)
class Flat:
    """Flat ♭: R_j / (number of inputs of j); independent of weights and input ([003] §2.3).

    It holds for a sum below it as well, where every summand takes an equal share: see `operations.Equal`.
    """

    proportional: ClassVar[bool] = False

    def __call__(self, call: LinearCall, relevance: Tensor) -> Tensor:  # noqa: D102
        return call.spread(relevance)


@dataclass(frozen=True)
class WSquare:
    """w²: w_ij² / Σ_i' w_i'j² R_j; independent of the input ([003] §2.3).

    It holds for a sum below it as well, a layer with weights of 1: see `operations.Equal`.
    """

    proportional: ClassVar[bool] = False

    def __call__(self, call: LinearCall, relevance: Tensor) -> Tensor:  # noqa: D102
        square = call.weight.square()
        one = call.x[:1] if isinstance(call.layer, Convolution) else call.x  # the same for every sample
        z, _ = call.apply(torch.ones_like(one), square)
        return call.layer.transpose(divide(relevance, z), call.x, square)


@dataclass(frozen=True)
class ZBox:
    """z^B: (x_i w_ij − l_i w⁺_ij − h_i w⁻_ij) / Σ_i(·) R_j for inputs in the box [low, high] (METHODS §1).

    Bounds are numbers, or one number per channel (dimension 1), as normalised images have them.
    """

    proportional: ClassVar[bool] = False

    low: float | Sequence[float]
    high: float | Sequence[float]

    def __post_init__(self) -> None:
        lows, highs = _numbers(self.low), _numbers(self.high)
        sizes = len(lows) == len(highs) or 1 in (len(lows), len(highs))
        if not sizes or max(lows) > 0 or min(highs) < 0 or any(a == b for a, b in zip(lows, highs, strict=False)):
            raise ValueError(f"ZBox expects low ≤ 0 ≤ high and low < high, got low={self.low}, high={self.high}.")

    def __call__(self, call: LinearCall, relevance: Tensor) -> Tensor:  # noqa: D102
        x, low, high = call.x, _filled(self.low, call.x), _filled(self.high, call.x)
        z, back = call.apply(x, call.weight)
        z_low, back_low = call.apply(low, call.weight.clamp(min=0))
        z_high, back_high = call.apply(high, call.weight.clamp(max=0))
        share = divide(relevance, z - z_low - z_high)
        return x * back(share) - low * back_low(share) - high * back_high(share)


def _numbers(bound: float | Sequence[float]) -> Sequence[float]:
    return [bound] if isinstance(bound, (int, float)) else list(bound)


def _filled(bound: float | Sequence[float], x: Tensor) -> Tensor:
    """A bound for every element of x."""
    if isinstance(bound, (int, float)):
        return torch.full_like(x, bound)
    values = x.new_tensor(_numbers(bound))
    if x.dim() < 2 or values.numel() not in (1, x.shape[1]):
        raise ValueError(f"ZBox expects one bound, or one for each of the {x.shape[1]} channels, got {len(values)}.")
    return values.reshape(1, -1, *[1] * (x.dim() - 2)).expand_as(x)
