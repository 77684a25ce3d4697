"""A second set of modules over the same tensors, so that the live model is never touched."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from unhans.lrp.tracing.aten import UnsupportedModelError
from unhans.lrp.tracing.logits import logits_of

M = TypeVar("M", bound=nn.Module)

HALF = (torch.float16, torch.bfloat16)
WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
HOOKS = ("_forward_hooks", "_backward_hooks", "_backward_pre_hooks", "_forward_hooks_with_kwargs")


def eval_view(model: nn.Module) -> nn.Module:
    """Return the model in evaluation mode as new modules that share every parameter and buffer.

    Nothing of the live model is written: flags differ only in the view, the view has no forward or backward
    hooks but those that compute weights. `torch.compile`, `DataParallel`, `DistributedDataParallel` and
    `AveragedModel` are looked through.
    """
    return _view(unwrap(model), {})


def working_view(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return the evaluation view with floating-point parameters in a type, shared where they have it.

    Buffers are copies, so that a model may write its own while it runs. The view returns the logits in what the model
    returns; see `logits_of`.
    """
    view = eval_view(model)
    for module in view.modules():
        module._parameters = {name: _cast(value, dtype) for name, value in module._parameters.items()}
        module._buffers = {
            name: None if value is None else _cast(value.clone(), dtype) for name, value in module._buffers.items()
        }
        if isinstance(module, nn.RNNBase):  # a second list of its parameters
            module.__dict__["_flat_weights"] = [module._parameters[name] for name in module._flat_weights_names]
    view.register_forward_hook(lambda module, inputs, result: logits_of(result))
    return view


def computing_dtype(model: nn.Module, inputs: Tensor) -> torch.dtype:
    """Return the widest type of the inputs and the parameters, at least float32."""
    dtype = inputs.dtype if inputs.is_floating_point() else torch.float32
    for parameter in model.parameters():
        dtype = torch.promote_types(dtype, parameter.dtype)
    return torch.float32 if dtype in HALF else dtype


def _cast(value: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return value.to(dtype) if value is not None and value.is_floating_point() else value


def unwrap(model: nn.Module) -> nn.Module:
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
    if isinstance(module, torch.jit.ScriptModule) and not isinstance(module, torch.jit.TracedModule):
        raise UnsupportedModelError(
            f"LRP expects modules in Python, got a {type(module).__name__} compiled by torch.jit, whose parts cannot "
            "be told apart; give it the network that was compiled."
        )
    if "forward" in vars(module):
        kind = type(module).__name__
        raise UnsupportedModelError(f"A forward was set on an instance of {kind}; it would run the live model.")
    view = object.__new__(type(module))
    seen[module] = view
    state = module.__dict__.copy()
    state.update({name: OrderedDict() for name in HOOKS if name in state})
    state["_forward_pre_hooks"] = _weight_hooks(module)
    state["_compiled_call_impl"] = None
    state["training"] = False
    state["_modules"] = {
        name: None if child is None else _view(unwrap(child), seen) for name, child in module._modules.items()
    }
    view.__dict__.update(state)
    return view


def _weight_hooks(module: nn.Module) -> OrderedDict:
    """Keep the pre-forward hooks by which `torch.nn.utils` computes weights (weight norm): they are the layer."""
    hooks = module._forward_pre_hooks.items()
    return OrderedDict((key, hook) for key, hook in hooks if type(hook).__module__.startswith("torch.nn.utils"))
