"""Ways to prepare images, which of them each network was trained on, and the images that all are asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import nn

from unhans.class_names import labels_named
from unhans.data import DEGRADATIONS, ImageDataset, TrainValUnion, draw_per_class
from unhans.data.sources import ImageData
from unhans.experiment.compare import (
    build_otherwise,
    load_runs,
    preprocessing_said,
    split_images,
    training_settings,
)
from unhans.experiment.run import Subject
from unhans.terminal import ConfigurationError, near

SOURCES = ("root", "path")  # options of data that say where images are
FOLD = ("fold", "validation")  # options that say which images are for validation
LARGER = 8 / 7  # side of the image, in sides of the crop, that ten crops are cut from: 256 for 224

Options = Mapping[str, Any]
Images = ImageDataset | TrainValUnion


@dataclass(frozen=True)
class SwapNetwork:
    """A trained network.

    Attributes:
        name: unlike the others'.
        cfg: completed by that of its run.
        network: in evaluation mode, on its device.
        data: its own, prepared as it was trained.
        settings: how it was trained; {} where nobody knows.
    """

    name: str
    cfg: DictConfig
    network: nn.Module
    data: ImageData
    settings: Mapping[str, Any]

    @property
    def fold(self) -> dict[str, Any]:
        """The options of its data that say which of their images are for validation."""
        return {key: getattr(self.data, key) for key in FOLD if hasattr(self.data, key)}


def swap_networks(cfgs: Sequence[DictConfig], subject: Subject) -> list[SwapNetwork]:
    """Return the networks of completed configurations, the first one being the subject's; each has its own data."""
    return [
        SwapNetwork(name, cfg, network, data, training_settings(cfg.ckpt))
        for cfg, name, data, network in load_runs(cfgs, subject)
    ]


def variants_of(given: Mapping[str, Options | None] | None, networks: Sequence[SwapNetwork]) -> dict[str, Options]:
    """Return the options of the data by variant, those that some variant gives in all of them.

    Args:
        given: options of the data by name, degradations also by their own names; what only other variants give is that
            of the first network, and no degradation. None: as each network's own data are prepared.

    Raises:
        ConfigurationError: there are fewer than two.
    """
    if given is None:
        return _own_variants(networks)
    if len(given) < 2:
        raise ConfigurationError(
            f"analysis.variants expects at least two, such as {{plain: {{}}, jpeg: {{jpeg: 20}}}}, got {len(given)}."
        )
    own = [str(key) for key in networks[0].cfg.data if key != "_target_"]
    known = [*dict.fromkeys([*own, *preprocessing_said(networks[0].data), *DEGRADATIONS])]
    folded = {str(name): _folded(name, options or {}, known) for name, options in given.items()}
    keys = list(dict.fromkeys(key for options in folded.values() for key in options))
    first = {key: {} if key == "degrade" else said(networks[0].data, key) for key in keys}
    return {name: first | options for name, options in folded.items()}


def _folded(name: str, options: Options, known: Sequence[str]) -> dict[str, Any]:
    """Options in which degradations lie under their key; ConfigurationError for one that is not known."""
    if not isinstance(options, Mapping):
        raise ConfigurationError(f"analysis.variants.{name} expects options of the data in braces, got {options!r}.")
    unknown = next((key for key in options if key not in known), None)
    if unknown is not None:
        hint = near(unknown, known, f"; it takes {', '.join(known)}.")
        raise ConfigurationError(f"analysis.variants.{name} expects options of the data, got {unknown!r}{hint}")
    worse = {key: value for key, value in options.items() if key in DEGRADATIONS}
    rest = {key: value for key, value in options.items() if key not in DEGRADATIONS}
    if worse:
        rest["degrade"] = {**(rest.get("degrade") or {}), **worse}
    return {key: {} if key == "degrade" and value is None else value for key, value in rest.items()}


def _own_variants(networks: Sequence[SwapNetwork]) -> dict[str, Options]:
    """A variant for each way in which the networks' data are prepared, named by what differs."""
    every = [preprocessing_said(one.data) | {key: said(one.data, key) for key in SOURCES} for one in networks]
    keys = [key for key in every[0] if len({repr(each[key]) for each in every}) > 1]
    if not keys:
        raise ConfigurationError(
            "all of these networks were trained on images of one preparation; say which others they are tested on: "
            "analysis.variants={plain: {}, jpeg: {jpeg: 20}}."
        )
    folders = [each[key] for each in every for key in SOURCES if each[key] is not None]
    short = len({Path(each).name for each in folders}) == len(set(folders))
    return {
        ", ".join(_named(key, each[key], short) for key in keys): {key: each[key] for key in keys} for each in every
    }


