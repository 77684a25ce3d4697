"""Artifacts planted on real photographs are isolated from a contaminated cluster."""

import numpy as np
import pytest
import torch
from first_isolated import isolate_first
from marked_scenes import overlap, relevance
from PIL import Image

from unhans.artifacts import Border, RoundedCorners, Watermark

ARTIFACTS = {
    "watermark": Watermark(0),
    "veiled": Watermark(0, opacity=0.5),
    "border": Border(0),
    "corners": RoundedCorners(0, opacity=0.5),
}


@pytest.fixture(scope="module")
def trucks(real_data):
    files = sorted((real_data / "imagenette224" / "train" / "n03417042").glob("*.*"))[:120]
    if len(files) < 120:
        pytest.skip("needs 120 photographs of imagenette224/train/n03417042")
    pictures = [np.asarray(Image.open(file).convert("RGB").resize((112, 112))) for file in files]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255


@pytest.mark.parametrize("name", ARTIFACTS)
def test_the_layer_overlaps_the_truth(trucks, name):
    artifact, rng = ARTIFACTS[name], np.random.default_rng(0)
    carry = rng.permutation(120) < 40
    images = torch.stack([artifact.paste(image, 0) if yes else image for image, yes in zip(trucks, carry, strict=True)])
    truth = artifact.layer(0, 112)[3].numpy()
    mask = truth > 0.5 * truth.max()
    cluster = carry.copy()
    cluster[np.flatnonzero(carry)[:8]] = False  # 20 % are missing, 9 % are wrong
    cluster[np.flatnonzero(~carry)[:3]] = True
    found = isolate_first((images * 255).round() / 255, relevance(carry, mask), cluster, kind="fixed")
    alpha = found.layers[0][3].numpy()
    assert overlap(alpha > 0.5 * alpha.max(), mask) > 0.8
    assert found.members[carry].mean() >= 0.95
    assert carry[found.members].mean() >= 0.95
    assert abs(alpha[mask].mean() - truth[mask].mean()) < 0.12
