"""Where the logits are in what a network returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.fx import Proxy

from unhans.lrp.tracing.aten import UnsupportedModelError

Output = str | int | Callable[[Any], Tensor]


class LogitsOf(nn.Module):
    """A network that returns the logits alone, of one that returns more or something else.

    Tensors, objects and mappings with `logits`, and tuples with one tensor (n, C) need no wrapper: explanations find
    the logits in them. Paths of layers begin with "model." in this one.

    Args:
        model: any network.
        output: where the logits are in its result: a key or an attribute, an index, or a function of the result.
    """

    def __init__(self, model: nn.Module, output: Output) -> None:
        super().__init__()
        self.model, self.output = model, output

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return logits (n, C)."""
        return logits_of(self.model(*args, **kwargs), self.output)


def path_in(output: Output | None, layer: str) -> str:
    """Return the path of a network's layer in `LogitsOf(network, output)`; None: in the network itself."""
    return layer if output is None else f"model.{layer}"


def logits_of(result: Any, output: Output | None = None) -> Tensor:
    """Return the logits (n, C) in the result of a network.

    Args:
        result: a tensor, which is returned as it is; an object or a mapping with `logits`, as Hugging Face's
            classifiers return; or a tuple or list in which one tensor has the shape (n, C).
        output: where they are otherwise: a key or an attribute, an index, or a function of the result.

    Raises:
        UnsupportedModelError: the result holds no such logits, or several that could be meant.
    """
    found = _found(result) if output is None else _given(result, output)
    if not isinstance(found, (Tensor, Proxy)):  # a proxy while torch.fx traces the network
        place, parts = "" if output is None else f" at output={output!r}", ""
        if isinstance(result, Mapping):
            parts = " with the keys " + ", ".join(map(repr, result))
        elif isinstance(result, (tuple, list)):
            parts = " of " + ", ".join(map(_shape, result))
        raise UnsupportedModelError(
            "an explanation expects a network that returns logits (n, C), a tensor, got a "
            f"{type(result).__name__}{parts}{place}; wrap the network in unhans.lrp.LogitsOf(network, output=…), or "
            "give audits output=…: a key, an index or a function."
        )
    return found


def _found(result: Any) -> Any:
    if isinstance(result, (Tensor, Proxy)):
        return result
    if isinstance(result, Mapping):
        return result.get("logits")
    if isinstance(getattr(result, "logits", None), Tensor):
        return result.logits
    if isinstance(result, (tuple, list)):
        matrices = [each for each in result if isinstance(each, Tensor) and each.dim() == 2]
        return matrices[0] if len(matrices) == 1 else None
    return None


def _given(result: Any, output: Output) -> Any:
    if callable(output):
        return output(result)
    try:
        return result[output]
    except (KeyError, IndexError, TypeError):
        return getattr(result, output, None) if isinstance(output, str) else None


def _shape(each: Any) -> str:
    return f"a tensor {tuple(each.shape)}" if isinstance(each, Tensor) else f"a {type(each).__name__}"
