"""The interface of every attribution method: from a network to a function from images to heatmaps, in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from math import inf, isfinite
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.attribution.heatmaps import sum_channels
from unhans.attribution.places import layout_at
from unhans.attribution.side_effects import frozen_view, without_side_effects
from unhans.attribution.summed_outputs import summed_outputs
from unhans.lrp import (
    LRP,
    Composite,
    check_weights,
    composite_by_name,
    deepest_within,
    is_weighted,
    resolve,
    target_classes,
)
from unhans.lrp.tracing import Layout, computing_dtype


class Heatmaps(NamedTuple):
    """Relevance, and the logits of the same pass.

    Attributes:
        maps: (n, H, W), summed over channels.
        logits: (n, classes).
        latent: by layer the relevance of its channels pooled over places (n, 2, C); see `unhans.attribution.latent`.
    """

    maps: Tensor
    logits: Tensor
    latent: Mapping[str, Tensor] = MappingProxyType({})

    def on_cpu(self) -> Heatmaps:
        """Return the same in float32 on the CPU."""
        latent = {layer: pooled.float().cpu() for layer, pooled in self.latent.items()}
        return Heatmaps(self.maps.float().cpu(), self.logits.float().cpu(), latent)

    def predictions(self) -> NDArray[np.int64]:
        """Return the top-1 class of each sample (n,)."""
        return self.logits.argmax(1).numpy()

    def ranks(self, label: int) -> NDArray[np.int64]:
        """Return for each sample (n,) how many classes score higher than this one; 0 is the first."""
        return (self.logits > self.logits[:, [label]]).sum(1).numpy()


Explain = Callable[[Tensor, "int | Tensor"], Heatmaps]
Advance = Callable[[int], None]  # called with a number of samples


class Attribution(Protocol):
    """A way to explain: `description` says what a heatmap of it means (law 7)."""

    @property
    def description(self) -> str:
        """Name the method, its rules and its target."""
        ...

    def of(self, model: nn.Module) -> Explain:
        """Return the function from images (n, C, H, W) and targets to heatmaps; the model is not written.

        A target is a class, the class of each image (n,), or a weight for each logit of each image (n, classes),
        floating point, which explains the weighted sum of the logits.
        """
        ...


def setting(expected: str, fits: Callable[[Any], bool]) -> dict[str, Any]:
    """Return what a setting takes, as the metadata of its field. None is taken where it is the default."""
    return {"expected": expected, "fits": fits}


POSITIVE = setting("a positive integer", lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 1)
NOT_NEGATIVE = setting("a number from 0 on", lambda v: isinstance(v, int | float) and 0 <= v < inf)
FINITE = setting("a finite number", lambda v: isinstance(v, int | float) and isfinite(v))
SEED = setting("an integer from 0 to 2³² - 1", lambda v: isinstance(v, int) and 0 <= v < 2**32)
FLAT_WITHIN = "flat_within"  # the parameter of `Relevance` that is a field in pixels, not a layer
CHANNEL_AXIS = setting("1 for (n, C, H, W) or 3 for (n, H, W, C)", lambda v: v in (1, 3))


def check_settings(method: Any) -> None:
    """Raise a ValueError for the first setting of a method, a dataclass, that is not what its field takes."""
    for each in fields(method):
        value, fits = getattr(method, each.name), each.metadata.get("fits")
        unset = value is None and each.default is None
        if fits is not None and not unset and not fits(value):
            raise ValueError(f"{each.name}: expected {each.metadata['expected']}, got {value!r}.")


@dataclass(frozen=True)
class Relevance:
    """LRP heatmaps by a composite, of the input or of a layer with feature maps.

    Args:
        composite: a name in `unhans.lrp.COMPOSITES`, or a list of (what matches, rule); see `unhans.lrp.Match`.
        parameters: what a named composite takes, such as epsilon, or low and high of `epsilon_gamma_box`. In place of
            flat_through, flat_within: pixels; flat then reaches up to the last layer of each network whose receptive
            field has at most so many, so that maps of several networks have one scale.
        layer: path of the module whose output's relevance is shown, summed over its channels: feature maps
            (n, C, h, w) or (n, h, w, C), or tokens (n, N, C), of which those of the grid of patches are shown and a
            class token is left out.
        channel_axis: 1 or 3, of a layer with four axes whose channels what the network computes does not tell.
    """

    composite: str | Sequence[Any] = "epsilon_plus_flat"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    layer: str | None = None
    channel_axis: int | None = field(default=None, metadata=CHANNEL_AXIS)

    def __post_init__(self) -> None:
        check_settings(self)
        pixels = self.parameters.get(FLAT_WITHIN, 1)
        if not isinstance(pixels, int) or pixels < 1:
            raise ValueError(f"{FLAT_WITHIN} expects a whole number of pixels, 1 or more, got {pixels!r}.")
        if {FLAT_WITHIN, "flat_through"} <= set(self.parameters):
            raise ValueError("give flat_through, a layer, or flat_within, pixels, not both.")
        self._rules()

    @property
    def description(self) -> str:
        """Name the rule set, its parameters and the layer."""
        given = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        place = "the input" if self.layer is None else f"layer {self.layer}"
        return f"LRP {self._name()}{f' ({given})' if given else ''} of the logit, at {place}"

    def lrp(self, model: nn.Module, images: Tensor | None = None) -> LRP:
        """Return LRP with these rules; images (n, C, H, W) are needed by flat_within alone, for their size.

        Raises:
            ValueError: the field of the first layer is larger than flat_within, or there are no images.
        """
        if FLAT_WITHIN not in self.parameters:
            return LRP(model, self._rules())
        if images is None:
            raise ValueError(f"{FLAT_WITHIN} needs the size of images; give flat_through, a layer, in its place.")
        layer, _ = deepest_within(model, images[:1], int(self.parameters[FLAT_WITHIN]))
        return LRP(model, composite_by_name(str(self.composite), **self._named(), flat_through=layer))

    def of(self, model: nn.Module) -> Explain:
        """Return LRP on the model; a call raises UnsupportedModelError naming what has no rule."""
        by_size: dict[torch.Size, LRP] = {}  # of an image; one where no layer is to be found for it
        fixed = None if FLAT_WITHIN in self.parameters else self.lrp(model)
        layouts: dict[torch.Size, Layout] = {}  # by the shape of an image

        def explain(images: Tensor, target: int | Tensor) -> Heatmaps:
            if fixed is None and images.shape[1:] not in by_size:
                by_size[images.shape[1:]] = self.lrp(model, images)
            lrp = fixed or by_size[images.shape[1:]]
            relevance, logits = lrp.explain(images, target, layer=self.layer)
            if self.layer is None:
                return Heatmaps(sum_channels(relevance), logits)
            size = images.shape[1:]
            if size not in layouts:
                layouts[size] = layout_at(model, images, self.layer, relevance.shape, self.channel_axis)
            return Heatmaps(layouts[size].heatmap(relevance), logits)

        return explain

    def _rules(self) -> Composite:
        if isinstance(self.composite, str):
            options = {"flat_through": ""} if FLAT_WITHIN in self.parameters else {}
            return composite_by_name(self.composite, **self._named(), **options)
        if self.parameters:
            raise ValueError("parameters belong to a composite given by name; in a list they stand with the rules.")
        return resolve(self.composite)

    def _named(self) -> dict[str, Any]:
        """The parameters that the composite takes by these names."""
        return {name: value for name, value in self.parameters.items() if name != FLAT_WITHIN}

    def _name(self) -> str:
        """The composite's name, or its entries."""
        if isinstance(self.composite, str):
            return self.composite
        return "[" + "; ".join(f"{match}: {rule}" for match, rule in self._rules()) + "]"


