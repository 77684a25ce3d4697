"""The attribution methods that are compared, by the names under which they are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass

from unhans.attribution import (
    Attribution,
    Deconvolution,
    ExtremalPerturbation,
    GradCAM,
    GradientSHAP,
    GuidedBackprop,
    GuidedGradCAM,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    RandomMaps,
    Relevance,
    Saliency,
    SmoothGrad,
)
from unhans.lrp import COMPOSITES
from unhans.terminal import ConfigurationError, near

METHODS: dict[str, type] = {
    "deconvolution": Deconvolution,
    "extremal_perturbation": ExtremalPerturbation,
    "grad_cam": GradCAM,
    "gradient_shap": GradientSHAP,
    "guided_backprop": GuidedBackprop,
    "guided_grad_cam": GuidedGradCAM,
    "input_x_gradient": InputXGradient,
    "integrated_gradients": IntegratedGradients,
    "occlusion": Occlusion,
    "random": RandomMaps,
    "saliency": Saliency,
    "smooth_grad": SmoothGrad,
}


def compared_methods(chosen: Attribution, names: Sequence[str]) -> dict[str, Attribution]:
    """Return the chosen attribution and those that are named, by name, none of them twice.

    Args:
        chosen: comes first.
        names: choices of `attribution=` as they are by default, or LRP's rule sets.

    Raises:
        ConfigurationError: a name is unknown.
    """
    found = {method_name(chosen): chosen}
    for name in names:
        if name in METHODS:
            method = METHODS[name]()
        elif name in COMPOSITES or name == "lrp":
            method = Relevance() if name == "lrp" else Relevance(name)
        else:
            known = (*METHODS, "lrp", *COMPOSITES)
            raise ConfigurationError(
                f"analysis.methods expects names of attributions and of LRP's rule sets, got {name!r}"
                + near(name, known, f"; it takes {', '.join(known)}.")
            )
        found.setdefault(method_name(method), method)
    return found


def method_name(method: Attribution) -> str:
    """Return the short name of a method, with its settings where they are not the default ones."""
    if isinstance(method, Relevance):
        rules = method.composite if isinstance(method.composite, str) else "rules of its own"
        name, own = f"LRP {rules}", ("composite",)
    else:
        name, own = next((n for n, kind in METHODS.items() if type(method) is kind), type(method).__name__), ()
    if not is_dataclass(method):
        return name
    plain = type(method)()
    given = [each.name for each in fields(method) if each.name not in own]
    changed = [one for one in given if getattr(method, one) != getattr(plain, one)]
    return name + "".join(f", {one} {getattr(method, one)}" for one in changed)
