"""Opaque marks at a fixed place: many images of a class have the same colour at the same pixel, and others do not.

Edges tell little of a frame or a strip whose colour is near that of many images; that hundreds of pixels have exactly
one colour in a third of a class tells everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

TOLERANCE = 0.06  # by which a channel in [0, 1] may differ: JPEG and interpolation change a colour by less
SURE = 4.0  # standard errors by which the share of images with a colour must exceed that of the others
FEWEST = 3  # such pixels
MARK = 12.0  # standard deviations between two groups of scores: opaque marks have 20 and more, scenes up to 8
COMPARED = 300  # images of each side that a filter is fitted to


@dataclass(frozen=True)
class ColourFilter:
    """score(x) = mean over pixels of the log likelihood ratio of having the colour or not, with a mark and without.

    Attributes:
        colours: (3, H, W), the colour of the mark.
        present, absent: (H, W), the log ratios, 0 where nothing is known.
    """

    colours: Tensor
    present: Tensor
    absent: Tensor

    def scores(self, images: Tensor) -> Tensor:
        """Return the scores (n,) of images (n, 3, H, W) in [0, 1], in float64."""
        looked_at = self.present > 0
        same = agrees(images[:, :, looked_at], self.colours[:, looked_at])
        ratios = torch.where(same, self.present[looked_at], self.absent[looked_at]).double()
        return ratios.sum(1) / max(1, int(looked_at.sum()))


def agrees(images: Tensor, colours: Tensor) -> Tensor:
    """Return where all channels are within the tolerance of a colour: (n, 3, …) and (3, …) to bool (n, …)."""
    return ((images - colours).abs() < TOLERANCE).all(1)


def colour_filter(members: Tensor, rest: Tensor, tried: int, rng: np.random.Generator) -> ColourFilter | None:
    """Fit a filter to images that carry a mark, mostly, and others; None where no pixels agree more often in them.

    Args:
        members, rest: (n, 3, H, W) and (m, 3, H, W) in [0, 1], two or more each.
        tried: members whose colours are tried; of each pixel that is taken which most members have.
        rng: draws them.
    """
    members, rest = (_drawn(images, rng) for images in (members, rest))
    share, colours = torch.zeros(members.shape[2:]), torch.zeros(members.shape[1:])
    for one in rng.permutation(len(members))[:tried]:
        found = (agrees(members, members[one]).float().sum(0) - 1) / (len(members) - 1)  # all agree with themselves
        more = found > share
        share, colours = torch.where(more, found, share), torch.where(more, members[one].float(), colours)
    share = share.clamp(0.5 / len(members), 1 - 0.5 / len(members))
    others = (agrees(rest, colours).float().sum(0) + 0.5) / (len(rest) + 1)
    pooled = (share * len(members) + others * len(rest)) / (len(members) + len(rest))
    error = (pooled * (1 - pooled) * (1 / len(members) + 1 / len(rest))).sqrt()
    sure = share - others > SURE * error
    if int(sure.sum()) < FEWEST:
        return None
    present, absent = (share / others).log(), ((1 - share) / (1 - others)).log()
    return ColourFilter(colours, torch.where(sure, present, 0.0), torch.where(sure, absent, 0.0))


def _drawn(images: Tensor, rng: np.random.Generator) -> Tensor:
    return images[torch.from_numpy(np.sort(rng.permutation(len(images))[:COMPARED]))]
