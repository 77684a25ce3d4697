"""A small network to watch."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class SmallCNN(nn.Module):
    """Three convolutional blocks and a dense head: learns digits in seconds on a CPU.

    Takes (n, 3, H, W) with H, W ≥ 32 and returns logits (n, num_classes).
    """

    def __init__(self, num_classes: int, width: int = 16) -> None:
        super().__init__()
        channels = (3, width, 2 * width, 4 * width)
        blocks = [self._block(*pair) for pair in pairwise(channels)]
        self.features = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(4))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(16 * channels[-1], num_classes))

    @staticmethod
    def _block(inputs: int, outputs: int) -> nn.Sequential:
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), nn.MaxPool2d(2))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, num_classes)."""
        return self.classifier(self.features(x))
