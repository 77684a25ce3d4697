"""The grid: which artifact, on how many images of a class, in which data, by which network and seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from planted.painters import PAINTERS

DATA = ("digits", "photographs", "cifar", "isic")
COVERAGES = (0.05, 0.1, 0.3, 0.6, 0.95)
FEW = 4  # classes that are audited in a quick run
SIZES = (1.0, 0.8, 1.3)  # by the seed
INVISIBLE = {("vignette", "digits")}  # what a kind changes is black there already
PAIRS = (("dot", "plasters"), ("sticker", "frame"), ("logo", "free_text"), ("date_stamp", "cast"))  # within one half
EVERYWHERE = ("frame", "sticker", "logo", "scan_lines")


@dataclass(frozen=True)
class Case:
    """One training and audit.

    kinds: what is planted, none, one or two; coverage: share of the target class's training images that carry each;
    everywhere: whether all classes carry it at that rate, so that it is a sign of none; audited: how many classes are
    audited, the target among them, 0 for all.
    """

    data: str
    kinds: tuple[str, ...]
    coverage: float
    seed: int
    network: str = "small_cnn"
    everywhere: bool = False
    audited: int = 0

    @property
    def key(self) -> str:
        """The name of the case."""
        return f"{self.trained}-of-{self.audited}" if self.audited else self.trained

    @property
    def trained(self) -> str:
        """The name of the trained network, which cases share that audit other numbers of classes."""
        what = "+".join(self.kinds) or "clean"
        where = "-everywhere" if self.everywhere else ""
        return f"{self.data}-{self.network}-{what}-{self.coverage:.2f}{where}-s{self.seed}"

    @property
    def size(self) -> float:
        """How large, or strong, the artifact is painted."""
        return SIZES[self.seed % len(SIZES)]


def quick(data: Sequence[str]) -> list[Case]:
    """Every kind once, coverages and data sets taking turns; then a clean run, a pair, and one in all classes."""
    planted = []
    for i, kind in enumerate(PAINTERS):
        fitting = [name for name in data if (kind, name) not in INVISIBLE] or list(data)
        planted.append(replace(_in_turn(kind, fitting[i % len(fitting)]), audited=FEW))
    where = {"data": data[1 % len(data)], "seed": 0}
    others = [
        Case(kinds=(), coverage=0, **where),
        Case(kinds=PAIRS[0], coverage=0.3, audited=FEW, **where),
        Case(kinds=EVERYWHERE[:1], coverage=0.3, everywhere=True, audited=FEW, **where),
    ]
    return planted + others


def square(data: Sequence[str]) -> list[Case]:
    """Every kind once in every data set, coverages taking turns; besides the extras."""
    every = product(data, PAINTERS)
    return [_in_turn(kind, name) for name, kind in every if (kind, name) not in INVISIBLE] + list(_extras(data, (0,)))


def full(data: Sequence[str]) -> list[Case]:
    """Every kind at every coverage in every data set, twice; once with SqueezeNet; the extras."""
    every = product((0, 1), COVERAGES, data, PAINTERS)
    planted = [
        Case(name, (kind,), coverage, _seed(kind, coverage, name, repeat))
        for repeat, coverage, name, kind in every
        if (kind, name) not in INVISIBLE
    ]
    large = [Case("photographs", (kind,), 0.3, i, "squeezenet") for i, kind in enumerate(PAINTERS)]
    return planted + (large if "photographs" in data else []) + list(_extras(data, (0, 1, 2)))


SUBSETS = {"quick": quick, "square": square, "full": full}


def _in_turn(kind: str, name: str) -> Case:
    """The case of a kind in a data set, at a coverage that neither decides alone; it is one of the full grid."""
    i, j = list(PAINTERS).index(kind), DATA.index(name)
    coverage = COVERAGES[(2 * i + i // 5 + j) % len(COVERAGES)]
    return Case(name, (kind,), coverage, _seed(kind, coverage, name, 0))


def _seed(kind: str, coverage: float, name: str, repeat: int) -> int:
    """A seed of its own for every cell of the grid; its remainder, which decides the size, varies along every axis."""
    i, j, k = list(PAINTERS).index(kind), DATA.index(name), COVERAGES.index(coverage)
    return 4000 * repeat + 100 * i + 10 * k + 2 * j


def _extras(data: Sequence[str], seeds: Sequence[int]) -> Iterator[Case]:
    """Clean runs, two artifacts in one class, and artifacts in all classes."""
    for seed, name in product(seeds, data):
        yield Case(name, (), 0, seed)
        yield from (Case(name, pair, 0.3, seed) for pair in PAIRS)
        yield from (Case(name, (kind,), 0.3, seed, everywhere=True) for kind in EVERYWHERE)
