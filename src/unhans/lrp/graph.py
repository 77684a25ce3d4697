"""From a model to the ordered operations that relevance passes through, by `torch.fx`.

The graph, not a class name, tells residual additions and concatenations, which convolution is first, and which
batch norm follows a linear layer. What has no rule is refused with its name.
"""

from __future__ import annotations

import inspect
import operator
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from traceback import extract_tb
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from unhans.lrp import vocabulary as known
from unhans.lrp.composite import Composite, rule_for
from unhans.lrp.mutation import Proxy, out_of_place
from unhans.lrp.operations import (
    Linear,
    Operation,
    Passing,
    Proportional,
    Rerouting,
    Template,
    Value,
    WinnerTakesAll,
    averaging,
    batch_norm_parameters,
    layer_parameters,
    scaled,
)
from unhans.lrp.view import eval_view
from unhans.lrp.vocabulary import UnsupportedModelError

TRACING = threading.Lock()  # torch.fx patches torch.nn.Module, in all threads, for the time of a trace


Sign = Literal["any", "kept", "non_negative"]


@dataclass(frozen=True)
class Step:
    """One node of the plan: the operation, the nodes it reads, and what is known of the sign of its output."""

    node: fx.Node
    inputs: tuple[fx.Node, ...]
    operation: Operation
    sign: Sign = "any"


@dataclass(frozen=True)
class Plan:
    """The operations of a model in the order of computation."""

    input: fx.Node
    output: fx.Node
    steps: tuple[Step, ...]


class Tracer(fx.Tracer):
    """Keeps the modules that there is a rule for as one node each, and in-place arithmetic as such."""

    def proxy(self, node: fx.Node) -> Proxy:  # noqa: D102
        return Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: D102
        torchvision_leaf = isinstance(m, known.BATCH_NORMS) or type(m) in known.DROPOUT_MODULES
        return torchvision_leaf or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module, composite: Composite) -> Plan:
    """Return the plan of the model with a rule for every linear layer; the model is not written.

    Raises UnsupportedModelError naming what `torch.fx` cannot trace or what has no rule.
    """
    view, name = eval_view(model), type(model).__name__
    graph = _graph(view, name)
    out_of_place(graph, view)
    nodes = _needed(graph, name)
    builder = _Builder(view)
    steps = builder.steps_of(nodes)
    builder.check_output(nodes[-1])
    return Plan(nodes[0], nodes[-1], tuple(_with_rules(steps, composite)))


def _graph(view: nn.Module, name: str) -> fx.Graph:
    """The traced graph of the view; torch.fx reads the forward of the class and cannot see one set on an instance."""
    for path, module in view.named_modules():
        if "forward" in vars(module):
            raise UnsupportedModelError(f"LRP cannot read the forward that was set on the instance {path or name!r}.")
    try:
        with TRACING:
            return Tracer().trace(view, _defaults(view))
    except Exception as error:  # whatever the model's own code raises on a symbolic input
        reason = str(error).strip().split("\n")[0].split(". ")[0].rstrip(".")
        raise UnsupportedModelError(
            f"LRP needs torch.fx, which cannot trace {name}{_place(error)}: {reason}."
        ) from error


def _defaults(view: nn.Module) -> dict[str, Any]:
    """The arguments of forward that have a default, at that default: only then can the model ask for their value."""
    parameters = inspect.signature(view.forward).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _place(error: Exception) -> str:
    """The last line of the model's own code in the traceback."""
    elsewhere = (str(Path(torch.__file__).parent / "_")[:-1], __file__)
    frames = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith(elsewhere)]
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} ({frames[-1].line})" if frames else ""


