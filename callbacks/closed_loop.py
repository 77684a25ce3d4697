"""The closed loop: suspect, isolate, verify, and only when proven repair, while the model trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from unhans.callbacks.artifact_augmentation import ArtifactAugmentation
from unhans.callbacks.audit import LOG
from unhans.callbacks.augmentative_clarc import AClArC
from unhans.callbacks.spray_audit import SpRAyAudit

from unhans import clarc
from unhans.data import read_samples, rows_of
from unhans.effects import Proof, drawn
from unhans.harness import check_not_compiled, network_of, print_line, raise_misconfiguration
from unhans.lrp.tracing import path_in
from unhans.repair import Act, Decision, Ledger, ProvenArtifact
from unhans.report.files import AuditPages, charted, write_course
from unhans.report.tables import decision_rows, write_decisions
from unhans.report.text import decision_line
from unhans.spray import Suspicion

MOST = 200  # samples with the artifact, and without, that a direction in feature space is fitted on


class Remedy:
    """What is done about proven artifacts; this one, of a dry run, does nothing.

    Args:
        audit: that proves them.

    Attributes:
        callbacks: what acts; each is handed Lightning's hooks.
    """

    def __init__(self, audit: UnHans) -> None:
        self.audit = audit
        self.callbacks: list[pl.Callback] = []

    def prepare(self, artifact: ProvenArtifact, network: nn.Module) -> None:
        """Compute what is needed, during an audit; raises ValueError, in one sentence, where nothing can be done."""

    def begin(self, artifact: ProvenArtifact, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with the next training batch; also for the artifacts of an interrupted run."""

    def hand_on(self, hook: str, *arguments: Any, **options: Any) -> None:
        """Call a hook of all that acts."""
        for each in self.callbacks:
            getattr(each, hook)(*arguments, **options)


