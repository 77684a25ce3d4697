"""The door for Python: audit any network on any data set."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn
from torch.utils.data import Dataset

from unhans.attribution import Attribution, Relevance
from unhans.class_names import class_index
from unhans.data import Key, adapted, draw_per_class, labels_of, names_of, without_augmentation
from unhans.experiment.survey import Parallel, Survey, Target, audit_survey
from unhans.lrp.tracing import LogitsOf, Output
from unhans.report import Ranking
from unhans.spray import SpRAy


def audit(
    model: nn.Module,
    dataset: Dataset,
    *,
    attribution: Attribution | None = None,
    spray: SpRAy | None = None,
    classes: Sequence[str] | None = None,
    samples_per_class: int | None = None,
    target: Target = "label",
    control: bool = True,
    out: str | Path | None = None,
    batch_size: int = 32,
    num_workers: int = 0,
    device: torch.device | str = "auto",
    parallel: Parallel | None = None,
    seed: int = 0,
    keys: Mapping[str, Key] | None = None,
    output: Output | None = None,
) -> Ranking:
    """Explain every class of a data set, cluster the heatmaps and rank the classes, as `analyze.py` does.

    Args:
        model: from images (n, C, H, W) to logits (n, K), or to an object that holds them; it is copied, not changed.
        dataset: samples as the model takes them: ours, torchvision's, Hugging Face's, or your own, by index or to
            iterate over; see `unhans.data.adapters`. A sample with several classes is explained for each of them.
        attribution: how to explain; LRP `epsilon_plus_flat` by default.
        spray: how heatmaps are clustered; by default summed onto a grid of 28 × 28 first.
        classes: names of the classes to audit; None is all.
        samples_per_class: at most so many of each, drawn by the seed; None is all.
        target: explain the label of each sample, or the class predicted for it.
        control: run the same analysis on the raw images.
        out: folder for all files; a run into one that holds results does what is missing. None: a temporary one.
        batch_size, num_workers: images explained at once, processes that read them.
        device: "auto", or a torch device.
        parallel: where classes are clustered; None is in as many processes as there are cores.
        seed: draws the samples.
        keys: where image and label are in an item, where they are not found, such as {"image": "pixels", "label": 2}.
        output: where the logits are in what the model returns, where they are not found: a key or an attribute, an
            index, or a function.

    Raises:
        ValueError: bad arguments, a network that cannot be explained, or no class that can be ranked.
        OSError: files cannot be written.
    """
    temporary = TemporaryDirectory(prefix="unhans-") if out is None else None
    folder = Path(temporary.name if temporary else out).absolute()  # type: ignore[arg-type]
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    plain = adapted(without_augmentation(dataset), keys, who="audit()")
    labels = labels_of(plain)
    names = names_of(plain, labels)
    model = model if output is None else LogitsOf(model, output)
    if not names:
        raise ValueError(f"the data set must hold labelled samples that can be read, got {len(labels)} samples without")
    survey = Survey(
        network=copy.deepcopy(getattr(model, "_orig_mod", model)).eval().to(device),
        dataset=plain,
        classes=names,
        subsets=_subsets(draw_per_class(labels, samples_per_class, seed), names, classes),
        attribution=attribution or Relevance(),
        spray=spray or SpRAy(pooling=28),
        out=folder,
        split="given",
        target=target,
        control=control,
        batch_size=batch_size,
        num_workers=num_workers,
        device=device,
        seed=seed,
        labels=labels,
    )
    ranking = audit_survey(survey, parallel or Parallel())
    return Ranking(ranking, folder, survey.names, survey.subtitle, temporary)


def _subsets(drawn: dict, names: dict[int, str], classes: Sequence[str] | None) -> dict:
    if classes is None:
        return drawn
    known = list(names.values())
    wanted = {known[class_index(str(name), known, "classes")] for name in classes}
    return {label: indices for label, indices in drawn.items() if names[label] in wanted}
