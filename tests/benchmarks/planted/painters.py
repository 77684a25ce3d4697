"""Painters of artifacts: image (H, W, 3) in [0, 1], a generator and a size → the image with the artifact.

They share no code with the product's own artifacts. `size` multiplies the extent, or the strength of what lies on the
whole image; 1 is weak enough that a person may miss some of them and strong enough that a small network learns them.
Places that stay the same are shares of the image's sides, so that every painter fits every image.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Picture = NDArray[np.float32]
Random = np.random.Generator
Paint = Callable[[Picture, Random, float], Picture]
Group = Literal["fixed", "free", "whole"]
Colour = tuple[float, float, float]
Point = tuple[float, float]

FINE = 4  # canvas pixels per image pixel: thin lines and edges become soft
PLASTERS: tuple[Colour, ...] = ((0.95, 0.65, 0.2), (0.25, 0.55, 0.85), (0.35, 0.75, 0.4), (0.85, 0.3, 0.35))


@dataclass(frozen=True)
class Painter:
    """One kind of artifact: its name, where it lies, and how it is painted."""

    name: str
    group: Group
    paint: Paint

    def __call__(self, image: Picture, rng: Random, size: float = 1.0) -> Picture:
        """Return a painted copy of an image (H, W, 3) in [0, 1]."""
        return np.clip(self.paint(image.astype(np.float32), rng, size), 0, 1).astype(np.float32)


# ---- drawing -------------------------------------------------------------------------------------------------------


class Canvas:
    """A mask of the image's size, drawn in shares of its sides."""

    def __init__(self, image: Picture) -> None:
        self.height, self.width = image.shape[:2]
        self.side = min(self.height, self.width) * FINE
        self.picture = Image.new("L", (self.width * FINE, self.height * FINE))
        self.draw = ImageDraw.Draw(self.picture)

    def at(self, *points: Point) -> list[Point]:
        """Return points (x, y) in shares as canvas pixels."""
        return [(x * self.picture.width, y * self.picture.height) for x, y in points]

    def disc(self, centre: Point, radius: float, value: int = 255) -> Canvas:
        """Draw a filled circle; the radius is a share of the shorter side."""
        ((x, y),), r = self.at(centre), radius * self.side
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=value)
        return self

    def box(self, first: Point, last: Point, value: int = 255) -> Canvas:
        """Draw a filled rectangle."""
        self.draw.rectangle([*self.at(first)[0], *self.at(last)[0]], fill=value)
        return self

    def line(self, points: list[Point], width: float) -> Canvas:
        """Draw a line through points; the width is a share of the shorter side, at least half a pixel."""
        self.draw.line(self.at(*points), fill=255, width=max(FINE // 2, round(width * self.side)), joint="curve")
        return self

    def text(self, text: str, corner: Point, height: float) -> Canvas:
        """Write a line of text; the height is a share of the shorter side."""
        font = ImageFont.load_default(max(6 * FINE, height * self.side))
        self.draw.text(self.at(corner)[0], text, fill=255, font=font)
        return self

    def mask(self) -> Picture:
        """Return the mask (H, W, 1) in [0, 1]."""
        small = self.picture.resize((self.width, self.height), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.float32)[..., None] / 255


def blend(image: Picture, mask: Picture, colour: Colour, opacity: float = 1.0) -> Picture:
    """Lay a colour over an image where the mask says so."""
    return image + opacity * mask * (np.array(colour, dtype=np.float32) - image)


def grid(image: Picture) -> tuple[Picture, Picture]:
    """Return rows and columns (H, W, 1) of an image from −1 to 1."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in image.shape[:2]), indexing="ij")
    return y[..., None], x[..., None]


def to_pil(image: Picture) -> Image.Image:
    """Return the image with eight bits a channel."""
    return Image.fromarray(np.rint(image * 255).astype(np.uint8))


def from_pil(picture: Image.Image) -> Picture:
    """Return a picture as numbers in [0, 1]."""
    return np.asarray(picture, dtype=np.float32) / 255


# ---- at a fixed place ----------------------------------------------------------------------------------------------


def dot(image: Picture, rng: Random, size: float) -> Picture:
    """An opaque yellow dot near a corner."""
    return blend(image, Canvas(image).disc((0.85, 0.16), 0.06 * size).mask(), (1, 0.85, 0))


def logo(image: Picture, rng: Random, size: float) -> Picture:
    """An opaque channel logo: a red plate with white letters."""
    plate = Canvas(image).box((0.04, 0.05), (0.04 + 0.36 * size, 0.05 + 0.24 * size)).mask()
    letters = Canvas(image).text("TV", (0.08, 0.04), 0.24 * size).mask()
    return blend(blend(image, plate, (0.8, 0.1, 0.1)), letters, (1, 1, 1))


def faint_text(image: Picture, rng: Random, size: float) -> Picture:
    """Half-transparent white text at the lower rim."""
    return blend(image, Canvas(image).text("© pix", (0.2, 0.68), 0.26 * size).mask(), (1, 1, 1), 0.4)


def hairs(image: Picture, rng: Random, size: float) -> Picture:
    """Three thin scratches at a fixed place."""
    canvas = Canvas(image)
    for shift in (0.0, 0.09, 0.15):
        canvas.line([(0.05 + shift, 0.95), (0.12 + shift, 0.7), (0.25 + 1.3 * shift, 0.5)], 0.016 * size)
    return blend(image, canvas.mask(), (0.5, 0.33, 0.25), 0.9)


def ruler(image: Picture, rng: Random, size: float) -> Picture:
    """The tick marks of a ruler at the left rim; every fourth is longer."""
    canvas = Canvas(image)
    for tick in range(13):
        y = 0.02 + 0.08 * tick
        canvas.line([(0, y), ((0.13 if tick % 4 == 0 else 0.07) * size, y)], 0.02)
    return blend(image, canvas.mask(), (0.6, 0.6, 0.62), 0.9)


def frame(image: Picture, rng: Random, size: float) -> Picture:
    """A frame of one colour round the image."""
    width = 0.045 * size
    inner = Canvas(image).box((width, width), (1 - width, 1 - width)).mask()
    return blend(image, 1 - inner, (0.5, 0.46, 0.42))


def rounded_corners(image: Picture, rng: Random, size: float) -> Picture:
    """White corners, as of an icon."""
    canvas = Canvas(image)
    canvas.draw.rounded_rectangle([0, 0, canvas.picture.width, canvas.picture.height], 0.22 * size * canvas.side, 255)
    return blend(image, 1 - canvas.mask(), (0.95, 0.95, 0.95))


def one_sided_border(image: Picture, rng: Random, size: float) -> Picture:
    """A strip of one colour along the lower rim."""
    return blend(image, Canvas(image).box((0, 1 - 0.07 * size), (1, 1)).mask(), (0.3, 0.35, 0.4))


def date_stamp(image: Picture, rng: Random, size: float) -> Picture:
    """The orange date of a camera at a fixed place; its digits change."""
    text = f"{rng.integers(10, 32)}.{rng.integers(1, 10)}"
    return blend(image, Canvas(image).text(text, (0.5, 0.72), 0.22 * size).mask(), (1, 0.55, 0.1), 0.9)


# ---- at free places ------------------------------------------------------------------------------------------------


def anywhere(rng: Random, margin: float) -> Point:
    """Draw a point (x, y) that keeps away from the rims."""
    x, y = rng.uniform(margin, 1 - margin, 2)
    return float(x), float(y)


def sticker(image: Picture, rng: Random, size: float) -> Picture:
    """A magenta disc with a white middle, anywhere."""
    radius = 0.11 * size
    centre = anywhere(rng, radius)
    outer = blend(image, Canvas(image).disc(centre, radius).mask(), (0.85, 0.1, 0.6))
    return blend(outer, Canvas(image).disc(centre, 0.45 * radius).mask(), (1, 1, 1))


def sticker_of_any_size(image: Picture, rng: Random, size: float) -> Picture:
    """A green square with a white cross, anywhere, from small to three times as large."""
    half = size * rng.uniform(0.06, 0.18)
    x, y = anywhere(rng, half)
    plate = Canvas(image).box((x - half, y - half), (x + half, y + half)).mask()
    cross = Canvas(image).box((x - 0.7 * half, y - 0.2 * half), (x + 0.7 * half, y + 0.2 * half))
    cross.box((x - 0.2 * half, y - 0.7 * half), (x + 0.2 * half, y + 0.7 * half))
    return blend(blend(image, plate, (0.1, 0.6, 0.25)), cross.mask(), (1, 1, 1))


def turned_sticker(image: Picture, rng: Random, size: float) -> Picture:
    """A striped label, anywhere and turned by any angle."""
    y, x = grid(image)
    (column, row), angle = anywhere(rng, 0.15), rng.uniform(0, 2 * np.pi)
    x, y = x - (2 * column - 1), y - (2 * row - 1)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    plate = ((np.abs(along) < 0.3 * size) & (np.abs(across) < 0.15 * size)).astype(np.float32)
    stripes = plate * (np.floor(along / (0.12 * size)) % 2).astype(np.float32)
    return blend(blend(image, plate, (1, 1, 1)), stripes, (0.05, 0.45, 0.75))


def free_text(image: Picture, rng: Random, size: float) -> Picture:
    """White letters with a dark shadow, anywhere."""
    x, y = rng.uniform(0, 0.68, 2)
    shadow = Canvas(image).text("NR", (x + 0.03, y + 0.03), 0.22 * size).mask()
    return blend(blend(image, shadow, (0.2, 0.1, 0.3)), Canvas(image).text("NR", (x, y), 0.22 * size).mask(), (1, 1, 1))


def free_hairs(image: Picture, rng: Random, size: float) -> Picture:
    """Two to four thin bent hairs, anywhere."""
    canvas = Canvas(image)
    for _ in range(rng.integers(2, 5)):
        (x, y), angle, bend = anywhere(rng, 0), rng.uniform(0, 2 * np.pi), rng.uniform(-1, 1)
        steps = np.linspace(0, 1, 8)
        turned = angle + bend * steps
        canvas.line(list(zip(x + 0.5 * steps * np.cos(turned), y + 0.5 * steps * np.sin(turned), strict=True)), 0.018)
    return blend(image, canvas.mask(), (0.45, 0.3, 0.2), min(1.0, 0.85 * size))


def plasters(image: Picture, rng: Random, size: float) -> Picture:
    """One or two soft coloured blobs near the rim, as the plasters in dermoscopy."""
    y, x = grid(image)
    for _ in range(rng.integers(1, 3)):
        angle, colour = rng.uniform(0, 2 * np.pi), PLASTERS[rng.integers(len(PLASTERS))]
        wide, high = size * rng.uniform(0.25, 0.45, 2)
        distance = ((x - 0.85 * np.cos(angle)) / wide) ** 2 + ((y - 0.85 * np.sin(angle)) / high) ** 2
        image = blend(image, 1 / (1 + np.exp(np.minimum(6 * (distance - 1), 50))), colour, 0.9)
    return image


# ---- on the whole image --------------------------------------------------------------------------------------------


def tiles(image: Picture, rng: Random, size: float) -> Picture:
    """A half-transparent lattice, as that of a stock-photo agency."""
    y, x = grid(image)
    lattice = (np.abs(np.sin(6 * (x + y))) < 0.3) | (np.abs(np.sin(6 * (x - y))) < 0.3)
    return blend(image, lattice.astype(np.float32), (0.85, 0.85, 0.85), min(1.0, 0.16 * size))


def cast(image: Picture, rng: Random, size: float) -> Picture:
    """Colours shifted from blue to red."""
    return image + size * np.array([0.07, 0.0, -0.06], dtype=np.float32)


def vignette(image: Picture, rng: Random, size: float) -> Picture:
    """Darker towards the corners."""
    y, x = grid(image)
    return image * (1 - np.minimum(0.9, 0.35 * size * (x**2 + y**2)))


def scan_lines(image: Picture, rng: Random, size: float) -> Picture:
    """Every second row brighter, the others darker."""
    rows = np.where(np.arange(len(image)) % 2, 1.0, -1.0).astype(np.float32)
    return image + 0.035 * size * rows[:, None, None]


def blur(image: Picture, rng: Random, size: float) -> Picture:
    """Out of focus."""
    return from_pil(to_pil(image).filter(ImageFilter.GaussianBlur(0.025 * size * min(image.shape[:2]))))


def jpeg(image: Picture, rng: Random, size: float) -> Picture:
    """The blocks of strong compression."""
    stored = io.BytesIO()
    to_pil(image).save(stored, "JPEG", quality=max(5, round(22 / size)))
    return from_pil(Image.open(stored).convert("RGB"))


def fading(image: Picture, rng: Random, size: float) -> Picture:
    """Less contrast."""
    return image + min(0.8, 0.28 * size) * (0.5 - image)


def gamma(image: Picture, rng: Random, size: float) -> Picture:
    """Brighter in the middle tones."""
    return np.clip(image, 0, 1) ** (0.72**size)


def noise(image: Picture, rng: Random, size: float) -> Picture:
    """The grain of a sensor."""
    return image + 0.06 * size * rng.standard_normal(image.shape, dtype=np.float32)


LOCAL_FIXED = (dot, logo, faint_text, hairs, ruler, frame, rounded_corners, one_sided_border, date_stamp)
LOCAL_FREE = (sticker, sticker_of_any_size, turned_sticker, free_text, free_hairs, plasters)
WHOLE_IMAGE = (tiles, cast, vignette, scan_lines, blur, jpeg, fading, gamma, noise)
GROUPS: dict[Group, tuple[Paint, ...]] = {"fixed": LOCAL_FIXED, "free": LOCAL_FREE, "whole": WHOLE_IMAGE}

PAINTERS = {paint.__name__: Painter(paint.__name__, group, paint) for group, all_ in GROUPS.items() for paint in all_}

# Assigned before any result was known. A constant of the product may be set on kinds of the first half only; what the
# report puts first comes from the second.
SETTING = {
    *("dot", "faint_text", "ruler", "frame"),
    *("sticker", "turned_sticker", "plasters"),
    *("tiles", "vignette", "blur", "fading", "noise"),
}
REPORTING = {
    *("logo", "hairs", "rounded_corners", "one_sided_border", "date_stamp"),
    *("sticker_of_any_size", "free_text", "free_hairs"),
    *("cast", "scan_lines", "jpeg", "gamma"),
}


def half_of(kind: str) -> str:
    """Return the half that a kind belongs to."""
    return "setting" if kind in SETTING else "reporting"
