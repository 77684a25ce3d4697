"""Networks and data in other forms than ours: Hugging Face, several labels, images streamed, logits elsewhere."""

from __future__ import annotations

import csv
import logging
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
import transformers
from callbacks_training import NoisyImages, Still, small_spray, suspect_all, train, trainer_of
from proven_cases import CASES
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from unhans.callbacks import (
    AClArC,
    ArtifactAugmentation,
    ArtifactMonitor,
    HeatmapEvolution,
    MaskRelevance,
    RightReasons,
    SpRAyAudit,
    UnHans,
)
from unhans.callbacks.closed_loop import Pasting

from unhans import audit, compare
from unhans.artifacts import Border
from unhans.attribution import Relevance, Saliency
from unhans.data import adapt
from unhans.experiment.survey import Parallel
from unhans.harness import audited_class as verification_module
from unhans.harness import check_outputs
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


class Single(Sigmoids):
    """One output for the labels 0 and 1."""

    def __init__(self):
        super().__init__(1)

    def training_step(self, batch, batch_idx):
        return F.binary_cross_entropy_with_logits(self.net(batch[0])[:, 0], batch[1].float())


def test_a_single_logit_of_two_classes_is_refused_before_training(tmp_path):
    shared = {"network": "net", "on_error": "raise"}
    refused = [
        audit_of(tmp_path, network="net"),
        HeatmapEvolution(**shared),
        ArtifactMonitor(Border(1, width=0.2), dataset="train", samples=6, **shared),
    ]
    sentence = "a logit for each class is needed, got a network with one and labels up to 1; of a single logit z"
    for each in refused:
        with pytest.raises(MisconfigurationException, match=sentence):
            train(Single(), [each], tmp_path, max_epochs=1, data=Still())
    with pytest.raises(ValueError, match=sentence):
        audit(Single().net, Still(), spray=small_spray(), parallel=Parallel(n_jobs=1))
    with pytest.raises(ValueError, match="got a network with 2 and labels up to 5"):
        check_outputs(2, np.array([0, 5, -2]))


def test_a_single_logit_of_two_classes_as_two(tmp_path):
    """The heatmap of class 0 is that of class 1 with the other sign."""
    found = audit_of(tmp_path, network="net", output=lambda z: torch.cat([-z / 2, z / 2], 1))
    module = Single()
    train(module, [found], tmp_path, max_epochs=1, data=Still())
    assert [entry.n for entry in found.ranking] == [16, 16]
    explain = Relevance().of(found.network_in(module))
    maps = [explain(Still().images[:4], label).maps for label in range(2)]
    assert torch.allclose(maps[0], -maps[1], atol=1e-6)
    assert maps[0].abs().max() > 0


def test_a_users_numbers_of_samples_are_those_of_the_data_set(tmp_path):
    """Where samples of several classes are audited once for each."""
    data, asked = Findings(), []

    def masks(index):
        asked.append(index.tolist())
        return np.ones((len(index), 16, 16), bool)

    shared = {"network": "net", "dataset": "train", "on_error": "raise"}
    evolution = HeatmapEvolution(indices=[6, 9], folder=tmp_path / "maps", **shared)
    inside = MaskRelevance(1, masks=masks, indices=[6, 9], folder=tmp_path, **shared)
    affected = AClArC("0", affected=[0, 6], network="net", samples=100)
    train(Sigmoids(), [evolution, inside, affected], tmp_path, max_epochs=1, data=data)
    rows = evolution.dataset.rows
    assert {label: rows[index].tolist() for label, index in evolution._indices.items()} == {0: [6], 1: [6, 9]}
    assert asked == [[6, 9]]
    assert inside.index.tolist() == [6, 9]
    assert torch.equal(inside.inputs, data.images[[6, 9]])
    assert affected.concept_.n_affected == 2
    assert affected.concept_.n_unaffected == 30  # the others that hold 0 or 1, each of them once
    restored = MaskRelevance(1, masks=masks, indices=[6, 9], folder=tmp_path, **shared)
    restored._indices = inside._indices
    train(Sigmoids(), [restored], tmp_path, max_epochs=1, data=data)
    assert asked[-1] == [6, 9]


