"""A second set of modules over the same tensors, so that the live model is never touched."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from torch import nn
from torch.optim.swa_utils import AveragedModel

M = TypeVar("M", bound=nn.Module)

WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
HOOKS = ("_forward_hooks", "_backward_hooks", "_backward_pre_hooks", "_forward_hooks_with_kwargs")


def eval_view(model: nn.Module) -> nn.Module:
    """Return the model in evaluation mode as new modules that share every parameter and buffer.

    Nothing of the live model is written: flags differ only in the view, the view has no forward or backward
    hooks but those that compute weights. `torch.compile`, `DataParallel`, `DistributedDataParallel` and
    `AveragedModel` are looked through.
    """
    return _view(unwrapped(model), {})


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the network inside compiled and parallel wrappers (on a compiled graph hooks are ignored)."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, WRAPPERS):
            inner = model.module
        if inner is None:
            return model
        model = inner


def _view(module: M, seen: dict[nn.Module, nn.Module]) -> M:
    """Copy the module tree; a module that occurs twice is one module in the view as well."""
    if module in seen:
        return seen[module]  # type: ignore[return-value]
    view = object.__new__(type(module))
    seen[module] = view
    state = module.__dict__.copy()
    state.update({name: OrderedDict() for name in HOOKS if name in state})
    state["_forward_pre_hooks"] = _weight_hooks(module)
    state["_compiled_call_impl"] = None
    state["training"] = False
    state["_modules"] = {
        name: None if child is None else _view(unwrapped(child), seen) for name, child in module._modules.items()
    }
    view.__dict__.update(state)
    return view


def _weight_hooks(module: nn.Module) -> OrderedDict:
    """Keep the pre-forward hooks by which `torch.nn.utils` computes weights (weight norm): they are the layer."""
    hooks = module._forward_pre_hooks.items()
    return OrderedDict((key, hook) for key, hook in hooks if type(hook).__module__.startswith("torch.nn.utils"))
