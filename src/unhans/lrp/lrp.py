"""LRP: relevance of a model's inputs, or of any layer, for chosen outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unhans.lrp.composites import CompositeLike, resolve
from unhans.lrp.conservation import Conservation, conservation_of
from unhans.lrp.numerics import TooLargeError, budget, whole_float32
from unhans.lrp.propagation import plan_relevance, propagate
from unhans.lrp.targets import Request, Target, output_of
from unhans.lrp.tracing import Node, Tape, computing_dtype, record

Pool = Callable[[Tensor], Tensor]


class Explanation(NamedTuple):
    """Relevance of the inputs' (or the layer's) shape, and the logits (n, C) of the same pass."""

    relevance: Tensor
    logits: Tensor


class LayerExplanation(NamedTuple):
    """Relevance of the inputs, the logits (n, C), and what was kept of the relevance of each layer, by its path."""

    relevance: Tensor
    logits: Tensor
    layers: dict[str, Tensor]


def _wrapped(attribute: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the method with the attribute `__wrapped__`, by which Captum's NoiseTunnel calls it."""

    @wraps(attribute)
    def call(*args: Any, **options: Any) -> Tensor:
        return attribute(*args, **options)

    return call


class LRP:
    """Layer-wise relevance propagation through any PyTorch model ([003] ch. 2; METHODS §1).

    Every call runs the model once, in evaluation mode, and records what it computes; the model is never written, and
    a training step between two calls is seen. Half-precision models are explained in float32, without TensorFloat-32.
    Captum's `NoiseTunnel` takes it as one of Captum's own methods.

    Args:
        model: a network that takes one tensor and returns logits (n, C); compiled and DDP-wrapped ones are unwrapped.
        composite: the name of a composite, one rule for every layer, or a list of (what matches, rule), where a match
            is an operation (`"convolution"`, `"first convolution"`) or a mapping (see `Match`).
        batch_size: samples explained at once; by default as many as fit into the free memory. All at once where a
            layer's relevance is asked for, whose samples need not lie along the first dimension.
        dtype: what to compute in, by default the widest of inputs and parameters, at least float32. With
            `torch.bfloat16` the model and LRP's products are in half precision, quotients and relevance in float32.

    Raises:
        ValueError: for an unknown composite, rule or pattern, or a batch size below 1.

    >>> model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> LRP(model, "epsilon").attribute(torch.ones(1, 3)).shape
    torch.Size([1, 3])
    """

    def __init__(
        self,
        model: nn.Module,
        composite: CompositeLike = "epsilon_plus_flat",
        batch_size: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size expects 1 or more, got {batch_size}.")
        if not isinstance(model, nn.Module):
            raise TypeError(f"model expects a torch.nn.Module, got {type(model).__name__}.")
        if not (dtype is None or (isinstance(dtype, torch.dtype) and dtype.is_floating_point)):
            raise ValueError(f"dtype expects a floating-point torch.dtype, got {dtype!r}.")
        self.model = model
        self.composite = resolve(composite)
        self.batch_size = batch_size
        self.dtype = dtype
        self._channels_last = True

    multiplies_by_inputs = True  # as Captum asks: relevance is of the unit of the output
    forward_func = property(lambda self: self.model)

    def has_convergence_delta(self) -> bool:
        """Tell Captum that `attribute` returns relevance alone; `conservation` says what is lost on the way."""
        return False

    @_wrapped
    def attribute(
        self,
        inputs: Tensor,
        target: Target = None,
        *,
        layer: str | None = None,
        start: Tensor | None = None,
        start_layer: str | None = None,
        create_graph: bool = False,
    ) -> Tensor:
        """Return the relevance of the inputs, of their shape, for the logit of the target class of each sample.

        Args:
            inputs: (n, …) as the model takes them.
            target: one class, (n,) classes, or (n, k) classes for k explanations of each sample, which come as
                (n, k, …); None for a model with one output. Weights (n, C), floating point, explain the weighted sum
                of the logits, such as a superclass: relevance starts from all of them at once ([003] §2.3.3).
            layer: path of a module whose output's relevance is returned in place of the inputs'. A module that runs
                several times is told apart as `path#0`, `path#1`. A layer that a batch norm follows at once shares
                its relevance.
            start: relevance to start from in place of the target's logit, of the shape of the output.
            start_layer: path of the module at whose output relevance starts; needs `start`, a concept there.
            create_graph: make the relevance differentiable by the parameters, and by inputs that require it; all
                samples are then explained at once.

        Raises:
            UnsupportedModelError: naming what cannot be followed or the operation that has no rule.
            ValueError: for inputs that are not finite, a bad target, start or layer, or a composite's pattern that
                matches nothing.
        """
        return self._answer(inputs, Request(target, layer, start, start_layer, create_graph)).relevance

    def explain(self, inputs: Tensor, target: Target = None, **options: Any) -> Explanation:
        """Return the relevance as `attribute` does, with its options, and the logits."""
        return self._answer(inputs, Request(target, **options))

    def explain_through(
        self, inputs: Tensor, target: int | Tensor, layers: Sequence[str], pool: Pool | Mapping[str, Pool]
    ) -> LayerExplanation:
        """Explain inputs, and on the way down pool the relevance of several layers: one pass gives all of them.

        Args:
            inputs: (n, …) as the model takes them.
            target: one class, or (n,) classes.
            layers: paths of modules whose output's relevance is asked for; see `attribute`.
            pool: from the relevance of a layer's output to what is kept of it, of n rows; one for all, or by layer.

        Raises as `attribute` does.
        """
        request = Request(target)
        pools = pool if isinstance(pool, Mapping) else dict.fromkeys(layers, pool)
        with self._tape(inputs) as tape:
            plan, logits = plan_relevance(tape, self.composite, tape.output), tape.output.value
            outputs = {layer: output_of(tape, layer) for layer in layers}
            ends = {layer: plan.ends.get(node, node) for layer, node in outputs.items()}
            found: dict[str, Tensor] = {}

            def pool_at(node: Node, relevance: Tensor) -> None:
                found.update({layer: pools[layer](relevance) for layer, end in ends.items() if end is node})

            (start,) = request.starts(tape.output)
            see = {node: partial(pool_at, node) for node in {*ends.values()} - {tape.input}}
            whole = propagate(tape, plan, tape.output, tape.input, start, see=see)
            pool_at(tape.input, whole)  # of layers that hand the input on
            return LayerExplanation(whole.to(inputs.dtype), logits, {layer: found[layer] for layer in layers})

    def layers(self, inputs: Tensor) -> dict[str, tuple[int, ...]]:
        """Return the shape of the output of every module that ran once and returned one tensor, in their order."""
        with self._tape(inputs) as tape:
            once = {path: nodes[0] for path, nodes in tape.layers.items() if path and len(nodes) == 1}
        return {path: tuple(node.shape) for path, node in sorted(once.items(), key=lambda one: one[1].position)}

    def conservation(self, inputs: Tensor, target: int | Tensor | None = None) -> Conservation:
        """Return where the relevance of the target's logit is kept and lost: per layer, to biases, to ε.

        Raises as `attribute` does, and ValueError for several targets a sample: their books would not add up to one.
        """
        request = Request(target)
        if request.several:
            raise ValueError(f"target: conservation takes one class a sample, got the shape {tuple(target.shape)}.")
        with self._tape(inputs) as tape:
            start = request.starts(tape.output)[0]
            return conservation_of(tape, plan_relevance(tape, self.composite, tape.output), start)

    def _answer(self, inputs: Tensor, request: Request) -> Explanation:
        """Explain in parts as large as memory allows; what was found to be too large is not tried again."""
        if not isinstance(inputs, Tensor):
            raise TypeError(f"inputs expects a tensor, got {type(inputs).__name__}.")
        n = len(inputs)
        while not request.create_graph and request.layer is None:
            size = min(n, self.batch_size or n)
            try:
                if size == n:
                    return self._explain_all(inputs, request, budget(inputs.device) if n > 1 else float("inf"))
                return self._explain_in_parts(inputs, request, size)
            except TooLargeError:
                self.batch_size = (size + 1) // 2
        return self._explain_all(inputs, request, float("inf"))

    def _explain_in_parts(self, inputs: Tensor, request: Request, size: int) -> Explanation:
        slices = [slice(i, i + size) for i in range(0, len(inputs), size)]
        limit = budget(inputs.device) if size > 1 else float("inf")
        parts = [self._explain_all(inputs[part], request.part(part), limit) for part in slices]
        return Explanation(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))

    def _explain_all(self, inputs: Tensor, request: Request, limit: float) -> Explanation:
        """Explain all samples at once."""
        with self._tape(inputs, request.create_graph, limit) as tape:
            logits = tape.output.value
            begin = tape.output if request.start_layer is None else output_of(tape, request.start_layer)
            end = tape.input if request.layer is None else output_of(tape, request.layer)
            starts = request.starts(begin)
            plan = plan_relevance(tape, self.composite, begin)
            found = [
                propagate(
                    tape, plan, begin, plan.ends.get(end, end), start, start is starts[-1] and not request.create_graph
                )
                for start in starts
            ]
            none = end.value.new_zeros(len(logits), 0, *end.shape[1:])
            relevance = torch.stack(found, 1) if request.several and found else (found or [none])[0]
            if relevance is request.start:
                relevance = relevance.clone()
            return Explanation(relevance.to(inputs.dtype) if inputs.is_floating_point() else relevance, logits)

    @contextmanager
    def _tape(self, inputs: Tensor, create_graph: bool = False, limit: float = float("inf")) -> Iterator[Tape]:
        """Record the model, and compute the same in every context.

        Gradients only when wanted, no inference mode, autocast or TensorFloat-32.
        """
        with (
            torch.inference_mode(False),
            torch.set_grad_enabled(create_graph),
            torch.autocast(inputs.device.type, enabled=False),
            whole_float32(),
        ):
            yield self._record_in_order(self._prepare(inputs, create_graph), limit)

    def _record_in_order(self, inputs: Tensor, limit: float) -> Tape:
        """The tape of the model on these inputs, with channels last where the model allows: convolutions like that.

        A model that views its feature maps as in their usual order raises; one that strides over memory would err.
        """
        if inputs.dim() == 4 and self._channels_last:
            try:
                tape = record(self.model, inputs.contiguous(memory_format=torch.channels_last), limit)
            except RuntimeError as error:
                of_a_view = "view size is not compatible" in str(error)
                if not of_a_view or isinstance(error, torch.OutOfMemoryError):
                    raise
                tape = None
            if tape is not None and not tape.strided:
                return tape
            tape = record(self.model, inputs, limit)  # what fails in both orders is the caller's mistake
            self._channels_last = False
            return tape
        return record(self.model, inputs, limit)

    def _prepare(self, inputs: Tensor, create_graph: bool) -> Tensor:
        """The inputs in the type to compute in; apart from autograd's history unless that is wanted."""
        if not bool(inputs.isfinite().all()):
            raise ValueError("inputs must be finite, got NaN or infinite values.")
        plain = inputs.clone() if inputs.is_inference() else inputs
        wide = plain.to(self.dtype or computing_dtype(self.model, plain))
        return wide if create_graph else wide.detach()
