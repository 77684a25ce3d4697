"""The LightningModule: any network, trained to tell classes apart."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics.classification import MulticlassAccuracy, MultilabelAveragePrecision

from unhans.lrp.tracing import logits_of

Loss = Literal["cross_entropy", "bce", "hinge"]


def loss_of(logits: Tensor, labels: Tensor, loss: Loss) -> Tensor:
    """Return the mean loss of a batch.

    Args:
        logits: (n, C).
        labels: (n,) of classes; or (n, C) zeros and ones for "bce", the binary cross-entropy of every class, and
            "hinge", the sum over classes of max(0, 1 − y z) with y = ±1 [Lapuschkin 2019, app. C.1].
        loss: which.
    """
    if loss == "cross_entropy":
        return F.cross_entropy(logits, labels)
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(logits, labels)
    return (1 - (2 * labels - 1) * logits).clamp(min=0).sum(1).mean()


class Classifier(pl.LightningModule):
    """Trains a network and reports accuracy overall and per class; of several labels average precision.

    Where samples may belong to several classes, `val/map` is the mean of `val/ap/<class>`, the average precision of
    each class that has validation images.

    Args:
        model: a network from images (n, 3, H, W) to logits (n, C).
        classes: the C class names.
        optimizer: from parameters to an optimizer.
        scheduler: from an optimizer to a learning-rate scheduler, stepped each epoch; None for a constant rate.
        loss: see `loss_of`; "bce" and "hinge" are for labels (n, C).
    """

    def __init__(
        self,
        model: nn.Module,
        classes: Sequence[str],
        optimizer: Callable[[Iterable[Tensor]], Optimizer],
        scheduler: Callable[[Optimizer], Any] | None = None,
        loss: Loss = "cross_entropy",
    ) -> None:
        super().__init__()
        self.model = model
        self.classes = list(classes)
        self.optimizer, self.scheduler = optimizer, scheduler
        number = len(self.classes)
        self.loss: Loss = loss
        self.several = loss != "cross_entropy"
        if self.several:
            self.val_precision = MultilabelAveragePrecision(number, average="none")
            self.val_precision.set_dtype(torch.float64)
            return
        self.train_accuracy = MulticlassAccuracy(number, average="micro")
        self.val_accuracy = MulticlassAccuracy(number, average="micro")
        self.val_class_accuracy = MulticlassAccuracy(number, average="none")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, C)."""
        return logits_of(self.model(images))

    def on_train_epoch_start(self) -> None:
        """Keep the batch norm of frozen layers in evaluation mode."""
        for module in self.model.modules():
            own = list(module.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                module.eval()

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor | None:
        """Return the cross-entropy of the batch; a batch without a readable image is skipped."""
        images, labels = batch[0], batch[1]
        if not len(images):
            return None
        logits = self(images)
        loss = loss_of(logits, labels, self.loss)
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=self.several, batch_size=len(images))
        if self.several:
            return loss
        self.train_accuracy(logits, labels)
        self.log("train/accuracy", self.train_accuracy, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Count what the network gets right."""
        images, labels = batch[0], batch[1]
        if not len(images):
            return
        logits = self(images)
        self.log("val/loss", loss_of(logits, labels, self.loss), batch_size=len(images))
        if self.several:
            self.val_precision.update(logits.double().sigmoid(), labels.long())
            return
        self.val_accuracy(logits, labels)
        self.val_class_accuracy.update(logits, labels)
        self.log("val/accuracy", self.val_accuracy, prog_bar=True)

    def on_validation_epoch_end(self) -> None:
        """Log the accuracy of every class, or its average precision."""
        if self.several:
            self._log_precision()
            return
        if self.val_class_accuracy.update_called:
            seen = self.val_class_accuracy.tp + self.val_class_accuracy.fn > 0  # a kept head has classes without images
            per_class = self.val_class_accuracy.compute().tolist()
            names = (f"val/accuracy/{name}" for name in self.classes)
            self.log_dict({name: value for name, value, one in zip(names, per_class, seen, strict=True) if one})
        self.val_class_accuracy.reset()

    def _log_precision(self) -> None:
        """Log the average precision of the classes that have images, and their mean."""
        if self.val_precision.update_called:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "No positive samples")
                found = dict(zip(self.classes, self.val_precision.compute().tolist(), strict=True))
            known = {name: value for name, value in found.items() if value > 0}  # it is 0 without an image alone
            self.log_dict({f"val/ap/{name}": value for name, value in known.items()})
            if known:
                self.log("val/map", sum(known.values()) / len(known), prog_bar=True)
        self.val_precision.reset()

    def configure_optimizers(self) -> Any:
        """Return the configured optimizer over what is trainable, and the scheduler."""
        optimizer = self.optimizer([p for p in self.parameters() if p.requires_grad])
        if self.scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self.scheduler(optimizer)}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write the class names beside the weights, so that a checkpoint tells what its outputs mean."""
        checkpoint["classes"] = self.classes
