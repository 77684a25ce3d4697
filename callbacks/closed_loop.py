"""The closed loop: suspect, isolate, verify, and only when proven repair, while the model trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn
from torch.utils.data import Dataset
from unhans.callbacks.artifact_augmentation import ArtifactAugmentation
from unhans.callbacks.audit import LOG, Callback, network_of, tell
from unhans.callbacks.augmentative_clarc import AClArC, check_network
from unhans.callbacks.spray_audit import SpRAyAudit

from unhans import clarc
from unhans.data import PixelScale, read_samples
from unhans.effects import Bench, Case, Proof, drawn
from unhans.repair import Act, Decision, Followed, Ledger, followed_of
from unhans.report.figures import charted, write_course
from unhans.report.files import AuditPages
from unhans.report.tables import DECISION_COLUMNS, decision_line, decision_rows, write_decisions
from unhans.spray import Suspicion

MOST = 200  # samples with the artifact, and without, that a direction in feature space is fitted on


class Remedy(Protocol):
    """Readies what is to be done about an artifact during an audit, and begins it when the audit is over.

    callbacks: what acts; each is handed Lightning's hooks.
    """

    callbacks: list[pl.Callback]

    def prepare(self, artifact: Followed, network: nn.Module) -> None:
        """Compute what is needed; raises ValueError, in one sentence, where nothing can be done."""
        ...

    def begin(self, artifact: Followed, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with the next training batch; also for the artifacts of an interrupted run."""
        ...