def test_numbers_of_samples_that_are_given_out_are_those_of_the_data_set(tmp_path, monkeypatch):
    monkeypatch.setattr("unhans.harness.audit_records.rank_classes", suspect_all)
    data, found = Findings(), audit_of(tmp_path, network="net")
    train(Sigmoids(), [found], tmp_path, max_epochs=1, data=data)
    with (tmp_path / "audit" / "epoch_000" / "suspects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["class"] for row in rows} == {"0", "1"}
    assert all(row["index"] == row["path"] and data.held[int(row["index"]), int(row["class"])] for row in rows)
    ranking = audit(Sigmoids().net, data, spray=small_spray(), parallel=Parallel(n_jobs=1), control=False)
    for label in range(2):
        assert sorted(ranking.audit(str(label)).index) == np.flatnonzero(data.held[:, label]).tolist()


def test_samples_that_carry_an_artifact_already_are_spared_by_their_numbers_in_batches():
    """The entries 1 and 2 are of the samples 0 and 1 where the first sample has two classes."""
    held = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    dataset = adapt(TensorDataset(torch.rand(3, 1, 4, 4), held))
    shown = SimpleNamespace(dataset=dataset, source="train", scale=None, seed=0, keys={"image": "scan"})
    layer = torch.ones(4, 4, 4)
    pasting = Pasting(shown)
    trainer = SimpleNamespace(train_dataloader=None)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patched:
        patched.setattr(ArtifactAugmentation, "on_train_start", lambda *arguments: None)
        pasting.begin(SimpleNamespace(isolated=layer, affected=np.array([1, 2])), trainer, None)
    assert [each.tolist() for each in pasting.callbacks[0]._spared] == [[0, 1]]
    assert pasting.callbacks[0].keys == {"image": "scan"}


def test_a_single_yes_or_no(tmp_path):
    """One class of two outputs, whose negatives have no class: they are what is pasted on."""
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
        logits = self.body(x)
        return {"a": logits, "b": -logits}


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


class Numbered(Odd):
    """Names that nobody could guess, also of the sample's number."""

    def __getitem__(self, index):
        return super().__getitem__(index) | {"number": index}


def corners(index):
    masks = torch.zeros(len(index), 16, 16)
    masks[index % 4 == 1, :5, :5] = 1
    return masks


class Guessed(Elsewhere):
    """The same training with a network that returns logits alone."""

    def __init__(self):
        super().__init__()
        self.net = self.body

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.net(batch["scan"]), batch["diagnosis"])


KEYS = {"image": "scan", "label": "diagnosis", "index": "number"}


@pytest.mark.parametrize("of", ["gradient", "relevance"])
def test_right_reasons_of_logits_and_images_that_are_elsewhere(tmp_path, of):
    modules = Elsewhere(), Guessed(), Guessed()
    options = {"target": 1, "weight": 5.0, "of": of, "network": "net", "keys": KEYS}
    repairs = [[RightReasons(corners, output="a", **options)], [RightReasons(corners, **options)], []]
    for module, callbacks in zip(modules, repairs, strict=True):
        train(module, callbacks, tmp_path, max_epochs=1, data=Numbered())
    found = [module.body[0].weight for module in modules]
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


def test_a_concept_where_images_and_logits_are_elsewhere(tmp_path):
    modules = Elsewhere(), Guessed()
    keys = {"image": "scan", "label": "diagnosis"}
    options = {"affected": range(1, 32, 4), "network": "net", "keys": keys}
    callbacks = [AClArC("body.1", output="a", **options), AClArC("1", **options)]
    for module, callback in zip(modules, callbacks, strict=True):
        train(module, [callback], tmp_path, max_epochs=1, data=Odd())
    assert torch.equal(callbacks[0].concept_.direction, callbacks[1].concept_.direction)
    assert torch.equal(modules[0].body[4].weight, modules[1].body[4].weight)
    assert torch.equal(modules[0].body[0].weight, Elsewhere().body[0].weight)


