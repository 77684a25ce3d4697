"""Right-for-the-right-reasons training: relevance inside an artifact's mask costs [Ross et al. 2017]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn
from unhans.callbacks.audit import Callback

from unhans.attribution import invisible
from unhans.class_names import class_index
from unhans.data import Key, first_image, parts_of
from unhans.harness import check_single_process, class_names, network_of, raise_misconfiguration, training_set
from unhans.lrp import CompositeLike
from unhans.lrp.tracing import LogitsOf, Output
from unhans.repair import Reason, penalty

WHO = "RightReasons"
Masks = Callable[[NDArray[np.int64]], Tensor | NDArray[Any]]


class RightReasons(Callback):
    """Adds to the loss weight × the mean share of a network's reasons that lies inside an artifact's mask.

    The mean is over the samples of a batch that carry the artifact; a batch without any is trained on as it is. The
    term's gradient is added to the parameters' after each backward pass, in full precision and with the network in
    evaluation mode; with accumulation it counts as much as the loss of its batch. The mean share of each epoch is
    logged as `right_reasons/share`. Images that are mirrored at random need masks that are.

    Args:
        masks: from data-set indices (n,) to where the artifact lies on each sample (n, H, W), bool or in [0, 1]; zero
            everywhere on one that does not carry it.
        target: the artifact's class, by number or name: why the network says it is what is explained.
        weight: of the term; 0 trains as without it.
        of: "gradient" of the log-probability by the input, or "relevance" (LRP of the logit). The latter cleans
            heatmaps more thoroughly, but a network may go on using what its logit no longer shows, as by lowering
            other logits: measure the artifact's effect before trusting it.
        composite: rules of LRP.
        network: name of the network inside the LightningModule, "" for the module itself.
        keys: where image and index are in a batch, if not as in `unhans.data.adapters.parts_of`; an index is needed.
        output: where the logits are in what the network returns, as for every `Audit`.

    Raises:
        ValueError: an argument is not as described.
        MisconfigurationException: before training, for several processes, precision 16-mixed (its gradients are
            scaled), manual optimization and networks without rules.
    """

    def __init__(
        self,
        masks: Masks,
        target: int | str,
        weight: float = 1.0,
        of: Reason = "gradient",
        composite: CompositeLike = "epsilon_plus_flat",
        network: str = "model",
        keys: Mapping[str, Key] | None = None,
        output: Output | None = None,
    ) -> None:
        if not callable(masks):
            raise ValueError(f"{WHO}: masks expects a function from indices to masks, got {type(masks).__name__}.")
        if not 0 <= weight < float("inf"):
            raise ValueError(f"{WHO}: weight expects a number from 0 on, got {weight}.")
        if of not in get_args(Reason):
            raise ValueError(f"{WHO}: of expects 'relevance' or 'gradient', got {of!r}.")
        self.masks, self.target, self.weight, self.of = masks, target, weight, of
        self.composite, self.network, self.keys, self.output = composite, network, dict(keys or {}), output
        self.label = target if isinstance(target, int) else -1
        self._carrying: tuple[Tensor, Tensor, Tensor] | None = None

    def network_in(self, pl_module: pl.LightningModule) -> nn.Module:
        """Return the network, from images to logits."""
        network = network_of(pl_module, self.network)
        return network if self.output is None else LogitsOf(network, self.output)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse trainings in which the term's gradient would not be added alike."""
        check_single_process(trainer, WHO)
        if trainer.precision == "16-mixed":
            raise MisconfigurationException(f"{WHO} cannot add to scaled gradients: precision 16-mixed; use bf16.")
        if not pl_module.automatic_optimization:
            raise MisconfigurationException(f"{WHO} expects automatic optimization, got a module that steps by itself.")
        with raise_misconfiguration():
            self.network_in(pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the class and explain one sample, so that nothing has to be refused later."""
        network, device = self.network_in(pl_module), trainer.strategy.root_device
        with invisible(pl_module), raise_misconfiguration():
            dataset = training_set(trainer, self.keys, WHO)
            if isinstance(self.target, str):
                names = [] if dataset is None else class_names(dataset, np.zeros(0, dtype=np.int64))
                self.label = class_index(self.target, names, f"{WHO}: target")
            example = None if dataset is None else first_image(dataset)
            if example is not None:
                self._penalty(network, example.to(device), torch.ones_like(example[:, 0]).to(device))

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Find the batch's samples that carry the artifact."""
        image, _, index = parts_of(batch, self.keys, WHO)
        self._carrying = None
        if not len(image) or not self.weight:
            return
        if index is None:
            raise MisconfigurationException(
                f'{WHO} needs the samples\' indices in a batch, to know their masks; name them in keys={{"index": …}}.'
            )
        masks = torch.as_tensor(self.masks(index), device=image.device)
        if masks.shape != (len(image), *image.shape[-2:]):
            expected, got = (len(image), *image.shape[-2:]), tuple(masks.shape)
            raise MisconfigurationException(f"{WHO}: masks expects to return shape {expected}, got {got}.")
        self._carrying = image, masks, masks.flatten(1).any(1)

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the term's gradient to the parameters'."""
        if self._carrying is None or not bool(self._carrying[2].any()):
            return
        image, masks, rows = self._carrying
        network = self.network_in(pl_module)
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        with invisible(pl_module):
            share = self._penalty(network, image[rows], masks[rows])
            term = share * (self.weight / trainer.accumulate_grad_batches)
            gradients = torch.autograd.grad(term, trained, allow_unused=True)
            if not all(gradient is None or bool(gradient.isfinite().all()) for gradient in gradients):
                raise ValueError(f"{WHO}: the term has no finite gradient in batch {trainer.fit_loop.batch_idx}.")
        for parameter, gradient in zip(trained, gradients, strict=True):
            _accumulate(parameter, gradient)
        n = int(rows.sum())
        pl_module.log("right_reasons/share", share.detach(), on_step=False, on_epoch=True, batch_size=n)

    def on_train_batch_end(self, *arguments: Any, **options: Any) -> None:
        """Let go of the batch."""
        self._carrying = None

    def _penalty(self, network: nn.Module, images: Tensor, masks: Tensor) -> Tensor:
        return penalty(network, images, masks, self.label, self.of, self.composite)


def _accumulate(parameter: Tensor, gradient: Tensor | None) -> None:
    """Add to a gradient, as a backward pass does; in place, so that what refers to it sees it."""
    if gradient is None:
        return
    if parameter.grad is None:
        parameter.grad = gradient.detach().to(parameter.dtype).clone()
    else:
        parameter.grad.add_(gradient)
