"""The LightningModule: training, metrics, checkpoints."""

from __future__ import annotations

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from unhans.experiment.run import Classifier
from unhans.models import SmallCNN, load_network

CLASSES = ["cat", "dog", "emu"]


def data():
    generator = torch.Generator().manual_seed(0)
    dataset = TensorDataset(torch.rand(24, 3, 32, 32, generator=generator), torch.arange(24) % 3)
    return DataLoader(dataset, batch_size=8)


def classifier(**options):
    torch.manual_seed(0)
    scheduler = partial(torch.optim.lr_scheduler.StepLR, step_size=1)
    options = {"scheduler": scheduler} | options
    return Classifier(SmallCNN(3, width=2), CLASSES, partial(torch.optim.Adam, lr=1e-2), **options)


def fit(module, folder, epochs, ckpt_path=None):
    options = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=epochs, default_root_dir=folder, enable_checkpointing=False, **options)
    trainer.fit(module, data(), data(), ckpt_path=ckpt_path)
    return trainer


def test_a_resumed_run_has_the_weights_of_the_uninterrupted_one(tmp_path):
    whole, half, rest = classifier(), classifier(), classifier()
    fit(whole, tmp_path, 4)
    fit(half, tmp_path, 2).save_checkpoint(tmp_path / "half.ckpt")
    fit(rest, tmp_path, 4, ckpt_path=tmp_path / "half.ckpt")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, rest.state_dict()[name]), name


def test_accuracy_overall_and_per_class(tmp_path):
    trainer = fit(classifier(), tmp_path, 1)
    assert {f"val/accuracy/{name}" for name in CLASSES} | {"val/accuracy", "train/loss"} <= set(
        trainer.callback_metrics
    )
    parts = [float(trainer.callback_metrics[f"val/accuracy/{name}"]) for name in CLASSES]
    assert sum(parts) / 3 == pytest.approx(float(trainer.callback_metrics["val/accuracy"]))


def test_a_batch_without_images_is_skipped():
    module = classifier()
    empty = (torch.empty(0, 3, 0, 0), torch.empty(0, dtype=torch.int64))
    assert module.training_step(empty, 0) is None
    module.validation_step(empty, 0)


def test_frozen_batch_norm_stays_as_it_is(tmp_path):
    module = classifier()
    module.model.features.requires_grad_(False)
    before = module.model.features[0][1].running_mean.clone()
    fit(module, tmp_path, 1)
    assert torch.equal(module.model.features[0][1].running_mean, before)


def test_weights_come_back(tmp_path):
    module = classifier()
    fit(module, tmp_path, 1).save_checkpoint(tmp_path / "run.ckpt")
    other = classifier()
    other.model = load_network(other.model, CLASSES, tmp_path / "run.ckpt")
    assert torch.equal(other.model.classifier[1].weight, module.model.classifier[1].weight)


def test_refused_checkpoints(tmp_path):
    fit(classifier(), tmp_path, 1).save_checkpoint(tmp_path / "run.ckpt")
    with pytest.raises(
        ValueError, match=r"run.ckpt does not fit SmallCNN: 0 parameters are missing and \d+ do not match"
    ):
        load_network(SmallCNN(3, width=4), CLASSES, tmp_path / "run.ckpt")
    with pytest.raises(ValueError, match="was trained on the classes"):
        load_network(classifier().model, ["a", "b", "c"], tmp_path / "run.ckpt")
    (tmp_path / "broken.ckpt").write_bytes((tmp_path / "run.ckpt").read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"broken.ckpt is none"):
        load_network(classifier().model, CLASSES, tmp_path / "broken.ckpt")
    with pytest.raises(ValueError, match="does not exist"):
        load_network(classifier().model, CLASSES, tmp_path / "absent.ckpt")
