"""ArtifactMonitor in somebody else's training."""

from __future__ import annotations

import csv
import logging

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from callbacks_training import Colour, KeepingLogger, NoisyImages, Still, TheirModule, planted_data, train
from PIL import Image
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import Dataset, Subset, random_split
from torchvision import transforms
from unhans.callbacks import ArtifactMonitor

from unhans.artifacts import Border, Patch
from unhans.effects import Case, Effect
from unhans.harness import MonitoredArtifact, learned_since
from unhans.isolation import Isolated, Match


@pytest.fixture
def corner(tmp_path):
    """The bright corner of `NoisyImages`, by which its class 1 can be told: a white RGBA file."""
    Image.new("RGBA", (5, 5), (255, 255, 255, 255)).save(tmp_path / "corner.png")
    return Patch(1, tmp_path / "corner.png", size=None, placement="top_left")


def monitor_of(folder, artifacts=None, **options):
    defaults = {"network": "net", "dataset": NoisyImages(), "folder": folder / "effect", "on_error": "raise"}
    return ArtifactMonitor(artifacts, **(defaults | options))


def rows_of(folder):
    with (folder / "effect" / "effects.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_clever_hans_is_seen_being_learned(tmp_path, corner, capsys):
    monitor = monitor_of(tmp_path, {"corner": corner, "rim": Border(1, color="black", width=0.1)})
    torch.manual_seed(1)
    train(TheirModule(), [monitor], tmp_path, max_epochs=12)
    assert monitor.epochs == list(range(12))
    learned = monitor.added["corner"]
    assert learned[-1].probability_interval[0] > learned[0].probability_interval[1] + 0.1
    assert learned[-1].n == 16  # all of class 0
    assert monitor.added["rim"][-1].probability < learned[-1].probability / 2
    assert monitor.removed == {}
    said = capsys.readouterr().out
    assert "epoch 0: artifact corner → class '1': Δp" in said
    last = next(line for line in said.splitlines() if line.startswith("epoch 11: artifact corner"))
    assert "learned since epoch" in last
    assert "flip" in last
    assert {path.name for path in (tmp_path / "effect").iterdir()} == {"effect.png", "effects.csv"}


def test_the_table_holds_what_is_measured_and_the_samples_are_other_classes(tmp_path, corner):
    module, monitor = TheirModule(), monitor_of(tmp_path, corner, samples=10, batch_size=3)
    train(module, [monitor], tmp_path, max_epochs=2)
    (indices,) = monitor._indices.values()
    assert len(indices) == 10
    assert (monitor.labels[indices] == 0).all()
    rows = rows_of(tmp_path)
    assert [(row["epoch"], row["artifact"], row["class"], row["change"], row["n"]) for row in rows] == [
        ("0", "patch", "1", "added", "10"),
        ("1", "patch", "1", "added", "10"),
    ]
    effect = monitor.added["patch"][1]
    assert float(rows[1]["delta_p"]) == effect.probability
    assert float(rows[1]["flipped_high"]) == effect.share_interval[1]


def test_the_effect_is_that_of_pasting_by_hand(tmp_path, corner):
    dataset, module = Still(), TheirModule()
    monitor = monitor_of(tmp_path, corner, dataset=dataset)
    train(module, [monitor], tmp_path, max_epochs=1)
    module.eval()
    changes = []
    for index in range(0, 32, 2):
        image = dataset.images[index][None]
        marked = image.clone()
        marked[..., :5, :5] = dataset.images.max()  # white on the scale of the data set
        changes.append(float(module.net(marked).softmax(1)[0, 1] - module.net(image).softmax(1)[0, 1]))
    assert monitor.added["patch"][0].probability == pytest.approx(np.mean(changes), abs=1e-5)


def test_one_call_to_the_logger_per_epoch(tmp_path, corner):
    logger = KeepingLogger(tmp_path)
    train(TheirModule(), [monitor_of(tmp_path, {"corner": corner})], tmp_path, logger=logger)
    calls = logger.calls_with("effect/")
    assert len(calls) == 2
    names = ("delta_p", "delta_p_low", "delta_p_high", "delta_rank", "delta_logit", "flipped", "flipped_low", "n")
    assert {f"effect/corner/{name}" for name in names} <= calls[0].keys()


def test_a_resumed_run_keeps_samples_and_curves(tmp_path, corner):
    def run(folder, artifacts, **options):
        torch.manual_seed(3)
        monitor = monitor_of(folder, artifacts, samples=7)
        return monitor, train(TheirModule(), [monitor], folder, **options)

    whole, _ = run(tmp_path / "whole", corner)
    half, trainer = run(tmp_path / "half", corner, max_epochs=1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    rest, _ = run(tmp_path / "rest", corner, ckpt_path=tmp_path / "half.ckpt")
    assert rest.epochs == whole.epochs == [0, 1]
    assert rest.added["patch"][0] == half.added["patch"][0] == whole.added["patch"][0]
    assert (rest._indices["patch"] == whole._indices["patch"]).all()
    assert len(rows_of(tmp_path / "rest")) == 2
    other, _ = run(tmp_path / "other", {"rim": Border(1)}, ckpt_path=tmp_path / "half.ckpt")
    assert other.epochs == [1]
    assert list(other.added) == ["rim"]


def test_the_planted_artifact_is_the_default_and_its_removal_is_the_truth(tmp_path):
    dataset, module = planted_data(), Colour()
    monitor = monitor_of(tmp_path, dataset=dataset)
    train(module, [monitor], tmp_path, data=planted_data("train"), max_epochs=1)
    assert list(monitor.added) == list(monitor.removed) == ["border"]
    assert not dataset.carriers[monitor._indices["border"]].any()
    module.eval()
    changes = []
    for index in np.flatnonzero(dataset.carriers):
        pair = torch.stack([dataset[index].image, dataset.scale.to_model(dataset.clean(index))])
        p = module.net(pair).softmax(1)[:, 1]
        changes.append(float(p[1] - p[0]))
    (effect,) = monitor.removed["border"]
    assert effect.n == len(changes) == 10
    assert effect.probability == pytest.approx(np.mean(changes), abs=1e-5)
    assert [row["change"] for row in rows_of(tmp_path)] == ["added", "removed"]


class RimDetector:
    """Finds white rims."""

    def match(self, images):
        carries = (images[:, :, 0] > 0.99).all(1).all(1).numpy()
        masks = np.zeros((len(images), 16, 16), dtype=bool)
        masks[carries, :3] = True
        return Match(carries, carries.astype(float), masks)


def isolated_rim():
    layer = Border(1, width=0.2).layer(0, 16)
    none = np.zeros((0, 16, 16), dtype=bool)
    return Isolated("fixed", (layer,), none[:, 0, 0], none, RimDetector(), 1.0, np.zeros((0, 4), dtype=int))


@pytest.mark.parametrize("how", ["case", "pair"])
def test_an_isolated_artifact_is_found_by_its_detector_and_inpainted(how, tmp_path):
    artifact = Case(1, "odd", isolated=isolated_rim()) if how == "case" else [(isolated_rim(), "odd")]
    dataset = planted_data()
    monitor = monitor_of(tmp_path, artifact, dataset=dataset)
    train(Colour(), [monitor], tmp_path, data=planted_data("train"), max_epochs=1)
    assert list(monitor.added) == ["fixed artifact"]
    assert sorted(monitor._carriers["fixed artifact"]) == np.flatnonzero(dataset.carriers).tolist()
    assert monitor.removed["fixed artifact"][0].n == 10


class Photos(Dataset):
    """A torchvision-style data set: PIL images, classes, a transform that ends with Normalize."""

    classes = ("plain", "marked")

    def __init__(self, transform, n=48):
        rng = np.random.default_rng(0)
        self.targets = [i % 2 for i in range(n)]
        pixels = rng.integers(0, 160, size=(n, 16, 16, 3), dtype=np.uint8)
        pixels[1::2, :4, :4] = (255, 0, 0)
        self.images = [Image.fromarray(each) for each in pixels]
        self.transform = transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.images[index]), self.targets[index]


class PlainScript(pl.LightningModule):
    """A module as a tutorial writes it: the network is the module itself."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.head = nn.Linear(8 * 49, 2)

    def forward(self, x):
        return self.head(self.features(x))

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def test_a_plain_script_with_a_torchvision_data_set(tmp_path, capsys):
    Image.new("RGBA", (4, 4), (255, 0, 0, 255)).save(tmp_path / "mark.png")
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.25,) * 3)])
    train_part, val_part = random_split(Photos(transform), [32, 16], torch.Generator().manual_seed(0))
    patch = Patch("marked", tmp_path / "mark.png", size=None, placement="top_left")
    monitor = ArtifactMonitor(patch, network="", on_error="raise")
    torch.manual_seed(0)
    train(PlainScript(), [monitor], tmp_path, data=train_part, val=val_part, max_epochs=8)
    assert monitor.scale.source == "Normalize"
    assert monitor.dataset is val_part
    assert monitor.added["patch"][-1].share > 0.8
    assert "artifact patch → class 'marked'" in capsys.readouterr().out
    assert (tmp_path / "effect" / "effect.png").is_file()


def test_a_network_that_could_not_be_explained_can_be_monitored(tmp_path, corner):
    class Odd(nn.Module):
        def forward(self, x):
            return torch.sinc(x).flatten(1)[:, :49]

    module = TheirModule()
    module.net = nn.Sequential(Odd(), nn.Linear(49, 2))
    monitor = monitor_of(tmp_path, corner)
    train(module, [monitor], tmp_path)
    assert len(monitor.added["patch"]) == 2


def test_a_failure_is_logged_and_training_goes_on(tmp_path, corner, caplog, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("no effect today")

    monkeypatch.setattr(MonitoredArtifact, "measure", fail)
    monitor = monitor_of(tmp_path, corner, on_error="log")
    with caplog.at_level(logging.ERROR, "unhans"):
        trainer = train(TheirModule(), [monitor], tmp_path)
    assert (trainer.current_epoch, monitor.failures, monitor.epochs) == (2, 2, [])
    assert "no effect today" in caplog.text


class Softmax(TheirModule):
    def __init__(self):
        super().__init__()
        self.net.append(nn.Softmax(1))


def large(folder):
    Image.new("RGBA", (20, 4), (255, 0, 0, 255)).save(folder / "large.png")
    return Patch(1, folder / "large.png", size=None)


@pytest.mark.parametrize(
    ("artifacts", "options", "sentence"),
    [
        (None, {}, "the data set plants no artifact of its own; give artifacts="),
        ([], {}, "at least one artifact, got none"),
        (Border("truck"), {}, "the artifact's target names no class: expected one of 2 class names, got 'truck'"),
        (Border(7), {}, "a class name or an index 0 … 1, got 7"),
        ([(isolated_rim(), 2)], {}, "a class name or an index 0 … 1, got 2"),
        ([(isolated_rim(), "x")], {}, "names no class"),
        (large, {}, "is larger than the image: expected at most 16 × 16 pixels, got 20 × 4"),
        ("corner.png", {}, "such as Patch.*got str"),
        (Case(1, "odd"), {}, "the case of class 'odd' has no layer that could be pasted"),
        (Border(1), {"dataset": Subset(NoisyImages(), range(1, 32, 2))}, "two or more samples of classes other than"),
        (Border(1), {"module": Softmax}, "the network must give logits, got probabilities"),
        (Border(1), {"network": "model"}, "names no module"),
        (Border(1), {"dataset": "val"}, "expects a data set with samples by index"),
    ],
)
def test_what_cannot_be_monitored_is_refused_before_training(artifacts, options, sentence, tmp_path):
    module = options.pop("module", TheirModule)()
    artifacts = artifacts(tmp_path) if artifacts is large else artifacts
    module.training_step = lambda *_: pytest.fail("training began")
    with pytest.raises(MisconfigurationException, match=sentence):
        train(module, [monitor_of(tmp_path, artifacts, **options)], tmp_path)


def test_fewer_samples_than_asked_are_told(tmp_path, corner, caplog):
    with caplog.at_level(logging.WARNING, "unhans"):
        train(TheirModule(), [monitor_of(tmp_path, corner)], tmp_path, max_epochs=1)
    assert "artifact 'patch' is laid over 16 samples of other classes: 200 were asked for" in caplog.text


def test_knobs_are_checked_at_once():
    with pytest.raises(ValueError, match="samples expects 2 or more, got 1"):
        ArtifactMonitor(samples=1)
    with pytest.raises(ValueError, match="every_n_epochs expects 1 or more"):
        ArtifactMonitor(every_n_epochs=0)


def effect(low, n=10):
    return Effect(n, 0.5, (0.4, 0.6), low + 0.1, (low, low + 0.2), 1, (0, 2), 1, (0, 2))


@pytest.mark.parametrize(
    ("lows", "said"),
    [
        ([0], "not learned"),
        ([0, 0.1], "learned since epoch 12"),
        ([0.1, 0.1], "learned since epoch 10"),
        ([0.1, 0, 0.05, 0.2], "learned since epoch 14"),
        ([0, 0.1, 0.049, 0], "forgotten since epoch 14"),
        ([0, 0, 0], "not learned"),
    ],
)
def test_what_is_learned_and_forgotten(lows, said):
    epochs = [10, 12, 14, 16][: len(lows)]
    state, since = learned_since(epochs, [effect(low) for low in lows], 0.05)
    assert f"{state}" if since is None else f"{state} since epoch {since}" == said
    assert learned_since(epochs, [effect(low, 9) for low in lows], 0.05) == ("not learned", None)


def test_artifacts_of_one_name_are_numbered(tmp_path):
    monitor = monitor_of(tmp_path, [Border(1), Border(1, color="black"), (isolated_rim(), 1)])
    train(TheirModule(), [monitor], tmp_path, max_epochs=1)
    assert list(monitor.added) == ["border 1", "border 2", "fixed artifact"]
