"""Class activation maps by gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unhans.attribution.guided_backprop import guided, rectified_gradient
from unhans.attribution.heatmaps import sum_channels
from unhans.attribution.method import CHANNEL_AXIS, Explain, Method
from unhans.attribution.places import check_name, last_run, layout_at
from unhans.lrp.tracing import Layout, eval_view, layout_of_shape, layouts_or_none


@dataclass(frozen=True)
class GradCAM(Method):
    """Feature maps weighted by their mean gradients, the positive part (Selvaraju et al. 2017).

    Maps are enlarged to the images' size bilinearly (`align_corners=False`). Of a layer that is used several times the
    last use counts.

    Args:
        layer: path of a module with feature maps (n, C, H, W) or (n, H, W, C), or with tokens (n, N, C) on a grid of
            patches; None is the last module with feature maps of more than one row and one column. The class token
            reads the last tokens of a vision transformer: name an earlier layer, such as the last block's first norm.
        channel_axis: 1 or 3, of a layer with four axes whose channels what the network computes does not tell.
    """

    meaning = "Grad-CAM of the logit, at {place}, bilinearly enlarged"

    layer: str | None = None
    channel_axis: int | None = field(default=None, metadata=CHANNEL_AXIS)

    @property
    def description(self) -> str:
        """Name the layer."""
        return self.meaning.format(place="the last feature maps" if self.layer is None else f"layer {self.layer}")

    def of(self, model: nn.Module) -> Explain:
        """Return the function from images to heatmaps; raises ValueError for an unknown layer."""
        if self.layer is not None:
            check_name(eval_view(model), self.layer)
        return super().of(model)

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the enlarged class activation map."""
        return activation_map(network, images, target, self.layer, self.channel_axis)


@dataclass(frozen=True)
class GuidedGradCAM(GradCAM):
    """Guided backprop times Grad-CAM, summed over channels; see both for what they expect.

    Args:
        layer, channel_axis: as for `GradCAM`.
    """

    meaning = "Guided Grad-CAM of the logit, Grad-CAM at {place}, summed over channels, at the input"

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the product of the two methods."""
        gradient = rectified_gradient(network, images, target, guided)
        return sum_channels(gradient) * activation_map(network, images, target, self.layer, self.channel_axis)


def activation_map(
    network: nn.Module, images: Tensor, target: Tensor, layer: str | None, channel_axis: int | None = None
) -> Tensor:
    """Return Grad-CAM (n, H, W) of a layer, enlarged to the images: the positive part of Σ_c mean(∂f/∂A_c) A_c.

    Args:
        network: a view of our own.
        images: (n, C, H, W).
        target: (n,) classes.
        layer, channel_axis: as for `GradCAM`.
    """
    name, layout = layer_of(network, images[:1], layer, channel_axis)
    output, gradient = _with_gradient(network, images, target, name)
    slopes, maps = layout.places(gradient), layout.places(output)
    found = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).clamp(min=0)
    return F.interpolate(found, images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


def _with_gradient(network: nn.Module, images: Tensor, target: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """The last output of a layer, and the gradient of the targets' logits by it."""
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        outputs.append(output)
        return output.clone()  # what follows may write into it

    network.get_submodule(layer).register_forward_hook(keep)
    logits = network(images.requires_grad_())
    (gradient,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), outputs[-1])
    return outputs[-1].detach(), gradient


def layer_of(
    network: nn.Module, image: Tensor, layer: str | None, channel_axis: int | None = None
) -> tuple[str, Layout]:
    """Return the layer, or the last with feature maps if it is None, and its layout.

    Raises:
        ValueError: the layer's output has no places, or no layer's has.
    """
    shapes = output_shapes(network, image)
    if layer is None:
        return _last_maps(network, image, shapes)
    check_name(network, layer)
    if len(shapes.get(layer, ())) not in (3, 4):
        got = tuple(shapes[layer]) if layer in shapes else "no tensor"
        raise ValueError(f"layer {layer}: expected outputs of the shape (n, C, H, W), got {got}.")
    return layer, layout_at(network, image, layer, shapes[layer], channel_axis)


def _last_maps(network: nn.Module, image: Tensor, shapes: Mapping[str, torch.Size]) -> tuple[str, Layout]:
    """The last layer with feature maps of several places."""
    told = layouts_or_none(network, image)
    for name in reversed(shapes):
        layout = last_run(told, name) or (None if told else layout_of_shape(shapes[name]))
        if len(shapes[name]) == 4 and layout is not None and layout.grid is not None and min(layout.grid) > 1:
            return name, layout
    raise ValueError("Grad-CAM expects a module with outputs (n, C, H, W) larger than one pixel, got none.")


def output_shapes(network: nn.Module, image: Tensor) -> dict[str, torch.Size]:
    """Return the shape of what each module put out last, in the order in which they finished; hooks stay on them."""
    shapes: dict[str, torch.Size] = {}

    def note(name: str, module: nn.Module, inputs: tuple, output: object) -> None:
        shapes.pop(name, None)
        if isinstance(output, Tensor):
            shapes[name] = output.shape

    for name, module in network.named_modules(remove_duplicate=False):
        if name:
            module.register_forward_hook(partial(note, name))
    with torch.no_grad():
        network(image)
    return shapes
