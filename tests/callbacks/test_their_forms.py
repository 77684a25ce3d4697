"""Networks and data in other forms than ours: Hugging Face, several labels, images streamed, logits elsewhere."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
import transformers
from callbacks_training import NoisyImages, small_spray, train, trainer_of
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from unhans.callbacks import ArtifactMonitor, HeatmapEvolution, MaskRelevance, SpRAyAudit

from unhans import audit
from unhans.artifacts import Border
from unhans.attribution import Saliency
from unhans.experiment.survey import Parallel
from unhans.harness import audited_class as verification_module
from unhans.lrp.tracing import LogitsOf


class Scans(Dataset):
    """Thirty-two images of two classes as Hugging Face's models take them; half of the second carry a bright corner."""

    def __init__(self):
        self.images = NoisyImages().images.expand(-1, 3, -1, -1).clone()
        self.labels = [i % 2 for i in range(32)]

    def __len__(self):
        return 32

    def __getitem__(self, index):
        return {"pixel_values": self.images[index], "labels": self.labels[index]}


def vit(seed=0):
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return transformers.ViTForImageClassification(transformers.ViTConfig(image_size=16, patch_size=4, **sizes))


class FineTuning(pl.LightningModule):
    """Fine-tuning as Hugging Face's guides have it: the model gets the batch and returns its loss."""

    def __init__(self):
        super().__init__()
        self.model = vit()

    def training_step(self, batch, batch_idx):
        return self.model(**batch).loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def audit_of(root, **options):
    shared = {"on_error": "raise", "control": False, "folder": root / "audit"}
    return SpRAyAudit(spray=small_spray(), **shared | options)


def test_a_model_of_hugging_face_in_a_module_of_mappings(tmp_path):
    """Images, labels and logits are found by themselves; the maps are those of the network wrapped by hand."""
    found, monitor = (
        audit_of(tmp_path),
        ArtifactMonitor(Border(1, width=0.2), dataset="train", samples=6, on_error="raise", folder=tmp_path / "effect"),
    )
    module = FineTuning()
    train(
        module, [found, monitor, HeatmapEvolution(on_error="raise", folder=tmp_path / "maps")], tmp_path, data=Scans()
    )
    assert [entry.n for entry in found.ranking] == [16, 16]
    plain = TensorDataset(Scans().images, torch.tensor(Scans().labels))
    here = {"spray": small_spray(), "parallel": Parallel(n_jobs=1), "control": False}
    one = audit(module.model, Scans(), **here)
    other = audit(LogitsOf(module.model, "logits"), plain, **here)
    assert [entry.score for entry in one] == [entry.score for entry in other]
    assert {entry.name: entry.lambda_2 for entry in found.ranking} == {entry.name: entry.lambda_2 for entry in one}