class Pasting(Remedy):
    """Lays the artifacts over the training images of all classes.

    Where the training data were audited it is known which samples carry an artifact already; they are left out.
    """

    def begin(self, artifact: ProvenArtifact, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lay it over the images from the next batch on."""
        if not self.callbacks:
            settings = {"scale": self.audit.scale, "seed": self.audit.seed, "keys": self.audit.keys}
            self.callbacks = [ArtifactAugmentation(**settings)]
        spared = rows_of(self.audit.dataset)[artifact.affected] if self.audit.source == "train" else ()
        self.callbacks[0].add(artifact.isolated, spared=spared)
        self.callbacks[0].on_train_start(trainer, pl_module)


class Features(Remedy):
    """Adds the artifacts to the features of all training images at a layer, and freezes what lies below it (A-ClArC).

    The direction is fitted once, with the network as it is when the artifact is proven: one weight per position for an
    artifact at a fixed place, one per channel for others. Where the layer is "auto", it is the one that tells held-out
    samples apart best (`unhans.clarc.rank_layers`).
    """

    def __init__(self, audit: UnHans) -> None:
        super().__init__(audit)
        self.layer = audit.layer  # the same for all artifacts, so that one part of the network is frozen

    def prepare(self, artifact: ProvenArtifact, network: nn.Module) -> None:
        """Fit its direction from the samples of the class with and without it."""
        artifact.concept = concept_of(artifact, self.audit, network, self.layer)
        self.layer = artifact.concept.layer  # of all artifacts to come, so that one part of the network is frozen

    def begin(self, artifact: ProvenArtifact, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Change features from the next training batch on."""
        self.layer = artifact.concept.layer  # of an interrupted run
        known = {name: getattr(self.audit, name) for name in ("network", "dataset", "output")}
        callback = AClArC(concept=artifact.concept, **known)
        callback.insert(trainer, pl_module)
        self.callbacks.append(callback)


def concept_of(artifact: ProvenArtifact, audit: SpRAyAudit, network: nn.Module, layer: str = "auto") -> clarc.Concept:
    """Fit the direction of an artifact from the samples of its class with and without it.

    Args:
        artifact: proven by the audit.
        audit: whose data set holds the samples.
        network: as it is now.
        layer: where; "auto" is the one that tells held-out samples apart best.

    Raises:
        ValueError: there are too few samples of a kind, or no such layer.
    """
    groups = [drawn(each, MOST, audit.seed) for each in (artifact.affected, artifact.unaffected)]
    images, kept = read_samples(audit.dataset, np.concatenate(groups))
    affected = np.isin(kept, artifact.affected)
    device = next(network.parameters()).device
    spatial = "positions" if artifact.isolated.kind == "fixed" else "channels"
    layers = None if layer == "auto" else [path_in(audit.output, layer)]
    options = {"spatial": spatial, "seed": audit.seed, "batch_size": audit.batch_size, "device": device}
    found = clarc.rank_layers(network, images[affected], images[~affected], layers, **options)[0]
    return replace(found, layer=found.layer.removeprefix(path_in(audit.output, "")))


REMEDIES: Mapping[Act, type[Remedy]] = {"augment": Pasting, "a_clarc": Features, "none": Remedy}


class UnHans(SpRAyAudit):
    """Audits, and acts on what it has proven: from then on the artifact is on all training images.

    After every audited epoch the artifacts of the most suspicious classes are isolated and verified, as by
    `SpRAyAudit(verify=True)`. Only one whose effect is proven (`unhans.effects.verdict.judge`) is acted on; until
    then training is bit-identical to one without this callback. Afterwards the same artifact is measured again after
    every audited epoch, with the same samples and controls, whether its class is still suspicious or not. All tests of
    a run, first ones and repeated ones, share one false-discovery rate (`unhans.repair.ledger.Ledger`). Every
    decision, also that nothing is done and why, goes with its evidence to `folder/decisions.json`, to the loggers and
    to the terminal. A checkpoint holds all of them, 2 KB for each, and what is proven.

    Args:
        act: "augment" lays the artifact over the training images of all classes, so that it says nothing about any;
            "a_clarc" adds it to the features of all training images at a layer and trains only what lies above;
            "none" is a dry run: it tells what would be done.
        patience: act only on what was proven in so many audits of its class in a row.
        layer: where "a_clarc" acts; "auto" is the one that tells held-out samples apart best.
        every other argument: as for `SpRAyAudit`; verify is always on.

    Attributes:
        decisions: all of them, in order.
        followed: the artifacts acted on, in a dry run those that would be, with their effects by epoch.
        remedy: what acts on them.
        every other attribute: as of `SpRAyAudit`.

    Raises:
        ValueError: an argument is not as described.
        MisconfigurationException: before training, where nothing could be audited, or acted on.

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
        self.ledger, self.remedy = Ledger(act, patience), Remedy(self)
        self._due: list[ProvenArtifact] = []  # to be acted on when the audit is over

    def begin_run(self) -> None:
        """Forget everything of a fit with another trainer, also what it proved and decided."""
        super().begin_run()
        self.ledger, self._due = Ledger(self.act, self.patience), []

    @property
    def decisions(self) -> list[Decision]:
        """All decisions, in order."""
        return self.ledger.decisions

    @property
    def followed(self) -> list[ProvenArtifact]:
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
            with raise_misconfiguration("UnHans"):
                check_not_compiled(pl_module, network, names[0] if self.layer == "auto" else self.layer)

    def begin(self, network: nn.Module) -> None:
        """Fix the samples; refuse a layer whose features could not be changed later."""
        super().begin(network)
        if self.act == "a_clarc" and self.layer != "auto":
            images, _ = read_samples(self.dataset, next(iter(self._indices.values()))[:1])
            with raise_misconfiguration("UnHans"):
                clarc.check_layer(network, path_in(self.output, self.layer), images.to(self._device))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fix the samples; go on with what an interrupted run had begun to do."""
        super().on_train_start(trainer, pl_module)
        self.remedy = REMEDIES[self.act](self)
        self._due = [each for each in self.followed if each.acted]
        self._act(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Audit and decide; then, outside the audit, begin what was decided."""
        super().on_train_epoch_end(trainer, pl_module)
        self._act(trainer, pl_module)

    def on_train_batch_start(self, *arguments: Any) -> None:
        """Let what acts change the batch, or the features."""
        self.remedy.hand_on("on_train_batch_start", *arguments)

    def on_train_batch_end(self, *arguments: Any) -> None:
        """Let what acts leave everything plain again."""
        self.remedy.hand_on("on_train_batch_end", *arguments)

    def on_train_end(self, *arguments: Any) -> None:
        """Take everything out."""
        self.remedy.hand_on("on_train_end", *arguments)

    def on_exception(self, *arguments: Any) -> None:
        """Take everything out."""
        self.remedy.hand_on("on_exception", *arguments)
        super().on_exception(*arguments)

    def teardown(self, *arguments: Any, **options: Any) -> None:
        """Take everything out."""
        self.remedy.hand_on("teardown", *arguments, **options)
        super().teardown(*arguments, **options)

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Audit, decide, and say what was decided after what was found."""
        before = len(self.decisions)
        super().audit(trainer, network)
        for each in self.decisions[before:]:
            print_line(trainer, decision_line(each))

    def conclude(self, trainer: pl.Trainer, network: nn.Module, pages: AuditPages) -> None:
        """Measure the artifacts acted on again, decide about every class of this audit, and write all decisions.

        Old and new artifacts are one family of tests; the cases of this audit are written with their verdicts.
        """
        epoch, known = trainer.current_epoch, list(self.followed)
        again = self._measure_again(known, network)
        cases, proofs = self.ledger.decide(self.tested, again)
        self._keep(cases, pages)
        fresh = {entry.label: entry for entry in self.ranking if entry.label in self._audited}
        found = [self.ledger.measured(each, proof, epoch, fresh.get(each.label))
                 for (each, _), proof in zip(again, proofs, strict=True)]  # fmt: skip
        for entry in fresh.values():
            with self.tolerate(f"deciding about class {entry.name!r}"):
                found += filter(None, [self._decide(epoch, entry, network)])
        self.decisions.extend(found)
        self._due = [each for each in self.followed if each.acted and each not in known]
        folder = self._record(trainer)
        pages.tables["unhans/decisions"] = decision_rows(self.decisions)
        pages.figures |= write_course(folder, self.followed, self.act)

    def further_scalars(self) -> dict[str, float]:
        """Return the effects of the artifacts acted on, by key."""
        return charted(self.followed)

    def state_dict(self) -> dict[str, Any]:
        """Return the samples, the clocks, the artifacts acted on and all decisions."""
        return super().state_dict() | {"ledger": self.ledger.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the interrupted run stood: what had begun begins again."""
        super().load_state_dict(state_dict)
        self.ledger.load_state_dict(state_dict["ledger"])

    def _measure_again(self, known: list[ProvenArtifact], network: nn.Module) -> list[tuple[ProvenArtifact, Proof]]:
        """Measure the artifacts acted on again; one that fails is left out."""
        found, bench = [], self.bench(network)
        for each in known:
            with self.tolerate(f"measuring the artifact of class {each.name!r} again"):
                found.append((each, each.measure(bench)))
        return found

    def _decide(self, epoch: int, entry: Suspicion, network: nn.Module) -> Decision | None:
        case = self.cases.get(entry.label)
        if case is None or not case.proven:
            return self.ledger.unproven(epoch, entry, case)
        found = ProvenArtifact.from_case(case, self._audited[entry.label].audit.index, epoch)
        return self.ledger.proven(epoch, entry, case, found, lambda each: self.remedy.prepare(each, network))

    def _act(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
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
                print_line(trainer, decision_line(self.ledger.failed(each, trainer.current_epoch, error)))
                self._record(trainer)

    def _record(self, trainer: pl.Trainer) -> Path:
        """Write all decisions, whole or not at all; return the folder."""
        folder = self.output_folder(trainer)
        settings = {"act": self.act, "patience": self.patience, "last_epoch": trainer.current_epoch}
        write_decisions(folder / "decisions.json", settings, self.decisions)
        return folder
