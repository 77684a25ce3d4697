"""Several outputs of a network as one: the weighted sum of its logits."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from unhans.lrp.tracing import eval_view, logits_of


def summed_outputs(model: nn.Module, weights: Tensor) -> nn.Module:
    """Return a view of a network with one output, the weighted sum of its logits; its layers keep their paths.

    Args:
        model: any network; it is not written.
        weights: (C,), one for each logit.
    """
    view = eval_view(model)
    kind = type(view)

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        logits = logits_of(kind.forward(self, *args, **kwargs))
        return (logits * weights.to(logits)).sum(1, keepdim=True)

    view.__class__ = type(f"Summed{kind.__name__}", (kind,), {"forward": forward})
    return view