def explain_all(
    explain: Explain,
    images: Tensor,
    targets: int | Tensor,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    advance: Advance = lambda samples: None,
) -> Heatmaps:
    """Explain images batch by batch; the results are float32 and on the CPU.

    Args:
        explain: as `Attribution.of` returns it.
        images: (n, C, H, W), one at least.
        targets: a class, the class of each image (n,), or weights of the logits (n, classes); see `Attribution.of`.
        batch_size: images explained at once.
        advance: called with the number of samples after each batch.
    """
    parts = []
    targets = targets if is_weighted(targets) else torch.as_tensor(targets).expand(len(images))  # type: ignore[assignment]
    for batch, classes in zip(images.split(batch_size), targets.split(batch_size), strict=True):
        parts.append(explain(batch.to(device), classes.to(device)).on_cpu())
        advance(len(batch))
    layers = {layer: torch.cat([each.latent[layer] for each in parts]) for layer in parts[0].latent}
    return Heatmaps(torch.cat([each.maps for each in parts]), torch.cat([each.logits for each in parts]), layers)


class Method(ABC):
    """An `Attribution` that needs no more than a network to run: it reads the model anew at every call.

    Half-precision models are explained in float32. The heatmaps are float32 and lie on the images' device.
    """

    meaning: ClassVar[str]  # what a heatmap of the method means, with its settings by name

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def description(self) -> str:
        """Name the method, its settings and its target."""
        return self.meaning.format_map(vars(self))

    @abstractmethod
    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return heatmaps (n, H, W) for classes (n,); the network and the images are ours to use."""

    def of(self, model: nn.Module) -> Explain:
        """Return the function from images (n, C, H, W) and targets to heatmaps; the model is not written."""

        def explain(images: Tensor, target: int | Tensor) -> Heatmaps:
            if images.ndim != 4:
                raise ValueError(f"Images must have the shape (n, C, H, W); got {tuple(images.shape)}.")
            with without_side_effects(images.device):
                network = frozen_view(model, computing_dtype(model, images))
                inputs = images.detach().clone().to(computing_dtype(model, images))
                with torch.no_grad():
                    logits = network(inputs)
                if is_weighted(target):
                    network, target = _with_one_output(model, check_weights(logits, target), inputs.dtype), 0
                classes = target_classes(logits, target)
                if classes.dim() == 2:
                    raise ValueError(f"target: only LRP takes several classes a sample, got {tuple(classes.shape)}.")
                maps = self.attribute(network, inputs, classes) if len(inputs) else inputs.sum(1)
                maps = maps.detach().float()
                if not bool(maps.isfinite().all()):
                    raise ValueError(f"Heatmaps must be finite; got NaN or infinite values from {self.description}.")
                return Heatmaps(maps, logits)

        return explain


def _with_one_output(model: nn.Module, weights: Tensor, dtype: torch.dtype) -> nn.Module:
    """A frozen view whose output is the sum of the logits with these weights (n, C), equal for all images."""
    if bool((weights != weights[:1]).any()):
        raise ValueError("target: only LRP takes weights of the logits that differ between images.")
    return frozen_view(summed_outputs(model, weights[:1].sum(0)), dtype)


def attribute_batches(attribute: Callable[..., Tensor], images: Tensor, target: Tensor, size: int) -> Tensor:
    """Return what Captum's `attribute` makes of images and their classes, at most so many of them at once."""
    batches = zip(images.split(size), target.split(size), strict=True)
    return torch.cat([attribute(some, target=classes) for some, classes in batches])


@dataclass(frozen=True)
class RandomMaps(Method):
    """Independent standard normal pixels, a control: what a measure makes of them is what it makes of chance.

    A map is drawn from the seed and the image's values alone: it does not depend on model, target, device or the other
    images of the batch. Equal images have equal maps.

    Args:
        seed: of the maps.
    """

    meaning = "Random heatmaps (a control without a target), seed {seed}"

    seed: int = field(default=0, metadata=SEED)

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return normal noise for each image."""
        return torch.stack([self._drawn(image) for image in images.detach().float().cpu()]).to(images.device)

    def _drawn(self, image: Tensor) -> Tensor:
        digest = blake2b(image.contiguous().numpy().tobytes(), digest_size=8).digest()
        generator = np.random.default_rng([self.seed, int.from_bytes(digest, "little")])
        return torch.from_numpy(generator.standard_normal(image.shape[1:], np.float32))
