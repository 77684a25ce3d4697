"""The analysis `input_shift`: do heatmaps stay where inputs are normalised otherwise, the function being the same?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt
from rich.markup import escape
from torch import Tensor

from unhans.attribution import Attribution, Relevance, explain_all
from unhans.data import PixelScale, read_samples
from unhans.experiment.faithfulness import Named, compared_methods
from unhans.experiment.run import Subject
from unhans.faithfulness import InputShift, ShiftedMaps, shifted_network
from unhans.lrp import Match, composite_by_name
from unhans.report import progress
from unhans.report.figures import Look, Method, panel_figure
from unhans.report.figures.quality import input_shift_figure
from unhans.report.tables.quality import input_shift_rows, input_shift_table
from unhans.report.text.quality import SHIFT_PANELS, box_left_out, drawn_said, shift_sentence
from unhans.store import write_csv, write_figure
from unhans.terminal import CONSOLE, ConfigurationError

FIRST_RULES = ("epsilon", "z_plus", "alpha_beta", "gamma", "flat", "w_square")  # of the first layer


def measure_input_shift(
    subject: Subject,
    mean: float | Sequence[float] = 1.0,
    std: float | Sequence[float] = 1.0,
    methods: Sequence[Named] = ("input_x_gradient", "saliency"),
    samples: PositiveInt = 12,
    examples: NonNegativeInt = 3,
) -> dict[str, float]:
    """Compare heatmaps of the network and of one that computes the same from other inputs ([003] §2.3.3).

    Prints and writes input_shift.csv and .png, and for some samples input_shift/NNNNNN.png.

    Args:
        subject: the network and its data.
        mean, std: the other inputs are (pixel − mean) / std of pixels in [0, 1]; for all channels or for each.
        methods: choices of `attribution=` or LRP's rule sets, beside the subject's and the rules of the first layer.
        samples: how many, drawn from all classes.
        examples: how many of them are drawn.
    """
    scale = subject.dataset.scale
    shift = _shift(scale, mean, std)
    attributions = _attributions(subject.attribution, methods)
    boxes = _boxes(scale, shift)
    drawn = np.random.default_rng(subject.seed).permutation(len(subject.dataset))[:samples]
    images, index = read_samples(subject.dataset, np.sort(drawn))
    subject.data.report_unreadable()
    if not len(index):
        raise ValueError("none of the drawn samples could be read.")
    images = images.double()
    other = shifted_network(subject.network, shift, images.to(subject.device))
    subject.begin()
    pairs = {name: (one, _converted(one, shift)) for name, one in attributions.items()} | boxes
    labels = torch.as_tensor(subject.dataset.labels[index])
    found = []
    with progress(2 * len(index) * len(pairs)) as say:
        for name, (first, second) in pairs.items():
            ours = explain_all(first.of(subject.network), images, labels, subject.batch_size, subject.device)
            theirs = explain_all(second.of(other), shift.inputs(images), labels, subject.batch_size, subject.device)
            scores = ours.logits.gather(1, labels[:, None])[:, 0].numpy()
            found.append(ShiftedMaps(name, ours.maps.numpy(), theirs.maps.numpy(), scores))
            say(name, 2 * len(index))
    _report(subject, found, shift_sentence(_listed(mean), _listed(std), scale.mean.tolist(), scale.std.tolist()), boxes)
    _draw_examples(subject, found, subject.dataset.scale.to_display(images.float()), index[:examples])
    CONSOLE.print(escape(drawn_said(len(index), min(examples, len(index)), str(subject.out / "input_shift"))))
    return {f"difference/{one.name}": one.mean_difference for one in found}


def _listed(value: float | Sequence[float]) -> list[float]:
    return [float(value)] if isinstance(value, int | float) else [float(each) for each in value]


def _shift(scale: PixelScale, mean: float | Sequence[float], std: float | Sequence[float]) -> InputShift:
    """From the data's own normalisation to the other: x = (std′ x′ + mean′ − mean) / std."""
    parts = []
    for name, value in (("mean", _listed(mean)), ("std", _listed(std))):
        if len(value) not in (1, scale.channels) or not np.isfinite(value).all() or (name == "std" and min(value) <= 0):
            raise ConfigurationError(
                f"analysis.{name} expects a number or one for each of the {scale.channels} channels"
                f"{', above 0' if name == 'std' else ''}, got {value}."
            )
        parts.append(torch.tensor(value, dtype=torch.float64).expand(scale.channels))
    own_mean, own_std = scale.mean.double().cpu(), scale.std.double().cpu()
    if torch.allclose(parts[0], own_mean) and torch.allclose(parts[1], own_std):
        raise ConfigurationError("analysis.mean and std are the data's own normalisation; nothing would change.")
    return InputShift((parts[0] - own_mean) / own_std, parts[1] / own_std)


