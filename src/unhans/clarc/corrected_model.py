"""Networks with corrections in them, without them again, and what it takes to build one again."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from unhans.attribution import check_name
from unhans.clarc.correction import Correction
from unhans.clarc.layers import check_plain
from unhans.lrp.tracing import logits_of


class Corrected(nn.Module):
    """A layer followed by a correction, in the place of the layer.

    What a parent reads from the layer, such as its weight or number of channels, it finds here as well.
    """

    def __init__(self, layer: nn.Module, correction: Correction) -> None:
        super().__init__()
        self.layer = layer
        self.correction = correction

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return the corrected output of the layer."""
        return self.correction(self.layer(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        """Look for what is not here in the layer."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_") or name == "layer":  # while it is being copied there is no layer yet
                raise
            return getattr(super().__getattr__("layer"), name)


class ForClass(nn.Module):
    """A network whose correction is for one class: other samples keep the uncorrected network's output.

    The two networks share every module but those that the correction lies in.

    Args:
        plain: the uncorrected network.
        repaired: the corrected one.
        label: samples are corrected that the uncorrected network assigns to this class.
    """

    def __init__(self, plain: nn.Module, repaired: nn.Module, label: int) -> None:
        super().__init__()
        self.plain = plain
        self.repaired = repaired
        self.label = label

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, C)."""
        logits = logits_of(self.plain(x.clone()))  # a network may write its own input
        return torch.where((logits.argmax(1) == self.label).unsqueeze(1), logits_of(self.repaired(x)), logits)


def corrected(network: nn.Module, corrections: Mapping[str, Correction], *, only: int | None = None) -> nn.Module:
    """Return a copy of the network that corrects the outputs of these layers; the network is not written.

    Args:
        network: any network; one that was corrected at other layers keeps those corrections.
        corrections: by the name of the layer.
        only: a label: corrects only samples that the network, uncorrected, assigns to that class, at twice the cost.

    Raises:
        ValueError: for a layer that does not exist or was corrected before, no corrections, and a compiled or
            parallel-wrapped network.
    """
    check_plain(network)
    _check(network, corrections)
    copied = copy.deepcopy(network)
    device = next((tensor.device for tensor in (*copied.parameters(), *copied.buffers())), None)
    replaced = {
        (layer := copied.get_submodule(name)): Corrected(layer, copy.deepcopy(correction).to(device))
        for name, correction in corrections.items()
    }
    whole = _replace(copied, replaced) if only is None else ForClass(copied, _branch(copied, replaced, {}), only)
    return whole.train(network.training)


def uncorrected(model: nn.Module) -> nn.Module:
    """Return a copy of a corrected network without its corrections: the network that it was made of."""
    copied = copy.deepcopy(model.plain if isinstance(model, ForClass) else model)
    return _replace(copied, {module: module.layer for module in copied.modules() if isinstance(module, Corrected)})


def corrections_of(model: nn.Module) -> dict[str, Correction]:
    """Return the corrections in a network, by the name that the layer has in the uncorrected one."""
    return dict(_corrections(model.repaired if isinstance(model, ForClass) else model, ""))


def _corrections(module: nn.Module, prefix: str) -> Iterator[tuple[str, Correction]]:
    for name, child in module.named_children():
        inner = child
        if isinstance(child, Corrected):
            yield prefix + name, child.correction
            inner = child.layer
        yield from _corrections(inner, f"{prefix}{name}.")


def _check(network: nn.Module, corrections: Mapping[str, Correction]) -> None:
    if not corrections:
        raise ValueError("corrections expects at least one layer and its correction, got none.")
    if isinstance(network, ForClass):
        raise ValueError(f"The network was corrected for class {network.label} alone; take that out first.")
    before = {layer for m in network.modules() if isinstance(m, Corrected) for layer in (m, m.layer)}
    for name in corrections:
        check_name(network, name)
        if network.get_submodule(name) in before:
            raise ValueError(f"layer {name!r} was corrected before; give one correction with all its concepts.")


def _replace(root: nn.Module, replaced: Mapping[nn.Module, nn.Module]) -> nn.Module:
    """Exchange modules wherever a parent holds them; the root is returned."""
    for module in list(root.modules()):
        for name, child in module._modules.items():
            if child in replaced:
                module._modules[name] = replaced[child]
    return root


def _branch(module: nn.Module, replaced: Mapping[nn.Module, nn.Module], made: dict[nn.Module, nn.Module]) -> nn.Module:
    """A second network with these modules exchanged, which shares all parameters and every module without them."""
    if module not in made:
        inner = module
        if any(child in replaced for child in module.modules() if child is not module):
            inner = copy.copy(module)
            children = module._modules.items()
            vars(inner)["_modules"] = {
                name: None if child is None else _branch(child, replaced, made) for name, child in children
            }
        made[module] = replaced.get(module, inner)
        if module in replaced:
            replaced[module].layer = inner
    return made[module]


PARTS = {"shape", "strength", "reactive"}


def specification(model: nn.Module) -> dict[str, Any]:
    """Return the places and kinds of a network's corrections as plain values, which `torch.load` reads `weights_only`.

    `{"corrections": {layer: {"shape", "strength", "reactive"}}, "only": label or None}`; the numbers are in the state
    dict of the model.
    """
    described = {
        name: {"shape": list(each.directions.shape), "strength": each.strength, "reactive": each.reactive}
        for name, each in corrections_of(model).items()
    }
    return {"corrections": described, "only": model.label if isinstance(model, ForClass) else None}


def prepared(network: nn.Module, specification: Mapping[str, Any]) -> nn.Module:
    """Return a copy of the uncorrected network into which the corrected one's state dict loads.

    Until it is loaded the corrections change nothing; without any, the copy is the network's.

    Raises:
        ValueError: the specification is of another form; also as `corrected` does.
    """
    found = specification.get("corrections")
    if not isinstance(found, Mapping) or not all(isinstance(v, Mapping) and set(v) == PARTS for v in found.values()):
        raise ValueError(
            f"A specification of corrections has {', '.join(sorted(PARTS))} for each layer, "
            f"got {dict(specification)!r}."
        )
    if not found:
        return copy.deepcopy(network)
    empty = {name: _empty(**values) for name, values in found.items()}
    return corrected(network, empty, only=specification.get("only"))


def _empty(shape: list[int], strength: float, reactive: bool) -> Correction:
    """A correction along directions of length 0."""
    targets = torch.zeros(shape[0])
    return Correction(torch.zeros(shape), targets, strength, targets if reactive else None)
