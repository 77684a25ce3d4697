"""The share of relevance inside an artifact's mask while the model trains [000 figs 9, 10]."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset
from unhans.callbacks.audit import LOG
from unhans.callbacks.curves.curve_audit import CurveAudit
from unhans.callbacks.heatmap_evolution import shrink, spread_out

from unhans.artifacts import Layered
from unhans.attribution import explain_all
from unhans.data import display_images, rows_of
from unhans.faithfulness import estimate_mean
from unhans.faithfulness.training import region_shares
from unhans.harness import Masks, raise_misconfiguration, samples_with_artifact
from unhans.report.text import plain
from unhans.stats import Interval, bootstrap
from unhans.store import write_csv

EPOCHS = (0, 1, 5, 10)  # figures 9 and 10 of [000], and before
COLUMNS = ("epochs", "share", "low", "high", "n", "net", "net_low", "net_high")


class MaskShare(NamedTuple):
    """The share of positive relevance that lies inside the mask.

    Attributes:
        epoch: epochs of training so far, 0 before it.
        mean: over the samples.
        interval: of the mean, 95 %.
        n: samples.
        net: the sum of all relevance inside the mask in parts of all |R|: below 0 where it speaks against the class;
            NaN of an audit by an earlier version.
        net_interval: of its mean, 95 %.
    """

    epoch: int
    mean: float
    interval: Interval
    n: int
    net: float = float("nan")
    net_interval: Interval = (-1.0, 1.0)


class MaskRelevance(CurveAudit):
    """Follows how much of the positive relevance for an artifact's class lies inside the artifact.

    A checkpoint holds the kept heatmaps as large as they are shown (80 pixels a side, where their size can be divided)
    and in half precision: 6 KB a sample and kept epoch for images of 224 pixels, 13 KB at most. Those of a resumed run
    are as fine as that; what is measured is not touched by it.

    On fixed samples that carry it, before training and after each epoch. The share is logged as `relevance/share` with
    its interval, the sum with its sign as `relevance/net`, under the number of the epoch just over as all audits do
    (before training −1), and written to `folder/relevance.csv`; the heatmaps are kept for chosen epochs and the last.
    Several regions, and all classes, are what `RegionRelevance` follows. Invisible to training, as every audit.

    Args:
        target: the artifact's class, by number or name; None for the class of the planted artifact.
        masks: from data-set indices (n,) to where the artifact lies on each sample (n, H, W) bool; needs indices.
        artifact: laid over the samples in place of masks; None, without masks, is the one that the data set plants,
            laid over the samples where none carries it.
        indices: the samples; by default drawn from those that carry the planted artifact, else from the target's class.
        samples: at most so many.
        kept: numbers of epochs whose heatmaps are kept, 0 is before training.
        network, dataset, every_n_epochs, attribution, batch_size, folder, on_error, seed, name, output, keys: as for
            every `Audit`; audited are the validation data by default.

    Attributes:
        points: a `MaskShare` per audit.
        maps: the heatmaps (n, H, W) that are kept, by epoch.
        images: (n, 3, H, W) in [0, 1] of the samples.
        inputs: (n, C, H, W), the same as the network takes them.
        mask: (n, H, W) bool, where the artifact lies.
        index: (n,) of the samples in the data set, as it was given.
        label: of the artifact's class.

    Raises:
        ValueError: an argument is not as described.
        MisconfigurationException: before training, where no sample carries the artifact, or one could not be audited.
    """

    kind = "relevance"

    def __init__(
        self,
        target: int | str | None = None,
        masks: Masks | None = None,
        artifact: Layered | None = None,
        indices: Sequence[int] | NDArray[np.integer] | None = None,
        samples: int = 32,
        kept: Collection[int] = EPOCHS,
        network: str = "model",
        dataset: Literal["train", "val"] | Dataset = "val",
        **options: Any,
    ) -> None:
        super().__init__(network, dataset, **options)
        if samples < 1:
            raise ValueError(f"MaskRelevance: samples expects 1 or more, got {samples}.")
        if masks is not None and (artifact is not None or indices is None):
            raise ValueError("MaskRelevance: masks expects the indices of samples that carry the artifact beside it.")
        if target is None and (masks is not None or artifact is not None):
            raise ValueError("MaskRelevance expects the target: the class of the artifact.")
        self.target, self.masks, self.artifact, self.samples, self.kept = target, masks, artifact, samples, set(kept)
        self.chosen = None if indices is None else np.asarray(indices, dtype=np.int64)
        self.points: list[MaskShare] = []
        self.maps: dict[int, NDArray[np.float32]] = {}

    @property
    def checkpoint_name(self) -> str:
        """The name of the state in a checkpoint, so that several artifacts can be followed."""
        source = self.source if isinstance(self.source, str) else "given"
        return f"MaskRelevance:{self.target}:{source}"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fix the samples, audit once before training, and say which heatmaps will never be kept."""
        last = trainer.max_epochs or -1
        never = [str(epoch) for epoch in sorted(self.kept) if epoch > last > 0]
        if never and trainer.is_global_zero and not self.rehearsal:
            LOG.warning("MaskRelevance: no heatmaps are kept after %s epochs, since training ends after %d.",
                        " and ".join(never), last)  # fmt: skip
        super().on_train_start(trainer, pl_module)

    def begin(self, network: nn.Module) -> None:
        """Read the samples and their masks, and refuse before training what could not be audited later."""
        self._check_restored()
        restored = [rows_of(self.dataset)[index] for index in self._indices.values()]
        chosen, samples = next(iter(restored), self.chosen), self.samples
        if self.rehearsal:
            chosen, samples = None if chosen is None else chosen[: self.few], min(samples, self.few)
        with raise_misconfiguration("MaskRelevance"):
            known = self.target, self.masks, self.artifact
            found = samples_with_artifact(self.dataset, self.labels, *known, chosen, samples, self.seed)
        self.label, self.index, self.inputs, self.mask = found.label, found.own_index, found.inputs, found.mask
        self.images = display_images(self.dataset, self.inputs)
        self._indices = {self.label: found.index}
        self._try_one(network)

    def _fits(self, label: int, index: NDArray[np.int64]) -> bool:
        """Whether samples (n,) are those that were asked for, or of the artifact's class."""
        return super()._fits(label, index) if self.chosen is None else self._are_chosen(index)

    def _are_chosen(self, index: NDArray[np.int64]) -> bool:
        return bool(np.isin(rows_of(self.dataset)[index], self.chosen).all())

    def forget(self) -> None:
        """Forget the samples, the points and the heatmaps."""
        super().forget()
        self.maps = {}

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Explain the samples once more, measure and log."""
        device = self.device_of(network)
        explain = self.attribution.of(network)
        maps = explain_all(explain, self.inputs, self.label, self.batch_size, device).maps.numpy()
        found = region_shares(maps, self.mask)
        shares = np.nan_to_num(found.positive)  # 0 where no relevance is positive
        low, high = np.clip(bootstrap(shares, self.seed, possible=1.0), 0, 1)
        net = estimate_mean(found.net, self.seed, 1.0)
        inside = (float(low), float(high)), len(shares)
        point = MaskShare(self._epoch, float(shares.mean()), *inside, net.mean, net.interval)
        self.points.append(point)
        self.maps = {epoch: kept for epoch, kept in self.maps.items() if epoch in self.kept} | {point.epoch: maps}
        rows = [
            (each.epoch, each.mean, *each.interval, each.n, *map(plain, (each.net, *each.net_interval)))
            for each in self.points
        ]
        write_csv(self.output_folder(trainer) / "relevance.csv", COLUMNS, rows)
        scalars = {"relevance/share": point.mean, "relevance/share_low": point.interval[0]}
        scalars |= {"relevance/share_high": point.interval[1], "relevance/n": point.n}
        if not np.isnan(point.net):
            ends = zip(("", "_low", "_high"), (point.net, *point.net_interval), strict=True)
            scalars |= {f"relevance/net{end}": value for end, value in ends}
        self.publish(trainer, scalars, epoch=point.epoch - 1)

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the clocks, the points and the kept heatmaps, small."""
        maps = {epoch: packed_maps(each) for epoch, each in self.maps.items()}
        return super().state_dict() | {"points": [tuple(point) for point in self.points], "maps": maps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the samples, the points and the heatmaps of the interrupted run."""
        super().load_state_dict(state_dict)
        self.points = [MaskShare(*point) for point in state_dict["points"]]
        self.maps = {epoch: unpacked_maps(maps) for epoch, maps in state_dict["maps"].items()}


def packed_maps(maps: NDArray[np.floating]) -> dict[str, Any]:
    """Return heatmaps (n, H, W) as a checkpoint holds them."""
    shown, peaks = zip(*map(shrink, maps), strict=True)
    return {"maps": torch.from_numpy(np.stack(shown)), "peaks": list(peaks), "size": list(maps.shape[1:])}


def unpacked_maps(state: dict[str, Any] | torch.Tensor) -> NDArray[np.float32]:
    """Return heatmaps (n, H, W) that `packed_maps` made small, or that an earlier version kept whole."""
    if isinstance(state, torch.Tensor):
        return state.numpy()
    pairs = zip(state["maps"].numpy(), state["peaks"], strict=True)
    return np.stack([spread_out(*pair, tuple(state["size"])) for pair in pairs])