def _named(key: str, value: Any, short: bool) -> str:
    """An option in the name of a variant; of folders their last part where that tells them apart."""
    if key == "degrade":
        return " ".join(f"{name} {number:g}" for name, number in value.items()) or "not degraded"
    if key in SOURCES:
        return Path(str(value)).name if short else str(value)
    return f"{key} {' '.join(f'{each:g}' for each in value)}" if isinstance(value, list) else f"{key} {value}"


def said(data: ImageData, key: str) -> Any:
    """Return an option of the data as a plain value; None where it has no such option."""
    value = getattr(data, key, None)
    return list(value) if isinstance(value, tuple) else str(value) if key in SOURCES and value is not None else value


@dataclass
class SwapData:
    """The images of every network and variant.

    Attributes:
        networks: that are asked.
        variants: options of the data by name.
        subject: the first network; its split and how many images of a class.
        crops: 1, or 10: then images are larger, so that crops of the network's size can be cut from them.
        classes: names of those that are asked about; None is all that have images.
    """

    networks: Sequence[SwapNetwork]
    variants: Mapping[str, Options]
    subject: Subject
    crops: int = 1
    classes: Sequence[str] | None = None
    _built: dict[str, ImageData] = field(default_factory=dict)

    def data(self, network: SwapNetwork, variant: str, crops: int | None = None) -> ImageData:
        """Return the data of the first network's configuration, prepared as a network and a variant say.

        Raises:
            ConfigurationError: a variant has an unknown option, or a value that cannot be.
        """
        options = self._options(network, variant)
        if (self.crops if crops is None else crops) == 10:
            size = options["image_size"]
            options |= {"image_size": options["crop_from"] or round(LARGER * size), "crop_from": None}
        key = repr(sorted(options.items()))
        if key not in self._built:
            self._built[key] = self._build(variant, options)
        return self._built[key]

    def images(self, network: SwapNetwork, variant: str, crops: int | None = None) -> Images:
        """Return the chosen split of `data`."""
        return split_images(self.data(network, variant, crops), self.subject.split)

    def trained(self, network: SwapNetwork) -> str | None:
        """Return the variant that a network was trained on by the configuration of its run; None where it is none."""
        for variant, options in self.variants.items():
            other = self.data(network, variant, crops=1)
            if all(said(network.data, key) == said(other, key) for key in options):
                return variant
        return None

    def _options(self, network: SwapNetwork, variant: str) -> dict[str, Any]:
        own, given = preprocessing_said(network.data), self.variants[variant]
        if given.get("resize", own["resize"]) != own["resize"] or "image_size" in given:
            own["crop_from"] = None  # of the network's own way to make images square
        return own | network.fold | given

    def _build(self, variant: str, options: Options) -> ImageData:
        try:
            return build_otherwise(self.networks[0].cfg, options)
        except (ValueError, OSError) as error:
            raise ConfigurationError(f"analysis.variants: {variant!r}: {error}") from error

    @cached_property
    def names(self) -> list[str]:
        """The classes that are asked about, those that have images of the first variant.

        Raises:
            ValueError: one is unknown or no output of a network, or there are fewer than two.
        """
        data = self.data(self.networks[0], self.first)
        present = np.unique(self.images(self.networks[0], self.first).labels)
        chosen = [data.classes[label] for label in present]
        if self.classes is not None:
            chosen = [chosen[label] for label in labels_named(self.classes, dict(enumerate(chosen)), "classes")]
        for network in self.networks:
            missing = [name for name in chosen if name not in network.data.classes]
            if missing:
                raise ConfigurationError(
                    f"{network.name!r} has no output for the class {missing[0]!r}; name classes that every network "
                    "has: analysis.classes=[…]."
                )
        return chosen

    @property
    def folds(self) -> list[list[SwapNetwork]]:
        """The networks by the images that they were validated on, in their order."""
        found: dict[str, list[SwapNetwork]] = {}
        for one in self.networks:
            found.setdefault(repr(one.fold), []).append(one)
        return list(found.values())

    @property
    def first(self) -> str:
        """The name of the first variant."""
        return next(iter(self.variants))


