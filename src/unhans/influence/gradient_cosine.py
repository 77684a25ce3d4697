"""Influence as the cosine of gradients: which training images teach the network what a query asks for?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unhans.influence.layer_gradients import OuterGradients, joined
from unhans.influence.sample_gradients import SampleGradients, Scalar, check_layers

Batches = Iterable[tuple[Tensor, Tensor]]  # images (n, C, H, W) and labels (n,)
Advance = Callable[[int], None]
Part = Tensor | OuterGradients  # gradients of samples by one parameter


@dataclass(frozen=True)
class GradientCosine:
    """The cosine of per-sample gradients of chosen layers (Charpiat et al. 2019).

    v_i = ⟨g(x), g(x_i)⟩ / (‖g(x)‖ ‖g(x_i)‖), where g is the gradient of a scalar by all parameters of the layers. No
    more gradients are held at once than `memory` allows: where the queries' do not fit, the training images are read
    again for every block of queries. The scores are exact. A sample without a gradient has the score 0.

    Args:
        layers: names of modules, such as ("layer3", "layer4", "fc").
        of: the scalar: cross-entropy "loss" of the label, logit of the "label" or of the "predicted" class.
        normalise: divide by the lengths; otherwise scores are dot products, as TracIn's for one checkpoint and rate 1.
        memory: bytes that the queries' gradients may take.

    Raises:
        ValueError: an unknown scalar, or no layers.
    """

    layers: Sequence[str]
    of: Scalar = "loss"
    normalise: bool = True
    memory: float = 2e9

    def scores(
        self, model: nn.Module, queries: Batches, training: Callable[[], Batches], advance: Advance = lambda n: None
    ) -> Tensor:
        """Return the score of every training image for every query, (queries, training images), on the CPU.

        Args:
            model: from images to logits; it is not written.
            queries: images with labels.
            training: called for every block of queries; returns the training images, always in the same order.
            advance: called with the number of training images that are done, each time.
        """
        gradients = SampleGradients(model, self.layers, self.of)
        parts = []
        for block in self._blocks(model, queries):
            asked = sum(len(images) for images, _ in block)
            wanted = [self._flat(gradients.parts(images, labels, asked)) for images, labels in block]
            rows = [joined(same) for same in zip(*wanted, strict=True)]
            columns = []
            for images, labels in training():
                found = self._flat(gradients.parts(images, labels, asked))
                columns.append(self._products(rows, found).cpu())
                advance(len(images))
            parts.append(torch.cat(columns, 1))
        return torch.cat(parts)

    def gram(self, model: nn.Module, batches: Callable[[], Batches]) -> dict[str, Tensor]:
        """Return by layer the dot products of all samples with each other, (n, n), in float64 on the CPU.

        The Gram matrix of several layers is the sum of theirs: see `cosines`.
        """
        dots = {layer: GradientCosine((layer,), self.of, False, self.memory) for layer in self.layers}
        check_layers(model, self.layers)
        return {layer: one.scores(model, batches(), batches).double() for layer, one in dots.items()}

    def _blocks(self, model: nn.Module, queries: Batches) -> Iterable[list[tuple[Tensor, Tensor]]]:
        """Group the queries' batches, so that the gradients of a group fit."""
        check_layers(model, self.layers)
        parameters = [p for layer in self.layers for p in model.get_submodule(layer).parameters()]
        most = max(1, int(self.memory / (4 * sum(p.numel() for p in parameters))))
        block: list[tuple[Tensor, Tensor]] = []
        held = 0
        for images, labels in queries:
            for some, classes in zip(images.split(most), labels.split(most), strict=True):
                if held + len(some) > most and block:
                    yield block
                    block, held = [], 0
                block.append((some, classes))
                held += len(some)
        if block:
            yield block

    def _flat(self, parts: dict[str, list[Part]]) -> list[Part]:
        return [part for layer in self.layers for part in parts[layer]]

    def _products(self, rows: list[Part], columns: list[Part]) -> Tensor:
        products = sum(_dots(row, column) for row, column in zip(rows, columns, strict=True))
        if not self.normalise:
            return products
        return products / (_lengths(rows)[:, None] * _lengths(columns)[None]).clamp(min=torch.finfo(torch.float32).tiny)


def _dots(rows: Part, columns: Part) -> Tensor:
    return rows.dots(columns) if isinstance(rows, OuterGradients) else rows @ columns.T


def _lengths(gradients: list[Part]) -> Tensor:
    return sum(_squares(each) for each in gradients).clamp(min=0).sqrt()


def _squares(gradients: Part) -> Tensor:
    if isinstance(gradients, OuterGradients):
        return gradients.squares()
    return torch.linalg.vector_norm(gradients, dim=1).square()


def cosines(grams: Iterable[Tensor]) -> Tensor:
    """Return the cosines (n, n) of samples from the Gram matrices of layers that are taken together."""
    gram = torch.stack(list(grams)).sum(0)
    lengths = gram.diagonal().clamp(min=0).sqrt()
    return (gram / (lengths[:, None] * lengths[None]).clamp(min=torch.finfo(gram.dtype).tiny)).clamp(-1, 1)


def coordinates(cosine: Tensor) -> Tensor:
    """Return points (n, r) whose dot products are the given matrix: what SpRAy clusters in place of the gradients."""
    values, vectors = torch.linalg.eigh((cosine + cosine.T) / 2)
    kept = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
    return vectors[:, kept] * values[kept].sqrt()
