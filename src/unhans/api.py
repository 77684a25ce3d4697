"""The public calls: audit any network on any data set, compare several networks."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset

from unhans.artifacts import Layered
from unhans.attribution import Attribution, ExtremalPerturbation, Relevance
from unhans.class_names import labels_named
from unhans.comparison import ModelComparison
from unhans.data import Key, adapt, draw_per_class, first_image, labels_of, names_of, without_augmentation
from unhans.experiment.compare import (
    EXAMPLES,
    ComparedModel,
    Viewing,
    check_twins,
    compare_views,
    difference_groups,
    displayed,
    sample_set,
    write_comparison,
)
from unhans.experiment.survey import Parallel, Survey, Target, audit_survey
from unhans.harness import check_outputs, class_names
from unhans.lrp.tracing import LogitsOf, Output, logits_of
from unhans.report import Ranking
from unhans.spray import SpRAy
from unhans.store import held


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
    plain, labels, names = _labelled(dataset, keys)
    wanted = labels_named(classes, names, "classes")
    subsets = {
        label: drawn for label, drawn in draw_per_class(labels, samples_per_class, seed).items() if label in wanted
    }
    temporary = TemporaryDirectory(prefix="unhans-") if out is None else None
    folder = Path(temporary.name if temporary else out).absolute()  # type: ignore[arg-type]
    device = _device(device)
    network = _copied(model, output).to(device)
    _check_network(network, plain, labels, device)
    survey = Survey(
        network=network,
        dataset=plain,
        classes=names,
        subsets=subsets,
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
        temporary=out is None,
    )
    with held(folder):
        ranking = audit_survey(survey, parallel or Parallel())
    return Ranking(ranking, folder, survey.names, survey.subtitle, temporary)


def compare(
    models: Mapping[str, nn.Module],
    dataset: Dataset | Mapping[str, Dataset],
    *,
    outputs: Mapping[str, Sequence[str]] | None = None,
    twins: Sequence[Sequence[str]] = (),
    attribution: Attribution | None = None,
    spray: SpRAy | None = None,
    classes: Sequence[str] | None = None,
    samples_per_class: int | None = None,
    masks: int = 0,
    mask: ExtremalPerturbation | None = None,
    artifacts: Mapping[str, tuple[Layered, str]] | None = None,
    effect_samples: int = 200,
    tolerance: float = 0.0,
    out: str | Path | None = None,
    batch_size: int = 32,
    device: torch.device | str = "auto",
    seed: int = 0,
    keys: Mapping[str, Key] | None = None,
    output: Output | None = None,
) -> ModelComparison:
    """Compare trained networks on the same images, as `analyze.py analysis=compare` does.

    Args:
        models: by name, as for `audit`; they are copied, not changed.
        dataset: the images as all models take them; or one for each model by its name, with the same images in the
            same order, where models take other sizes or other normalisations.
        outputs: by name of a model what its outputs mean; models that are left out have the classes of their data set.
        twins: groups of names of models that differ in the seed of their training only; only against these can a
            disagreement be called more than chance.
        attribution: how to explain; LRP `epsilon_plus_flat` by default.
        spray: how heatmaps and their differences are clustered.
        classes: names of the classes to look at; None is all that every model has.
        samples_per_class: at most so many of each, drawn by the seed; None is all.
        masks: images of each class for which every model gets a mask as well.
        mask: how masks are made.
        artifacts: by name, each with the name of its class, to be pasted on the images in every model; None: the one
            that a data set of ours plants.
        effect_samples: images of other classes on which each is pasted, at most.
        tolerance: accuracy that a recommended model may lack.
        out: folder for tables, figures and the report, where what was measured is found again; None: nothing is kept.
        batch_size: images explained at once.
        device: "auto", or a torch device.
        seed: draws the samples.
        keys: as for `audit`.
        output: as for `audit`, the same for all models.

    Raises:
        ValueError: fewer than two models, no class or no image in common, or a network that cannot be explained.
    """
    device = _device(device)
    given = dataset if isinstance(dataset, Mapping) else dict.fromkeys(models, dataset)
    unknown = [name for name in (*(outputs or {}), *given) if name not in models]
    if unknown:
        raise ValueError(f"outputs and dataset name models ({', '.join(models)}), got {unknown[0]!r}")
    compared = []
    for name, model in models.items():
        if name not in given:
            raise ValueError(f"dataset expects one for each of the models {', '.join(models)}, got none for {name!r}")
        plain, labels, _ = _labelled(given[name], keys)
        meanings = (outputs or {}).get(name) or class_names(plain, labels)
        compared.append(ComparedModel(name, _copied(model, output).to(device), plain, list(meanings)))
    samples, left_out = sample_set(compared, classes, samples_per_class, masks, seed=seed)
    folder = None if out is None else Path(out).absolute()
    how = Viewing(
        attribution or Relevance(), mask or ExtremalPerturbation(), device, batch_size, seed,
        None if folder is None else folder / "models",
    )  # fmt: skip
    options = {"twins": check_twins(twins, list(models)), "artifacts": artifacts, "effect_samples": effect_samples}
    with nullcontext() if folder is None else held(folder):
        found, _ = compare_views(compared, samples, left_out, how, tolerance=tolerance, **options)
        if folder is not None:
            described, images = f"given images · {how.attribution.description}", partial(displayed, compared[0])
            spray = spray or SpRAy()
            groups = list(difference_groups(found, spray, "given"))
            write_comparison(found, described, folder, spray, images, groups, EXAMPLES)
    return found


def _device(name: torch.device | str) -> torch.device:
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def _labelled(dataset: Dataset, keys: Mapping[str, Key] | None) -> tuple[Dataset, NDArray[np.int64], dict[int, str]]:
    """The data set as pairs, without augmentation; its labels (n,); and the names of the classes that occur."""
    plain = adapt(without_augmentation(dataset), keys, who="audit()")
    labels = labels_of(plain)
    names = names_of(plain, labels)
    if not names:
        raise ValueError(f"the data set must hold labelled samples that can be read, got {len(labels)} samples without")
    return plain, labels, names


def _check_network(network: nn.Module, dataset: Dataset, labels: NDArray[np.int64], device: torch.device) -> None:
    """Raise ValueError unless a network returns a logit for each class."""
    image = first_image(dataset)
    with torch.no_grad():
        check_outputs(logits_of(network(image.to(device))).shape[1], labels)  # type: ignore[union-attr]


def _copied(model: nn.Module, output: Output | None) -> nn.Module:
    """A copy of the network in evaluation mode, which returns its logits."""
    network = model if output is None else LogitsOf(model, output)
    return copy.deepcopy(getattr(network, "_orig_mod", network)).eval()