def _attributions(chosen: Attribution, methods: Sequence[Named]) -> dict[str, Attribution]:
    """The chosen attribution, LRP with each rule at the first layer, and other methods, by name."""
    found = compared_methods(chosen, ())
    found |= {f"LRP, first layer {rule}": _with_first(rule) for rule in FIRST_RULES}
    for name, method in compared_methods(chosen, methods).items():
        found.setdefault(name, method)
    return found


def _with_first(rule: object) -> Relevance:
    first = [(Match(kind, depth=1), rule) for kind in ("convolution", "dense")]
    return Relevance([*first, *composite_by_name("epsilon_plus")])


def _boxes(scale: PixelScale, shift: InputShift) -> dict[str, tuple[Attribution, Attribution]]:
    """z^B at the first layer with the box of each network's inputs, where both hold 0."""
    own = [((end - scale.mean.double()) / scale.std.double()).tolist() for end in (0.0, 1.0)]
    others = [[round(bound, 6) for bound in shift.bounds(bounds)] for bounds in own]
    if any(max(low) > 0 or min(high) < 0 for low, high in (own, others)):
        return {}
    pair = [_with_first({"z_box": {"low": low, "high": high}}) for low, high in (own, others)]
    return {"LRP, first layer z_box": (pair[0], pair[1])}


def _converted(attribution: Attribution, shift: InputShift) -> Attribution:
    """The same attribution for the other inputs: bounds of a box are shifted, too."""
    if not isinstance(attribution, Relevance) or not {"low", "high"} <= set(attribution.parameters):
        return attribution
    bounds = {name: shift.bounds(_listed(attribution.parameters[name])) for name in ("low", "high")}
    return replace(attribution, parameters={**attribution.parameters, **bounds})


def _report(subject: Subject, found: Sequence[ShiftedMaps], title: str, boxes: dict) -> None:
    CONSOLE.print(input_shift_table(found, title))
    if not boxes:
        CONSOLE.print(escape(box_left_out()))
    write_csv(subject.out / "input_shift.csv", *input_shift_rows(found))
    write_figure(subject.out / "input_shift.png", input_shift_figure(found, title), dpi=150)


def _draw_examples(subject: Subject, found: Sequence[ShiftedMaps], images: Tensor, index: NDArray[np.int64]) -> None:
    """A picture of each sample: a row of each method with both maps and their difference, on one scale."""
    for i, sample in enumerate(index):
        methods = [
            Method(one.name, np.stack([one.first[i], one.second[i], one.first[i] - one.second[i]])) for one in found
        ]
        label = subject.classes[int(subject.dataset.labels[sample])]
        figure = panel_figure(
            methods,
            *SHIFT_PANELS,
            f"Sample {sample} of class '{label}' under the same network with other inputs",
            subtitle="The maps of a row are on one scale. Both networks compute the same from the same image.",
            look=Look(joint=True),
            image=images[i],
        )
        write_figure(subject.out / "input_shift" / f"{sample:06d}.png", figure)