@dataclass(frozen=True)
class SwapSample:
    """The images that are asked about.

    Attributes:
        index: by variant (n,) in the images of that variant and fold, the same for every network of the fold.
        labels: by variant (n,) places among the classes.
        paths: by variant.
        paired: by variant, whether they are the images of the first variant in the same order.
        seen: images that are left out, as a network was trained on them.
        absent: images that are left out, as another variant has most of the others but not these.
        folds: by variant (n,) the place among `SwapData.folds` of the networks that are asked.
    """

    index: Mapping[str, NDArray[np.int64]]
    labels: Mapping[str, NDArray[np.int64]]
    paths: Mapping[str, Sequence[str]]
    paired: Mapping[str, bool]
    folds: Mapping[str, NDArray[np.int64]]
    seen: int = 0
    absent: int = 0


def draw_sample(swap: SwapData) -> SwapSample:
    """Choose the images: the same ones of all variants that have them, of other folders others of the same classes.

    Networks that are folds of a cross-validation are asked about the images of their own fold.

    Raises:
        ValueError: a variant has no images.
    """
    parts = [_fold_sample(swap, networks, number) for number, networks in enumerate(swap.folds)]
    joined = {
        name: {variant: np.concatenate([getattr(one, name)[variant] for one in parts]) for variant in swap.variants}
        for name in ("index", "labels", "folds")
    }
    paths = {variant: [path for one in parts for path in one.paths[variant]] for variant in swap.variants}
    paired = {variant: all(one.paired[variant] for one in parts) for variant in swap.variants}
    counts = {name: sum(getattr(one, name) for one in parts) for name in ("seen", "absent")}
    return SwapSample(paths=paths, paired=paired, **joined, **counts)


def _fold_sample(swap: SwapData, networks: Sequence[SwapNetwork], number: int) -> SwapSample:
    """The images of one fold, that of the networks."""
    known = {variant: _known(swap, networks[0], variant) for variant in swap.variants}
    trained = _trained(swap, networks)
    unseen = {variant: {key: at for key, at in each.items() if key not in trained} for variant, each in known.items()}
    first = unseen[swap.first]
    paired = {variant: bool(first.keys() & each.keys()) for variant, each in unseen.items()}
    common = set.intersection(*(set(each) for variant, each in unseen.items() if paired[variant])) if first else set()
    index, labels = {}, {}
    for variant, each in unseen.items():
        kept = [key for key in (first if paired[variant] else each) if key in common or not paired[variant]]
        places = np.array([swap.names.index(name) for _, name in kept], dtype=np.int64)
        drawn = draw_per_class(places, swap.subject.samples_per_class, swap.subject.seed)
        rows = np.sort(np.concatenate([np.array([], dtype=np.int64), *drawn.values()]))
        if not len(rows):
            raise ValueError(
                f"the variant {variant!r} has no {swap.subject.split} images that no network was trained on."
            )
        index[variant], labels[variant] = np.array([each[kept[row]] for row in rows]), places[rows]
    images = {variant: swap.images(networks[0], variant) for variant in swap.variants}
    paths = {variant: [images[variant].paths[row] for row in rows] for variant, rows in index.items()}
    seen = len(known[swap.first]) - len(first)
    folds = {variant: np.full(len(rows), number) for variant, rows in index.items()}
    return SwapSample(index, labels, paths, paired, folds, seen, len(first) - len(common))


def _known(swap: SwapData, network: SwapNetwork, variant: str) -> dict[tuple[str, str], int]:
    """Where images of the asked classes are, by their name below the folder and their class."""
    data, images = swap.data(network, variant), swap.images(network, variant)
    names = [data.classes[label] for label in images.labels]
    below = _below(data, images.paths)
    return {(path, name): at for at, (path, name) in enumerate(zip(below, names, strict=True)) if name in swap.names}


def _trained(swap: SwapData, networks: Sequence[SwapNetwork]) -> set[tuple[str, str]]:
    """Images that a network was trained on; none are left out where training images are asked about."""
    if swap.subject.split != "val":
        return set()
    found: set[tuple[str, str]] = set()
    for one in networks:
        names = [one.data.classes[label] for label in one.data.train_set.labels]
        found.update(zip(_below(one.data, one.data.train_set.paths), names, strict=True))
    return found


def _below(data: ImageData, paths: Sequence[str]) -> list[str]:
    """Paths without the folder or archive of the data, so that copies of a data set have the same."""
    base = next((value for key in SOURCES if (value := said(data, key))), "")
    return [path.removeprefix(base).lstrip("/\\") for path in paths]
