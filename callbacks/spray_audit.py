"""SpRAy while the model trains: which class is recognised for the wrong reason?"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from sklearn.base import clone
from torch import Tensor, nn
from unhans.callbacks.audit import LOG, Audit, tell

from unhans.attribution import with_latent
from unhans.data import SAMPLES, displayed, draw_per_class, paths_of, pixel_scale, read_samples
from unhans.effects import Bench, Case, Plan, decide, evenly, leading
from unhans.harness import ClassRecord, Processes, Suspect, Verification, add_cases, add_pictures, bench_of, due
from unhans.isolation.whole import Family, Numbers
from unhans.report import Say, progress
from unhans.report.files import AuditPages
from unhans.report.text import chartable, findings
from unhans.spray import Auditor, SpRAy, Suspicion, judge, ranked
from unhans.spray.groups import Described, Group, image_groups
from unhans.store import file_stem


def audit_subsets(
    labels: NDArray[np.int64],
    classes: Mapping[int, str],
    chosen: Sequence[str] | None,
    samples_per_class: int | None,
    n_neighbors: int,
    seed: int,
) -> dict[int, NDArray[np.int64]]:
    """Draw the samples (n,) of every class to audit, by label; classes too small for SpRAy are left out with a warning.

    labels: (N,) of the data set; classes: names by label; chosen: names of the classes to audit, None for all;
    samples_per_class: at most, None for all; n_neighbors: of SpRAy, which needs more samples than that. Raises
    ValueError for an unknown name, and where no class is large enough.
    """
    chosen = None if chosen is None else [str(name) for name in chosen]  # a configuration reads [3] as a number
    unknown = set(chosen or ()) - set(classes.values())
    if unknown:
        known = ", ".join(classes.values())
        raise ValueError(f"SpRAyAudit: classes expects names among {known}, got {sorted(unknown)[0]!r}.")
    drawn = draw_per_class(labels, samples_per_class, seed)
    subsets = {label: index for label, index in drawn.items() if not chosen or classes[label] in chosen}
    for label, index in subsets.items():
        if len(index) <= n_neighbors:
            LOG.warning(
                "class %r has %d samples to audit; SpRAy expects more than n_neighbors=%d, so it is left out.",
                classes[label], len(index), n_neighbors,
            )  # fmt: skip
    large = {label: index for label, index in subsets.items() if len(index) > n_neighbors}
    if not large:
        raise ValueError(f"SpRAyAudit needs a class with more than n_neighbors={n_neighbors} samples, there is none.")
    return large


REFERENCE = 300  # images of all classes, against which those of one are compared


@dataclass(frozen=True)
class _Seen:
    """What follows from the images of a class alone, and stays the same from audit to audit.

    checksum: of the images; groups: that they propose; control: SpRAy on them, where it is wanted; numbers: their
    statistics, filled when they are asked for.
    """

    checksum: int
    groups: list[Group]
    control: SpRAy | None
    numbers: dict[Family, Numbers] = field(default_factory=dict)


class SpRAyAudit(Audit):
    """Audits every class after each n-th epoch: proposes groups of its samples, orders the classes, and tests them.

    Groups that may share an artifact are proposed by several views of heatmaps, features and images
    (`unhans.spray.propose`). How far they stand apart orders the classes (`unhans.spray.ranked`) and decides nothing
    else. With verify what the groups share is isolated and its effect measured, with controls, and every tested class
    is said to be proven, not used or open, with the reason; one false-discovery rate of 5 % holds over all classes,
    groups and epochs (`unhans.effects.decide`). Logged are the verdicts, τ, λ₂, the eigengap and the ranking; the
    classes that are shown have a page with spectrum, 2-D map and galleries. All of it is on disk as well, under
    `folder/epoch_NNN`.

    The processes of a training share the classes, and find what one process would find: each audits and tests every
    n-th class and writes its files; on several machines the folder has to be one that all of them see. No audit takes
    longer than half of the process group's time-out (`DDPStrategy(timeout=…)`); the classes that are left come first
    in the next one.

    Disk: the data file of a class takes 2 bytes per pixel of a heatmap, 30 MB for 300 samples of 224 × 224 pixels. With
    keep="last" there are at most two of every class, however many epochs are audited; with keep=n at most n + 1. Pages,
    pictures and tables of all audits stay: about 0.5 MB per class that is shown, and a line per class.

    Args:
        network, dataset, every_n_epochs, attribution, batch_size, folder, on_error, seed, name: as for every `Audit`.
        classes: names of the classes to audit; None is all.
        samples_per_class: size of the fixed audit subset of each class; None is all of them.
        spray: how heatmaps are clustered; by default summed onto a grid of 28 × 28 first.
        control: run the same analysis on the raw images (METHODS §2): a class that stands out there too has a cluster
            in its data, used by the model or not.
        max_share: the audits' largest share of training time; classes then take turns. The first class may overshoot
            it, later audits make up for it.
        verify: isolate what the groups of the classes share and measure its effect (`cases`).
        verify_samples: samples of other classes to put it on, at most.
        candidates: groups of a class from which something is isolated, at most.
        tests: artifacts of a class whose effect is measured, at most.
        most: how many classes to test after an epoch, None is all. Half of them stand out most, the others take turns;
            the last audit tests all.
        pages: classes that get a page after an epoch, those that stand out most and all that are proven.
        keep: whose data files (`NNNN-class.h5`) stay. "last": of every class that of its last audit, and that of the
            last one in which it was proven (in which it stood out, where nothing is tested); n: those of its last n
            audits, and that one; "all".

    Attributes:
        ranking: the classes, the one that stands out most first.
        cases: by label, the artifact of each class tested in the last audit that does most.
        tested: all cases of the last audit.
        clusters: by label, the samples in the striking cluster of each class.
        seconds: that the last audit ("audit") and the last test ("test") of each class took, by label.

    >>> SpRAyAudit(network="model", samples_per_class=100).every_n_epochs
    1
    """

    shared = True

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
        candidates: int = 3,
        tests: int = 2,
        most: int | None = None,
        pages: int = 3,
        keep: Literal["last", "all"] | int = "last",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if max_share is not None and not 0 < max_share < 1:
            raise ValueError(f"max_share expects a share between 0 and 1, or None, got {max_share}.")
        if samples_per_class is not None and samples_per_class < 2:
            raise ValueError(f"samples_per_class expects 2 or more, or None for all, got {samples_per_class}.")
        given = {"verify_samples": verify_samples, "candidates": candidates, "tests": tests, "most": most or 1}
        for name, value in given.items():
            if value < 1 or most == 0:
                raise ValueError(f"{name if most != 0 else 'most'} expects 1 or more, got {value if most != 0 else 0}.")
        if pages < 0:
            raise ValueError(f"pages expects 0 or more, got {pages}.")
        if keep not in ("last", "all") and (not isinstance(keep, int) or keep < 1):
            raise ValueError(f"keep expects 'last', 'all' or how many audits, 1 or more, got {keep!r}.")
        self.chosen, self.samples_per_class = classes, samples_per_class
        self.spray = spray or SpRAy(pooling=28)
        self.control, self.max_share = control, max_share
        self.ranking: list[Suspicion] = []
        self.verify, self.most, self.pages = verify, most, pages
        self.keep = 1 if keep == "last" else keep
        self.plan = Plan(candidates=candidates, tests=tests, samples=verify_samples, seed=self.seed)
        self.cases: dict[int, Case] = {}
        self.tested: list[Case] = []
        self.looks = 0  # audits that tested anything
        self._records: dict[int, ClassRecord] = {}
        self._seen: dict[int, _Seen] = {}
        self._now: list[int] = []  # the classes of the present audit, the one that stands out most first
        self._audited: dict[int, Suspect] = {}  # those of this process
        self._cost = 0.0  # seconds of the last class
        self._cost_of_case = 0.0  # seconds of the last verification

    @property
    def clusters(self) -> dict[int, NDArray[np.int64]]:
        """By label, the samples in the striking cluster of each class."""
        return {label: record.cluster for label, record in self._records.items() if record.epoch is not None}

    @property
    def seconds(self) -> dict[str, dict[int, float]]:
        """What the last audit ("audit") and the last test ("test") of each class took, by label."""
        return {
            kind: {label: each.seconds[kind] for label, each in self._records.items() if kind in each.seconds}
            for kind in ("audit", "test")
        }

    @property
    def few(self) -> int:
        """How many samples of a class do for a rehearsal."""
        return 3 * self.spray.n_neighbors

    def begin(self, network: nn.Module, device: torch.device) -> None:
        """Fix the samples; refuse images that cannot be brought to [0, 1] where artifacts are to be verified."""
        super().begin(network, device)
        self._records = {label: self._records.get(label, ClassRecord()) for label in sorted(self._indices)}
        pool = np.concatenate(list(self._indices.values()))
        images, kept = read_samples(self.dataset, evenly(self.labels, pool, REFERENCE, self.seed))
        self._example = images[:1]
        self._reference = Described.of(displayed(self.dataset, images).numpy()), self.labels[kept]
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
        began, team = time.perf_counter(), self.team(trainer)
        pages = self._pages_of(trainer, team)
        device = next((p.device for p in network.parameters()), trainer.strategy.root_device)
        self._audited, self.tested, self._now = {}, [], []
        try:
            left = self._audit_in_turn(trainer, self._auditor(network, device), self._order(team), began)
            left = self._rank(team, left)
            self._verify(trainer, network, pages, device, began)
            self.decide(trainer, network, pages, device)
            self._write(trainer, pages, team)
            self._count_failures(team)
            if team.first:
                seconds = time.perf_counter() - began
                self._log(trainer, pages, seconds)
                tell(trainer, self._summary(trainer, seconds, [self.classes[label] for label in left]))
        finally:
            self._audited = {}

    def forget(self) -> None:
        """Forget the samples and all that was found in them; what was spent of the error rate stays spent."""
        super().forget()
        self.ranking, self.cases, self.tested = [], {}, []
        self._records, self._seen = {}, {}

    def decide(self, trainer: pl.Trainer, network: nn.Module, pages: AuditPages, device: torch.device) -> None:
        """Do something about what was found; pages: what the audit writes and logs. Here: nothing."""

    def charted(self) -> dict[str, float]:
        """Return what else is logged after an audit. Here: nothing."""
        return {}

    def audited(self, label: int) -> NDArray[np.int64]:
        """Return the data-set indices of the samples of this class that are audited."""
        return self._indices[label]

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the clocks and what is known of the classes."""
        own = {"cost": self._cost, "cost_of_case": self._cost_of_case, "looks": self.looks}
        return super().state_dict() | own | {"records": {key: each.state_dict() for key, each in self._records.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the interrupted run stood."""
        super().load_state_dict(state_dict)
        self._cost, self._cost_of_case = state_dict["cost"], state_dict.get("cost_of_case", 0.0)
        self.looks = state_dict.get("looks", 0)
        self._records = {key: ClassRecord.from_state(each) for key, each in state_dict.get("records", {}).items()}
        self.ranking = self._ranked()

    def bench(self, network: nn.Module, device: torch.device) -> Bench:
        """Return the network and the audited data set as experiments with artifacts see them."""
        options = {"device": device, "batch_size": self.batch_size, "seed": self.seed}
        return bench_of(network, self.dataset, self.attribution, scale=self.scale, labels=self.labels, **options)

    def _pages_of(self, trainer: pl.Trainer, team: Processes) -> AuditPages:
        """The files of this audit, in the folder that the first process takes."""
        folder = Path(team.of_first(str(self.where(trainer)) if team.first else None))
        return AuditPages(
            folder / f"epoch_{trainer.current_epoch:03d}",
            paths_of(self.dataset),
            self.classes,
            f"after epoch {trainer.current_epoch} · {self.attribution.description}",
        )

    def _order(self, team: Processes) -> list[int]:
        """The audited classes of this process, the one whose last turn lies back furthest first."""
        return sorted(self._own(team), key=lambda label: (self._records[label].tried, label))

    def _own(self, team: Processes) -> list[int]:
        """The classes of this process: always the same, so that what is known of their images is known here."""
        return list(self._records)[team.rank :: team.count]

    def _exchange(self, team: Processes, beside: Any) -> list[Any]:
        """Learn what the others know of their classes now, and return what else every process gives."""
        given = team.all(({label: self._records[label] for label in self._own(team)}, beside))
        found = {label: record for records, _ in given for label, record in records.items()}
        self._records = {label: found[label] for label in sorted(found)}
        return [each for _, each in given]

    def _ranked(self) -> list[Suspicion]:
        return ranked(each.suspicion for each in self._records.values() if each.suspicion is not None)

    def _rank(self, team: Processes, left: Sequence[int]) -> list[int]:
        """Rank the classes of all processes; return those left for the next audit."""
        given = self._exchange(team, (list(self._audited), list(left)))
        audited = {label for labels, _ in given for label in labels}
        self.ranking = self._ranked()
        for entry in self.ranking:
            self._records[entry.label].suspicion = entry
        self._now = [entry.label for entry in self.ranking if entry.label in audited]
        self._audited = {
            label: replace(self._audited[label], suspicion=self._records[label].suspicion)
            for label in self._now
            if label in self._audited
        }
        return sorted(label for _, labels in given for label in labels)

    def settle(self, cases: Sequence[Case]) -> list[Case]:
        """Return the cases of this audit with the verdicts that hold among all of them: this is one look."""
        if any(case.proof is not None for case in cases):
            self.looks += 1
            return decide(cases, self.looks)
        return list(cases)

    def _auditor(self, network: nn.Module, device: torch.device) -> Auditor:
        """What audits a class; the 2-D map is made for the classes that are shown alone."""
        explain, _ = with_latent(self.attribution, network, self._example.to(device))
        spray = clone(self.spray).set_params(projection=None)
        return Auditor(explain, spray, self.attribution.description, self.batch_size, device)

    def _audit_in_turn(self, trainer: pl.Trainer, auditor: Auditor, order: list[int], began: float) -> list[int]:
        """Audit classes until all are done or the share of training time is spent; return those that are left."""
        samples = sum(len(self._indices[label]) for label in order)
        with progress(samples, _has_bar(trainer)) as say:
            for done, label in enumerate(order):
                if time.perf_counter() - began + self._cost > self._allowance():
                    return order[done:]
                start, record = time.perf_counter(), self._records[label]
                record.tried = trainer.current_epoch
                with self.forgiven(f"auditing class {self.classes[label]!r}"):
                    self._audit_class(auditor, label, say)
                    record.epoch = trainer.current_epoch
                record.seconds["audit"] = self._cost = time.perf_counter() - start
        return []

    def _audit_class(self, auditor: Auditor, label: int, say: Say) -> None:
        """Audit one class."""
        name = self.classes[label]
        say(f"audit: class {name}", 0)
        images, index = read_samples(self.dataset, self._indices[label])
        shown = displayed(self.dataset, images).numpy()
        seen = self._of_images(label, shown, auditor, images)
        found = auditor.audit(
            images,
            index,
            label,
            name,
            seen.control,
            lambda n: say(f"audit: class {name}", n),
            shown=shown,
            proposed=seen.groups,
        )
        record = self._records[label]
        record.suspicion = judge(found)
        record.cluster = found.index[:0] if found.cluster is None else found.index[found.cluster.members]
        self.cases.pop(label, None)
        self._audited[label] = Suspect(found, record.suspicion, images, seen.numbers)

    def _of_images(self, label: int, shown: NDArray[np.floating], auditor: Auditor, images: Tensor) -> _Seen:
        """What follows from the images of a class alone; found again where other images were read."""
        checksum = zlib.crc32(np.ascontiguousarray(shown))
        if label not in self._seen or self._seen[label].checksum != checksum:
            control = auditor.control_of(images) if self.control else None
            self._seen[label] = _Seen(checksum, image_groups(shown, self._others(label)), control)
        return self._seen[label]

    def _others(self, label: int) -> Described:
        """What images of other classes look like, the same ones at every audit."""
        images, labels = self._reference
        return images[labels != label]

    def _verify(
        self, trainer: pl.Trainer, network: nn.Module, pages: AuditPages, device: torch.device, began: float
    ) -> None:
        """Isolate and test what the groups of the classes share while there is time, and write what is found."""
        if not self.verify:
            return
        team = self.team(trainer)
        last = trainer.should_stop or trainer.current_epoch + self.every_n_epochs >= (trainer.max_epochs or np.inf)
        before = {label: each.last_test for label, each in self._records.items() if each.last_test is not None}
        turn = team.of_first(due(self._now, self.most, before, last))
        own = [label for label in turn if label in self._audited]
        plan = replace(self.plan, samples=min(self.plan.samples, self.few)) if self.rehearsal else self.plan
        verification = Verification(self.bench(network, device), self.dataset, plan)
        found = self._test_in_turn(trainer, verification, own, began)
        of_all = {label: cases for each in self._exchange(team, found) for label, cases in each.items()}
        for label in set(self._now) - set(self._audited):
            self.cases.pop(label, None)
        self.tested = [case for label in turn for case in of_all.get(label, [])]
        self._keep(self.settle(self.tested), pages, team.first)

    def _test_in_turn(
        self, trainer: pl.Trainer, verification: Verification, turn: Sequence[int], began: float
    ) -> dict[int, list[Case]]:
        """Test classes of this process while there is time; return what was found by label."""
        found: dict[int, list[Case]] = {}
        with progress(len(turn), _has_bar(trainer)) as say:
            for label in turn:
                if time.perf_counter() - began + self._cost_of_case > self._allowance():
                    break
                start, record = time.perf_counter(), self._records[label]
                found[label] = self._verify_class(verification, self._audited[label], say)
                record.last_test = trainer.current_epoch
                record.seconds["test"] = self._cost_of_case = time.perf_counter() - start
        return found

    def _verify_class(self, verification: Verification, suspect: Suspect, say: Say) -> list[Case]:
        """Verify one class; an exception is reported and the others go on (law 3)."""
        name = suspect.audit.name
        say(f"audit: testing class {name}", 0)
        cases: list[Case] = []
        with self.forgiven(f"testing class {name!r}"):
            cases = verification.cases(suspect, self.scale.to_display(suspect.images))
        say(f"audit: testing class {name}", 1)
        return cases

    def _keep(self, cases: Sequence[Case], pages: AuditPages, first: bool = True) -> None:
        """Keep the cases of this audit with their verdicts, that which does most for every class, and write them.

        first: whether this process writes what is not of one class alone.
        """
        self.tested = list(cases)
        for label in dict.fromkeys(case.label for case in self.tested):
            self.cases[label] = leading([case for case in self.tested if case.label == label])
        for label, case in self.cases.items():
            if label in self._audited and case.isolated is not None and (case.proven or label in self._shown()):
                suspect = self._audited[label]
                add_pictures(pages, case, self.scale.to_display(suspect.images), suspect.audit.heatmaps)
        if first:
            add_cases(pages, self.tested)

    def _shown(self) -> list[int]:
        """The classes that get a page: those that stand out most, and those that are proven."""
        proven = [label for label, case in self.cases.items() if case.proven and label in self._now]
        return list(dict.fromkeys([*proven, *self._now[: self.pages]]))

    def _write(self, trainer: pl.Trainer, pages: AuditPages, team: Processes) -> None:
        """Write the data of every class, the pages of those that are shown, and the ranking; remove old data."""
        shown = self._shown()
        for label, suspect in self._audited.items():
            with self.forgiven(f"writing class {suspect.audit.name!r}"):
                self._write_class(pages, label, suspect, label in shown)
                self._note_file(label, trainer.current_epoch)
        for figures in self._exchange(team, pages.figures):
            pages.figures |= figures
        pages.suspects = {label: each.rows for label, each in self._records.items()}
        if self.ranking and team.first:
            epochs = {label: each.epoch for label, each in self._records.items() if each.epoch is not None}
            pages.finish(self.ranking, epochs)
        self._remove_old(pages.folder.parent, team.first)

    def _note_file(self, label: int, epoch: int) -> None:
        """The class has a data file of this epoch now."""
        record, case = self._records[label], self.cases.get(label)
        if self.keep != "all":
            record.stored = [*(each for each in record.stored if each != epoch), epoch]
        if (case is not None and case.proven) if self.verify else record.suspicion.suspicious:
            record.standing = epoch

    def _remove_old(self, folder: Path, first: bool) -> None:
        """Remove the data files of former audits that are not to be kept."""
        if self.keep == "all":
            return
        for label, record in self._records.items():
            for epoch in record.outdated(self.keep):
                if first:
                    stem = file_stem(label, self.classes[label])
                    (folder / f"epoch_{epoch:03d}" / f"{stem}.h5").unlink(missing_ok=True)

    def _write_class(self, pages: AuditPages, label: int, suspect: Suspect, shown: bool) -> None:
        if shown:
            suspect.audit.spray.add_projection(self.spray.projection)
        images = displayed(self.dataset, suspect.images)
        case = self.cases.get(label)
        carriers = case.isolated.members if case is not None and case.proven and case.isolated is not None else None
        pages.add(suspect.audit, images, suspect.suspicion, shown, carriers)
        self._records[label].rows = pages.suspects.get(label, [])

    def _allowance(self) -> float:
        """Seconds that this audit may take so that all keep within their share, and no process waits too long."""
        if self.max_share is None:
            return self._limit
        share = self.max_share / (1 - self.max_share) * self.training_seconds - self.audit_seconds
        return min(share, self._limit)

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
        fresh = [entry for entry in self.ranking if entry.label in self._now]  # others were measured before
        scalars |= chartable(fresh, self.cases, pages.keys) | self.charted()
        self.publish(trainer, scalars, pages.figures, pages.tables)

    def _summary(self, trainer: pl.Trainer, seconds: float, left: list[str]) -> str:
        """One line for the terminal: what was found, what it cost and what is left for the next audit."""
        done = len(self._indices) - len(left)
        return (
            f"epoch {trainer.current_epoch}: SpRAy audit of {done} classes in {seconds:.0f} s "
            f"({self._share(seconds):.0%} of all time); {findings(self.ranking, self.cases, self.verify)}"
            + (f"; left for the next audit: {', '.join(left)}" if left else "")
        )


def _has_bar(trainer: pl.Trainer) -> bool:
    """Whether progress is to be shown: on the first process, if at all."""
    return trainer.is_global_zero and trainer.progress_bar_callback is not None