def _needed(graph: fx.Graph, name: str) -> list[fx.Node]:
    """The input first, then the nodes that the output depends on, in order."""
    result = next(node for node in graph.nodes if node.op == "output").args[0]
    if not isinstance(result, fx.Node):
        kind = type(result).__name__.removeprefix("immutable_")  # torch.fx has its own dict and list
        raise UnsupportedModelError(f"LRP expects {name} to return one tensor of logits, got a {kind}.")
    needed = {result}
    for node in reversed(graph.nodes):
        if node in needed:
            needed.update(node.all_input_nodes)
    nodes = [node for node in graph.nodes if node in needed]
    inputs = [node for node in nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise UnsupportedModelError(f"LRP expects the logits of {name} to depend on one input, got {len(inputs)}.")
    return inputs + [node for node in nodes if node.op != "placeholder"]


class _Builder:
    """Finds the operation of every node and folds batch norm into the linear layer before it."""

    def __init__(self, view: nn.Module) -> None:
        self.view = view
        self.modules = dict(view.named_modules())
        self.steps: dict[fx.Node, Step] = {}

    def steps_of(self, nodes: Sequence[fx.Node]) -> Iterable[Step]:
        for node in nodes[1:]:
            module = self.modules.get(str(node.target)) if node.op == "call_module" else None
            if type(module) in known.BATCH_NORMS:
                self._add_batch_norm(node, module)
            else:
                target = known.OUT_OF_PLACE.get(node.target, node.target) if module is None else type(module)
                operation = self._function(node, target) if module is None else self._module(node, module)
                self.steps[node] = Step(node, tuple(node.all_input_nodes), operation, _sign(node, target, operation))
        return self.steps.values()

    def check_output(self, node: fx.Node) -> None:
        """Refuse an output that is no logit: a probability loses the sign, a constant owes the input nothing."""
        target = type(self.modules[node.target]) if node.op == "call_module" else node.target
        if target in known.PROBABILITIES:
            raise UnsupportedModelError(
                f"LRP expects logits, got probabilities from {known.described(target)} at {node.name!r}."
            )
        if self._is_value(node):
            raise UnsupportedModelError(
                f"LRP expects logits that depend on the input, got a constant at {node.name!r}."
            )

    def _add_batch_norm(self, node: fx.Node, norm: nn.Module) -> None:
        """Fold the norm where it alone follows a dense or convolutional layer; elsewhere it is linear itself."""
        if norm.running_mean is None:
            raise UnsupportedModelError(f"LRP needs running statistics, which the batch norm {node.target!r} lacks.")
        before = node.all_input_nodes[0]
        step = self.steps.get(before)
        if step and _is_linear(step, "dense", "convolution") and len(before.users) == 1:
            del self.steps[before]
            self.steps[node] = replace(step, node=node, operation=step.operation.followed_by(norm))
        else:
            layer = Linear("batch_norm", str(node.target), scaled, partial(batch_norm_parameters, norm))
            self.steps[node] = Step(node, (before,), layer)

    def _module(self, node: fx.Node, module: nn.Module) -> Operation:
        kind, name, call = type(module), str(node.target), Template(node, module)
        if kind in known.CONVOLUTIONS:
            return Linear("convolution", name, module._conv_forward, partial(layer_parameters, module))
        if kind is nn.Linear:
            return Linear("dense", name, F.linear, partial(layer_parameters, module))
        if kind in known.MAX_POOLS:
            return _max_pool(call, known.MAX_POOLS[kind], vars(module))
        return self._shared(node, kind, call)

    def _function(self, node: fx.Node, target: Any) -> Operation:
        """The operation of a constant, a function or a method."""
        if node.op == "get_attr":
            return Value(partial(_attribute, self.view, str(target)))
        call = Template(node, _method(target) if isinstance(target, str) else target)
        if known.is_shape(node) or all(self._is_value(arg) for arg in node.all_input_nodes):
            return Value(call)
        if target in known.DROPOUT_FUNCTIONS:
            return Passing(lambda x, *_: x)
        if target in known.MAX_POOLS:
            return _max_pool(call, known.MAX_POOLS[target], _pool_arguments(node))
        if target is getattr:  # x.mT, x.data: named as users write it
            target = str(node.args[1])
        if target in known.SUMS or (target in known.PRODUCTS and self._has_one_factor(node, target)):
            return Proportional(call)
        return self._shared(node, target, call)

    def _has_one_factor(self, node: fx.Node, target: Any) -> bool:
        """Tell a product with a constant, linear in its one activation, which is no divisor."""
        factors = [arg for arg in node.args if isinstance(arg, fx.Node) and not self._is_value(arg)]
        return len(factors) == 1 and not node.kwargs and (target not in known.QUOTIENTS or node.args[0] is factors[0])

    def _shared(self, node: fx.Node, target: Any, call: Template) -> Operation:
        """The operations that are modules, functions and methods alike."""
        if target in known.PASSING:
            return Passing(call)
        if target in known.REROUTING:
            return Rerouting(call)
        if target in known.AVERAGE_POOLS:
            return averaging(str(node.target) if node.op == "call_module" else node.name, call)
        where = node.target if node.op == "call_module" else node.name
        raise UnsupportedModelError(f"LRP has no rule for the operation {known.described(target)} at {str(where)!r}.")

    def _is_value(self, node: fx.Node) -> bool:
        return node in self.steps and isinstance(self.steps[node].operation, Value)


def _with_rules(steps: Iterable[Step], composite: Composite) -> Iterable[Step]:
    """Give every linear layer its rule, by kind and by whether a dense or convolutional layer lies before it."""
    behind: dict[fx.Node, bool] = {}
    non_negative: dict[fx.Node, bool] = {}
    for step in steps:
        first = not any(behind.get(node, False) for node in step.inputs)
        positive = all(non_negative.get(node, False) for node in step.inputs)
        behind[step.node] = not first or _is_linear(step, "dense", "convolution")
        non_negative[step.node] = step.sign == "non_negative" or (step.sign == "kept" and positive)
        if isinstance(step.operation, Linear):
            rule = rule_for(composite, step.operation.kind, first=first, name=step.operation.name)
            step = replace(step, operation=replace(step.operation, rule=rule, non_negative=positive))
        yield step


def _is_linear(step: Step, *kinds: str) -> bool:
    return isinstance(step.operation, Linear) and step.operation.kind in kinds


def _sign(node: fx.Node, target: Any, operation: Operation) -> Sign:
    """What is known without running the model; z⁺ skips the negative half of its input by it."""
    if target in known.NON_NEGATIVE:
        return "non_negative"
    routed = isinstance(operation, (Rerouting, WinnerTakesAll)) and target is not F.pad  # padding has a value
    added = target in (operator.add, torch.add, "add") and all(isinstance(arg, fx.Node) for arg in node.args)
    averaged = isinstance(operation, Linear) and operation.kind == "average_pool"
    dropped = target in known.DROPOUT_MODULES | known.DROPOUT_FUNCTIONS | {nn.Identity}
    return "kept" if routed or averaged or dropped or (added and not node.kwargs) else "any"


def _method(name: str) -> Callable[..., Any]:
    """Return the tensor method of that name as a function."""
    return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)


def _attribute(view: nn.Module, path: str) -> Any:
    """Return the parameter, buffer or constant at this path, read afresh at every call."""
    value = operator.attrgetter(path)(view)
    return value.detach() if isinstance(value, Tensor) else value


def _max_pool(call: Template, dims: int, arguments: dict[str, Any]) -> Operation:
    """Max pooling from the arguments that the module and the functional form share."""
    if arguments.get("return_indices"):
        raise UnsupportedModelError(f"LRP has no rule for max pooling that returns indices, at {call.node.name!r}.")
    kernel = arguments["kernel_size"]
    stride = arguments.get("stride")
    if call.node.all_input_nodes[1:]:
        raise UnsupportedModelError(f"LRP expects a constant window of the max pooling at {call.node.name!r}.")
    sizes = (
        kernel,
        kernel if stride in (None, []) else stride,
        arguments.get("padding", 0),
        arguments.get("dilation", 1),
    )
    return WinnerTakesAll(call, *[(size,) * dims if isinstance(size, int) else tuple(size) for size in sizes])


def _pool_arguments(node: fx.Node) -> dict[str, Any]:
    """Return the arguments of a functional max pooling by name."""
    names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    return dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
