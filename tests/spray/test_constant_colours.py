"""Marks of one colour at a fixed place are found by the colour that many images share there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unhans.spray.groups import ImageDescriptors, colour_filter, jaccard
from unhans.spray.groups.constant_colours import FEWEST, SURE, TOLERANCE, agrees
from unhans.spray.groups.image_groups import COLOURS, colour_groups
from unhans.spray.suspicion import surprise


def smooth(n, side=32, seed=0):
    """Images of soft clouds of any colour."""
    coarse = torch.from_numpy(np.random.default_rng(seed).random((n, 3, 5, 5), dtype=np.float32))
    return torch.nn.functional.interpolate(coarse, size=side, mode="bilinear", align_corners=True)


def framed(n=200, share=0.3, seed=0, colour=(0.5, 0.46, 0.42)):
    """Clouds with a frame of one pixel whose colour is the mean of the clouds."""
    images, carries = smooth(n, seed=seed), np.random.default_rng(seed).permutation(n) < share * n
    rim = torch.ones(32, 32, dtype=torch.bool)
    rim[1:-1, 1:-1] = False
    for i in np.flatnonzero(carries):
        images[i][:, rim] = torch.tensor(colour)[:, None]
    return images, carries, rim


def groups(images, reference):
    return colour_groups(ImageDescriptors.of(images.numpy()), ImageDescriptors.of(reference.numpy()))


@pytest.mark.parametrize("share", [0.08, 0.3, 0.6, 0.9])
def test_a_faint_frame_is_found(share):
    images, carries, _ = framed(share=share)
    (found,) = groups(images, smooth(200, seed=9))
    assert found.view == COLOURS
    assert jaccard(found.members, carries) >= 0.98
    assert surprise(COLOURS, found.strength) > 5


@pytest.mark.parametrize("seed", range(5))
def test_clean_images_have_no_unusual_group(seed):
    assert all(surprise(COLOURS, one.strength) < 3 for one in groups(smooth(200, seed=seed), smooth(200, seed=50)))


def test_a_colour_that_the_reference_has_as_well_is_no_mark():
    images, _, _ = framed()
    assert groups(images, framed(seed=7)[0]) == []


def test_the_filter_by_hand():
    images, carries, rim = framed(60, 0.5)
    members, rest = images[torch.from_numpy(carries)], images[torch.from_numpy(~carries)]
    found = colour_filter(members, rest, 5, np.random.default_rng(0))
    assert found is not None
    assert (found.present > 0)[rim].all()
    torch.testing.assert_close(found.colours[:, rim], members[0][:, rim])
    n, m = len(members), len(rest)
    share = 1 - 0.5 / n  # all members have it
    others = (agrees(rest, members[0])[:, 0, 0].sum() + 0.5) / (m + 1)
    assert found.present[0, 0] == pytest.approx(float(np.log(share / others)), rel=1e-5)
    assert found.absent[0, 0] == pytest.approx(float(np.log((1 - share) / (1 - others))), rel=1e-4)
    looked_at = found.present > 0
    expected = [
        np.mean([
            float(found.present[p] if (image[:, p[0], p[1]] - found.colours[:, p[0], p[1]]).abs().max() < TOLERANCE
                  else found.absent[p])
            for p in map(tuple, looked_at.nonzero().tolist())
        ])
        for image in images[:4]
    ]  # fmt: skip
    np.testing.assert_allclose(found.scores(images[:4]).numpy(), expected, rtol=1e-5)


def test_few_sure_pixels_are_no_filter():
    assert colour_filter(smooth(30), smooth(30, seed=1), 5, np.random.default_rng(0)) is None
    assert (FEWEST, SURE) == (3, 4.0)
