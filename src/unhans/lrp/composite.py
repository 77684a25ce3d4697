"""Composites: which rule for which layer, as an ordered list of (pattern, rule)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from unhans.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, ZBox, ZPlus

Composite = Sequence[tuple[str, Rule]]

KINDS = ("convolution", "dense", "average_pool", "batch_norm")
PATTERNS = (*KINDS, *(f"first {kind}" for kind in KINDS))


def epsilon_plus_flat(epsilon: float = 1e-6) -> Composite:
    """Dense ε, convolutions z⁺, first convolution flat: the set of [000] §2.1, the default."""
    return [("first convolution", Flat()), *epsilon_plus(epsilon)]


def epsilon_plus(epsilon: float = 1e-6) -> Composite:
    """Dense ε, every convolution z⁺."""
    return _by_kind(epsilon, ZPlus())


def epsilon_alpha2_beta1_flat(epsilon: float = 1e-2) -> Composite:
    """Dense ε = 0.01, convolutions α = 2, β = −1, first convolution flat ([003] §5.4)."""
    return [("first convolution", Flat()), *epsilon_alpha2_beta1(epsilon)]


def epsilon_alpha2_beta1(epsilon: float = 1e-2) -> Composite:
    """Dense ε = 0.01, every convolution α = 2, β = −1."""
    return _by_kind(epsilon, AlphaBeta(2.0, -1.0))


def epsilon_gamma_box(low: float, high: float, gamma: float = 0.25, epsilon: float = 1e-6) -> Composite:
    """Dense ε, convolutions γ, first convolution z^B for inputs in [low, high]."""
    return [("first convolution", ZBox(low, high)), *_by_kind(epsilon, Gamma(gamma))]


def epsilon(epsilon: float = 1e-6) -> Composite:
    """Every layer ε."""
    return _by_kind(epsilon, Epsilon(epsilon))


def _by_kind(epsilon: float, convolution: Rule) -> Composite:
    """Dense ε; convolutions, and average pooling as one, by the given rule; batch norm that cannot be folded rule 0."""
    return [
        ("dense", Epsilon(epsilon)),
        ("convolution", convolution),
        ("average_pool", convolution),
        ("batch_norm", Epsilon(0.0)),
    ]


COMPOSITES: dict[str, Callable[..., Composite]] = {
    function.__name__: function
    for function in (
        epsilon_plus_flat,
        epsilon_plus,
        epsilon_alpha2_beta1_flat,
        epsilon_alpha2_beta1,
        epsilon_gamma_box,
        epsilon,
    )
}


def composite_by_name(name: str, **parameters: float) -> Composite:
    """Return the composite of that name; parameters are its own (ε, γ, the box)."""
    if name not in COMPOSITES:
        raise ValueError(f"composite expects one of {', '.join(COMPOSITES)}, got {name!r}.")
    try:
        return COMPOSITES[name](**parameters)
    except TypeError as error:
        raise ValueError(f"composite {name!r}: {str(error).split('() ')[-1]}.") from error


def resolve(composite: str | Rule | Composite) -> Composite:
    """Return the list of a composite given by name, as one rule for every layer, or as the list itself."""
    if isinstance(composite, str):
        return composite_by_name(composite)
    if callable(composite):
        return [(kind, composite) for kind in KINDS]
    if not isinstance(composite, Sequence) or not all(map(_is_entry, composite)):
        raise ValueError(f"composite expects a name, a rule or a list of (pattern, rule), got {composite!r}.")
    unknown = [pattern for pattern, _ in composite if pattern not in PATTERNS]
    if unknown:
        raise ValueError(f"A composite's pattern is one of {', '.join(PATTERNS)}, got {unknown[0]!r}.")
    return list(composite)


def _is_entry(entry: object) -> bool:
    return isinstance(entry, Sequence) and len(entry) == 2 and callable(entry[1])


def rule_for(composite: Composite, kind: str, *, first: bool, name: str) -> Rule:
    """Return the rule of the first pattern that matches a layer of this kind."""
    for pattern, rule in composite:
        if pattern == kind or (first and pattern == f"first {kind}"):
            return rule
    raise ValueError(
        f"The composite has no rule for the {kind} layer {name!r}; its patterns are "
        f"{', '.join(pattern for pattern, _ in composite)}."
    )
