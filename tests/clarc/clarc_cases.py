"""Networks, activations and concepts for the tests of ClArC."""

from __future__ import annotations

import torch
from torchvision import models

from unhans.clarc import Concept
from unhans.models import SmallCNN

BUILDERS = {
    "SmallCNN": (lambda: SmallCNN(4), "features.1.0", 32),
    "resnet18": (lambda: models.resnet18(num_classes=4), "layer1.0", 64),
    "squeezenet1_1": (lambda: models.squeezenet1_1(num_classes=4), "features.3", 64),
    "densenet121": (lambda: models.densenet121(num_classes=4), "features.denseblock1.denselayer1.conv1", 64),
    "mobilenet_v3_small": (lambda: models.mobilenet_v3_small(num_classes=4), "features.1.block.0.0", 64),
}


def images(n, size=32, seed=1):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def network(name="SmallCNN", seed=0):
    """Return a network in evaluation mode with running statistics that are not the default."""
    build, layer, size = BUILDERS[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = build()
    net.train()
    with torch.no_grad():
        net(images(4, size, seed=9))
    return net.eval(), layer, images(3, size)


def marked(n=30, affected=12, shape=(3, 4, 5), shift=3.0, seed=0):
    """Return noise (n, C, H, W) with a shift on one place of the affected samples, and which they are."""
    values = torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))
    which = torch.arange(n) < affected
    values[which, 0, :2, :2] += shift
    return values, which


def concept(shape, seed=0, layer="", spatial="positions", threshold=0.0):
    """Return a concept with random unit direction and random means."""
    generator = torch.Generator().manual_seed(seed)
    direction, affected, unaffected = (torch.randn(shape, generator=generator) for _ in range(3))
    direction /= direction.norm()
    return Concept(layer, "pattern", spatial, direction, affected, unaffected, threshold, 3, 4, 0.9, (0.9,))
