"""Which modules, functions and methods there is a rule for, by what they do to relevance."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.overrides import resolve_name
from torchvision.ops import FrozenBatchNorm2d, StochasticDepth, stochastic_depth

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, FrozenBatchNorm2d)
DROPOUT_MODULES = {nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
                   StochasticDepth}  # fmt: skip
DROPOUT_FUNCTIONS = {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, stochastic_depth}

NON_NEGATIVE = {nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Hardsigmoid, nn.Softplus, F.relu, F.relu6, F.sigmoid, F.hardsigmoid,
                F.softplus, torch.relu, torch.sigmoid, "relu", "sigmoid"}  # fmt: skip
SIGNED_ACTIVATIONS = {
    nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Hardtanh, nn.Hardswish, nn.Softsign,
    F.leaky_relu, F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.tanh, F.hardtanh, F.hardswish, F.softsign,
    torch.tanh, "tanh",
}  # fmt: skip
PASSING = NON_NEGATIVE | SIGNED_ACTIVATIONS | DROPOUT_MODULES | {nn.Identity}

PROBABILITIES = {nn.Sigmoid, nn.Hardsigmoid, F.hardsigmoid, torch.sigmoid, "sigmoid"}

RESHAPING = {
    nn.Flatten, nn.Unflatten, torch.flatten, torch.reshape, torch.permute, torch.transpose, torch.squeeze,
    torch.unsqueeze, torch.narrow, operator.getitem, "flatten", "unflatten", "reshape", "view", "permute", "transpose",
    "squeeze", "unsqueeze", "contiguous", "narrow", "expand",
}  # fmt: skip
REROUTING = RESHAPING | {
    nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d, nn.PixelShuffle, nn.PixelUnshuffle,
    nn.ChannelShuffle, torch.cat, torch.concat, F.pad,
}  # fmt: skip
VIEWS = RESHAPING | DROPOUT_MODULES | DROPOUT_FUNCTIONS | {nn.Identity}  # the result may lie in the input's memory
SUMS = {operator.add, operator.sub, torch.add, torch.sub, "add", "sub"}
QUOTIENTS = {operator.truediv, torch.div, "div"}
PRODUCTS = QUOTIENTS | {operator.mul, torch.mul, "mul"}

MAX_POOLS = {nn.MaxPool1d: 1, nn.MaxPool2d: 2, nn.MaxPool3d: 3, F.max_pool1d: 1, F.max_pool2d: 2, F.max_pool3d: 3}
AVERAGE_POOLS = {
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    F.avg_pool1d, F.avg_pool2d, F.avg_pool3d, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d,
    torch.mean, "mean",
}  # fmt: skip

SHAPES = {"size", "dim", "numel"}
SHAPE_ATTRIBUTES = {"shape", "ndim", "dtype", "device"}

OUT_OF_PLACE = {"relu_": "relu", "sigmoid_": "sigmoid", "tanh_": "tanh", "add_": "add", "sub_": "sub", "mul_": "mul",
                "div_": "div", torch.relu_: torch.relu, operator.iadd: operator.add, operator.isub: operator.sub,
                operator.imul: operator.mul, operator.itruediv: operator.truediv}  # fmt: skip


class UnsupportedModelError(ValueError):
    """The model cannot be explained as it is: it cannot be traced, or has an operation without a rule."""


def is_shape(node: fx.Node) -> bool:
    """Tell a question about a tensor's shape or type (torch.fx reads x.shape by getattr) from its values."""
    return node.target in SHAPES or (node.target is getattr and node.args[1] in SHAPE_ATTRIBUTES)


def described(target: object) -> str:
    """Return the name of a module's type, a function or a method as its users write it."""
    if isinstance(target, str):
        return f"Tensor.{target}"
    public = None if isinstance(target, type) else resolve_name(target)
    if public:
        return public
    name = getattr(target, "__qualname__", None) or getattr(target, "__name__", str(target))
    module = (getattr(target, "__module__", None) or "").replace("_operator", "operator")
    return f"torch.nn.{name}" if module.startswith("torch.nn.modules") else f"{module}.{name}".lstrip(".")
