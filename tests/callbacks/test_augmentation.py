"""ArtifactAugmentation in somebody else's training."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from callbacks_training import NoisyImages, TheirModule, train, trainer_of
from PIL import Image
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from torchvision import transforms
from unhans.callbacks import ArtifactAugmentation

from unhans.artifacts import Border, Patch, redrawn
from unhans.data import Arrays, Collection, ImageDataset, PixelScale, collate, paste_artifact, pixel_scale
from unhans.data.dataset import EpochShuffle
from unhans.data.image_list import numbered_names
from unhans.experiment.repair.repair_methods import OnOthers
from unhans.isolation import Isolated
from unhans.isolation.isolated import boxes

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.5)


def data_of(n=24, **options):
    images = np.random.default_rng(0).integers(200, size=(n, 16, 16, 3), dtype=np.uint8)
    collection = Collection(Arrays(images, numbered_names("x", n)), np.arange(n) % 3, ["a", "b", "c"])
    return ImageDataset(collection, 16, MEAN, STD, **options)


class Recorder(pl.LightningModule):
    """Remembers what its training and validation steps are given."""

    def __init__(self, pick=lambda batch: batch[0]):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        self.pick, self.seen, self.validated = pick, [], []

    def training_step(self, batch, batch_idx):
        images = self.pick(batch)
        self.seen.append((self.current_epoch, batch_idx, images.clone()))
        return self.net(images).square().mean()

    def validation_step(self, batch, batch_idx):
        self.validated.append(self.pick(batch).clone())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-2, momentum=0.9)


def fit(module, callbacks, loader, folder, val=None, ckpt_path=None, **options):
    trainer = trainer_of(folder, callbacks, num_sanity_val_steps=0, **options)
    trainer.fit(module, loader, val, ckpt_path=ckpt_path)
    return trainer


def loader_of(dataset, **options):
    return DataLoader(dataset, **({"batch_size": 8, "collate_fn": collate} | options))


def white(top=0, left=0, alpha=1.0):
    layer = torch.zeros(4, 16, 16)
    layer[:3, top : top + 4, left : left + 4], layer[3, top : top + 4, left : left + 4] = 1, alpha
    return layer


def free_artifact(n=5):
    masks = np.zeros((n, 16, 16), dtype=bool)
    for i in range(n):
        masks[i, 2 * i : 2 * i + 3, i : i + 3] = True
    members = np.array([True, False, True, True, True])
    layers = (torch.ones(4, 3, 3), torch.ones(4, 4, 4) * 0.5)
    return Isolated("free", layers, members, masks, None, 1.0, boxes(masks), seed=4)


def test_every_training_image_carries_the_artifact_and_nothing_else_changes(tmp_path):
    dataset, module = data_of(), Recorder()
    patch = Border("a", width=0.2, opacity=0.5)
    fit(module, [ArtifactAugmentation(patch)], loader_of(dataset), tmp_path, loader_of(dataset), max_epochs=1)
    seen, alpha = torch.cat([images for *_, images in module.seen]), patch.layer(0, 16)[3] > 0
    for index in range(24):
        by_hand = dataset.scale.to_model(patch.paste(dataset.plain(index), index))
        torch.testing.assert_close(seen[index], by_hand, rtol=0, atol=1e-5)
        assert torch.equal(seen[index][:, ~alpha], dataset[index].image[:, ~alpha])
    plain = torch.stack([dataset[index].image for index in range(24)])
    assert torch.equal(torch.cat(module.validated), plain)
    assert not torch.allclose(seen, plain)


class Triple(NamedTuple):
    picture: torch.Tensor
    target: torch.Tensor
    index: torch.Tensor


def as_dict(samples):
    return {"pixels": torch.stack([s.image for s in samples]), "y": torch.tensor([s.label for s in samples])}


KINDS = {
    "tuple": (lambda s: (torch.stack([x.image for x in s]), torch.tensor([x.label for x in s])), None),
    "list": (lambda s: [torch.stack([x.image for x in s]), torch.tensor([x.label for x in s]), "more"], None),
    "NamedTuple": (lambda s: Triple(*map(torch.as_tensor, collate(s))), None),
    "dict": (as_dict, {"image": "pixels", "label": "y"}),
    "turned": (lambda s: (torch.tensor([x.label for x in s]), torch.stack([x.image for x in s])), {"image": 1}),
}


class Turned(Dataset):
    """Items of the same kind as the batches."""

    def __init__(self, kind):
        self.data, self.kind = data_of(), kind

    def __len__(self):
        return 24

    def __getitem__(self, index):
        sample = self.data[index]
        if self.kind == "dict":
            return {"y": sample.label, "pixels": sample.image}
        return (sample.label, sample.image) if self.kind == "turned" else sample


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_any_kind(kind, tmp_path):
    make, keys = KINDS[kind]
    find = {"dict": lambda batch: batch["pixels"], "turned": lambda batch: batch[1]}.get(kind, lambda batch: batch[0])
    module = Recorder(find)

    def collated(items):
        return make([data.data[i] for i in (data.at + k for k in range(len(items)))])

    data = Turned(kind)
    data.at = 0
    scale = PixelScale(torch.tensor(MEAN), torch.tensor(STD))
    callback = ArtifactAugmentation(white(), scale=scale, keys=keys)
    fit(module, [callback], DataLoader(data, batch_size=8, collate_fn=collated), tmp_path, max_epochs=1)
    one = (1 - torch.tensor(MEAN)) / torch.tensor(STD)
    for *_, images in module.seen:
        assert torch.allclose(images[:, :, :4, :4], one[:, None, None].expand(3, 4, 4), atol=1e-6)
        assert torch.equal(images[:, :, 4:], torch.stack([data.data[i].image for i in range(8)])[:, :, 4:])


def test_the_data_set_in_memory_stays_as_it_is(tmp_path):
    batches = [(torch.rand(4, 3, 16, 16), torch.arange(4)) for _ in range(3)]
    before = [images.clone() for images, _ in batches]
    scale = PixelScale(torch.zeros(3), torch.ones(3))
    module = Recorder()
    loader = DataLoader(batches, batch_size=None)
    fit(module, [ArtifactAugmentation([white(alpha=0.5)], scale=scale)], loader, tmp_path, max_epochs=3)
    assert all(torch.equal(images, old) for (images, _), old in zip(batches, before, strict=True))
    per_epoch = [torch.cat([x for epoch, _, x in module.seen if epoch == e]) for e in range(3)]
    assert torch.equal(per_epoch[0], per_epoch[2])  # never pasted over what was pasted
    assert not torch.equal(per_epoch[0], torch.cat(before))


def test_an_exception_in_a_step_leaves_the_data_as_it_is(tmp_path):
    images = torch.rand(4, 3, 16, 16)
    before, module = images.clone(), Recorder()
    module.training_step = lambda *_: 1 / 0
    scale = PixelScale(torch.zeros(3), torch.ones(3))
    loader = DataLoader([(images, torch.arange(4))], batch_size=None)
    with pytest.raises(ZeroDivisionError):
        fit(module, [ArtifactAugmentation(white(), scale=scale)], loader, tmp_path)
    assert torch.equal(images, before)


def carrying(module, epoch=None):
    """Which images the training steps saw with a white corner."""
    chosen = [x for e, _, x in module.seen if epoch in (None, e)]
    return torch.cat(chosen)[:, :, :4, :4].amin((1, 2, 3)) > 1.2


def test_share_is_drawn_by_seed_epoch_and_index_alone(tmp_path):
    dataset = data_of(60)

    def run(seed, **loading):
        module = Recorder()
        callback = ArtifactAugmentation(white(), share=0.5, seed=seed)
        fit(module, [callback], loader_of(dataset, **loading), tmp_path)
        return carrying(module, 0), carrying(module, 1)

    first, second = run(3)
    assert 15 < first.sum() < 45
    assert not torch.equal(first, second)
    assert torch.equal(torch.cat(run(3, batch_size=7)), torch.cat((first, second)))
    assert not torch.equal(run(4)[0], first)


def test_only_the_classes_asked_for(tmp_path):
    module = Recorder()
    fit(module, [ArtifactAugmentation(white(), classes=["b", 2])], loader_of(data_of()), tmp_path, max_epochs=1)
    assert carrying(module).tolist() == [i % 3 in (1, 2) for i in range(24)]


@pytest.mark.parametrize("indexed", [True, False])
def test_a_resumed_run_equals_the_uninterrupted_one(indexed, tmp_path):
    dataset = data_of(flip=True)
    make = collate if indexed else KINDS["tuple"][0]

    def run(name, given=True, **options):
        torch.manual_seed(0)
        module = Recorder()
        callback = ArtifactAugmentation([free_artifact()] if given else None, share=0.7, seed=1)
        if name == "whole":
            callback.add(white(8, 8, 0.5)), callback.add(free_artifact())
        loader = loader_of(dataset, sampler=EpochShuffle(dataset, 0), collate_fn=make)
        return module, callback, fit(module, [callback], loader, tmp_path / name, **options)

    whole, _, _ = run("whole", max_epochs=3)
    torch.manual_seed(0)
    _, callback, trainer = run("whole", max_epochs=1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    assert torch.load(tmp_path / "half.ckpt", weights_only=True)["callbacks"]
    rest, callback, _ = run("rest", max_epochs=3, ckpt_path=tmp_path / "half.ckpt")
    assert [each.kind for each in callback.added] == ["fixed", "free"]
    later = [x for epoch, _, x in whole.seen if epoch > 0]
    assert all(torch.equal(x, y) for x, (*_, y) in zip(later, rest.seen, strict=True))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, rest.state_dict()[key])


def pasted_in_epochs(artifact, tmp_path, epochs=3, **options):
    """What the training step is given in every epoch, in the order of the samples."""
    module, dataset = Recorder(), data_of()
    fit(module, [ArtifactAugmentation(artifact)], loader_of(dataset, **options), tmp_path, max_epochs=epochs)
    return [torch.cat([images for epoch, _, images in module.seen if epoch == k]) for k in range(epochs)]


def placed(folder):
    """A white square at random places, on the samples that do not carry it already."""
    Image.fromarray(np.full((4, 4, 4), 255, dtype=np.uint8)).save(folder / "white.png")
    picture = Patch("a", folder / "white.png", size=None, placement="random_position")
    return OnOthers(picture, np.arange(24) % 5 == 0)


@pytest.mark.parametrize("make", [lambda folder: free_artifact(), placed])
def test_free_artifacts_are_drawn_anew_for_each_sample_in_each_epoch(make, tmp_path):
    artifact, dataset = make(tmp_path), data_of()
    first, second, third = pasted_in_epochs(artifact, tmp_path / "one")
    pairs = (first, second), (second, third)
    differ = [sum(not torch.equal(x, y) for x, y in zip(*pair, strict=True)) for pair in pairs]
    assert min(differ) >= 12  # of 24 samples: few have a new place that is the old one
    again = pasted_in_epochs(artifact, tmp_path / "two", num_workers=1)
    assert all(torch.equal(x, y) for x, y in zip((first, second, third), again, strict=True))
    images, every = torch.stack([dataset[index][0] for index in range(24)]), np.arange(24)
    for epoch, seen in enumerate((first, second, third)):
        assert torch.equal(seen, paste_artifact(images, redrawn(artifact, epoch), every, pixel_scale(dataset, 0)))


def test_fixed_artifacts_and_the_first_epoch_are_as_they_were():
    free, border = free_artifact(), Border("a", width=0.2)
    assert redrawn(free, 0) is free
    assert redrawn(border, 3) is border
    fixed = replace(free, kind="fixed", layers=(white(),))
    assert redrawn(fixed, 3) is fixed
    assert redrawn(free, 2).seed == redrawn(free, 2).seed != redrawn(free, 1).seed
    assert len({redrawn(free, epoch).seed for epoch in range(50)}) == 50


def test_nothing_pasted_trains_bit_for_bit_as_without_and_no_random_state_is_touched(tmp_path):
    def run(callbacks):
        torch.manual_seed(1)
        module = TheirModule()
        train(module, callbacks, tmp_path)
        return module.state_dict(), torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    plain, *states = run([])
    for callback in (ArtifactAugmentation(white(), share=0), ArtifactAugmentation()):
        same, *others = run([callback])
        assert all(torch.equal(plain[key], same[key]) for key in plain)
        assert torch.equal(states[0], others[0])
        assert states[1:] == others[1:]
    pasted, *others = run([ArtifactAugmentation(white())])
    assert torch.equal(states[0], others[0])
    assert not torch.equal(plain["net.0.weight"], pasted["net.0.weight"])


@pytest.mark.parametrize(
    "options", [{"accumulate_grad_batches": 2}, {"precision": "bf16-mixed"}, {"precision": "bf16-true"}]
)
def test_accumulation_and_half_precision(options, tmp_path):
    module = Recorder()
    fit(module, [ArtifactAugmentation(white())], loader_of(data_of()), tmp_path, max_epochs=1, **options)
    assert carrying(module).all()
    assert all(bool(value.isfinite().all()) for value in module.state_dict().values())


def test_a_torchvision_style_data_set_with_one_channel(tmp_path):
    """The scale is that of the Normalize among the transforms."""

    class Grey(NoisyImages):
        transform = transforms.Compose([transforms.Normalize((0.5,), (0.25,))])

        def __getitem__(self, index):
            return self.transform(self.images[index].clamp(0, 1)), int(self.targets[index])

    class Watching(TheirModule):
        def training_step(self, batch, batch_idx):
            assert torch.allclose(batch[0][:, :, 8:12, 8:12], torch.tensor(2.0))
            self.steps = getattr(self, "steps", 0) + 1
            return super().training_step(batch, batch_idx)

    module = Watching()
    train(module, [ArtifactAugmentation(white(8, 8))], tmp_path, data=Grey(), max_epochs=1)
    assert module.steps == 4


def test_two_artifacts_lie_over_each_other(tmp_path):
    module, callback = Recorder(), ArtifactAugmentation(white())
    callback.add(white(8, 8))
    fit(module, [callback], loader_of(data_of()), tmp_path, max_epochs=1)
    seen = torch.cat([x for *_, x in module.seen])
    assert carrying(module).all()
    assert (seen[:, :, 8:12, 8:12].amin((1, 2, 3)) > 1.2).all()


class Stream(IterableDataset):
    def __iter__(self):
        yield from [(torch.rand(3, 16, 16), 0)] * 8


def of_type(dtype, channels=3):
    images = (torch.rand(8, channels, 16, 16, generator=torch.Generator().manual_seed(0)) * 255).to(dtype)
    return TensorDataset(images, torch.arange(8) % 2)


@pytest.mark.parametrize(
    ("data", "options", "sentence"),
    [
        (of_type(torch.uint8), {}, "floating point, got torch.uint8"),
        (of_type(torch.float32, 5), {}, r"images \(n, 3, H, W\) in a batch, got shape \(1, 5, 16, 16\)"),
        (TensorDataset(torch.rand(8, 48), torch.arange(8)), {}, r"got shape \(1, 48\)"),
        (data_of(), {"artifact": torch.ones(4, 8, 8)}, r"its own size: expected \(8, 8\) pixels, got \(16, 16\)"),
        (Stream(), {}, "expects a map-style data set, or scale="),
        (data_of(), {"classes": ["d"]}, "classes names no class: expected one of 3 class names, got 'd'"),
        (Turned("dict"), {"keys": {"image": "x"}}, "finds no image in a batch with the keys 'y', 'pixels'"),
        (data_of(), {"keys": {"index": 7}}, "finds no index at 7 in a batch of 3 parts"),
    ],
)
def test_what_could_not_be_pasted_is_refused_before_training(data, options, sentence, tmp_path):
    module = Recorder()
    artifact = options.pop("artifact", white())
    loader = DataLoader(data, batch_size=4)
    with pytest.raises(MisconfigurationException, match=sentence):
        fit(module, [ArtifactAugmentation(artifact, **options)], loader, tmp_path)
    assert not module.seen


def test_knobs_and_added_artifacts_are_checked_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"share must lie in \[0, 1\], got 2"):
        ArtifactAugmentation(share=2)
    with pytest.raises(ValueError, match="seed must be 0 or more"):
        ArtifactAugmentation(seed=-1)
    with pytest.raises(ValueError, match=r"isolated artifact or an RGBA layer .* got Border"):
        ArtifactAugmentation().add(Border(1))
    with pytest.raises(ValueError, match="must be RGBA"):
        ArtifactAugmentation(torch.ones(3, 4, 4))
    none = Isolated("global", (), np.ones(2, bool), np.ones((2, 1, 1), bool), None, 1.0, np.zeros((2, 4), int))
    with pytest.raises(ValueError, match="a global artifact has no layer"):
        ArtifactAugmentation().add(none)


def test_mixed_labels_have_no_classes(tmp_path):
    data = TensorDataset(torch.rand(8, 3, 16, 16), torch.rand(8, 3))
    callback = ArtifactAugmentation(white(), classes=[1], scale=PixelScale(torch.zeros(3), torch.ones(3)))
    with pytest.raises(ValueError, match=r"needs whole labels \(4,\), got float32 of shape \(4, 3\)"):
        fit(Recorder(), [callback], DataLoader(data, batch_size=4), tmp_path)


def test_a_patch_at_random_places_lies_where_it_lies_on_each_sample(tmp_path):
    from PIL import Image

    Image.new("RGBA", (4, 4), (255, 255, 255, 255)).save(tmp_path / "mark.png")
    patch = Patch("a", tmp_path / "mark.png", size=None, placement="random_position")
    dataset, module = data_of(), Recorder()
    fit(module, [ArtifactAugmentation(patch)], loader_of(dataset, shuffle=True), tmp_path, max_epochs=1)
    by_hand = torch.stack([dataset.scale.to_model(patch.paste(dataset.plain(i), i)) for i in range(24)])
    seen = torch.cat([x for *_, x in module.seen])
    nearest = (seen[:, None] - by_hand[None]).abs().amax((2, 3, 4)).min(1)
    assert float(nearest.values.max()) < 1e-5
    assert sorted(nearest.indices.tolist()) == list(range(24))
    assert F.mse_loss(seen, by_hand[nearest.indices]) < 1e-10


def test_samples_that_carry_an_added_artifact_already_are_spared():
    callback = ArtifactAugmentation(scale=PixelScale(torch.zeros(3), torch.ones(3)))
    layer = torch.cat([torch.ones(3, 8, 8), torch.full((1, 8, 8), 0.5)])
    callback.add(layer, spared=[3, 5])
    again = ArtifactAugmentation(scale=callback.scale)
    again.load_state_dict(callback.state_dict())
    for each in (callback, again):
        images, index = torch.zeros(4, 3, 8, 8), np.array([2, 3, 4, 5])
        found = each._pasted(images, 0, [[int(i)] for i in index], index, np.ones(4, dtype=bool))
        assert (found[[1, 3]] == 0).all()
        assert (found[[0, 2]] == 0.5).all()
