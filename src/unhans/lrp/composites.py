"""Composites: which rule for which layer, as an ordered list of (what matches, rule)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from unhans.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, SignedZPlus, WSquare, ZBox, ZPlus

OPERATIONS = ("convolution", "dense", "average_pool", "batch_norm", "layer_norm", "group_norm")
NORMS = OPERATIONS[3:]
STATISTICAL = OPERATIONS[4:]  # their deviation is the sample's own; only ε has a meaning for them

RULES: dict[str, Callable[..., Rule]] = {
    "epsilon": Epsilon,
    "alpha_beta": AlphaBeta,
    "z_plus": ZPlus,
    "signed_z_plus": SignedZPlus,
    "gamma": Gamma,
    "flat": Flat,
    "w_square": WSquare,
    "z_box": ZBox,
}


@dataclass(frozen=True)
class Place:
    """Where a layer stands.

    Attributes:
        operation: one of `OPERATIONS`.
        name: the path of its module.
        depth: how many dense and convolutional layers lie on the longest way from the input, itself included.
        position: in the order of computation.
        ends: at which position every module ended.
        output: whether no other dense or convolutional layer reads what this one puts out.
    """

    operation: str
    name: str
    depth: int
    position: int
    ends: Mapping[str, int]
    output: bool = False


@dataclass(frozen=True)
class Match:
    """What a rule is for; all that is given must hold.

    Args:
        operation: one of convolution, dense, average_pool, batch_norm, layer_norm, group_norm.
        name: a pattern of module paths, such as `features.0` or `layer4.*`.
        depth: the first so many dense or convolutional layers on the way from the input.
        through: a module's path: layers up to and including it.
        output: True for the head: dense or convolutional layers that put out the logits, through no other such layer.
    """

    operation: str | None = None
    name: str | None = None
    depth: int | None = None
    through: str | None = None
    output: bool | None = None

    def __post_init__(self) -> None:
        if self.operation is not None and self.operation not in OPERATIONS:
            known = ", ".join(OPERATIONS)
            raise ValueError(
                f"A composite's operation is one of {known}, or first or output and one, got {self.operation!r}."
            )
        if self.depth is not None and self.depth < 1:
            raise ValueError(f"A composite's depth is 1 or more, got {self.depth}.")

    @classmethod
    def of(cls, given: str | Mapping[str, Any] | Match) -> Match:
        """Read a match: itself, its fields, `output`, an operation, or one after the word `first` or `output`."""
        if isinstance(given, Match):
            return given
        if isinstance(given, Mapping):
            known = [field.name for field in fields(cls)]
            unknown = [key for key in given if key not in known]
            if unknown:
                raise ValueError(f"A composite matches by {', '.join(known)}, got {unknown[0]!r}.")
            return cls(**given)
        if not isinstance(given, str):
            raise ValueError(f"A composite's pattern is a name or a mapping, got {given!r}.")
        word, _, operation = given.rpartition(" ")
        if given == "output" or word == "output":
            return cls(operation if word else None, output=True)
        return cls(operation, depth=1) if word == "first" else cls(given)

    def holds(self, place: Place) -> bool:
        """Tell whether a layer at this place matches."""
        return (
            self.operation in (None, place.operation)
            and (self.name is None or fnmatchcase(place.name, self.name))
            and (self.depth is None or place.depth <= self.depth)
            and (self.through is None or place.position < place.ends.get(self.through, 0))
            and self.output in (None, place.output)
        )

    def __str__(self) -> str:
        given = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return ", ".join(f"{name} {value!r}" for name, value in given if value is not None)


Entry = tuple[Match, Rule]
Composite = Sequence[Entry]
CompositeLike = str | Rule | Sequence[Any]


def epsilon_plus_flat(
    epsilon: float = 1e-6, flat_through: str | None = None, convolution: Any = None, head: str = "epsilon"
) -> Composite:
    """Dense ε, convolutions z⁺, first convolution flat: the set of [000] §2.1, the default.

    Args:
        epsilon: of dense layers.
        flat_through: a module up to which flat reaches, in place of the first convolution.
        convolution: the rule of convolutions, as `rule_of` takes it. By default z⁺ that keeps what its formula drops at
            outputs without positive contributions; ShuffleNet loses 70 % of the relevance there. `z_plus` is the
            papers' formula as it stands.
        head: "epsilon", so that a head gets the rule of a dense one when it is written as a 1×1 convolution, as in
            SqueezeNet; "by_operation" for the rule of convolutions there, as zennit has it.
    """
    return [*_flat(flat_through), *epsilon_plus(epsilon, convolution, head)]


def epsilon_plus(epsilon: float = 1e-6, convolution: Any = None, head: str = "epsilon") -> Composite:
    """Dense ε, every convolution z⁺ but for a head; for the arguments see `epsilon_plus_flat`."""
    return _by_operation(epsilon, ZPlus(keep=True) if convolution is None else rule_of(convolution), head)


def epsilon_alpha2_beta1_flat(
    epsilon: float = 1e-2, flat_through: str | None = None, head: str = "epsilon"
) -> Composite:
    """Dense ε = 0.01, convolutions α = 2, β = −1, flat for the first or up to a chosen layer ([003] §5.4).

    A head takes ε whatever it is, unless `head` is "by_operation"; see `epsilon_plus_flat`.
    """
    return [*_flat(flat_through), *epsilon_alpha2_beta1(epsilon, head)]


def epsilon_alpha2_beta1(epsilon: float = 1e-2, head: str = "epsilon") -> Composite:
    """Dense ε = 0.01, every convolution α = 2, β = −1 but for a head; see `epsilon_plus_flat`."""
    return _by_operation(epsilon, AlphaBeta(2.0, -1.0), head)


def epsilon_gamma_box(
    low: float | Sequence[float],
    high: float | Sequence[float],
    gamma: float = 0.25,
    epsilon: float = 1e-6,
    head: str = "epsilon",
) -> Composite:
    """Dense ε, convolutions γ, first convolution z^B for inputs in [low, high], per channel or for all.

    A head takes ε whatever it is, unless `head` is "by_operation"; see `epsilon_plus_flat`.
    """
    return [(Match("convolution", depth=1), ZBox(low, high)), *_by_operation(epsilon, Gamma(gamma), head)]


def epsilon(epsilon: float = 1e-6) -> Composite:
    """Every layer ε."""
    return _by_operation(epsilon, Epsilon(epsilon))


def _flat(through: str | None) -> Composite:
    """Flat for the first convolution, or for convolutions and pooling up to a module."""
    if through is None:
        return [(Match("convolution", depth=1), Flat())]
    return [(Match(operation, through=through), Flat()) for operation in ("convolution", "average_pool")]


def _by_operation(epsilon: float, convolution: Rule, head: str = "epsilon") -> Composite:
    """Dense layers ε, convolutions by the given rule; average pooling, and norms that nothing takes in, in proportion.

    On non-negative inputs that is what z⁺, αβ and γ do to an average; on signed ones it loses nothing. A head is the
    layer that LRP's formulas have ε for (Montavon et al. 2019, "LRP: an overview"), whatever operation computes it.
    """
    if head not in ("epsilon", "by_operation"):
        raise ValueError(f"head expects epsilon or by_operation, got {head!r}.")
    first = [(Match(output=True), Epsilon(epsilon))] if head == "epsilon" else []
    return [
        *first,
        (Match("dense"), Epsilon(epsilon)),
        (Match("convolution"), convolution),
        *_in_proportion("average_pool"),
    ]


def _in_proportion(*operations: str) -> list[Entry]:
    """Rule 0 for these operations and for norms."""
    return [(Match(operation), Epsilon(0.0)) for operation in (*operations, *NORMS)]


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


def composite_by_name(name: str, **parameters: Any) -> Composite:
    """Return the composite of that name; parameters are its own (ε, γ, the box, how far flat reaches)."""
    if name not in COMPOSITES:
        raise ValueError(f"composite expects one of {', '.join(COMPOSITES)}, got {name!r}.")
    try:
        return COMPOSITES[name](**parameters)
    except TypeError as error:
        raise ValueError(f"composite {name!r}: {str(error).split('() ')[-1]}.") from error


def resolve(composite: CompositeLike) -> Composite:
    """Return the list of a composite given by name, as one rule for every layer, or as a list of what matches.

    An entry of a list is a pair (what matches, rule) or a mapping of `match` and `rule`; see `Match.of` and `rule_of`.
    One rule is for convolutions, dense layers, pooling and batch norm; layer and group norm keep rule 0.
    """
    if isinstance(composite, str):
        return composite_by_name(composite)
    if callable(composite):
        given = [(Match(operation), composite) for operation in OPERATIONS if operation not in STATISTICAL]
        return [*given, *_in_proportion()]
    if not isinstance(composite, Sequence):
        raise ValueError(f"composite expects a name, a rule or a list of (pattern, rule), got {composite!r}.")
    return [_entry(entry) for entry in composite]


def _entry(entry: Any) -> Entry:
    if isinstance(entry, Mapping):
        if set(entry) != {"match", "rule"}:
            raise ValueError(f"An entry of a composite has match and rule, got {', '.join(map(str, entry))}.")
        return Match.of(entry["match"]), rule_of(entry["rule"])
    if not isinstance(entry, Sequence) or isinstance(entry, str) or len(entry) != 2:
        raise ValueError(f"composite expects a name, a rule or a list of (pattern, rule), got {entry!r}.")
    return Match.of(entry[0]), rule_of(entry[1])


def rule_of(given: Any) -> Rule:
    """Return a rule given as itself, by its name, or as {name: its parameters} such as {epsilon: 0.01}."""
    if callable(given):
        return given
    name, parameters = next(iter(given.items())) if isinstance(given, Mapping) and len(given) == 1 else (given, None)
    if not isinstance(name, str) or name not in RULES:
        raise ValueError(f"A rule is one of {', '.join(RULES)}, or {{name: parameters}}, got {given!r}.")
    named = isinstance(parameters, Mapping)
    try:
        if parameters is None:
            return RULES[name]()
        return RULES[name](**parameters) if named else RULES[name](parameters)
    except TypeError as error:
        raise ValueError(f"rule {name!r}: {str(error).split('() ')[-1]}.") from error


def rule_for(composite: Composite, place: Place) -> Rule:
    """Return the rule of the first entry that matches a layer."""
    for match, rule in composite:
        if match.holds(place):
            return rule
    raise ValueError(
        f"The composite has no rule for the {place.operation} layer {place.name!r}; its patterns are "
        f"{'; '.join(str(match) for match, _ in composite)}."
    )


def check_used(composite: Composite, places: Sequence[Place], ends: Mapping[str, int]) -> None:
    """Refuse a pattern that names a place and matches no layer; one for an operation alone may find none."""
    for match, _ in composite:
        if match.through is not None and match.through not in ends:
            raise ValueError(f"The composite's pattern {match} names no module; there are {first_names(ends)}.")
        if match.name is not None and not any(match.holds(place) for place in places):
            names = dict.fromkeys(place.name for place in places)
            raise ValueError(f"The composite's pattern {match} matches no layer; there are {first_names(names)}.")


def first_names(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    named = [name for name in names if name]
    shown = named[:12]
    more = len(named) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
