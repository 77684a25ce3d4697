"""Audits beside what else Lightning does: weight averaging, tuning, validation and prediction, late networks."""

from __future__ import annotations

import logging
from typing import NamedTuple

import pytest
import torch
from callbacks_training import Still, TheirModule, small_audits, small_monitor, small_spray, train, trainer_of
from pytorch_lightning.callbacks import EMAWeightAveraging, StochasticWeightAveraging, WeightAveraging
from pytorch_lightning.tuner import Tuner
from torch.utils.data import DataLoader
from unhans.callbacks import AClArC, ArtifactAugmentation, Audit, HeatmapEvolution, MaskRelevance, RightReasons, UnHans

from unhans.artifacts import Border


class Named(Still):
    """Several names are no single part of a key."""

    classes = ("cat/dog", "cat/dog")


def everywhere(indices):
    return torch.ones(len(indices), 16, 16, dtype=torch.bool).numpy()


def every_callback(folder):
    """Return one of each kind that can be in a trainer together."""
    shared = {"network": "net", "on_error": "raise"}
    relevance = {"masks": everywhere, "indices": [1, 3], "dataset": "train", "folder": folder / "relevance"}
    return [
        *small_audits(folder, control=False),
        small_monitor(folder),
        MaskRelevance(1, **relevance, **shared),
        UnHans(**shared, spray=small_spray(), control=False, act="none", name="loop", folder=folder / "loop"),
    ]


def every_remedy():
    return [
        AClArC("2", affected=[1, 3, 5, 7], unaffected=[0, 2, 4, 6], network="net", dataset=Named()),
        ArtifactAugmentation(Border(1, width=0.2)),
        RightReasons(everywhere, target=1, network="net"),
    ]


class Weights(HeatmapEvolution):
    """Keeps the weights that it audits, those of training and those in use."""

    def on_train_start(self, trainer, pl_module):
        super().on_train_start(trainer, pl_module)
        self.audited, self.live = [], []

    def audit(self, trainer, network):
        self.audited.append(network[0].weight.detach().clone())
        super().audit(trainer, network)

    def on_train_batch_end(self, trainer, pl_module, *rest):
        self.live.append(pl_module.net[0].weight.detach().clone())


@pytest.mark.parametrize("kind", [EMAWeightAveraging, WeightAveraging, StochasticWeightAveraging])
def test_the_weights_of_training_are_audited_not_their_average(kind, tmp_path):
    stochastic = kind is StochasticWeightAveraging  # its additional epoch for batch norm has the average
    averaging = kind(swa_lrs=0.01, swa_epoch_start=1) if stochastic else kind()
    weights = Weights(network="net", samples_per_class=1, on_error="raise", folder=tmp_path)
    module = TheirModule()
    train(module, [averaging, weights], tmp_path, max_epochs=3, data=Named())
    assert len(weights.audited) == 3 + stochastic
    for epoch, audited in enumerate(weights.audited):
        assert torch.equal(audited, weights.live[4 * epoch + 3])
    assert not torch.equal(module.net[0].weight, weights.audited[2])  # the average, after training
    assert torch.equal(module.net[0].weight, weights.audited[-1]) == stochastic


class Whole(TheirModule):
    def validation_step(self, batch, batch_idx):
        self.log("accuracy", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())

    test_step = validation_step

    def predict_step(self, batch, batch_idx):
        return self.net(batch[0])


@pytest.mark.parametrize("make", [every_callback, lambda folder: every_remedy()], ids=["audits", "remedies"])
def test_nothing_happens_without_training(make, tmp_path):
    callbacks, loader, module = make(tmp_path), DataLoader(Named(), batch_size=8), Whole()
    trainer = trainer_of(tmp_path, callbacks, max_epochs=1)
    trainer.validate(module, loader, verbose=False)
    trainer.test(module, loader, verbose=False)
    assert len(trainer.predict(module, loader)) == 4
    assert list(tmp_path.iterdir()) == []
    assert all(each.clock.audits == 0 for each in callbacks if isinstance(each, Audit))


def test_a_tuner_may_come_before_training(tmp_path):
    class Tuned(Whole):
        lr = 0.01
        batch_size = 4

        def train_dataloader(self):
            return DataLoader(Named(), batch_size=self.batch_size)

        val_dataloader = train_dataloader

    callbacks, module = every_callback(tmp_path / "audits"), Tuned()
    trainer = trainer_of(tmp_path, callbacks, max_epochs=1)
    Tuner(trainer).lr_find(module, num_training=5)
    Tuner(trainer).scale_batch_size(module, max_trials=1, steps_per_trial=1)
    assert not (tmp_path / "audits").exists()
    trainer.fit(module)
    assert len(callbacks[1].ranking) == 2
    assert all(each.failures == 0 for each in callbacks)


class InSetup(TheirModule):
    """Makes its network in `setup`."""

    def __init__(self):
        super().__init__()
        del self.net

    def setup(self, stage):
        self.net = TheirModule().net


class InConfigure(InSetup):
    """Makes its network in `configure_model`."""

    def setup(self, stage):
        pass

    def configure_model(self):
        self.net = TheirModule().net


@pytest.mark.parametrize("module", [pytest.param(InSetup, marks=pytest.mark.slow), InConfigure])
def test_networks_may_be_made_late(module, tmp_path):
    callbacks = every_callback(tmp_path)
    train(module(), callbacks, tmp_path, max_epochs=1, data=Named())
    assert all(each.failures == 0 and each.clock.audits > 0 for each in callbacks)
    for remedy in every_remedy():
        train(module(), [remedy], tmp_path, max_epochs=1, data=Indexed())
    acting = UnHans(network="net", spray=small_spray(), control=False, act="a_clarc", on_error="raise", folder=tmp_path)
    train(module(), [acting], tmp_path, max_epochs=1, data=Named())


class Item(NamedTuple):
    image: torch.Tensor
    label: torch.Tensor
    index: int


class Indexed(Named):
    """Items say which sample they are."""

    def __getitem__(self, index):
        return Item(*super().__getitem__(index), index)


def test_every_audit_tells_of_random_augmentation(tmp_path, caplog):
    callbacks = every_callback(tmp_path)
    with caplog.at_level(logging.WARNING, "unhans"):
        train(TheirModule(), callbacks, tmp_path, max_epochs=1)
    for each in callbacks:
        assert f"{type(each).__name__}: the data set reads sample" in caplog.text


def test_names_of_classes_and_artifacts_are_one_part_of_a_key(tmp_path, monkeypatch):
    logged = []
    monkeypatch.setattr("unhans.callbacks.audit.log_epoch", lambda *given: logged.append({**given[3], **given[4]}))
    callbacks = [*small_audits(tmp_path, control=False), small_monitor(tmp_path)]
    callbacks[2].artifacts = {"white/rim": Border(1, width=0.2)}
    train(TheirModule(), callbacks, tmp_path, max_epochs=1, data=Named())
    keys = {key for each in logged for key in each}
    assert {"audit/cat_dog (0)/score", "audit/cat_dog (1)/page", "evolution/cat_dog (1)"} <= keys
    assert "effect/white_rim/delta_p" in keys
    assert max(key.count("/") for key in keys) == 2
    assert (tmp_path / "audit" / "epoch_000" / "0001-cat_dog.h5").exists()
