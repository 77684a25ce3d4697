"""The bench of an experiment with artifacts: images in [0, 1] in, logits and heatmaps out, the network left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

from unhans.artifacts import Border, Patch, Watermark
from unhans.attribution import Relevance
from unhans.data import Arrays, Collection, ImageDataset, PixelScale, TrainValUnion, display_images
from unhans.data.image_list import numbered_names
from unhans.harness import bench_of, planted_in

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
NAMES = ["a", "b", "c"]


def ours(n=24, seed=0, split="train", **options):
    images = np.random.default_rng(seed).integers(256, size=(n, 16, 16, 3), dtype=np.uint8)
    collection = Collection(Arrays(images, numbered_names("x", n)), np.arange(n) % 3, NAMES)
    return ImageDataset(collection, 16, MEAN, STD, split=split, **options)


def network(channels=3, classes=3):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(4 * 49, classes),
    )  # fmt: skip


def test_a_prediction_is_the_networks_own_in_evaluation_mode():
    model, dataset = network(), ours()
    bench = bench_of(model, dataset, Relevance(), batch_size=5)
    images, kept = bench.read(np.arange(7, 18))
    assert kept.tolist() == list(range(7, 18))
    torch.testing.assert_close(images[2], dataset.plain(9))
    logits = bench.predict(images)
    assert logits.dtype == np.float64
    slow = [model.eval()(dataset[i].image[None])[0].tolist() for i in range(7, 18)]
    assert logits == pytest.approx(np.array(slow), abs=1e-5)
    assert (bench.labels == dataset.labels).all()
    assert list(bench.classes) == NAMES


def test_heatmaps_are_those_of_the_explainer():
    model, dataset = network(), ours()
    images, _ = bench_of(model, dataset, Relevance()).read(np.arange(5))
    maps = bench_of(model, dataset, Relevance(), batch_size=2).explain(images, 1)
    assert (maps.dtype, maps.shape) == (np.float32, (5, 16, 16))
    expected = Relevance().of(model)(torch.stack([dataset[i].image for i in range(5)]), 1).maps
    assert maps == pytest.approx(expected.numpy(), abs=1e-5)


def test_heatmaps_of_a_layer_have_the_size_of_the_images():
    model = network()
    bench = bench_of(model, ours(), Relevance(layer="4"))
    maps = bench.explain(bench.read(np.arange(2))[0], 0)
    small = Relevance(layer="4").of(model)(torch.stack([ours()[i].image for i in range(2)]), 0).maps
    assert maps.shape == (2, 16, 16)
    assert maps[1, 0, 0] == pytest.approx(float(small[1, 0, 0]), abs=1e-6)
    assert maps[1, 15, 15] == pytest.approx(float(small[1, -1, -1]), abs=1e-6)


class Falling(nn.Module):
    def forward(self, x):
        raise RuntimeError("no prediction today")


@pytest.mark.parametrize("last", [nn.Identity(), Falling()], ids=["works", "raises"])
def test_the_network_is_left_as_it_was(last):
    model = network().train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model.append(last)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bench = bench_of(model, ours(), Relevance())
    images = bench.read(np.arange(4))[0]
    torch.manual_seed(3)
    state = torch.get_rng_state()
    if isinstance(last, Falling):
        with pytest.raises(RuntimeError, match="no prediction today"):
            bench.predict(images)
    else:
        bench.predict(images)
        bench.explain(images, 0)
    assert [module.training for module in model] == [True, False, True, True, True, True, True, True]
    assert not model[0].weight.requires_grad
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_compiled_half_precision_and_grey_networks():
    images = torch.rand(6, 1, 16, 16)
    data = TensorDataset(images, torch.arange(6) % 2)
    model = network(channels=1, classes=2)
    plain = bench_of(model, data, Relevance())
    compiled = bench_of(torch.compile(model, backend="aot_eager"), data, Relevance())
    shown = plain.read(np.arange(6))[0]
    assert shown.shape == (6, 3, 16, 16)
    assert (compiled.predict(shown) == plain.predict(shown)).all()
    assert (compiled.explain(shown, 1) == plain.explain(shown, 1)).all()
    half = bench_of(network(channels=1, classes=2).bfloat16(), data, Relevance())
    with torch.autocast("cpu"):
        assert half.predict(shown) == pytest.approx(plain.predict(shown), abs=0.05)
    assert list(plain.classes) == ["0", "1"]


def test_a_given_scale_is_used():
    scale = PixelScale(torch.tensor([0.5]), torch.tensor([2.0]))
    bench = bench_of(network(channels=1), TensorDataset(torch.zeros(2, 1, 16, 16), torch.zeros(2)), Relevance(),
                     scale=scale)  # fmt: skip
    assert bench.read(np.arange(2))[0].unique().tolist() == [0.5]


def test_nothing_read_is_an_empty_batch():
    bench = bench_of(network(), ours(), Relevance())
    images, kept = bench.read(np.arange(0))
    assert len(images) == len(kept) == 0
    assert bench.predict(torch.zeros(0, 3, 16, 16)).shape == (0, 3)


def test_what_an_image_was_before_it_was_planted():
    dataset, before = ours(artifact=Border("b", coverage=0.5)), ours()
    (carrier, *_) = np.flatnonzero(dataset.carriers)
    assert not torch.equal(dataset.plain(carrier), before.plain(carrier))
    assert torch.equal(planted_in(dataset).truth(carrier), before.plain(carrier))
    assert planted_in(before) is None
    assert planted_in(TensorDataset(torch.zeros(2, 3, 4, 4), torch.zeros(2))) is None


def test_the_planted_artifact_is_where_it_was_planted_in_unions_and_subsets():
    artifact = Watermark("b", "x", coverage=1, val_coverage=1, size=0.4, placement="random_position")
    train, val = ours(artifact=artifact), ours(seed=1, split="val", artifact=artifact)
    dataset = Subset(TrainValUnion(train, val), [0, 4, 30, 24 + 7])
    planted = planted_in(dataset)
    assert (planted.name, planted.target) == ("watermark", 1)
    assert planted.carriers.tolist() == [False, True, False, True]
    assert torch.equal(planted.layer(3, (16, 16)), artifact.layer(7, 16))
    assert torch.equal(planted.layer(1, (16, 16)), artifact.layer(4, 16))
    assert torch.equal(planted.truth(3), ours(seed=1).plain(7))
    pasted = artifact.paste(planted.truth(3), 7)
    torch.testing.assert_close(display_images(dataset, dataset[3].image[None])[0], pasted, atol=1e-5, rtol=0)


def test_patches_keep_their_layered_form(tmp_path):
    from PIL import Image

    Image.new("RGBA", (4, 4), (255, 0, 0, 255)).save(tmp_path / "patch.png")
    dataset = ours(artifact=Patch("c", tmp_path / "patch.png", size=None, coverage=1))
    planted = planted_in(dataset)
    assert planted.layer(2, (16, 16))[3].sum() == 16
    assert planted.carriers.sum() == 8
