"""SpRAy while the model trains: which class is recognised for the wrong reason?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from unhans.callbacks.audit import LOG, Audit, tell
from unhans.callbacks.outcome import chartable, findings
from unhans.callbacks.subset import audit_subsets
from unhans.callbacks.verification import Suspect, Verification, add_cases, add_pictures

from unhans.artifacts.bench import Bench
from unhans.artifacts.case import Case
from unhans.data import bench_of, pixel_scale, reading
from unhans.data.benches import SAMPLES
from unhans.report import AuditPages, Say, log_epoch, progress
from unhans.spray import Auditor, SpRAy, Suspicion, judge, ranked


class SpRAyAudit(Audit):
    """Clusters the heatmaps of every class after each n-th epoch and ranks the classes by suspicion.

    For every class it logs τ, λ₂, the eigengap, the spectrum, the 2-D map with its clusters and a gallery of the most
    striking cluster; then the ranking. All of it is on disk as well, under `folder/epoch_NNN`. The rule that makes a
    class suspicious is `unhans.spray.judge`. With verify the artifact of the most suspicious classes is isolated and
    its effect measured, with controls: it is proven, not used, or the question stays open, with the reason.

    Args:
        network, dataset, every_n_epochs, attribution, batch_size, folder, on_error, seed: as for every `Audit`.
        classes: names of the classes to audit; None is all.
        samples_per_class: size of the fixed audit subset of each class; None is all of them.
        spray: how heatmaps are clustered; by default summed onto a grid of 28 × 28 first.
        control: run the same analysis on the raw images (METHODS §2): a class that stands out there too has a cluster
            in its data, used by the model or not.
        max_share: the audits' largest share of training time; classes then take turns. The first class may overshoot
            it, later audits make up for it.
        verify: isolate the artifact of the most suspicious classes and measure its effect (`cases`).
        verify_samples: samples of other classes to lay it over, at most.
        most: how many classes to verify after an epoch, at most.

    Attributes:
        ranking: the classes, the most suspicious first.
        cases: by label, what is known about the artifact of each verified class; until the class is audited again.

    >>> SpRAyAudit(network="model", samples_per_class=100).every_n_epochs
    1
    """

    def __init__(
        self,
        *args: Any,
        classes: Sequence[str] | None = None,
        samples_per_class: int | None = 300,
        spray: SpRAy | None = None,
        control: bool = True,
        max_share: float | None = None,
        verify: bool = False,
        verify_samples: int = 200,
        most: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if max_share is not None and not 0 < max_share < 1:
            raise ValueError(f"max_share expects a share between 0 and 1, or None, got {max_share}.")
        if samples_per_class is not None and samples_per_class < 2:
            raise ValueError(f"samples_per_class expects 2 or more, or None for all, got {samples_per_class}.")
        if verify_samples < 1 or most < 1:
            raise ValueError(f"verify_samples and most expect 1 or more, got {verify_samples} and {most}.")
        self.chosen, self.samples_per_class = classes, samples_per_class
        self.spray = spray or SpRAy(pooling=28)
        self.control, self.max_share = control, max_share
        self.ranking: list[Suspicion] = []
        self.verify, self.verify_samples, self.most = verify, verify_samples, most
        self.clusters: dict[int, NDArray[np.int64]] = {}
        self.cases: dict[int, Case] = {}
        self._latest: dict[int, Suspicion] = {}
        self._controls: dict[int, SpRAy | None] = {}
        self._turn = 0
        self._cost = 0.0  # seconds of the last class
        self._suspects: list[Suspect] = []
        self._cost_of_case = 0.0  # seconds of the last verification

    def begin(self, network: nn.Module, device: torch.device) -> None:
        """Fix the samples; refuse images that cannot be brought to [0, 1] where artifacts are to be verified."""
        super().begin(network, device)
        if self.verify:
            drawn = np.random.default_rng(self.seed).permutation(np.concatenate(list(self._indices.values())))[:SAMPLES]
            try:
                self.scale = pixel_scale(self.dataset, drawn)
            except ValueError as error:
                raise MisconfigurationException(f"SpRAyAudit with verify: {error}") from error

    def choose(self) -> dict[int, NDArray[np.int64]]:
        """Draw the audit subset; raises for an unknown class name or when no class is large enough."""
        try:
            return audit_subsets(
                self.labels, self.classes, self.chosen, self.samples_per_class, self.spray.n_neighbors, self.seed
            )
        except ValueError as error:
            raise MisconfigurationException(str(error)) from error

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Audit the classes whose turn it is, then rank, write and log."""
        began = time.perf_counter()
        pages = AuditPages(
            self._folder(trainer, "audit") / f"epoch_{trainer.current_epoch:03d}",
            reading.paths_of(self.dataset),
            self.classes,
            f"after epoch {trainer.current_epoch} · {self.attribution.description}",
        )
        device = next((p.device for p in network.parameters()), trainer.strategy.root_device)
        explain, meaning = self.attribution.of(network), self.attribution.description
        auditor = Auditor(explain, self.spray, meaning, self.batch_size, device)
        order = self._order()
        done = self._audit_in_turn(trainer, auditor, pages, order, began)
        self._turn = (self._turn + done) % len(order)
        self.ranking = ranked(self._latest.values())
        self._verify(trainer, network, pages, device, began)
        self.decide(trainer, network, pages, device)
        if self.ranking:
            pages.finish(self.ranking)
        seconds = time.perf_counter() - began
        self._log(trainer, pages, seconds)
        tell(trainer, self._summary(trainer, seconds, [self.classes[label] for label in order[done:]]))

    def decide(self, trainer: pl.Trainer, network: nn.Module, pages: AuditPages, device: torch.device) -> None:
        """Do something about what was found; pages: what the audit writes and logs. Here: nothing."""

    def charted(self) -> dict[str, float]:
        """Return what else is logged after an audit. Here: nothing."""
        return {}

    def audited(self, label: int) -> NDArray[np.int64]:
        """Return the data-set indices of the samples of this class that are audited."""
        return self._indices[label]

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the clocks and whose turn it is."""
        own = {"turn": self._turn, "cost": self._cost, "cost_of_case": self._cost_of_case}
        return super().state_dict() | own

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the interrupted run stood."""
        super().load_state_dict(state_dict)
        self._turn, self._cost = state_dict["turn"], state_dict["cost"]
        self._cost_of_case = state_dict.get("cost_of_case", 0.0)

    def bench(self, network: nn.Module, device: torch.device) -> Bench:
        """Return the network and the audited data set as experiments with artifacts see them."""
        options = {"device": device, "batch_size": self.batch_size, "seed": self.seed}
        return bench_of(network, self.dataset, self.attribution, scale=self.scale, labels=self.labels, **options)

    def _order(self) -> list[int]:
        """All audited classes, beginning with the one whose turn it is."""
        labels = sorted(self._indices)
        return labels[self._turn :] + labels[: self._turn]

    def _audit_in_turn(
        self, trainer: pl.Trainer, auditor: Auditor, pages: AuditPages, order: list[int], began: float
    ) -> int:
        """Audit classes until all are done or the share of training time is spent; return how many."""
        samples = sum(len(self._indices[label]) for label in order)
        with progress(samples, trainer.progress_bar_callback is not None) as say:
            for done, label in enumerate(order):
                if time.perf_counter() - began + self._cost > self._allowance():
                    return done
                start = time.perf_counter()
                self._audit_class(auditor, pages, label, say)
                self._cost = time.perf_counter() - start
        return len(order)

    def _audit_class(self, auditor: Auditor, pages: AuditPages, label: int, say: Say) -> None:
        """Audit one class; one that cannot be clustered is reported and the others go on (law 3)."""
        name = self.classes[label]
        say(f"audit: class {name}", 0)
        images, index = reading.read(self.dataset, self._indices[label])
        try:
            if self.control and label not in self._controls:
                self._controls[label] = auditor.control_of(images)
            control = self._controls.get(label)
            found = auditor.audit(images, index, label, name, control, lambda n: say(f"audit: class {name}", n))
        except ValueError:
            if self.on_error == "raise":
                raise
            self.failures += 1
            LOG.exception("class %r could not be audited; the others go on.", name)
            return
        self._latest[label] = judge(found)
        self.cases.pop(label, None)
        self._suspect(Suspect(found, self._latest[label], images))
        self.clusters[label] = found.index[:0] if found.cluster is None else found.index[found.cluster.members]
        pages.add(found, reading.displayed(self.dataset, images), self._latest[label])

    def _suspect(self, suspect: Suspect) -> None:
        """Keep the images of the most suspicious classes of this audit, so that they are read once."""
        if self.verify and suspect.suspicion.suspicious:
            self._suspects.append(suspect)
            self._suspects = sorted(self._suspects, key=lambda each: -each.suspicion.score)[: self.most]

    def _verify(
        self, trainer: pl.Trainer, network: nn.Module, pages: AuditPages, device: torch.device, began: float
    ) -> None:
        """Isolate and test the artifacts of the suspects while there is time, and write what is found."""
        suspects, self._suspects = self._suspects, []
        if not suspects:
            return
        verification = Verification(self.bench(network, device), self.dataset, self.verify_samples)
        with progress(sum(map(verification.work, suspects)), trainer.progress_bar_callback is not None) as say:
            for suspect in suspects:
                if time.perf_counter() - began + self._cost_of_case > self._allowance():
                    break
                start = time.perf_counter()
                self._verify_class(verification, suspect, pages, say)
                self._cost_of_case = time.perf_counter() - start
        add_cases(pages, [self.cases[each.audit.label] for each in suspects if each.audit.label in self.cases])

    def _verify_class(self, verification: Verification, suspect: Suspect, pages: AuditPages, say: Say) -> None:
        """Verify one class; an exception is reported and the others go on (law 3)."""
        name = suspect.audit.name
        say(f"audit: testing class {name}", 0)
        try:
            images = self.scale.to_display(suspect.images)
            case = verification.case(suspect, images, lambda n: say(f"audit: testing class {name}", n))
            add_pictures(pages, case, images, suspect.audit.heatmaps)
            self.cases[suspect.audit.label] = case
        except Exception:
            if self.on_error == "raise":
                raise
            self.failures += 1
            LOG.exception("the suspicion of class %r could not be verified; training goes on.", name)

    def _allowance(self) -> float:
        """Seconds that this audit may take so that all audits keep within their share."""
        if self.max_share is None:
            return float("inf")
        return self.max_share / (1 - self.max_share) * self.training_seconds - self.audit_seconds

    def _share(self, seconds: float) -> float:
        audits = self.audit_seconds + seconds
        return audits / (audits + self.training_seconds)

    def _log(self, trainer: pl.Trainer, pages: AuditPages, seconds: float) -> None:
        """Log everything in one call (law 6)."""
        scalars = {
            "audit/seconds": seconds,
            "audit/share": self._share(seconds),
            "audit/failures": float(self.failures),
        }
        scalars |= chartable(self.ranking, self.cases) | self.charted()
        log_epoch(trainer.loggers, trainer.current_epoch, trainer.global_step, scalars, pages.figures, pages.tables)

    def _summary(self, trainer: pl.Trainer, seconds: float, left: list[str]) -> str:
        """One line for the terminal: what was found, what it cost and what is left for the next audit."""
        done = len(self._indices) - len(left)
        return (
            f"epoch {trainer.current_epoch}: SpRAy audit of {done} classes in {seconds:.0f} s "
            f"({self._share(seconds):.0%} of all time); {findings(self.ranking, self.cases)}"
            + (f"; left for the next audit: {', '.join(left)}" if left else "")
        )
