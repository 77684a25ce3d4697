"""Gradients of single samples by chosen layers of a network, a batch at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unhans.attribution import frozen_view, without_side_effects
from unhans.influence.layer_gradients import (
    Calls,
    OuterGradients,
    factored_gradients,
    factors_are_cheaper,
    has_gradients,
    layer_gradients,
)
from unhans.lrp.tracing import computing_dtype

Scalar = Literal["loss", "label", "predicted"]


def stages_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return the parts of a network that hold parameters, by name, from its input to its output.

    A network whose only such part is a container (as `model.net`) is opened until there are several.
    """
    prefix, parts = "", _with_parameters(model)
    while len(parts) == 1 and _with_parameters(next(iter(parts.values()))):
        ((name, only),) = parts.items()
        prefix, parts = f"{prefix}{name}.", _with_parameters(only)
    return {prefix + name: part for name, part in parts.items()}


FEWEST, HELD = 4, 20  # parts that a choice is made from; gradients of queries that are in memory together
MOST = 0.9  # of the parameters, from which on a part is opened


def last_stages(model: nn.Module, memory: float) -> list[str]:
    """Return the later half of the parts of a network: as many, from the output on, as let 20 gradients fit.

    A part that holds nine tenths of the parameters is opened, and the largest one while there are fewer than four. Of
    ResNet-18 these are layer3, layer4 and fc: earlier layers cost more and are taken to learn simple shapes.

    Args:
        model: with parts in the order from its input to its output.
        memory: bytes that 20 gradients may take; the last part is returned in any case.
    """
    parts = stages_of(model)
    sizes = {name: _size(part) for name, part in parts.items()}
    while openable := [name for name, part in parts.items() if _with_parameters(part)]:
        largest = max(openable, key=sizes.__getitem__)
        if len(parts) >= FEWEST and sizes[largest] < MOST * sum(sizes.values()):
            break
        inside = {f"{largest}.{name}": part for name, part in _with_parameters(parts[largest]).items()}
        parts = {own: each for name, part in parts.items()
                 for own, each in (inside if name == largest else {name: part}).items()}  # fmt: skip
        sizes = {name: _size(part) for name, part in parts.items()}
    later = list(parts)[-max(1, len(parts) // 2) :]
    while len(later) > 1 and 4 * HELD * sum(sizes[name] for name in later) > memory:
        later = later[1:]
    return later


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _with_parameters(module: nn.Module) -> dict[str, nn.Module]:
    return {name: child for name, child in module.named_children() if _holds_parameters(child)}


def _holds_parameters(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def check_layers(model: nn.Module, layers: Sequence[str]) -> None:
    """Raise ValueError unless the names are modules that hold parameters, none inside another."""
    names = [name for name, module in model.named_modules() if name and _holds_parameters(module)]
    for layer in layers:
        if layer not in names:
            near = get_close_matches(layer, names, n=3) or list(stages_of(model))
            raise ValueError(
                f"layers: {layer!r} is no module with parameters of this network; near: {', '.join(near)}."
            )
        around = [other for other in layers if layer.startswith(f"{other}.")]
        if around or list(layers).count(layer) > 1:
            raise ValueError(f"layers: {layer!r} is given twice{f', as part of {around[0]!r}' if around else ''}.")
    if not layers:
        raise ValueError("layers: expected at least one module, got none.")
    inside = tuple(f"{layer}." for layer in layers)
    named = model.named_parameters(remove_duplicate=False)
    counts = Counter(id(parameter) for name, parameter in named if name.startswith(inside))
    if any(count > 1 for count in counts.values()):
        raise ValueError(
            f"layers: modules of {', '.join(layers)} share parameters, which gradients by layer cannot tell."
        )


class SampleGradients:
    """Computes per-sample gradients of a scalar by the parameters of some layers.

    The network is read anew at every call and never written: gradients are those of evaluation mode, in float32 or the
    network's wider type. Parameters of linear layers, convolutions and norms are done in one backward pass for a whole
    batch; others, such as tokens of a transformer, by one pass for each sample.

    Args:
        model: from images (n, C, H, W) to logits (n, K).
        layers: names of modules; the gradients of all parameters inside count.
        of: the scalar: the cross-entropy "loss" of the label, the logit of the "label", or that of the "predicted"
            class.

    Raises:
        ValueError: layers that are not there, that hold no parameters, or one inside another.
    """

    def __init__(self, model: nn.Module, layers: Sequence[str], of: Scalar = "loss") -> None:
        check_layers(model, layers)
        if of not in ("loss", "label", "predicted"):
            raise ValueError(f"of: expected one of loss, label, predicted, got {of!r}.")
        self.model, self.layers, self.of = model, tuple(layers), of
        self._by_factors: dict[tuple[str, int], bool] = {}  # of a layer's unit, as decided for the first batch

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return by layer the gradients of samples (n, parameters of the layer); arguments as of `parts`."""
        return {layer: torch.cat(parts, 1) for layer, parts in self.parts(images, labels).items()}

    def parts(
        self, images: Tensor, labels: Tensor, queries: int | None = None
    ) -> dict[str, list[Tensor | OuterGradients]]:
        """Return by layer the gradients of samples for each of its parameters, (n, values) each, without copying them.

        Args:
            images: (n, C, H, W).
            labels: (n,), ignored where the scalar is that of the predicted class.
            queries: with how many other samples they are compared: weights for which that is cheaper come by their
                factors, the same ones for all batches; None: none do.

        Raises:
            ValueError: a layer is not called when the network sees these images.
        """
        with without_side_effects(images.device):
            dtype = computing_dtype(self.model, images)
            network = frozen_view(self.model, dtype)
            units = {layer: list(_units(network.get_submodule(layer))) for layer in self.layers}
            others = {layer: list(_others(network.get_submodule(layer))) for layer in self.layers}
            for module, name in [each for found in others.values() for each in found]:
                module._parameters[name] = module._parameters[name].detach().requires_grad_()
            with _captured([unit for found in units.values() for unit in found]) as calls:
                scalars = self._scalars(network(images.detach().to(dtype)), labels)
                deltas = _backward(scalars, calls, bool(any(others.values())))
            called = _by_unit(calls, deltas)
            found = {
                layer: [
                    *(
                        part
                        for place, unit in enumerate(units[layer])
                        if unit in called
                        for part in self._parts((layer, place), unit, called[unit], queries)
                    ),
                    *(_one_by_one(scalars, module._parameters[name]) for module, name in others[layer]),
                ]
                for layer in self.layers
            }
        for layer, parts in found.items():
            if not parts:
                raise ValueError(f"layers: {layer!r} is not called when the network sees an image; give another layer.")
        return found

    @torch.no_grad()
    def _parts(
        self, place: tuple[str, int], unit: nn.Module, calls: Calls, queries: int | None
    ) -> list[Tensor | OuterGradients]:
        """The gradients by a unit's parameters: its weight's factors if these are cheaper, rows otherwise."""
        if queries is not None:
            if place not in self._by_factors:
                self._by_factors[place] = factors_are_cheaper(unit, calls, queries)
            if self._by_factors[place]:
                return factored_gradients(unit, calls)
        rows = [layer_gradients(unit, inputs, delta) for inputs, delta in calls]
        return [torch.stack(each).sum(0) if len(each) > 1 else each[0] for each in zip(*rows, strict=True)]

    def _scalars(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.of == "loss":
            return F.cross_entropy(logits, labels, reduction="none")
        chosen = labels if self.of == "label" else logits.argmax(1)
        return logits.gather(1, chosen[:, None])[:, 0]


Call = tuple[nn.Module, Tensor, Tensor]  # the layer, what entered, what came out


@contextmanager
def _captured(units: Sequence[nn.Module]) -> Iterator[list[Call]]:
    """Note what enters and leaves modules of the view, a module that is called several times each time."""
    calls: list[Call] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if not output.requires_grad:  # nothing before the first unit is gone back to
            output = output.detach().requires_grad_()
        calls.append((module, inputs[0].detach().clone(), output))
        return output.clone()  # what follows may overwrite it, as ReLU in place does

    hooks = [unit.register_forward_hook(note) for unit in units]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _backward(scalars: Tensor, calls: Sequence[Call], keep: bool) -> Sequence[Tensor | None]:
    outputs = [output for _, _, output in calls if output.requires_grad]
    found = iter(torch.autograd.grad(scalars.sum(), outputs, retain_graph=keep, allow_unused=True) if outputs else ())
    return [next(found) if output.requires_grad else None for _, _, output in calls]


def _by_unit(calls: Sequence[Call], deltas: Sequence[Tensor | None]) -> dict[nn.Module, list[tuple[Tensor, Tensor]]]:
    """Return what entered each unit and what flows back to it, for each of its calls."""
    found: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}
    for (module, inputs, output), delta in zip(calls, deltas, strict=True):
        found.setdefault(module, []).append((inputs, torch.zeros_like(output) if delta is None else delta))
    return found


def _one_by_one(scalars: Tensor, parameter: Tensor) -> Tensor:
    """Return the gradients of each sample by one parameter, by as many backward passes."""
    found = [torch.autograd.grad(each, parameter, retain_graph=True, allow_unused=True)[0] for each in scalars]
    return torch.stack([torch.zeros_like(parameter) if each is None else each for each in found]).flatten(1)


def _units(layer: nn.Module) -> Iterator[nn.Module]:
    return (module for module in layer.modules() if has_gradients(module))


def _others(layer: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """The parameters whose gradients have no closed form here."""
    for module in layer.modules():
        if not has_gradients(module):
            yield from ((module, name) for name, value in module._parameters.items() if value is not None)
