"""Networks that hooks on modules get wrong, and every method of the zoo."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from unhans import attribution

ZOO = {
    "saliency": attribution.Saliency(),
    "saliency_linf": attribution.Saliency("linf"),
    "input_x_gradient": attribution.InputXGradient(),
    "integrated_gradients": attribution.IntegratedGradients(steps=6, batch_size=4),
    "guided_backprop": attribution.GuidedBackprop(),
    "deconvolution": attribution.Deconvolution(),
    "grad_cam": attribution.GradCAM(),
    "guided_grad_cam": attribution.GuidedGradCAM("conv2"),
    "occlusion": attribution.Occlusion(window=4, stride=4, batch_size=8),
    "smooth_grad": attribution.SmoothGrad(samples=5, batch_size=2),
    "gradient_shap": attribution.GradientSHAP(samples=5, noise=0.1),
    "extremal_perturbation": attribution.ExtremalPerturbation(steps=4, batch_size=2),
    "random": attribution.RandomMaps(),
}


class Tangle(nn.Module):
    """In-place ReLUs, one module used three times, functions and methods, a residual sum, batch norm and dropout."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.conv3 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(8 * 16, 30)
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(30, 4)

    def forward(self, x):
        x = self.relu(self.norm(self.conv1(x)))
        x = F.max_pool2d(x, 2)
        x = self.relu(self.conv2(x) + x)
        x = F.relu(self.conv3(x), inplace=True)
        x = torch.relu(self.fc1(x.flatten(1)))
        x = self.relu(self.drop(x) - 0.1)
        return self.fc2(x)


def tangle(dtype=torch.float64, seed=0):
    """Return a network in training mode whose batch norm has seen data."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Tangle().to(dtype)
        net.norm.running_mean.normal_(std=0.2)
        net.norm.running_var.uniform_(0.5, 2)
        net.norm.weight.data.uniform_(0.5, 2)
        return net.train()


def images(n=3, dtype=torch.float64, side=16, seed=1):
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(seed)).to(dtype)


class Scores(nn.Module):
    """Any function of images and of named modules or parameters as a network."""

    def __init__(self, function, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def linear(classes=4, side=6, dtype=torch.float64):
    """Return a linear network and its weights (classes, 3, side, side)."""
    layer = nn.Linear(3 * side * side, classes).to(dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(5)))
    return nn.Sequential(nn.Flatten(), layer), layer.weight.detach().reshape(classes, 3, side, side)
