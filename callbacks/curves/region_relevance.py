"""How much relevance lies in named regions while the model trains, positive, negative and together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset
from unhans.callbacks.audit import LOG
from unhans.callbacks.curves.curve_audit import CurveAudit, packed_points, scalars_of, unpacked_points

from unhans.attribution import explain_all
from unhans.class_names import class_index, labels_named
from unhans.data import draw_per_class, entries_at, read_samples
from unhans.faithfulness.training import MeasuredEpoch, estimated, share_values
from unhans.harness import Regions, class_names, predicted_classes, raise_misconfiguration, region_masks
from unhans.report.figures.quality import regions_figure
from unhans.report.loggers import logger_keys
from unhans.report.tables.quality import epoch_rows
from unhans.store import file_stem, write_csv, write_figure

OF_CLASS = ("positive", "negative", "absolute", "net")  # of a class in loggers, without intervals


class RegionRelevance(CurveAudit):
    """Follows how much relevance lies in named regions of fixed images, for every class.

    Before training and after every n-th epoch, of every region: the share of the positive relevance that lies inside,
    that of the negative and of |R|, and the net share Σ_in R / Σ |R|. The latter falls below 0 where a network takes
    what lies there as a sign against the class, as one that has unlearned a watermark may [000 fig. 12], which a
    positive share does not show. Means over images with 95 % intervals are logged as `regions/REGION/KIND` and, of
    each class, `regions/class/NAME/REGION/KIND`; `folder/regions.csv` holds all of them, `folder/regions.png` and,
    after training, a picture for each class show them as stacked curves. Invisible to training, as every audit.

    >>> RegionRelevance({"tag": [0, 0.8, 0.3, 1], "frame": 0.1, "quadrants": "quadrants"}, network="net").source
    'val'

    Args:
        masks: the regions, such as {"tag": "tag.png", "frame": 0.1} or ["border", "planted"]: words, boxes, frames,
            pictures, arrays, artifacts or functions, see `unhans.harness.region_masks`.
        target: the class that is explained: the "label" of each image, the "predicted" one, or the same class for all,
            by number or name, such as that of an artifact.
        classes: names of the classes whose images are followed; None is all.
        samples_per_class: images of each, at most.
        indices: the images, by their numbers in the data set, in place of drawn ones.
        network, dataset, every_n_epochs, attribution, batch_size, folder, on_error, seed, name, output, keys: as for
            every `Audit`; audited are the validation data by default.

    Attributes:
        points: a `MeasuredEpoch` per audit, of all images together.
        by_class: the same by label, of its images alone.
        inputs: the images (n, C, H, W) as the network takes them.
        index: (n,) of the images in the data set.
        masks: by the name of a region (n, H, W) bool.

    Raises:
        ValueError: an argument is not as described.
        MisconfigurationException: before training, where a region does not fit, or the network could not be audited.
    """

    kind = "regions"

    def __init__(
        self,
        masks: Regions,
        network: str = "model",
        dataset: Literal["train", "val"] | Dataset = "val",
        every_n_epochs: int = 1,
        target: int | str = "label",
        classes: Sequence[str] | None = None,
        samples_per_class: int = 8,
        indices: Sequence[int] | NDArray[np.integer] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(network, dataset, every_n_epochs, **options)
        if not masks or isinstance(masks, str):
            raise ValueError(f"masks expects regions by name, or a list of words, got {masks!r}.")
        if samples_per_class < 1:
            raise ValueError(f"samples_per_class expects 1 or more, got {samples_per_class}.")
        self.regions, self.target, self.wanted, self.samples_per_class = masks, target, classes, samples_per_class
        self.chosen = None if indices is None else np.asarray(indices, dtype=np.int64)
        self.masks: dict[str, NDArray[np.bool_]] = {}
        self.points: list[MeasuredEpoch] = []
        self.by_class: dict[int, list[MeasuredEpoch]] = {}

    def choose(self) -> dict[int, NDArray[np.int64]]:
        """Draw the images of every class, or take those that were given."""
        with raise_misconfiguration("RegionRelevance"):
            if self.chosen is not None:
                index = entries_at(self.dataset, self.chosen)
                return {int(label): index[self.labels[index] == label] for label in np.unique(self.labels[index])}
            wanted = labels_named(self.wanted, self.classes, "classes")
            drawn = draw_per_class(self.labels, self.samples_per_class, self.seed)
            found = {label: index for label, index in drawn.items() if label in wanted}
            if not found:
                raise ValueError(f"no class has images to follow, of {', '.join(map(str, self.wanted or ()))}.")
            return found

    def begin(self, network: nn.Module) -> None:
        """Read the images and their regions, and refuse before training what could not be audited later."""
        with raise_misconfiguration("RegionRelevance"):
            names = class_names(self.dataset, self.labels)
            self._class = None if self.target in ("label", "predicted") else class_index(self.target, names, "target")
        super().begin(network)
        with raise_misconfiguration("RegionRelevance"):
            drawn = np.concatenate([*self._indices.values()])
            self.inputs, self.index = read_samples(self.dataset, drawn)
            if missing := len(drawn) - len(self.index):
                LOG.warning("RegionRelevance: %d of %d images cannot be read.", missing, len(drawn))
            if not len(self.index):
                raise ValueError("at least one image is needed that can be read.")
            size = (int(self.inputs.shape[-2]), int(self.inputs.shape[-1]))
            self.masks = region_masks(self.dataset, self.regions, self.index, size)

    def forget(self) -> None:
        """Forget the samples and the points."""
        super().forget()
        self.by_class = {}

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Explain the images once more, measure, write and log."""
        device = self.device_of(network)
        targets = self._targets(network, device)
        explain = self.attribution.of(network)
        maps = explain_all(explain, self.inputs, targets, self.batch_size, device).maps.numpy()
        values, labels = share_values(maps, self.masks), self.labels[self.index]
        self.points.append(MeasuredEpoch(self._epoch, estimated(values, self.seed)))
        for label in np.unique(labels).tolist():
            own = {name: each[labels == label] for name, each in values.items()}
            self.by_class.setdefault(label, []).append(MeasuredEpoch(self._epoch, estimated(own, self.seed)))
        self._publish(trainer)

    def _targets(self, network: nn.Module, device: torch.device) -> Tensor:
        """The explained class of each image (n,)."""
        if self._class is not None:
            return torch.full((len(self.index),), self._class, device=device)
        if self.target == "label":
            return torch.from_numpy(self.labels[self.index]).to(device)
        return predicted_classes(network, self.inputs.to(device), self.batch_size)

    def _publish(self, trainer: pl.Trainer) -> None:
        """Write all epochs as a table and as curves, and log the last one."""
        folder, classes = self.output_folder(trainer), self._names
        groups = {"": self.points} | {classes[label]: points for label, points in self.by_class.items()}
        write_csv(folder / "regions.csv", *epoch_rows(groups))
        said = f"{self.attribution.description}; n = {len(self.index)} images of {len(classes)} classes"
        write_figure(folder / "regions.png", regions_figure(self.points, list(self.masks), "all classes", said))
        last = self.points[-1].values
        scalars = scalars_of("regions", last, {name: name.removeprefix("share/") for name in last})
        for label, key in logger_keys(classes).items():
            for name, one in self.by_class[label][-1].values.items():
                if name.endswith(OF_CLASS) and not np.isnan(one.mean):
                    scalars[f"regions/class/{key}/{name.removeprefix('share/')}"] = one.mean
        self.publish(trainer, scalars, {"regions/curves": folder / "regions.png"}, epoch=self._epoch - 1)

    @property
    def _names(self) -> dict[int, str]:
        """The names of the classes that are followed, by label."""
        return {label: self.classes[label] for label in self.by_class}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the curves of each class: once, since many classes would take longer than an epoch."""
        if not trainer.is_global_zero or not self.by_class:
            return
        with self.tolerate("drawing the curves of the classes"):
            folder, figures, keys = self.output_folder(trainer), {}, logger_keys(self._names)
            for label, points in self.by_class.items():
                page = folder / f"{file_stem(label, self.classes[label])}.png"
                said = self.attribution.description
                write_figure(page, regions_figure(points, list(self.masks), self.classes[label], said))
                figures[f"regions/class/{keys[label]}/curves"] = page
            self.publish(trainer, {}, figures, epoch=self._epoch - 1)

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the clocks and the points."""
        by_class = {label: packed_points(points) for label, points in self.by_class.items()}
        return super().state_dict() | {"points": packed_points(self.points), "by_class": by_class}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the samples and the points of the interrupted run."""
        super().load_state_dict(state_dict)
        self.points = unpacked_points(state_dict["points"])
        self.by_class = {label: unpacked_points(points) for label, points in state_dict["by_class"].items()}
