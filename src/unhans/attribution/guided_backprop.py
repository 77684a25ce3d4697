"""Guided backprop and deconvolution: gradients with another rule at every ReLU.

Captum hooks `nn.ReLU` modules, so that functional ReLUs keep their gradient in silence and shared or in-place modules
fail. Here the rule is hooked into the autograd graph of one pass, where every ReLU is a node, however it was spelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node

from unhans.attribution.heatmaps import sum_channels
from unhans.attribution.method import Method

Rule = Callable[[Tensor, Tensor], Tensor]
Gradients = tuple[Tensor | None, ...]


def guided(below: Tensor, above: Tensor) -> Tensor:
    """Return the positive part of the ReLU's own gradient."""
    return below.clamp(min=0)


def deconvolved(below: Tensor, above: Tensor) -> Tensor:
    """Return the positive part of the gradient that arrives, wherever the ReLU was active."""
    return above.clamp(min=0)


@dataclass(frozen=True)
class GuidedBackprop(Method):
    """The gradient with negative parts set to zero below every ReLU (Springenberg et al. 2015), summed over channels.

    A ReLU is relu in every spelling, clamp(min=0) and threshold(0). Other activations pass their gradient, and so does
    a ReLU written as arithmetic, such as x * (x > 0). A network without ReLU is refused, and one with an operation that
    could hide a ReLU from autograd.
    """

    meaning = "Guided backprop of the logit, summed over channels, at the input"
    rule = staticmethod(guided)

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the sum over channels of the gradient with the method's rule at every ReLU."""
        return sum_channels(rectified_gradient(network, images, target, self.rule))


@dataclass(frozen=True)
class Deconvolution(GuidedBackprop):
    """The gradient with a ReLU of it in place of every ReLU's own (Zeiler & Fergus 2014), summed over channels.

    What counts as a ReLU and what is refused is as for `GuidedBackprop`.
    """

    meaning = "Deconvolution of the logit, summed over channels, at the input"
    rule = staticmethod(deconvolved)


def rectified_gradient(network: nn.Module, images: Tensor, target: Tensor, rule: Rule) -> Tensor:
    """Return the gradient (n, C, H, W) of the target's logit with `rule` at every ReLU.

    Raises:
        ValueError: the network has no ReLU, or an operation that could hide one.
    """
    logits = network(images.requires_grad_())
    relus = [node for node in graph(logits.grad_fn) if is_relu(node)]
    if not relus:
        raise ValueError("Guided backprop and deconvolution expect a network with ReLUs, got one without.")
    for node in relus:
        node.register_hook(partial(_rectify, rule))
    (gradient,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), images)
    return gradient


def graph(end: Node | None) -> Iterator[Node]:
    """Yield every node of an autograd graph once.

    Raises:
        ValueError: a node is no operation of torch's own on a whole tensor, so that a ReLU could be inside of it.
    """
    seen, left = set(), [end]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        _check_transparent(node)
        seen.add(node)
        left.extend(before for before, _ in node.next_functions)
        yield node


def is_relu(node: Node) -> bool:
    """Tell a ReLU from any other operation; clamp(min=0) and threshold(0) compute the same."""
    kind = node.name()
    if kind.startswith("Clamp"):
        return getattr(node, "_saved_min", None) == 0 and getattr(node, "_saved_max", None) is None
    return kind.startswith("ReluBackward") or (kind.startswith("Threshold") and node._saved_threshold == 0)


def _check_transparent(node: Node) -> None:
    """Refuse autograd functions written in Python or C++, and in-place operations on views."""
    kind = node.name().removeprefix("torch::autograd::")
    if isinstance(node, BackwardCFunction) or "::" in kind or kind.startswith(("CppNode", "CopySlices")):
        raise ValueError(
            "Guided backprop and deconvolution expect operations that show their ReLUs, got the "
            f"{'in-place operation on a view' if kind == 'CopySlices' else 'autograd function'} {kind}, "
            "which may hide one."
        )


def _rectify(rule: Rule, below: Gradients, above: Gradients) -> Gradients:
    """What goes on below a ReLU, a hook of its node: the rule's gradient in place of its own."""
    if below[0] is None or above[0] is None:
        return below
    return rule(below[0], above[0]), *below[1:]
