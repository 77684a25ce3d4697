"""What is said of heatmaps of a depth, of tiles and of another normalisation."""

from __future__ import annotations

from collections.abc import Sequence


def depth_said(composite: str, pixels: Sequence[int], layer: str, field: int) -> str:
    """Name LRP with flat up to a receptive field: what was asked for, the layer, and the field of that layer."""
    asked = ", ".join(map(str, pixels))
    return f"LRP {composite}, flat up to a field of {asked} px: through {layer}, {field} px"


def tiles_said(size: int, stride: int) -> str:
    """Say how images were explained tile by tile."""
    return f"Explained in tiles of {size} pixels every {stride}: relevance and logits are means over tiles."


SHIFT_PANELS = (
    ("A: own inputs", "B: other inputs", "A − B"),
    ("", "", ""),
)  # names and notes of the maps of one method
SHIFT_READING = (
    "A: the network; B: the same function, its first layer set for the other inputs. difference: Σ|A − B| / Σ|A|,\n"
    "mean over images, infinite where A alone is zero everywhere, which is counted apart; with a cosine of 1 the maps\n"
    "differ by a factor, as gradients do with the scale of the inputs.\n"
    "ΣR: what reaches the pixels, of Σ |logits|; the rest is on biases, where B holds the shift. A convolution that\n"
    "pads with zeros pads the other inputs with zeros as well; its bias then depends on the place.\n"
    "Where pixels of one colour tie in max pooling, rounding may choose another winner in\n"
    "B: flat maps then differ by a few percent."
)
SHIFT_NOTE = (
    "A: the network; B: the same function, its first layer set for the other inputs. Bars: means over images; dots: "
    "images. What differs depends on how inputs are normalised, not on what the network computes [003 § 2.3.3]."
)


def shift_sentence(mean: Sequence[float], std: Sequence[float], own: Sequence[float], own_std: Sequence[float]) -> str:
    """Say which two normalisations are compared, of pixels in [0, 1]."""
    parts = (", ".join(f"{value:.3g}" for value in dict.fromkeys(values)) for values in (own, own_std, mean, std))
    return "Pixels in [0, 1] are normalised by mean {} and std {} (A), or by mean {} and std {} (B).".format(*parts)


def drawn_said(measured: int, drawn: int, folder: str) -> str:
    """Say of how many images the numbers are, and how many of them have a picture."""
    pictures = "none of them is drawn" if not drawn else f"pictures of {drawn} of them are in {folder}"
    more = "" if drawn == measured else f"; analysis.examples={measured} draws all"
    return f"Measured on {measured} images; {pictures}{more}."


def box_left_out() -> str:
    """Say why z^B is not among the rules."""
    return "z^B is left out: it needs boxes of inputs that hold 0, and one of the two does not."
