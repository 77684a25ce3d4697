"""Small networks, and large ones with random statistics, for the tests of LRP."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models
from torchvision.ops import FrozenBatchNorm2d

from unhans.lrp import resolve
from unhans.lrp.operations import Linear
from unhans.lrp.propagation import Plan, plan_relevance
from unhans.lrp.tracing import Tape, record

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, FrozenBatchNorm2d)


class Net(nn.Module):
    """Convolutions, batch norms, a residual, in-place ReLUs, max pooling: all that the live model could lose."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(6 * 16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x))
        y += x
        return self.fc(self.drop(self.pool(self.relu(y)).flatten(1)))


class Written(nn.Module):
    """A network whose forward is given as a function of itself and x."""

    def __init__(self, forward: Callable[[nn.Module, Tensor], Tensor], **modules: nn.Module) -> None:
        super().__init__()
        self.written = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.written(self, x)


def seeded(build: Callable[[], nn.Module], seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Return the network with random batch-norm statistics, in training mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build().to(dtype)
        for norm in model.modules():
            if isinstance(norm, NORMS):
                norm.running_mean.normal_(0, 0.3)
                norm.running_var.uniform_(0.5, 2)
                if norm.weight is not None:
                    norm.weight.data.uniform_(0.5, 1.5)
                    norm.bias.data.normal_(0, 0.2)
    return model


def images(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@torch.no_grad()
def without_biases(model: nn.Module) -> nn.Module:
    """Zero all biases and the effective shift β − μγ/σ of every batch norm, in place."""
    for module in model.modules():
        if isinstance(module, NORMS):
            module.bias.copy_(module.running_mean * module.weight / (module.running_var + module.eps).sqrt())
        elif getattr(module, "bias", None) is not None:
            module.bias.zero_()
    return model


def vgg11_bn() -> nn.Module:
    """VGG-11-BN with a narrow head: its own has 100 million weights."""
    features = models.vgg.make_layers(models.vgg.cfgs["A"], batch_norm=True)
    model = models.VGG(features, num_classes=10, init_weights=False)
    model.classifier = nn.Sequential(
        nn.Linear(512 * 49, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, 32), nn.ReLU(True), nn.Linear(32, 10)
    )
    return model


ARCHITECTURES = {
    "vgg11_bn": vgg11_bn,
    "resnet18": lambda: models.resnet18(num_classes=10),
    "resnet50": lambda: models.resnet50(num_classes=10),
    "squeezenet1_1": lambda: models.squeezenet1_1(num_classes=10),
    "densenet121": lambda: models.densenet121(num_classes=10),
}


def functional(net: Net, x: Tensor) -> Tensor:
    """The forward of `Net` with functions and methods in place of modules."""
    x = F.relu(net.bn1(net.conv1(x)), inplace=True)
    y = net.bn2(net.conv2(x)).add_(x)
    y = F.max_pool2d(y.relu_(), kernel_size=2)
    return net.fc(F.dropout(y.view(y.size(0), -1), 0.5, net.training))


@torch.no_grad()
def recorded(model: nn.Module, x: Tensor, composite) -> tuple[Tape, Plan]:
    """Return what the model ran and the steps that relevance takes."""
    tape = record(model, x)
    return tape, plan_relevance(tape, resolve(composite), tape.output)


def linear_steps(plan: Plan) -> list[Linear]:
    """Return the linear layers in the order of computation."""
    ordered = sorted(plan.steps, key=lambda node: node.position)
    return [plan.steps[node] for node in ordered if isinstance(plan.steps[node], Linear)]
