"""Right for the right reasons: explanations as a term of the loss, after Ross et al. 2017 [METHODS §5].

They penalise Σ_mask (∂ log p / ∂x)², squared input gradients inside the mask. Here it is the share of the explanation
there, Σ_mask |g| / Σ |g| with g the gradient or the relevance: the weight does not depend on the size of gradients, but
a network can lower the share by larger gradients elsewhere as well.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from unhans.lrp import LRP, CompositeLike, target_classes
from unhans.lrp.tracing import computing_dtype, working_view

Reason = Literal["relevance", "gradient"]


def share_inside(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the share (n,) of |maps| (n, H, W) that lies in the masks (n, H, W), in [0, 1]; 0 where maps are 0.

    masks: bool, or in [0, 1] as weights.
    """
    strength = maps.abs().flatten(1)
    total = strength.sum(1)
    inside = (strength * masks.to(strength).flatten(1)).sum(1)
    return inside / total.clamp(min=torch.finfo(total.dtype).tiny)


def reasons(
    network: nn.Module,
    images: Tensor,
    target: int,
    of: Reason = "gradient",
    composite: CompositeLike = "epsilon_plus_flat",
) -> Tensor:
    """Return maps (n, H, W) of why the network, in evaluation mode, says the target, differentiable by its parameters.

    Args:
        network: it is not written.
        images: (n, C, H, W) as the network takes them.
        of: "relevance", LRP of the target's logit by the composite, summed over the channels; "gradient", of the
            log-probability of the target by the images, its absolute value summed over the channels.

    Raises:
        ValueError: the target does not exist, or LRP cannot follow the network.
    """
    if of == "relevance":
        return LRP(network, composite).attribute(images, target, create_graph=True).sum(1)
    dtype = computing_dtype(network, images)
    inputs = images.detach().to(dtype).requires_grad_()
    with sdpa_kernel(SDPBackend.MATH):  # attention whose gradient has a gradient
        logits = working_view(network, dtype)(inputs)
    classes = target_classes(logits, target)
    chosen = logits.log_softmax(1).gather(1, classes[:, None])
    (gradient,) = torch.autograd.grad(chosen.sum(), inputs, create_graph=True)
    return gradient.abs().sum(1)


def penalty(
    network: nn.Module,
    images: Tensor,
    masks: Tensor,
    target: int,
    of: Reason = "gradient",
    composite: CompositeLike = "epsilon_plus_flat",
) -> Tensor:
    """Return the mean share of a network's reasons for the target that lie inside masks (n, H, W), over n images.

    A number in [0, 1], differentiable by the parameters; see `reasons` and `share_inside`.

    Raises:
        ValueError: there is no image.
    """
    if not len(images):
        raise ValueError("a penalty on reasons needs at least one image, got none.")
    return share_inside(reasons(network, images, target, of, composite), masks).mean()
