"""SpRAy while the model trains: which class is recognised for the wrong reason?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from sklearn.base import clone
from torch import nn
from unhans.callbacks.audit import Audit

from unhans import harness
from unhans.attribution import with_latent
from unhans.data import display_images, paths_of, pixel_scale, read_samples, rows_of
from unhans.effects import Case, Plan, decide, draw_evenly, leading
from unhans.harness import Processes
from unhans.report import Say, progress
from unhans.report.files import AuditPages
from unhans.report.text import audit_line, chartable, findings
from unhans.spray import Auditor, SpRAy, Suspicion, UmapProcess, control_of, suspicion_of

REFERENCE = 300  # images of all classes, against which those of one are compared

REHEARSED = 100  # samples whose neighbours are counted for a rehearsal


class SpRAyAudit(Audit):
    """Audits every class after each n-th epoch: proposes groups of its samples, orders the classes, and tests them.

    Groups that may share an artifact are proposed by several views of heatmaps, features and images
    (`unhans.spray.propose`). How far they stand apart orders the classes (`unhans.spray.rank_classes`) and decides
    nothing else. With verify what the groups share is isolated and its effect measured, with controls, and every tested
    class is said to be proven, not used or open, with the reason; one false-discovery rate of 5 % holds over all
    classes, groups and epochs (`unhans.effects.decide`). Logged are the verdicts, τ, λ₂, the eigengap and the ranking;
    the classes that are shown have a page with spectrum, 2-D map and galleries. All of it is on disk as well, under
    `folder/epoch_NNN`.

    The processes of a training share the classes, and find what one process would find: each audits and tests every
    n-th class and writes its files; on several machines the folder has to be one that all of them see. No audit takes
    longer than half of the process group's time-out (`DDPStrategy(timeout=…)`); the classes that are left come first
    in the next one.

    Disk: the data file of a class takes 2 bytes per pixel of a heatmap, 30 MB for 300 samples of 224 × 224 pixels. With
    keep="last" there are at most two of every class, however many epochs are audited; with keep=n at most n + 1. Pages,
    pictures and tables of all audits stay: about 0.5 MB per class that is shown, and a line per class.

    Args:
        network, dataset, every_n_epochs, attribution, batch_size, folder, on_error, seed, name, output, keys: as for
            every `Audit`.
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
        looks: audits so far that tested anything.

    Raises:
        ValueError: an argument is not as described.
        MisconfigurationException: before training, where nothing could be audited, or with verify nothing tested.

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
        counts = {"verify_samples": verify_samples, "candidates": candidates, "tests": tests, "most": most}
        for name, value in counts.items():
            if value is not None and value < 1:
                raise ValueError(f"{name} expects 1 or more, got {value}.")
        if pages < 0:
            raise ValueError(f"pages expects 0 or more, got {pages}.")
        if keep not in ("last", "all") and (not isinstance(keep, int) or keep < 1):
            raise ValueError(f"keep expects 'last', 'all' or how many audits, 1 or more, got {keep!r}.")
        self.chosen, self.samples_per_class = classes, samples_per_class
        self.spray, self.control = spray or SpRAy(pooling=28), control
        self.verify, self.most, self.pages = verify, most, pages
        self.keep = {"last": 1, "all": None}.get(keep, keep)  # audits of a class whose data files stay
        self.plan = Plan(candidates=candidates, tests=tests, samples=verify_samples, seed=self.seed)
        self.clock = harness.AuditClock(max_share)
        self.ranking: list[Suspicion] = []
        self.cases: dict[int, Case] = {}
        self.tested: list[Case] = []
        self.looks = 0
        self.records = harness.ClassRecords()
        self._turn: list[int] = []  # labels that were to be tested in the last audit
        self._now: list[int] = []  # the classes of the present audit, the one that stands out most first
        self._audited: dict[int, harness.AuditedClass] = {}  # those of this process
        self._cost = {"audit": 0.0, "test": 0.0}  # seconds of the last class
        self._umap: UmapProcess | None = None  # compiles while the first epoch is trained

    @property
    def clusters(self) -> dict[int, NDArray[np.int64]]:
        """By label, the samples in the striking cluster of each class."""
        return {label: record.cluster for label, record in self.records.items() if record.epoch is not None}

    @property
    def seconds(self) -> dict[str, dict[int, float]]:
        """What the last audit ("audit") and the last test ("test") of each class took, by label."""
        return {kind: self.records.seconds(kind) for kind in self._cost}

    @property
    def few(self) -> int:
        """How many samples of a class do for a rehearsal."""
        return 3 * self.spray.neighbours_among(REHEARSED)

    def begin(self, network: nn.Module) -> None:
        """Fix the samples; refuse images that cannot be brought to [0, 1] where artifacts are to be verified."""
        super().begin(network)
        self.records = self.records.select(sorted(self._indices))
        pool = np.concatenate(list(self._indices.values()))
        images, kept = read_samples(self.dataset, draw_evenly(self.labels, pool, REFERENCE, self.seed))
        self._example = images[:1]
        self._comparison = harness.ImageComparison(display_images(self.dataset, images).numpy(), self.labels[kept])
        if self.verify:
            with harness.raise_misconfiguration("SpRAyAudit with verify"):
                self.scale = pixel_scale(self.dataset, self.seed, pool)
        if self.spray.projection == "umap" and self.pages and self._umap is None:
            self._umap = UmapProcess()

    def on_exception(self, *arguments: Any) -> None:
        """Remove the files of a rehearsal and end the process of UMAP."""
        super().on_exception(*arguments)
        self._end_umap()

    def teardown(self, *arguments: Any, **options: Any) -> None:
        """Remove the files of a rehearsal and end the process of UMAP."""
        super().teardown(*arguments, **options)
        self._end_umap()

    def _end_umap(self) -> None:
        if self._umap is not None:
            self._umap.close()
            self._umap = None

    def choose(self) -> dict[int, NDArray[np.int64]]:
        """Draw the audit subset; raises for an unknown class name or when no class is large enough."""
        limits = self.samples_per_class, self.spray.n_neighbors
        with harness.raise_misconfiguration():
            return harness.draw_audit_samples(self.labels, self.classes, self.chosen, *limits, self.seed)

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Audit the classes whose turn it is, test what they share, then write and log."""
        team = self.team(trainer)
        pages = self._pages_of(trainer, team)
        self._audited, self.tested, self._now = {}, [], []
        try:
            left = self._rank(team, self._audit_classes(trainer, network, team))
            if self.verify:
                self._test_classes(trainer, network, team)
                self.conclude(trainer, network, pages)
            self._write(trainer, pages, team)
            self._count_failures(team)
            if team.first:
                self._log(trainer, pages, left)
        finally:
            self._audited = {}

    def begin_run(self) -> None:
        """Forget everything of a fit with another trainer, also what it cost."""
        super().begin_run()
        self.looks, self._cost = 0, dict.fromkeys(self._cost, 0.0)

    def forget(self) -> None:
        """Forget the samples and all that was found in them; what was spent of the error rate stays spent."""
        super().forget()
        self.ranking, self.cases, self.tested, self.records = [], {}, [], harness.ClassRecords()

    def conclude(self, trainer: pl.Trainer, network: nn.Module, pages: AuditPages) -> None:
        """Decide the verdicts of all that was tested, which is one look, and keep the cases; others may act on them."""
        if any(case.proof is not None for case in self.tested):
            self.looks += 1
            self.tested = decide(self.tested, self.looks)
        self._keep(self.tested, pages, self.team(trainer).first)

    def further_scalars(self) -> dict[str, float]:
        """Return what else is logged after an audit. Here: nothing."""
        return {}

    def samples_of(self, label: int) -> NDArray[np.int64]:
        """Return the data-set indices of the samples of this class that are audited."""
        return self._indices[label]

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the clocks and what is known of the classes.

        These are 200 bytes for each sample, 200 KB for each tested class, and for a proven one its layer and masks:
        3 MB for 300 samples of 224 × 224 pixels. Audits do not add up.
        """
        own = {"cost": self._cost["audit"], "cost_of_case": self._cost["test"], "looks": self.looks}
        cases = {label: harness.case_state(case) for label, case in self.cases.items()}
        return super().state_dict() | own | {"records": self.records.state_dict(), "cases": cases}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the interrupted run stood."""
        super().load_state_dict(state_dict)
        self._cost = {"audit": state_dict["cost"], "test": state_dict.get("cost_of_case", 0.0)}
        self.looks = state_dict.get("looks", 0)
        self.records = harness.ClassRecords.from_state(state_dict.get("records", {}))
        self.ranking = self.records.rank()
        self.cases = {label: harness.case_from_state(each) for label, each in state_dict.get("cases", {}).items()}
        self.tested = list(self.cases.values())

    def _pages_of(self, trainer: pl.Trainer, team: Processes) -> AuditPages:
        """The files of this audit, in the folder that the first process takes."""
        folder = Path(team.of_first(str(self.output_folder(trainer)) if team.first else None))
        epoch, description = trainer.current_epoch, self.attribution.description
        subtitle = f"after epoch {epoch} · {description}"
        return AuditPages(
            folder / f"epoch_{epoch:03d}",
            paths_of(self.dataset),
            self.classes,
            subtitle,
            rows=rows_of(self.dataset),
            split=self.source if isinstance(self.source, str) else None,
        )

    def _auditor(self, network: nn.Module) -> Auditor:
        """What audits a class; the 2-D map is made for the classes that are shown alone."""
        device = self.device_of(network)
        explain, _ = with_latent(self.attribution, network, self._example.to(device))
        spray = clone(self.spray).set_params(projection=None)
        return Auditor(explain, spray, self.attribution.description, self.batch_size, device)

    def _audit_classes(self, trainer: pl.Trainer, network: nn.Module, team: Processes) -> list[int]:
        """Audit the classes of this process while there is time; return those that are left."""
        auditor, order = self._auditor(network), self.records.order(team)

        def audit(label: int, say: Say) -> None:
            self.records[label].tried = trainer.current_epoch
            self._audit_class(auditor, label, say)
            self.records[label].epoch = trainer.current_epoch

        return self._take_turns(trainer, "audit", order, sum(len(self._indices[label]) for label in order), audit)

    def _test_classes(self, trainer: pl.Trainer, network: nn.Module, team: Processes) -> None:
        """Isolate and test what the groups of the classes share while there is time; `tested` holds what was found."""
        last = trainer.should_stop or trainer.current_epoch + self.every_n_epochs >= (trainer.max_epochs or np.inf)
        turn = self._turn = team.of_first(self.records.due(self._now, self.most, last))
        plan = replace(self.plan, samples=min(self.plan.samples, self.few)) if self.rehearsal else self.plan
        bench, cases = self.bench(network), {}

        def test(label: int, say: Say) -> None:
            self.records[label].last_test = trainer.current_epoch
            say(f"audit: testing class {self.classes[label]}", 0)
            found = self._audited[label]
            cases[label] = harness.find_cases(found, self.scale.to_display(found.images), bench, self.dataset, plan)
            say(f"audit: testing class {self.classes[label]}", 1)

        self._take_turns(trainer, "test", [label for label in turn if label in self._audited], len(turn), test)
        of_all = {label: found for each in self.records.exchange(team, cases) for label, found in each.items()}
        for label in set(self._now) - set(self._audited):
            self.cases.pop(label, None)
        self.tested = [case for label in turn for case in of_all.get(label, [])]

    def _take_turns(
        self,
        trainer: pl.Trainer,
        kind: Literal["audit", "test"],
        labels: list[int],
        total: int,
        work: Callable[[int, Say], None],
    ) -> list[int]:
        """Audit or test classes until all are done or the time is spent; return those that are left.

        An exception is reported, and the others go on (law 3). total: of what `work` counts.
        """
        with progress(total, trainer.is_global_zero and trainer.progress_bar_callback is not None) as say:
            for done, label in enumerate(labels):
                if not self.clock.has_time(self._cost[kind]):
                    return labels[done:]
                began = time.perf_counter()
                with self.tolerate(f"{kind}ing class {self.classes[label]!r}"):
                    work(label, say)
                self.records[label].seconds[kind] = self._cost[kind] = time.perf_counter() - began
        return []

    def _audit_class(self, auditor: Auditor, label: int, say: Say) -> None:
        name, record = self.classes[label], self.records[label]
        advance = partial(say, f"audit: class {name}")
        advance(0)
        images, index = read_samples(self.dataset, self._indices[label])
        shown = display_images(self.dataset, images).numpy()
        control = partial(control_of, auditor.spray, images.numpy()) if self.control else lambda: None
        seen = self._comparison.find(label, shown, control)
        found = auditor.audit(images, index, label, name, seen.control, advance, shown=shown, proposed=seen.groups)
        record.suspicion = suspicion_of(found)
        record.cluster = found.index[:0] if found.cluster is None else found.index[found.cluster.members]
        self.cases.pop(label, None)
        self._audited[label] = harness.AuditedClass(found, record.suspicion, images, seen.numbers)

    def _rank(self, team: Processes, left: Sequence[int]) -> list[int]:
        """Rank the classes of all processes; return those left for the next audit."""
        given = self.records.exchange(team, (list(self._audited), list(left)))
        audited = {label for labels, _ in given for label in labels}
        self.ranking = self.records.rank()
        self._now = [entry.label for entry in self.ranking if entry.label in audited]
        own = {label: self._audited[label] for label in self._now if label in self._audited}
        self._audited = {label: replace(each, suspicion=self.records[label].suspicion) for label, each in own.items()}
        return sorted(label for _, labels in given for label in labels)

    def _keep(self, cases: Sequence[Case], pages: AuditPages, first: bool = True) -> None:
        """Keep the cases of this audit with their verdicts, that which does most for every class, and write them.

        first: whether this process writes what is not of one class alone.
        """
        self.tested = list(cases)
        for label in dict.fromkeys(case.label for case in self.tested):
            self.cases[label] = leading([case for case in self.tested if case.label == label])
        shown = self._shown()
        for label, found in self._audited.items():
            case = self.cases.get(label)
            if case is not None and case.isolated is not None and label in shown:
                pages.add_case(case, self.scale.to_display(found.images), found.audit.heatmaps)
        if first:
            pages.add_cases(self.tested)

    def _shown(self) -> list[int]:
        """The classes that get a page: those that stand out most, and those that are proven."""
        return [label for place, label in enumerate(self._now) if place < self.pages or self._is_proven(label)]

    def _write(self, trainer: pl.Trainer, pages: AuditPages, team: Processes) -> None:
        """Write the data of every class, the pages of those that are shown, and the ranking; remove old data."""
        shown = self._shown()
        for label, found in self._audited.items():
            with self.tolerate(f"writing class {found.audit.name!r}"):
                self._write_class(pages, label, found, label in shown)
                stands_out = self._is_proven(label) if self.verify else found.suspicion.suspicious
                self.records[label].note_file(trainer.current_epoch, stands_out)
        for figures in self.records.exchange(team, pages.figures):
            pages.figures |= figures
        pages.suspects = {label: each.rows for label, each in self.records.items()}
        if self.ranking and team.first:
            epochs = {label: each.epoch for label, each in self.records.items() if each.epoch is not None}
            pages.finish(self.ranking, epochs)
        self.records.remove_outdated(pages.folder.parent, self.classes, self.keep, team.first)

    def _write_class(self, pages: AuditPages, label: int, found: harness.AuditedClass, shown: bool) -> None:
        if shown:
            found.audit.spray.add_projection(self.spray.projection, self._umap)
        carriers = self.cases[label].isolated.members if self._is_proven(label) else None
        pages.add(found.audit, display_images(self.dataset, found.images), found.suspicion, shown, carriers)
        self.records[label].rows = pages.suspects.get(label, [])

    def _is_proven(self, label: int) -> bool:
        return label in self.cases and self.cases[label].proven and self.cases[label].isolated is not None

    def _log(self, trainer: pl.Trainer, pages: AuditPages, left: Sequence[int]) -> None:
        """Log everything in one call (law 6), and say in a line what was found."""
        seconds, share = self.clock.elapsed, self.clock.share
        scalars = {"audit/seconds": seconds, "audit/share": share, "audit/failures": float(self.failures)}
        fresh = [entry for entry in self.ranking if entry.label in self._now]  # others were measured before
        scalars |= chartable(fresh, self.cases, pages.keys) | self.further_scalars()
        self.publish(trainer, scalars, pages.figures, pages.tables)
        epoch, names = trainer.current_epoch, [self.classes[label] for label in left]
        why = {label: "failed" if each.last_test == epoch else "no time" if label in self._turn else "not due"
               for label, each in self.records.items()}  # fmt: skip
        said = findings(self.ranking, self.cases, self.verify, why)
        done = len(self._indices) - len(left)
        harness.print_line(trainer, audit_line(epoch, done, seconds, share, said, names))
