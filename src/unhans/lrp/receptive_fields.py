"""How many pixels a unit of a layer sees, and up to which layer units see at most so many."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from unhans.lrp.composites import resolve
from unhans.lrp.propagation import plan_relevance, propagate
from unhans.lrp.rules import Flat
from unhans.lrp.tracing import Layout, Node, Tape, computing_dtype, eval_view, layouts_of, record


def receptive_fields(model: nn.Module, images: Tensor) -> Iterator[tuple[str, int]]:
    """Yield the path of each layer and the side of its receptive field in pixels, in the order of computation.

    A field is what relevance reaches from the unit in the middle of the layer's map with flat everywhere, in the same
    network with weights of zero, where all windows of max pooling are ties, which share. Gates such as
    squeeze-and-excitation widen nothing: relevance does not pass them. A layer without a map, such as tokens or a dense
    one, sees the whole image; so does none more than that. Layers that run several times are left out.

    Args:
        model: is not written.
        images: (n, C, H, W), one at least, of the size that counts.

    Raises:
        UnsupportedModelError: naming what LRP cannot follow.
    """
    with torch.inference_mode(False), torch.no_grad():
        inputs = images[:1].to(computing_dtype(model, images))
        tape = record(_without_weights(model), inputs)
        told, known = layouts_of(tape), {}
        once = {path: nodes[0] for path, nodes in tape.layers.items() if path and len(nodes) == 1}
        for path, node in sorted(once.items(), key=lambda each: each[1].position):
            if node not in known:
                known[node] = _field(tape, node, told.get(path, Layout(1)))
            yield path, known[node]


def deepest_within(model: nn.Module, images: Tensor, pixels: int) -> tuple[str, int]:
    """Return the last layer up to which no layer has a receptive field of more than so many pixels, and its field.

    Args:
        model, images: as for `receptive_fields`.
        pixels: the largest field.

    Raises:
        ValueError: the first layer's field is larger.
    """
    found = None
    for path, field in receptive_fields(model, images):
        if field > pixels:
            if found is None:
                raise ValueError(f"a field of {pixels} pixels is less than that of the first layer {path!r}, {field}.")
            break
        found = path, field
    if found is None:
        raise ValueError("a receptive field expects a network with layers, got none.")
    return found


def _field(tape: Tape, node: Node, layout: Layout) -> int:
    """The longer side of what flat relevance reaches from the middle of a layer's map."""
    if len(node.shape) != 4:
        return max(tape.input.shape[2:])
    start = node.value.new_zeros(node.shape)
    places = start.movedim(layout.channels, 1)
    places[:, :, places.shape[2] // 2, places.shape[3] // 2] = 1
    plan = plan_relevance(tape, resolve(Flat()), node, free=True)
    relevance = propagate(tape, plan, node, tape.input, start, last=False)[0].abs().sum(0)
    reached = [relevance.sum(axis).nonzero() for axis in (0, 1)]
    return max(int(each.max() - each.min()) + 1 for each in reached)


def _without_weights(model: nn.Module) -> nn.Module:
    """A view of the network whose convolutions and dense layers have weights of zero."""
    view = eval_view(model)
    for module in view.modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            zero = {name: torch.zeros_like(value) for name, value in module._parameters.items() if name == "weight"}
            module._parameters = {**module._parameters, **zero}
    return view
