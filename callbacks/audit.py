"""What all audits share: when they run, on which network and samples, and what happens when one fails."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import Dataset

from unhans import harness
from unhans.attribution import Attribution, Relevance, invisible
from unhans.data import Key, labels_of, names_of, read_samples
from unhans.effects import Bench
from unhans.harness import Processes
from unhans.lrp.tracing import LogitsOf, Output
from unhans.report.loggers import Pictures, log_epoch
from unhans.report.tables import Rows

# The package `lightning` holds classes of its own, of the same names. Its trainers call what is in a list of callbacks,
# but take a single one, and its command line any, by its class alone. It is not imported for nothing: that takes long.
_OTHER = getattr(sys.modules.get("lightning.pytorch"), "Callback", None)


class Callback(pl.Callback, *(() if _OTHER is None else (_OTHER,))):
    """A callback for the trainers of `pytorch_lightning`, and of `lightning.pytorch` where that is imported before."""


LOG = logging.getLogger("unhans")
SHARDED = ("fsdp", "deepspeed", "modelparallel")


class Audit(Callback):
    """Base of the audits: every n epochs, on fixed samples, invisible to training.

    Weights, random states and modes are the same with and without it. An audit that fails is logged and counted, and
    training goes on. Its numbers are in `trainer.callback_metrics` as well, so that `ModelCheckpoint`, `EarlyStopping`
    and sweeps can watch them; callbacks that do must come after it.

    Where several processes train, all of them wait until an audit is over, in a process group of their own, whose
    time-out is longer; all get its numbers. Batch norm statistics are those of the first one, as in a checkpoint.

    The weights are those that training goes on with. Where a callback averages them (`WeightAveraging`,
    `EMAWeightAveraging`), that is not the average, which is in the network only while it is validated and after
    training; with `StochasticWeightAveraging` it is the average in the additional epoch for batch norm.

    With `Trainer(fast_dev_run=True)` a few samples of one class are audited, and no file is left.

    Args:
        network: name of the network inside the LightningModule, "" for the module itself.
        dataset: "train" or "val" for the trainer's own, or a data set of (image, label, …) items.
        every_n_epochs: audit after every n-th epoch.
        attribution: how to explain; LRP `epsilon_plus_flat` by default.
        batch_size: images explained at once.
        folder: where figures and tables go; by default a folder beside the trainer's other files that no other run
            has: "audit", or "audit-v1" where that is taken.
        on_error: "log" keeps training when an audit fails, "raise" stops it.
        seed: draws the samples.
        name: of the folder, and what the keys of all that is logged begin with; by default the `kind`, with the split
            where that is not the usual one. Two audits of one trainer need two names.
        output: where the logits are in what the network returns: a key or an attribute, an index, or a function of
            it. None finds them in a tensor, under `logits`, and in a tuple with one tensor (n, C).
        keys: where image and label are in an item of the data, where they are not found: positions or names, such as
            {"image": "pixels", "label": "diagnosis"}; see `unhans.data.adapters`.

    Attributes:
        failures: audits, and parts of audits, that failed so far.
        clock: seconds of training and of this callback's audits.
        dataset, labels: the audited data set and the labels (N,) of its samples, once training has begun.
        classes: the name of every class by label.
        scale: between the network's images and [0, 1]; of audits that put artifacts on images.

    Raises:
        ValueError: an argument is not as described.
        MisconfigurationException: before training, where network, data or strategy could not be audited.
    """

    kind: ClassVar[str] = "audit"
    shared: ClassVar[bool] = False  # whether every process of a training does a part; else the first does all
    usual: ClassVar[str | None] = "train"  # the split that needs no mention in the name; None: none is mentioned
    few = 2  # samples of a class that do for a rehearsal
    of_trainer: ClassVar[WeakKeyDictionary[pl.Trainer, WeakSet[Audit]]] = WeakKeyDictionary()  # those it fitted with

    def __init__(
        self,
        network: str = "model",
        dataset: Literal["train", "val"] | Dataset = "train",
        every_n_epochs: int = 1,
        attribution: Attribution | None = None,
        batch_size: int = 32,
        folder: str | Path | None = None,
        on_error: Literal["log", "raise"] = "log",
        seed: int = 0,
        name: str | None = None,
        output: Output | None = None,
        keys: Mapping[str, Key] | None = None,
    ) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs expects 1 or more, got {every_n_epochs}.")
        if on_error not in ("log", "raise"):
            raise ValueError(f"on_error expects 'log' or 'raise', got {on_error!r}.")
        if isinstance(dataset, str) and dataset not in ("train", "val"):
            raise ValueError(f"dataset expects 'train', 'val' or a data set, got {dataset!r}.")
        if attribution is not None and not hasattr(attribution, "of"):
            raise ValueError(f"attribution expects an Attribution such as Relevance(), got {attribution!r}.")
        self.output, self.keys = output, dict(keys or {})
        self.network, self.source, self.every_n_epochs = network, dataset, every_n_epochs
        self.attribution = attribution or Relevance()
        self.batch_size, self.folder, self.on_error, self.seed = batch_size, folder, on_error, seed
        other = self.usual is not None and isinstance(dataset, str) and dataset != self.usual
        self.name = name or (f"{self.kind}_{dataset}" if other else self.kind)
        self.failures, self.clock = 0, harness.AuditClock()
        self.run_folder = ""  # name of this run's folder, where none was given
        self.rehearsal = False  # of `fast_dev_run`
        self._scratch: TemporaryDirectory[str] | None = None  # its files
        self._indices: dict[Any, NDArray[np.int64]] = {}  # samples by label
        self._set_up = False
        self._counted = 0  # failures that all processes know of
        self._published: dict[str, float] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse strategies whose parameters could not be read later; with another trainer a run of its own begins."""
        self._set_up = True
        if stage != "fit":
            return
        named = [each for each in trainer.callbacks if isinstance(each, Audit) and each.name == self.name]
        if len(named) > 1:
            kinds = " and a ".join(type(each).__name__ for each in named)
            raise MisconfigurationException(
                f"every audit needs a name of its own for its files and keys, got {self.name!r} for a {kinds}; give "
                "one of them name=."
            )
        if self not in self.of_trainer.setdefault(trainer, WeakSet()):
            self.of_trainer[trainer].add(self)
            self.begin_run()
        name = type(trainer.strategy).__name__
        if any(sharded in name.lower() for sharded in SHARDED):
            raise MisconfigurationException(f"{type(self).__name__} needs whole parameters, but {name} shards them.")
        self.rehearsal = bool(trainer.fast_dev_run)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse a network that could not be audited; modules may make theirs in `setup` or `configure_model`."""
        with harness.raise_misconfiguration():
            self.check_network(self.network_in(pl_module))

    @property
    def state_key(self) -> str:
        """The name in a checkpoint, so that a trainer can have several audits of one kind.

        Until `setup` it is of this object alone: a trainer would refuse two alike without saying what to give.
        """
        return self.checkpoint_name if self._set_up else f"{self.checkpoint_name}:{id(self)}"

    @property
    def checkpoint_name(self) -> str:
        """The name of the state in a checkpoint."""
        return type(self).__qualname__ if self.name == self.kind else f"{type(self).__qualname__}:{self.name}"

    def device_of(self, network: nn.Module) -> torch.device:
        """Return the device of a network's parameters; the trainer's where it has none."""
        return next((parameter.device for parameter in network.parameters()), self._device)

    def network_in(self, pl_module: pl.LightningModule) -> nn.Module:
        """Return the network to audit, from images to logits."""
        network = harness.network_of(pl_module, self.network)
        return network if self.output is None else LogitsOf(network, self.output)

    def bench(self, network: nn.Module) -> Bench:
        """Return the network and the audited data set as experiments with artifacts see them."""
        options = {"device": self.device_of(network), "batch_size": self.batch_size, "seed": self.seed}
        return harness.bench_of(
            network, self.dataset, self.attribution, scale=self.scale, labels=self.labels, **options
        )

    def check_network(self, network: nn.Module) -> None:
        """Raise ValueError for a network that could not be audited."""
        self.attribution.of(network)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fix the samples; those of a resumed run are in its checkpoint."""
        self.clock.limit = harness.most_seconds(trainer)
        harness.processes_of(trainer)  # on all of them, as the first call has to be
        with invisible(pl_module):
            self.dataset = harness.dataset_of(trainer, self.source, self.keys, type(self).__name__)
            with harness.raise_misconfiguration():
                self.labels = labels_of(self.dataset)
            self.classes = names_of(self.dataset, self.labels)
            self._device = trainer.strategy.root_device
            self.begin(self.network_in(pl_module))

    def begin(self, network: nn.Module) -> None:
        """Choose the samples where none are restored, and refuse before training what could not be audited later."""
        self._check_restored()
        self._indices = self._rehearsed(self._indices or self.choose())
        self._try_one(network)

    def _rehearsed(self, chosen: dict[int, NDArray[np.int64]]) -> dict[int, NDArray[np.int64]]:
        """The samples to audit: in a rehearsal a few of one class."""
        return {label: chosen[label][: self.few] for label in list(chosen)[:1]} if self.rehearsal else chosen

    def begin_run(self) -> None:
        """Forget everything of a fit with another trainer: its network is another one; a checkpoint is loaded later."""
        self.forget()
        self.run_folder, self.failures = "", 0
        self.clock = harness.AuditClock(self.clock.max_share)

    def forget(self) -> None:
        """Forget the samples and what was found in them: the data set is another one."""
        self._indices = {}

    def _check_restored(self) -> None:
        """Begin anew where the samples of an earlier fit or checkpoint are others in this data set."""
        inside = all(index.max(initial=-1) < len(self.labels) for index in self._indices.values())
        if inside and all(self._fits(key, index) for key, index in self._indices.items()):
            return
        LOG.warning(
            "%s: the samples of an earlier fit or checkpoint have other labels in this data set; others are drawn, "
            "and the audits begin anew.", type(self).__name__,
        )  # fmt: skip
        self.forget()

    def _fits(self, label: int, index: NDArray[np.int64]) -> bool:
        """Whether samples (n,) are what was drawn for a class."""
        return bool((self.labels[index] == label).all())

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the epoch."""
        self.clock.start_epoch(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Audit; see `_run` for who does and who waits."""
        self.clock.end_epoch(trainer)
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._run(trainer, pl_module)

    def on_exception(self, *arguments: Any) -> None:
        """Remove the files of a rehearsal."""
        Audit.teardown(self)

    def teardown(self, *arguments: Any, **options: Any) -> None:
        """Remove the files of a rehearsal."""
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the failures and the clock."""
        indices = {label: torch.from_numpy(index) for label, index in self._indices.items()}
        return {"indices": indices, "failures": self.failures, "folder": self.run_folder} | self.clock.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the samples of the interrupted run."""
        self._indices = {label: index.numpy() for label, index in state_dict["indices"].items()}
        self.failures, self.run_folder = state_dict["failures"], state_dict.get("folder", "")
        self.clock.load_state_dict(state_dict)

    def choose(self) -> dict[int, NDArray[np.int64]]:
        """Return the indices of the audited samples per class."""
        raise NotImplementedError

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Explain, analyse, write and log."""
        raise NotImplementedError

    def team(self, trainer: pl.Trainer) -> Processes:
        """Return the processes that do this audit together."""
        return harness.processes_of(trainer) if self.shared else Processes()

    def _run(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Audit on the first process, on all where they share it, and end it together.

        Called on all processes. Where these cannot meet, the others go on to the next collective call and wait there.
        """
        processes = harness.processes_of(trainer)
        if not processes.first and processes.group is None:
            return
        with self.clock.measure_audit(trainer):
            if processes.group is not None:
                harness.reduce_pending(trainer)
            self._published, self._counted = {}, self.failures
            try:
                if processes.first or self.shared:
                    self._attempt(trainer, pl_module)
            finally:
                self._close(trainer, processes)

    def _attempt(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Law 3: a failure is logged with its trace and counted, and training goes on."""
        try:
            network = self.network_in(pl_module)
            with invisible(pl_module), harness.buffers_of_first(network, self.team(trainer)):
                self.audit(trainer, network)
        except harness.OthersFailedError:
            LOG.warning("%s was given up after epoch %d: another process failed.", type(self).__name__,
                        trainer.current_epoch)  # fmt: skip
        except Exception:
            self.failures += 1
            if self.on_error == "raise":
                raise
            LOG.exception("%s failed after epoch %d; training goes on.", type(self).__name__, trainer.current_epoch)
            with self.tolerate(f"logging the failures of {type(self).__name__}"):
                self.publish(trainer, {f"{self.kind}/failures": float(self.failures)})

    def _count_failures(self, team: Processes) -> None:
        """Let every process of this audit know the failures so far."""
        self.failures = self._counted = self._counted + sum(team.all(self.failures - self._counted))

    def _close(self, trainer: pl.Trainer, processes: Processes) -> None:
        """End an audit on all processes: they know the same failures and the same numbers afterwards."""
        ends = processes.close((self._published, self.failures - self._counted))
        self.failures = self._counted + sum(failed for _, failed in ends)
        trainer.callback_metrics.update({key: torch.tensor(float(value)) for key, value in ends[0][0].items()})
        if self.on_error == "raise" and self.failures > self._counted and sys.exc_info()[0] is None:
            raise harness.OthersFailedError(f"{type(self).__name__} failed on another process, which says why.")

    @contextmanager
    def tolerate(self, what: str) -> Iterator[None]:
        """Law 3 for a part of an audit: what fails inside is logged with its trace and counted; the rest goes on."""
        try:
            yield
        except Exception:
            if self.on_error == "raise":
                raise
            self.failures += 1
            LOG.exception("%s failed; training goes on.", what)

    def publish(
        self,
        trainer: pl.Trainer,
        scalars: Mapping[str, float],
        figures: Mapping[str, Pictures] | None = None,
        tables: Mapping[str, Rows] | None = None,
        epoch: int | None = None,
    ) -> None:
        """Send all that one audit found to the loggers in one call (law 6), and its numbers to `callback_metrics`.

        Keys that begin with the `kind` of the audit begin with its name then.
        """
        epoch = trainer.current_epoch if epoch is None else epoch
        scalars, figures, tables = (self._named(each or {}) for each in (scalars, figures, tables))
        self._published |= scalars
        log_epoch(trainer.loggers, epoch, trainer.global_step, scalars, figures, tables)

    def _named(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The same under keys that begin with the audit's name."""
        own = len(self.kind)
        return {self.name + key[own:] if key.startswith(f"{self.kind}/") else key: each for key, each in given.items()}

    def _try_one(self, network: nn.Module) -> None:
        """Explain one sample before training begins: what cannot be explained is refused now."""
        for label, indices in self._indices.items():
            images, _ = read_samples(self.dataset, indices[:1])
            if len(images):
                harness.warn_if_random(self.dataset, indices, type(self).__name__)
                try:
                    found = self.attribution.of(network)(images.to(self._device), label)
                    harness.check_outputs(found.logits.shape[1], self.labels)
                except ValueError as error:
                    raise MisconfigurationException(str(error)) from error
                except Exception:
                    LOG.debug("The first sample could not be explained.", exc_info=True)  # the audit says and counts it
                return

    def output_folder(self, trainer: pl.Trainer) -> Path:
        """Return the folder of this run, which is made; it has the audit's name where it is the first one there."""
        if self.rehearsal:
            self._scratch = self._scratch or TemporaryDirectory(prefix="unhans-")
            return Path(self._scratch.name)
        if self.folder is not None:
            folder = Path(self.folder)
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        base = Path(trainer.default_root_dir)
        if not (self.run_folder and (base / self.run_folder).is_dir()):  # a resumed run goes on in its folder
            self.run_folder = harness.new_folder(base, self.name)
        return base / self.run_folder
