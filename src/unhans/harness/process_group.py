"""The processes that train together: what each of them found becomes known to all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import nn

LONGEST = timedelta(days=1)  # that a process waits for the others; one that dies is noticed at once
USUAL = timedelta(minutes=10)  # torch's own time-out, where a strategy names none


class OthersFailedError(RuntimeError):
    """Another process has given this audit up; it says why."""


@dataclass(frozen=True)
class Processes:
    """The processes of a training, which meet in a group of their own.

    Nothing of the training runs in this group, and it is patient: however long one process audits, no collective call
    of the training waits meanwhile, so that its time-out does not strike.

    Attributes:
        rank: the number of this process; 0 is the first.
        count: how many there are.
        group: None where there is one process, or where they cannot meet.
    """

    rank: int = 0
    count: int = 1
    group: Any = None

    @property
    def first(self) -> bool:
        """Whether this is the first process, which writes and logs what is not of one class alone."""
        return self.rank == 0

    def all(self, own: Any) -> list[Any]:
        """Return what every process gives, in the order of their numbers.

        Raises:
            OthersFailedError: a process has called `close` instead.
        """
        met = self._meet((False, own))
        if any(closed for closed, _ in met):
            raise OthersFailedError("another process has given up this audit")
        return [given for _, given in met]

    def of_first(self, own: Any) -> Any:
        """Return what the first process gives; raises as `all`."""
        return self.all(own if self.first else None)[0]

    def close(self, own: Any) -> list[Any]:
        """Return what every process gives at its end, also where some ended early: those still at work give up."""
        while True:
            met = self._meet((True, own))
            if all(closed for closed, _ in met):
                return [given for _, given in met]

    def _meet(self, message: Any) -> list[Any]:
        if self.group is None:
            return [message]
        met: list[Any] = [None] * self.count
        dist.all_gather_object(met, message, group=self.group)
        return met


_KNOWN: WeakKeyDictionary[pl.Trainer, tuple[Any, Processes]] = WeakKeyDictionary()


def processes_of(trainer: pl.Trainer) -> Processes:
    """Return the processes of a trainer; the first call of a fit is to be made on all of them."""
    if trainer.world_size == 1:
        return Processes()
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() == trainer.world_size):
        return Processes(trainer.global_rank, trainer.world_size)
    world, found = _KNOWN.get(trainer, (None, None))
    if found is None or world is not dist.group.WORLD:
        group = dist.new_group(backend="gloo", timeout=LONGEST)
        found = Processes(dist.get_rank(), trainer.world_size, group)
        _KNOWN[trainer] = dist.group.WORLD, found
    return found


def reduce_pending(trainer: pl.Trainer) -> None:
    """Reduce the metrics of the epoch on every process.

    A progress bar does so on the first one alone, which then waits for the others: a meeting before that would never
    end. What is reduced stays so, whoever asks again.
    """
    _ = trainer.callback_metrics


def most_seconds(trainer: pl.Trainer) -> float:
    """Return how long an audit may take: half of what the processes of a training wait for each other."""
    if trainer.world_size == 1:
        return float("inf")
    timeout = getattr(trainer.strategy, "_timeout", None) or USUAL
    return timeout.total_seconds() / 2


@contextmanager
def buffers_of_first(network: nn.Module, processes: Processes) -> Iterator[None]:
    """Give a network the buffers of the first process, which are those in its checkpoints, and put its own back.

    Batch norm counts on every process by itself.
    """
    if processes.group is None:
        yield
        return
    buffers = list(network.buffers())
    found = processes.of_first([buffer.detach().cpu() for buffer in buffers] if processes.first else None)
    others = [(own, first.to(own.device)) for own, first in zip(buffers, found, strict=True)]
    changed = [(own, first, own.detach().clone()) for own, first in others if not torch.equal(own, first)]
    try:
        for own, first, _ in changed:
            own.detach().copy_(first)
        yield
    finally:
        for own, _, kept in changed:
            own.detach().copy_(kept)