class Nothing:
    """A dry run."""

    def __init__(self) -> None:
        self.callbacks: list[pl.Callback] = []

    def prepare(self, artifact: Followed, network: nn.Module) -> None:
        """Nothing has to be computed."""

    def begin(self, artifact: Followed, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Nothing is done."""


class Pasting(Nothing):
    """Lays the artifacts over the training images of all classes.

    spare: leave out those that carry it already; their indices are known where the training data were audited.
    """

    def __init__(self, scale: PixelScale, seed: int, spare: bool) -> None:
        super().__init__()
        self.scale, self.seed, self.spare = scale, seed, spare

    def begin(self, artifact: Followed, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lay it over the images from the next batch on."""
        if not self.callbacks:
            self.callbacks = [ArtifactAugmentation(scale=self.scale, seed=self.seed)]
        self.callbacks[0].add(artifact.isolated, spared=artifact.affected if self.spare else ())
        self.callbacks[0].on_train_start(trainer, pl_module)


class Features(Nothing):
    """Adds the artifacts to the features of all training images at a layer, and freezes what lies below it (A-ClArC).

    The direction is fitted once, with the network as it is when the artifact is proven: one weight per position for an
    artifact at a fixed place, one per channel for others. Where the layer is "auto", it is the one that tells held-out
    samples apart best (`unhans.clarc.rank_layers`).
    """

    def __init__(self, dataset: Dataset, network: str, layer: str, seed: int, batch_size: int) -> None:
        super().__init__()
        self.dataset, self.network, self.layer, self.seed, self.batch_size = dataset, network, layer, seed, batch_size

    def prepare(self, artifact: Followed, network: nn.Module) -> None:
        """Fit its direction from the samples of the class with and without it."""
        images, affected = self._samples(artifact)
        device = next(network.parameters()).device
        spatial = "positions" if artifact.isolated.kind == "fixed" else "channels"
        options = {"spatial": spatial, "seed": self.seed}
        if self.layer == "auto":
            options |= {"batch_size": self.batch_size, "device": device}
            ranked = clarc.rank_layers(network, images[affected], images[~affected], **options)
            artifact.concept = ranked[0]
            self.layer = artifact.concept.layer  # of all artifacts to come, so that one part of the network is frozen
            return
        found = clarc.activations(network, self.layer, images, self.batch_size, device)
        axis = clarc.channel_axis(network, self.layer, images[:1].to(device))
        artifact.concept = clarc.fit(found, affected, layer=self.layer, axis=axis, **options)

    def begin(self, artifact: Followed, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Change features from the next training batch on."""
        self.layer = artifact.concept.layer  # of an interrupted run
        callback = AClArC(concept=artifact.concept, network=self.network, dataset=self.dataset)
        callback.insert(trainer, pl_module)
        self.callbacks.append(callback)

    def _samples(self, artifact: Followed) -> tuple[Tensor, np.ndarray]:
        """Images as the network takes them, and which of them (n,) carry the artifact."""
        groups = [drawn(each, MOST, self.seed) for each in (artifact.affected, artifact.unaffected)]
        images, kept = read_samples(self.dataset, np.concatenate(groups))
        return images, np.isin(kept, artifact.affected)


def remedy_of(act: Act, scale: PixelScale, dataset: Dataset, training: bool, **options: Any) -> Remedy:
    """Return what acts; training: whether it is the training data; options: network, layer, seed and batch_size."""
    if act == "augment":
        return Pasting(scale, options["seed"], spare=training)
    return Features(dataset, **options) if act == "a_clarc" else Nothing()


class Driving(Callback):
    """Hands the hooks of training batches, and those after training, on to whatever a remedy has begun.

    Attributes: remedy, one that does nothing until another takes its place.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.remedy: Remedy = Nothing()

    def on_train_batch_start(self, *arguments: Any) -> None:
        """Let what acts change the batch, or the features."""
        self._hand_on("on_train_batch_start", *arguments)

    def on_train_batch_end(self, *arguments: Any) -> None:
        """Let what acts leave everything plain again."""
        self._hand_on("on_train_batch_end", *arguments)

    def on_train_end(self, *arguments: Any) -> None:
        """Take everything out."""
        self._hand_on("on_train_end", *arguments)

    def on_exception(self, *arguments: Any) -> None:
        """Take everything out."""
        self._hand_on("on_exception", *arguments)
        super().on_exception(*arguments)

    def teardown(self, *arguments: Any, **options: Any) -> None:
        """Take everything out."""
        self._hand_on("teardown", *arguments, **options)
        super().teardown(*arguments, **options)

    def _hand_on(self, hook: str, *arguments: Any, **options: Any) -> None:
        for each in self.remedy.callbacks:
            getattr(each, hook)(*arguments, **options)


class UnHans(Driving, SpRAyAudit):
    """Audits, and acts on what it has proven: from then on the artifact is on all training images.

    After every audited epoch the artifacts of the most suspicious classes are isolated and verified, as by
    `SpRAyAudit(verify=True)`. Only one whose effect is proven (`unhans.effects.verdict.judge`) is acted on; until
    then training is bit-identical to one without this callback. Afterwards the same artifact is measured again after
    every audited epoch, with the same samples and controls, whether its class is still suspicious or not. All tests of
    a run, first ones and repeated ones, share one false-discovery rate (`unhans.repair.ledger.Ledger`). Every
    decision, also that nothing is done and why, goes with its evidence to `folder/decisions.json`, to the loggers and
    to the terminal.

    Args:
        act: "augment" lays the artifact over the training images of all classes, so that it says nothing about any;
            "a_clarc" adds it to the features of all training images at a layer and trains only what lies above;
            "none" is a dry run: it tells what would be done.
        patience: act only on what was proven in so many audits of its class in a row.
        layer: where "a_clarc" acts; "auto" is the one that tells held-out samples apart best.
        every other argument: as for `SpRAyAudit`; verify is always on.

    >>> UnHans(network="model", act="none", patience=2).act
    'none'
    """

    shared = False  # the first process decides

    def __init__(self, *args: Any, act: Act = "augment", patience: int = 1, layer: str = "auto", **kwargs: Any) -> None:
        if act not in get_args(Act):
            raise ValueError(f"act expects {', '.join(map(repr, get_args(Act)))}, got {act!r}.")
        if patience < 1:
            raise ValueError(f"patience expects 1 or more, got {patience}.")
        if kwargs.setdefault("verify", True) is not True:
            raise ValueError("UnHans acts on what it has verified, so verify expects True; SpRAyAudit only suspects.")
        super().__init__(*args, **kwargs)
        self.act, self.patience, self.layer = act, patience, layer
        self.ledger = Ledger(act, patience, self.most)
        self._fresh: dict[int, NDArray[np.int64]] = {}  # the samples of the classes of this audit
        self._due: list[Followed] = []
        self._said: list[Decision] = []

    @property
    def decisions(self) -> list[Decision]:
        """All decisions, in order."""
        return self.ledger.decisions

    @property
    def followed(self) -> list[Followed]:
        """The artifacts acted on, in a dry run those that would be, with their effects by epoch."""
        return self.ledger.followed

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse now what could not be audited, or acted on, later."""
        super().on_fit_start(trainer, pl_module)
        if self.act != "none" and trainer.world_size > 1:
            raise MisconfigurationException(
                f"UnHans acts on what the first process finds, so act={self.act!r} needs one process, got "
                f"{trainer.world_size}; act='none' tells what it would do."
            )
        if self.act == "a_clarc":
            network = network_of(pl_module, self.network)
            names = [name for name, _ in network.named_modules() if name]
            with _refused():
                check_network(pl_module, network, names[0] if self.layer == "auto" else self.layer)

    def begin(self, network: nn.Module, device: torch.device) -> None:
        """Fix the samples; refuse a layer whose features could not be changed later."""
        super().begin(network, device)
        if self.act == "a_clarc" and self.layer != "auto":
            images, _ = read_samples(self.dataset, next(iter(self._indices.values()))[:1])
            with _refused():
                clarc.check_layer(network, self.layer, images.to(device))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fix the samples; go on with what an interrupted run had begun to do."""
        super().on_train_start(trainer, pl_module)
        options = {"network": self.network, "layer": self.layer, "seed": self.seed, "batch_size": self.batch_size}
        self.remedy = remedy_of(self.act, self.scale, self.dataset, self.source == "train", **options)
        self._due = [each for each in self.followed if each.acted]
        self._begin(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Audit and decide; then, outside the audit, begin what was decided."""
        super().on_train_epoch_end(trainer, pl_module)
        self._begin(trainer, pl_module)

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Audit, decide, and say what was decided after what was found."""
        self._fresh, self._said = {}, []
        super().audit(trainer, network)
        for each in self._said:
            tell(trainer, decision_line(each))

    def decide(self, trainer: pl.Trainer, network: nn.Module, pages: AuditPages, device: torch.device) -> None:
        """Measure the artifacts acted on again, decide about every suspicious class of this audit, and write it."""
        epoch, known = trainer.current_epoch, list(self.followed)
        for each, proof in self._judged(self._measured(known, self.bench(network, device)), pages):
            entry = self._records[each.label].suspicion if each.label in self._fresh else None
            self._said.append(self.ledger.measured(each, proof, epoch, entry))
        for entry in [each for each in self.ranking if each.label in self._fresh]:
            with self.forgiven(f"deciding about class {entry.name!r}"):
                self._said += filter(None, [self._decision(epoch, entry, network)])
        self.decisions.extend(self._said)
        self._due = [each for each in self.followed if each.acted and each not in known]
        folder = self._record(trainer)
        pages.tables["unhans/decisions"] = (DECISION_COLUMNS, decision_rows(self.decisions))
        pages.figures |= write_course(folder, self.followed, self.act)

    def charted(self) -> dict[str, float]:
        """Return the effects of the artifacts acted on, by key."""
        return charted(self.followed)

    def state_dict(self) -> dict[str, Any]:
        """Return the samples, the clocks, the artifacts acted on and all decisions."""
        return super().state_dict() | {"ledger": self.ledger.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the interrupted run stood: what had begun begins again."""
        super().load_state_dict(state_dict)
        self.ledger.load_state_dict(state_dict["ledger"])

    def settle(self, cases: Sequence[Case]) -> list[Case]:
        """Leave the verdicts open until the artifacts acted on are measured again: all are one family (`decide`)."""
        self._fresh = {label: suspect.audit.index for label, suspect in self._audited.items()}
        return list(cases)

    def _measured(self, known: Sequence[Followed], bench: Bench) -> list[tuple[Followed, Proof]]:
        """Measure the artifacts acted on again; one that fails is left out."""
        found = []
        for each in known:
            with self.forgiven(f"measuring the artifact of class {each.name!r} again"):
                found.append((each, each.measure(bench)))
        return found

    def _judged(self, again: Sequence[tuple[Followed, Proof]], pages: AuditPages) -> list[tuple[Followed, Proof]]:
        """Decide all that this audit tested as one family; the cases of this audit are written with their verdicts."""
        cases, proofs = self.ledger.decide(self.tested, again)
        self._keep(cases, pages)
        return [(each, proof) for (each, _), proof in zip(again, proofs, strict=True)]

    def _decision(self, epoch: int, entry: Suspicion, network: nn.Module) -> Decision | None:
        case = self.cases.get(entry.label)
        if case is None or not case.proven:
            return self.ledger.unproven(epoch, entry, case) if entry.suspicious else self.ledger.innocent(entry.label)
        found = followed_of(case, self._fresh[entry.label], case.isolated.members, epoch)
        return self.ledger.proven(epoch, entry, case, found, lambda each: self.remedy.prepare(each, network))

    def _begin(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin what was decided; where that fails, say so and record it."""
        due, self._due = self._due, []
        for each in due:
            try:
                self.remedy.begin(each, trainer, pl_module)
            except Exception as error:
                if self.on_error == "raise":
                    raise
                self.failures += 1
                LOG.exception("acting on the artifact of class %r failed; training goes on.", each.name)
                tell(trainer, decision_line(self.ledger.failed(each, trainer.current_epoch, error)))
                self._record(trainer)

    def _record(self, trainer: pl.Trainer) -> Path:
        """Write all decisions, whole or not at all; return the folder."""
        folder = self.where(trainer)
        settings = {"act": self.act, "patience": self.patience, "last_epoch": trainer.current_epoch}
        write_decisions(folder / "decisions.json", settings, self.decisions)
        return folder


@contextmanager
def _refused() -> Iterator[None]:
    """What cannot be done is refused before training, in one sentence."""
    try:
        yield
    except ValueError as error:
        raise MisconfigurationException(f"UnHans: {error}") from error