class NumberedScans(Scans):
    def __getitem__(self, index):
        return super().__getitem__(index) | {"index": index}


class Plainly(FineTuning):
    """Leaves out what the model does not take."""

    def training_step(self, batch, batch_idx):
        return self.model(pixel_values=batch["pixel_values"], labels=batch["labels"]).loss


def test_repairs_of_a_model_of_hugging_face(tmp_path):
    def trained(*callbacks):
        module = Plainly()
        train(module, list(callbacks), tmp_path, max_epochs=1, data=NumberedScans())
        return module.model.classifier.weight

    plain, term = trained(), trained(RightReasons(corners, 1, weight=5.0))
    assert term.isfinite().all()
    assert not torch.allclose(plain, term)
    assert torch.equal(term, trained(RightReasons(corners, 1, weight=5.0, output="logits")))
    concept = AClArC("vit.layernorm", affected=range(1, 32, 4))
    assert not torch.allclose(plain, trained(concept))
    assert concept.concept_.n_affected == 8


@pytest.mark.parametrize("layer", ["auto", pytest.param("body.0", marks=pytest.mark.slow)])
def test_what_is_proven_is_acted_on_where_images_and_logits_are_elsewhere(tmp_path, monkeypatch, layer):
    """In the layers of the network that trains, whose paths are not those of the one that is audited."""
    monkeypatch.setattr("unhans.harness.audit_records.rank_classes", suspect_all)
    proven = [replace(CASES["proven"], suspicion=None)]
    monkeypatch.setattr(
        verification_module, "examine_class", lambda bench, sample, *_, **__: proven if sample.label == 1 else []
    )
    shared = {"network": "net", "keys": {"image": "scan", "label": "diagnosis"}, "output": "a", "classes": ["1"]}
    shared |= {"spray": small_spray(), "control": False, "on_error": "raise"}
    for act in ("a_clarc", "augment"):
        loop = UnHans(act=act, layer=layer, folder=tmp_path / act, **shared)
        train(Elsewhere(), [loop], tmp_path, data=Odd())
        assert [each.done for each in loop.decisions][:1] == ["acted"]
        assert loop.failures == 0


def test_images_labels_and_logits_of_the_public_calls():
    """Where they are said to be: the same as a network of logits on a data set of pairs."""
    said = {"keys": {"image": "scan", "label": "diagnosis"}, "output": "a"}
    network, still = Elsewhere(), Still()
    here = {"spray": small_spray(), "parallel": Parallel(n_jobs=1), "control": False, "attribution": Saliency()}
    one, other = audit(network.net, Odd(), **here, **said), audit(network.body, still, **here)
    assert [(entry.name, entry.score) for entry in one] == [(entry.name, entry.score) for entry in other]
    with pytest.raises(ValueError, match="finds no image in a batch with the keys 'scan', 'diagnosis'"):
        audit(network.net, Odd(), output="a", **here)
    torch.manual_seed(1)
    changed = Elsewhere()
    nn.init.normal_(changed.body[4].weight)
    options = {"attribution": Saliency(), "effect_samples": 0, "spray": small_spray()}
    found = compare({"a": network.net, "b": changed.net}, Odd(), **options, **said)
    plain = compare({"a": network.body, "b": changed.body}, still, **options)
    assert found.accuracies == plain.accuracies
    for name in ("a", "b"):
        assert np.array_equal(found.views[name].probability, plain.views[name].probability)
        assert np.array_equal(found.views[name].heatmaps, plain.views[name].heatmaps)
    assert not np.allclose(found.views["a"].probability, found.views["b"].probability)
    with pytest.raises(ValueError, match="got a dict with the keys 'a', 'b'"):
        compare({"a": network.net, "b": changed.net}, Odd(), keys=said["keys"], **options)
