"""The LightningModule: any network, trained to tell classes apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics.classification import MulticlassAccuracy

from unhans.lrp.tracing import logits_of


class Classifier(pl.LightningModule):
    """Trains a network with cross-entropy and reports accuracy overall and per class.

    Args:
        model: a network from images (n, 3, H, W) to logits (n, C).
        classes: the C class names.
        optimizer: from parameters to an optimizer.
        scheduler: from an optimizer to a learning-rate scheduler, stepped each epoch; None for a constant rate.
    """

    def __init__(
        self,
        model: nn.Module,
        classes: Sequence[str],
        optimizer: Callable[[Iterable[Tensor]], Optimizer],
        scheduler: Callable[[Optimizer], Any] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.classes = list(classes)
        self.optimizer, self.scheduler = optimizer, scheduler
        number = len(self.classes)
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
        loss = F.cross_entropy(logits, labels)
        self.train_accuracy(logits, labels)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        self.log("train/accuracy", self.train_accuracy, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Count what the network gets right."""
        images, labels = batch[0], batch[1]
        if not len(images):
            return
        logits = self(images)
        self.val_accuracy(logits, labels)
        self.val_class_accuracy.update(logits, labels)
        self.log("val/loss", F.cross_entropy(logits, labels), batch_size=len(images))
        self.log("val/accuracy", self.val_accuracy, prog_bar=True)

    def on_validation_epoch_end(self) -> None:
        """Log the accuracy of every class."""
        if self.val_class_accuracy.update_called:
            seen = self.val_class_accuracy.tp + self.val_class_accuracy.fn > 0  # a kept head has classes without images
            per_class = self.val_class_accuracy.compute().tolist()
            names = (f"val/accuracy/{name}" for name in self.classes)
            self.log_dict({name: value for name, value, one in zip(names, per_class, seen, strict=True) if one})
        self.val_class_accuracy.reset()

    def configure_optimizers(self) -> Any:
        """Return the configured optimizer over what is trainable, and the scheduler."""
        optimizer = self.optimizer([p for p in self.parameters() if p.requires_grad])
        if self.scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self.scheduler(optimizer)}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write the class names beside the weights, so that a checkpoint tells what its outputs mean."""
        checkpoint["classes"] = self.classes