@pytest.mark.parametrize("name", ["ConvNext", "ResNet", "Swin"])
def test_other_models_of_hugging_face(name):
    torch.manual_seed(0)
    sizes = {
        "ConvNext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
        "ResNet": {"hidden_sizes": [8, 16], "depths": [1, 1], "embedding_size": 8},
        "Swin": {"image_size": 32, "embed_dim": 12, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    }[name]
    config = getattr(transformers, f"{name}Config")(num_labels=2, **sizes)
    model = getattr(transformers, f"{name}ForImageClassification")(config)
    images = torch.rand(32, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(images, torch.arange(32) % 2)
    ranking = audit(model, data, spray=small_spray(), parallel=Parallel(n_jobs=1), control=False)
    assert [entry.n for entry in ranking] == [16, 16]


class Findings(Dataset):
    """Three findings that a scan may have: 0 in every second, 1 in every third, 2 in none; a bright corner marks 1."""

    def __init__(self, columns=3):
        generator = torch.Generator().manual_seed(0)
        self.images = torch.rand(48, 1, 16, 16, generator=generator)
        number = torch.arange(48)
        self.held = torch.stack([number % 2 == 0, number % 3 == 0, number < 0], 1)[:, -columns:].float()
        self.images[number % 3 == 0, :, :5, :5] = 3

    def __len__(self):
        return 48

    def __getitem__(self, index):
        return self.images[index], self.held[index]


class Sigmoids(pl.LightningModule):
    """Three outputs, each with its own yes or no."""

    def __init__(self, outputs=3):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 49, outputs)
        )

    def training_step(self, batch, batch_idx):
        return F.binary_cross_entropy_with_logits(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def test_a_class_is_audited_on_the_samples_that_hold_it(tmp_path, monkeypatch):
    """The corner is pasted on scans without its finding alone, and its effect is that on the sigmoid."""
    monkeypatch.setattr(verification_module, "examine_class", examined := Examined())
    found = audit_of(tmp_path, network="net", verify=True, verify_samples=8, on_error="log")
    monitor = ArtifactMonitor(
        Border(1, width=0.2), network="net", dataset="train", samples=6, on_error="raise", folder=tmp_path / "effect"
    )
    data = Findings()
    module = Sigmoids()
    trainer = train(module, [found, monitor], tmp_path, max_epochs=1, data=data)
    assert {entry.name: entry.n for entry in found.ranking} == {"0": 24, "1": 16}
    assert sorted(examined.seen) == [0, 1]
    for label, (bench, pool) in examined.seen.items():
        assert set(found.dataset.rows[pool]) == set(np.flatnonzero(data.held[:, label] == 0))
        images, _ = bench.read(pool[:4])
        logits = bench.predict(images)
        odds = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        with torch.no_grad():
            own = torch.sigmoid(module.net(found.scale.to_model(images))[:, label])
        assert np.allclose(odds[:, label], own.numpy(), atol=1e-5)
        assert np.array_equal(logits.argmax(1) == label, odds[:, label] > 0.5)
    _, indices = next(iter(monitor._indices.items()))
    images = found.scale.to_display(torch.stack([found.dataset[index][0] for index in indices]))
    pasted = torch.stack([monitor.tracked[0].layered.paste(image, 0) for image in images])
    with torch.no_grad():
        odds = [torch.sigmoid(module.net(found.scale.to_model(each))[:, 1]) for each in (images, pasted)]
    published = next(value for key, value in trainer.callback_metrics.items() if key.endswith("/delta_p"))
    assert float(published) == pytest.approx(float((odds[1] - odds[0]).mean()), abs=1e-5)


class Examined:
    """Takes the place of the examination of a class, and keeps what it is given."""

    def __init__(self):
        self.seen = {}

    def __call__(self, bench, sample, groups, plan, others, advance=None):
        self.seen[sample.label] = bench, others
        raise ValueError("enough was seen")


def test_a_single_yes_or_no(tmp_path):
    """One output, whose negatives have no class: they are what is pasted on."""
    data = Findings(columns=1)
    data.held = (torch.arange(48)[:, None] % 3 == 0).float()
    data.held = torch.cat([data.held, data.held * 0], 1)  # a vector of two, the second never held
    found = audit_of(tmp_path, network="net")
    train(Sigmoids(2), [found], tmp_path, max_epochs=1, data=data)
    assert [(entry.name, entry.n) for entry in found.ranking] == [("0", 16)]


class Elsewhere(pl.LightningModule):
    """Batches and results that nobody could guess."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 49, 2))
        self.net = Twice(self.body)

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.net(batch["scan"])["a"], batch["diagnosis"])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class Twice(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return {"a": self.body(x), "b": -self.body(x)}


class Odd(NoisyImages):
    def __getitem__(self, index):
        return {"scan": self.images[index], "diagnosis": self.targets[index]}


def test_images_labels_and_logits_where_they_are_said_to_be(tmp_path):
    keys = {"image": "scan", "label": "diagnosis"}
    found = audit_of(tmp_path, network="net", keys=keys, output="a", attribution=Saliency())
    shared = {"network": "net", "keys": keys, "output": "a", "on_error": "raise", "dataset": "train"}
    monitor = ArtifactMonitor(Border(1, width=0.2), samples=6, folder=tmp_path / "effect", **shared)
    inside = MaskRelevance(
        1, masks=lambda index: np.ones((len(index), 16, 16), bool), indices=[1, 3, 5, 7], folder=tmp_path, **shared
    )
    train(Elsewhere(), [found, monitor, inside], tmp_path, max_epochs=1, data=Odd())
    assert inside.points[-1].mean == pytest.approx(1)
    assert [entry.n for entry in found.ranking] == [16, 16]
    with pytest.raises(MisconfigurationException, match=r"finds no image in a batch with the keys 'scan', 'diagnosis'"):
        train(Elsewhere(), [audit_of(tmp_path, network="net", output="a")], tmp_path, max_epochs=1, data=Odd())
    with pytest.raises(MisconfigurationException, match=r"got a dict with the keys 'a', 'b'; wrap the network in"):
        train(Elsewhere(), [audit_of(tmp_path, network="net", keys=keys)], tmp_path, max_epochs=1, data=Odd())


class Stream(IterableDataset):
    """The images in their order, one worker's share at a time."""

    def __iter__(self):
        still = NoisyImages()
        yield from ((image, int(label)) for image, label in zip(still.images, still.targets, strict=True))


def test_a_stream_of_images(tmp_path, caplog):
    found = audit_of(tmp_path, network="net")
    module = Sigmoids(2)
    module.training_step = lambda batch, batch_idx: F.cross_entropy(module.net(batch[0]), batch[1])
    trainer = trainer_of(tmp_path, [found], max_epochs=1)
    with caplog.at_level(logging.INFO, logger="unhans"):
        trainer.fit(module, DataLoader(Stream(), batch_size=8))
    assert [entry.n for entry in found.ranking] == [16, 16]
    assert "SpRAyAudit keeps the first 32 samples of an iterable data set in memory" in caplog.text
