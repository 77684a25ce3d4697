"""The attribution methods that are compared, by the names under which they are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

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


Named = str | Mapping[str, Mapping[str, Any]]  # a method by its name, or {name: its settings}


def compared_methods(chosen: Attribution, names: Sequence[Named]) -> dict[str, Attribution]:
    """Return the chosen attribution and those that are named, by name, none of them twice.

    Args:
        chosen: comes first.
        names: choices of `attribution=` or LRP's rule sets, as they are by default or with settings, such as
            {"saliency": {"norm": "linf"}}; of a rule set its parameters: {"epsilon": {"epsilon": 100}}.

    Raises:
        ConfigurationError: a name or a setting is unknown.
    """
    found = {method_name(chosen): chosen}
    for one in names:
        if isinstance(one, Mapping) and len(one) != 1:
            raise ConfigurationError(f"analysis.methods expects a name or {{name: its settings}}, got {dict(one)}.")
        name, settings = (one, {}) if isinstance(one, str) else next(iter(one.items()))
        try:
            method = _method(name, dict(settings))
        except (TypeError, ValueError) as error:
            if isinstance(error, ConfigurationError) or not settings:
                raise
            raise ConfigurationError(f"analysis.methods: {name} does not take {dict(settings)}: {error}") from error
        found.setdefault(method_name(method), method)
    return found


def _method(name: str, settings: Mapping[str, Any]) -> Attribution:
    if name in METHODS:
        return METHODS[name](**settings)
    if name == "lrp":
        return Relevance(**settings)
    if name in COMPOSITES:
        return Relevance(name, settings)
    known = (*METHODS, "lrp", *COMPOSITES)
    raise ConfigurationError(
        f"analysis.methods expects names of attributions and of LRP's rule sets, got {name!r}"
        + near(name, known, f"; it takes {', '.join(known)}.")
    )


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
