"""Measures of heatmaps against Quantus, where definitions agree: how far they are apart, and how much faster ours are.

Quantus is called as its users do, a call for each measure, and by its formula alone (`evaluate_batch`) where it has
one. Of ours the one call that gives them is timed, with all else that it gives, such as the compressed size of maps.
Region perturbation is in `faithfulness_speed.py`.

    uv run --extra rivals python tests/benchmarks/quantus_speed.py
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.attribution import InputXGradient
from unhans.faithfulness import (
    InputShift,
    cascade,
    complexity,
    continuity,
    layers_from_top,
    randomized_similarity,
    shifted_network,
)
from unhans.faithfulness.training import region_shares

GOAL = 5.0
PLAIN = {"normalise": False, "disable_warnings": True, "display_progressbar": False}
SHIFT = 0.3
Measured = Callable[[], NDArray]


class Measure(NamedTuple):
    """One measure of both.

    Attributes:
        name: of it.
        ours, theirs: both as they are called.
        formula: theirs without what surrounds it; None where it is not apart.
    """

    name: str
    ours: Measured
    theirs: Measured
    formula: Measured | None = None


class Drawn(nn.Module):
    """A layer that becomes random by given values, so that both randomise alike."""

    values: dict[str, Tensor]

    def reset_parameters(self) -> None:
        """Take the given values; nothing before there are any."""
        if values := getattr(self, "values", None):
            self.load_state_dict(values)


class Conv(nn.Conv2d, Drawn):
    """A convolution."""

    reset_parameters = Drawn.reset_parameters


class Dense(nn.Linear, Drawn):
    """A dense layer."""

    reset_parameters = Drawn.reset_parameters


def network(images: Tensor) -> nn.Module:
    """Return a random network of three classes without padding, whose layers know their random values."""
    model = nn.Sequential(
        Conv(3, 8, 3), nn.ReLU(), Conv(8, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), Dense(64, 3)
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5)
    for layer, random in cascade(model, layers_from_top(model, images[:1]), seed=0):
        drawn = random.get_submodule(layer).state_dict()
        model.get_submodule(layer).values = {name: each.clone() for name, each in drawn.items()}
    return model.eval()


def explain(model: nn.Module, inputs: NDArray, targets: NDArray, **options: Any) -> NDArray:
    """Return heatmaps (n, 1, H, W) as Quantus asks for them."""
    explained = InputXGradient().of(model)(torch.as_tensor(inputs).float(), torch.as_tensor(targets))
    return explained.maps.numpy()[:, None]


def measures(n: int, side: int) -> Iterator[Measure]:
    """Give what can be compared, on n images of side × side pixels."""
    import quantus

    random = np.random.default_rng(0)
    images, targets = random.random((n, 3, side, side), dtype=np.float32), random.integers(0, 3, n)
    maps = random.normal(size=(n, side, side)).astype(np.float32)
    masks = np.zeros((n, side, side), bool)
    masks[:, side // 4 : side // 2, : side // 2] = True
    given = {"model": None, "x_batch": images, "y_batch": targets, "batch_size": n}

    def pair(name: str, ours: Callable[[], Any], values: tuple[str, str], metrics: list[Any], **more: Any) -> Measure:
        """Return two measures that one call of ours gives."""

        def formula() -> NDArray:
            kept = [(np.abs(maps) if one.abs else maps)[:, None].copy() for one in metrics]
            found = [one.evaluate_batch(a_batch=each, x_batch=images, **more)
                     for one, each in zip(metrics, kept, strict=True)]  # fmt: skip
            return np.array(found)

        def theirs() -> NDArray:
            return np.array([one(a_batch=maps[:, None].copy(), **more, **given) for one in metrics])

        def both() -> NDArray:
            found = ours()
            return np.array([getattr(found, value) for value in values])

        return Measure(name, both, theirs, formula)

    complexities = [quantus.Complexity(abs=True, **PLAIN), quantus.Sparseness(abs=True, **PLAIN)]
    yield pair("entropy and Gini index", lambda: complexity(maps), ("entropy", "gini"), complexities)
    positive = quantus.AttributionLocalisation(abs=False, positive_attributions=True, **PLAIN)
    shares = [quantus.RelevanceMassAccuracy(abs=True, **PLAIN), positive]
    given_masks = {"s_batch": masks[:, None]}
    yield pair("absolute and positive share of a region", lambda: region_shares(maps, masks), ("absolute", "positive"),
               shares, **given_masks)  # fmt: skip
    yield from _with_network(images, targets)


def _with_network(images: NDArray, targets: NDArray) -> Iterator[Measure]:
    """Give measures that explain images anew, most of whose time goes into that."""
    import quantus

    x, y = torch.from_numpy(images), torch.from_numpy(targets)
    model = network(x)
    given = {"x_batch": images, "y_batch": targets, "explain_func": explain, "batch_size": len(x), "device": "cpu"}
    own = explain(model, images, targets)
    similarity = quantus.similarity_func.correlation_spearman
    layers = layers_from_top(model, x[:1])

    def randomised() -> NDArray:
        steps = randomized_similarity(model, lambda one: explain(one, images, targets)[:, 0], layers)
        return np.stack([step.signed for step in steps])

    def theirs_randomised() -> NDArray:
        test = quantus.MPRT(similarity_func=similarity, layer_order="top_down", abs=False, **PLAIN)
        found = test(model=model, a_batch=own.copy(), **given)
        return np.array([found[layer] for layer in layers])

    yield Measure("layers random from the top", randomised, theirs_randomised)

    def shifted() -> NDArray:
        shift = InputShift(torch.full((3,), -SHIFT), torch.ones(3))
        maps = explain(shifted_network(model, shift, x), shift.inputs(x).numpy(), targets)
        return np.isclose(own, maps, atol=1e-4).all((1, 2, 3))

    def theirs_shifted() -> NDArray:
        test = quantus.InputInvariance(input_shift=SHIFT, abs=False, **PLAIN)
        return np.asarray(test(model=model, a_batch=own.copy(), **given))

    yield Measure("input shift", shifted, theirs_shifted)

    def continuous() -> NDArray:
        empty = x.amin((1, 2, 3), keepdim=True).expand_as(x)  # the image moved by its width
        found = continuity(InputXGradient().of(model), [x, x, empty], y).largest
        return found * np.abs(own).sum((1, 2, 3)) / np.sqrt((images.astype(np.float64) ** 2).sum((1, 2, 3)))

    def theirs_continuous() -> NDArray:
        options = {"nr_steps": 2, "abs": False, "return_nan_when_prediction_changes": False}
        return np.asarray(quantus.Continuity(**options, **PLAIN)(model=model, a_batch=own.copy(), **given))

    yield Measure("continuity", continuous, theirs_continuous)


def timed(work: Measured) -> tuple[float, NDArray]:
    """Return the seconds of the processor that a call takes, whatever else the machine does, and what it returns."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def compare(one: Measure, size: str, repeats: int) -> None:
    """Print a row of the table."""
    runs = [(timed(one.ours), timed(one.theirs), timed(one.formula or one.theirs)) for _ in range(repeats)]
    ours, theirs, formula = (statistics.median(run[i][0] for run in runs) for i in range(3))
    ratio = statistics.median(run[1][0] / run[0][0] for run in runs)
    off = np.abs(np.asarray(runs[-1][0][1], float) - np.asarray(runs[-1][1][1], float)).max()
    alone = f"{formula:.3f}" if one.formula else "–"
    print(
        f"| {one.name}, {size} | {ours:.3f} | {theirs:.3f} | {alone} | {ratio:.1f} (≥ {GOAL:g}) | {off:.0e} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--sides", type=int, nargs="*", default=[64, 224])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| measure, maps | ours, s | Quantus, s | its formula, s | × faster (goal) | largest difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for side in options.sides:
        for one in measures(options.images, side):
            compare(one, f"{options.images} of {side} × {side}", options.repeats)


if __name__ == "__main__":
    main()
