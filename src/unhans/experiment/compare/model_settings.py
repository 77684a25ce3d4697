"""How models were trained: in what their settings differ, and which of them are seed twins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from unhans.comparison import Pair

SEED_KEYS = ("seed", "data.seed")  # settings that twins may differ in, besides the seeds of audits


def twins_of(settings: Mapping[str, Mapping[str, Any]]) -> list[Pair]:
    """Return the pairs of models whose settings, by name, are known and differ in the seed only."""
    plain = {name: _flat(each) for name, each in settings.items()}
    different = {pair: _different(*(plain[name] for name in pair)) for pair in combinations(plain, 2)}
    return [
        (one, two)
        for (one, two), keys in different.items()
        if plain[one] and plain[two] and keys and all(map(is_seed, keys))
    ]


def is_seed(key: str) -> bool:
    """Tell whether a setting is a seed of the training, or of an audit that follows it."""
    return key in SEED_KEYS or (key.startswith("callbacks.") and key.endswith((".seed", ".random_state")))


def check_twins(twins: Iterable[Sequence[str]], names: Sequence[str]) -> list[Pair]:
    """Return all pairs of each group of twins; raises ValueError for names of no model and groups of fewer than two."""
    found = []
    for group in twins:
        unknown = [name for name in group if name not in names]
        if unknown or len(set(group)) < 2:
            raise ValueError(
                f"twins expects groups of two or more names of models ({', '.join(names)}), got {list(group)}"
            )
        found += combinations(sorted(set(group), key=list(names).index), 2)
    return list(dict.fromkeys(found))


def differing(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return of each model the settings in which not all models agree; {} for all where one's are not known.

    Of a group that one of them does not have, such as an artifact, only what it is: its class's name, or "none".
    """
    if not all(settings.values()):
        return {name: {} for name in settings}
    groups = {key for each in settings.values() for key, value in each.items() if isinstance(value, Mapping) and value}
    partly = {key for key in groups if not all(each.get(key) for each in settings.values())}
    plain = {
        name: _flat({key: _kind(value) if key in partly else value for key, value in each.items()})
        for name, each in settings.items()
    }
    keys = sorted({key for each in plain.values() for key in each})
    kept = [key for key in keys if len({repr(each.get(key)) for each in plain.values()}) > 1]
    return {name: {key: each.get(key) for key in kept} for name, each in plain.items()}


def _kind(group: Any) -> str:
    return str(group.get("_target_", "given")).rpartition(".")[2] if group else "none"


def _different(one: Mapping[str, Any], two: Mapping[str, Any]) -> set[str]:
    return {key for key in {*one, *two} if one.get(key) != two.get(key)}


def _flat(node: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        path = f"{name}.{key}" if name else str(key)
        found |= _flat(value, path) if isinstance(value, Mapping) and value else {path: value}
    return found
