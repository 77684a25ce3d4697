"""Are the heatmaps right, and do they become so while the model trains? [003 §3.5.4]"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset
from unhans.callbacks.audit import LOG
from unhans.callbacks.curves.curve_audit import CurveAudit, packed_points, scalars_of, unpacked_points

from unhans.attribution import explain_all
from unhans.data import has_several, pixel_scale, read_samples
from unhans.effects import draw_evenly
from unhans.faithfulness import REGIONS, RegionPerturbation, Replacement, Score, replaceable, usual_region
from unhans.faithfulness.training import ACCURACY, MAIN, MeasuredEpoch, estimated, followed, quality_values
from unhans.harness import (
    Regions,
    accuracy_of,
    pixel_range,
    predicted_classes,
    print_line,
    raise_misconfiguration,
    region_masks,
)
from unhans.report.figures.quality import quality_figure
from unhans.report.tables.quality import epoch_rows
from unhans.report.text.quality import quality_line, quality_subtitle
from unhans.stats import Estimate
from unhans.store import write_csv, write_figure


class HeatmapQuality(CurveAudit):
    """Measures every n-th epoch whether the heatmaps of fixed validation images are right, beside the accuracy.

    AOPC minus that of random order (region perturbation of the predicted class, most relevant regions first), the
    complexity of the maps, and the shares of relevance in named regions, each with a 95 % interval over images. Before
    training and after every n-th epoch they are logged as `quality/…`, written to `folder/quality.csv` and drawn to
    `folder/quality.png` (`quality/curve` in loggers that take pictures), with Spearman's rank correlation of AOPC with
    accuracy and with epochs (`quality/with_accuracy`, `quality/with_epochs`). Invisible to training, as every audit.

    Logits grow with training whether or not heatmaps become better, and so does their AOPC; the share of images whose
    order is better than a random one (`quality/better_than_random`) does not depend on their scale, and
    `of="probability"` is bounded. AOPC is compared within one architecture only. On small images uniform noise, the
    source's replacement, gave AOPC below random order, which fell with training; `replace="blur"` gave one that rose.

    Each audit takes samples · repeats · (steps + 1) · 2 passes of images, and a pass of `accuracy_samples` images.

    Args:
        samples: images that are explained and perturbed, drawn evenly over the classes.
        regions: named regions, such as ["border", "planted"]; see `unhans.harness.region_masks`.
        target: the "predicted" class is explained and asked about, or the "label".
        region: side of a perturbed region in pixels; None is that of the source, 9 for 227 pixels, and in proportion.
        steps: after which the score is asked.
        per_step: regions that are replaced in a step; None: so that about 100 are in all, as in the source.
        repeats: of noise and of random orders.
        replace: what takes the place of a region; see `unhans.faithfulness.fill`.
        of: "logit" of the class or its "probability".
        accuracy_samples: images that accuracy is measured on, drawn evenly over the classes; 0 measures none.
        network, dataset, every_n_epochs, attribution, batch_size, folder, on_error, seed, name, output, keys: as for
            every `Audit`; audited are the validation data by default.

    Attributes:
        points: a `MeasuredEpoch` per audit.
        perturbation: how regions are replaced, once training has begun.
        inputs: the images (n, C, H, W) as the network takes them.
        index: (n,) of the images in the data set.
        masks: by the name of a region (n, H, W) bool.

    Raises:
        ValueError: an argument is not as described.
        MisconfigurationException: before training, where the data or the network could not be audited.
    """

    kind = "quality"

    def __init__(
        self,
        network: str = "model",
        dataset: Literal["train", "val"] | Dataset = "val",
        every_n_epochs: int = 1,
        samples: int = 32,
        regions: Regions | None = None,
        target: Literal["predicted", "label"] = "predicted",
        region: int | None = None,
        steps: int = 20,
        per_step: int | None = None,
        repeats: int = 2,
        replace: Replacement = "uniform",
        of: Score = "logit",
        accuracy_samples: int = 1000,
        **options: Any,
    ) -> None:
        super().__init__(network, dataset, every_n_epochs, **options)
        for name, value, least in (("samples", samples, 2), ("accuracy_samples", accuracy_samples, 0)):
            if value < least:
                raise ValueError(f"{name} expects {least} or more, got {value}.")
        if target not in ("predicted", "label"):
            raise ValueError(f"target expects 'predicted' or 'label', got {target!r}.")
        RegionPerturbation(region or 1, steps, per_step or 1, replace, repeats, of)
        self.samples, self.accuracy_samples, self.target = samples, accuracy_samples, target
        self.regions = regions or {}
        self.region, self.steps, self.per_step = region, steps, per_step
        self._how = {"replace": replace, "repeats": repeats, "of": of}

    def choose(self) -> dict[int, NDArray[np.int64]]:
        """Draw the images, evenly over the classes."""
        drawn = draw_evenly(self.labels, np.flatnonzero(self.labels >= 0), self.samples, self.seed)
        return {int(label): drawn[self.labels[drawn] == label] for label in np.unique(self.labels[drawn])}

    def begin(self, network: nn.Module) -> None:
        """Read the images and their regions, and refuse before training what could not be audited later."""
        super().begin(network)
        with raise_misconfiguration("HeatmapQuality"):
            drawn = np.sort(np.concatenate([*self._indices.values()]))
            self.inputs, self.index = read_samples(self.dataset, drawn)
            if len(self.index) < len(drawn):
                LOG.warning("HeatmapQuality: %d of %d images cannot be read.", len(drawn) - len(self.index), len(drawn))
            if not len(self.index):
                raise ValueError("at least one image is needed that can be read.")
            size = (int(self.inputs.shape[-2]), int(self.inputs.shape[-1]))
            self.perturbation = self._perturbation(size)
            self.masks = region_masks(self.dataset, self.regions, self.index, size)
            self.valid = pixel_range(pixel_scale(self.dataset, self.seed))
            self._try_perturbation()

    def _perturbation(self, size: tuple[int, int]) -> RegionPerturbation:
        """How regions of images of this size are replaced."""
        side = self.region or usual_region(size)
        most = replaceable(size, side, self._how["replace"])
        steps = min(self.steps, most) if self.per_step is None else self.steps
        per_step = self.per_step or max(1, min(REGIONS, most) // steps)
        found = RegionPerturbation(side, steps, per_step, seed=self.seed, at_once=self.batch_size, **self._how)
        found.grid(size)
        return found

    def _try_perturbation(self) -> None:
        """Raise ValueError now for what cannot be replaced on these images."""
        few = self.inputs[:2]
        orders = self.perturbation.orders(np.zeros((len(few), *few.shape[2:])), few, "morf")
        self.perturbation.perturbed(few, orders, 0, self.valid, self.inputs)

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Explain and perturb the images once more, measure, write, log and say it in a line."""
        values = self._measured(network)
        self.points.append(MeasuredEpoch(self._epoch, values))
        folder = self.output_folder(trainer)
        write_csv(folder / "quality.csv", *epoch_rows({"": self.points}))
        subtitle = quality_subtitle(self.perturbation, self.target, len(self.index), self.attribution.description)
        write_figure(folder / "quality.png", quality_figure(self.points, self.perturbation.of, subtitle))
        scalars = scalars_of("quality", values, {name: name for name in values}) | {"quality/n": float(len(self.index))}
        known = {other: one for other, one in followed(self.points, MAIN).items() if not np.isnan(one.rho)}
        for other, found in known.items():
            ends = dict(zip(("", "_low", "_high"), (found.rho, *found.interval), strict=True))
            scalars |= {f"quality/with_{other}{end}": end_value for end, end_value in ends.items()}
        self.publish(trainer, scalars, {"quality/curve": folder / "quality.png"}, epoch=self._epoch - 1)
        print_line(trainer, quality_line(self.points))

    def _measured(self, network: nn.Module) -> dict[str, Estimate]:
        device = self.device_of(network)
        images = self.inputs.to(device)
        if self.target == "predicted":
            targets = predicted_classes(network, images, self.batch_size)
        else:
            targets = torch.from_numpy(self.labels[self.index]).to(device)
        maps = explain_all(self.attribution.of(network), images, targets, self.batch_size, device).maps.numpy()
        given = (network, maps, images, targets, self.perturbation, self.valid, self.masks)
        return estimated(quality_values(*given), self.seed) | self._accuracy(network, device)

    def _accuracy(self, network: nn.Module, device: torch.device) -> dict[str, Estimate]:
        """The accuracy by its name; nothing where none is asked for, or a sample may have several classes."""
        if not self.accuracy_samples or has_several(self.dataset):
            return {}
        most = min(self.accuracy_samples, self.few) if self.rehearsal else self.accuracy_samples
        index = draw_evenly(self.labels, np.flatnonzero(self.labels >= 0), most, self.seed)
        found = accuracy_of(network, self.dataset, self.labels, index, device, self.batch_size)
        return {} if found is None else {ACCURACY: found}

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the clocks and the points."""
        return super().state_dict() | {"points": packed_points(self.points)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the samples and the points of the interrupted run."""
        super().load_state_dict(state_dict)
        self.points = unpacked_points(state_dict["points"])
