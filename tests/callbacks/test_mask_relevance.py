"""MaskRelevance: what it measures, what it keeps, and that training does not notice it."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from callbacks_training import Colour, KeepingLogger, Still, TheirModule, planted_data, train
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.utils.data import Subset
from unhans.callbacks import MaskRelevance

from unhans.artifacts import Border
from unhans.attribution import Relevance
from unhans.report.figures import legible

CORNER = np.zeros((16, 16), dtype=bool)
CORNER[:5, :5] = True
CARRIERS = np.arange(1, 32, 4)  # of NoisyImages


def corner_masks(indices):
    return np.repeat(CORNER[None], len(indices), 0)


def relevance_of(**options):
    defaults = {
        "target": 1, "masks": corner_masks, "indices": CARRIERS, "network": "net", "dataset": Still(),
        "on_error": "raise",
    }  # fmt: skip
    return MaskRelevance(**(defaults | options))


def small(**options):
    torch.manual_seed(1)
    return TheirModule(**options)


def by_hand(net, images, mask, label=1):
    maps = Relevance().of(net)(images, label).maps.clamp(min=0).numpy().astype(float)
    return [each[inside].sum() / each.sum() for each, inside in zip(maps, mask, strict=True)]


def test_the_share_is_that_of_explaining_by_hand_and_grows_with_a_clever_hans(tmp_path):
    module, audit = small(), relevance_of(samples=5)
    before = by_hand(small().net, Still().images[CARRIERS], corner_masks(CARRIERS))
    train(module, [audit], tmp_path, max_epochs=12)
    after = by_hand(module.net, Still().images[CARRIERS], corner_masks(CARRIERS))
    assert [point.epoch for point in audit.points] == list(range(13))
    assert audit.points[0].mean == pytest.approx(np.mean(before), abs=1e-6)
    assert audit.points[12].mean == pytest.approx(np.mean(after), abs=1e-6)
    assert audit.points[12].mean > audit.points[0].mean + 0.1
    for point in audit.points:
        assert point.n == 8  # those given are not thinned out
        assert 0 <= point.interval[0] <= point.mean <= point.interval[1] <= 1
    assert list(audit.maps) == [0, 1, 5, 10, 12]
    assert audit.maps[12].shape == audit.mask.shape == (8, 16, 16)
    assert audit.images.shape == (8, 3, 16, 16)
    assert 0 <= float(audit.images.min()) <= float(audit.images.max()) <= 1
    assert audit.index.tolist() == CARRIERS.tolist()


def test_chosen_epochs_and_every_other(tmp_path, caplog):
    audit = relevance_of(kept=[0, 2], every_n_epochs=2)
    train(small(), [audit], tmp_path, max_epochs=5)
    assert "no heatmaps are kept" not in caplog.text
    assert [point.epoch for point in audit.points] == [0, 2, 4]
    assert list(audit.maps) == [0, 2, 4]


def test_epochs_that_training_never_reaches_are_told(tmp_path, caplog):
    train(small(), [relevance_of(kept=[0, 1, 5, 10])], tmp_path, max_epochs=1)
    assert "no heatmaps are kept after 5 and 10 epochs, since training ends after 1." in caplog.text


def test_a_resumed_run_keeps_samples_points_and_heatmaps(tmp_path):
    def run(ckpt_path=None, **options):
        audit = relevance_of(masks=None, artifact=Rim(), indices=None, samples=4, kept=[0, 1])
        torch.manual_seed(3)
        return audit, train(TheirModule(), [audit], tmp_path, ckpt_path=ckpt_path, **options)

    whole, _ = run(max_epochs=3)
    half, trainer = run(max_epochs=1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    assert torch.load(tmp_path / "half.ckpt", weights_only=True)
    rest, _ = run(tmp_path / "half.ckpt", max_epochs=3)
    assert [point.epoch for point in rest.points] == [0, 1, 2, 3]
    assert rest.points[:2] == whole.points[:2] == half.points
    assert list(rest.maps) == [0, 1, 3]
    for epoch in (0, 1):  # kept in half precision
        assert np.allclose(rest.maps[epoch], whole.maps[epoch], atol=1e-3 * np.abs(whole.maps[epoch]).max())
    assert rest.index.tolist() == whole.index.tolist()
    assert torch.equal(rest.inputs, whole.inputs)


class Big:
    def layer(self, index, size):
        return torch.ones(4, 5, 5)


class Rim:
    """A white rim as anything with a layer."""

    def layer(self, index, size):
        return Border(1, width=0.2).layer(index, size)


def fit(audit, folder, val):
    train(Colour(), [audit], folder, data=planted_data("train"), val=val, max_epochs=1)


@pytest.mark.parametrize("coverage", [0.5, 0.0])
def test_the_planted_artifact_is_the_default_where_nobody_carries_it_it_is_pasted(coverage, tmp_path):
    dataset, audit = planted_data(val_coverage=coverage), MaskRelevance(network="net", on_error="raise", samples=6)
    fit(audit, tmp_path, dataset)
    assert audit.label == 1
    assert (dataset.labels[audit.index] == 1).all()
    assert len(audit.index) == 6
    assert dataset.carriers[audit.index].all() == bool(coverage)
    layer = dataset.artifact.layer(0, 16)
    assert (audit.mask == (layer[3] > 0.5).numpy()).all()
    marked = torch.stack([dataset.artifact.paste(dataset.clean(int(i)), int(i)) for i in audit.index])
    assert torch.allclose(audit.inputs, dataset.scale.to_model(marked), atol=1e-5)
    assert torch.allclose(audit.images, marked, atol=1e-5)


def test_an_artifact_is_laid_over_samples_of_its_class(tmp_path):
    audit = MaskRelevance("odd", artifact=Rim(), network="net", samples=3, on_error="raise")
    fit(audit, tmp_path, Subset(planted_data(), range(20)))
    assert len(audit.index) == 3
    assert (audit.index % 2 == 1).all()
    assert audit.mask.sum() == 3 * int((Rim().layer(0, (16, 16))[3] > 0).sum())
    assert (audit.images[:, :, 0] > 0.999).all()


def test_two_artifacts_are_followed_side_by_side(tmp_path):
    audits = [relevance_of(), relevance_of(target=0, indices=[0, 2], name="relevance_of_0")]
    trainer = train(small(), audits, tmp_path, max_epochs=1)
    for audit, key in zip(audits, ("relevance/share", "relevance_of_0/share"), strict=True):
        assert float(trainer.callback_metrics[key]) == pytest.approx(audit.points[-1].mean)
    trainer.save_checkpoint(tmp_path / "both.ckpt")
    stored = torch.load(tmp_path / "both.ckpt", weights_only=True)["callbacks"]
    assert [len(stored[audit.state_key]["points"]) for audit in audits] == [2, 2]


def test_without_a_logger_the_numbers_are_in_a_file(tmp_path):
    audit = relevance_of(folder=tmp_path / "followed")
    train(small(), [audit], tmp_path, max_epochs=2)
    with (tmp_path / "followed" / "relevance.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epochs"]) for row in rows] == [0, 1, 2]
    for row, point in zip(rows, audit.points, strict=True):
        found = [float(row[name]) for name in ("share", "low", "high", "n")]
        assert found == pytest.approx([point.mean, *point.interval, point.n])


def test_one_call_to_the_logger_per_epoch(tmp_path):
    logger, audit = KeepingLogger(tmp_path), relevance_of()
    train(small(), [audit], tmp_path, logger=logger)
    calls = logger.calls_with("relevance/")
    assert [call["epoch"] for call in calls] == [-1, 0, 1]
    assert [call["relevance/share"] for call in calls] == [point.mean for point in audit.points]
    assert calls[0]["relevance/share_low"] == audit.points[0].interval[0]
    assert calls[0]["relevance/n"] == 8


def test_a_failure_is_counted_and_training_goes_on(tmp_path, monkeypatch):
    from unhans.callbacks.curves import mask_relevance

    def fail(*_):
        raise RuntimeError("no heatmap today")

    monkeypatch.setattr(mask_relevance, "region_shares", fail)
    audit = relevance_of(on_error="log")
    trainer = train(small(), [audit], tmp_path)
    assert (trainer.current_epoch, audit.failures, audit.points) == (2, 3, [])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"masks": lambda indices: np.ones((2, 3, 3))},
            r"masks expects to return masks \(8, 16, 16\), none of them empty",
        ),
        ({"masks": lambda indices: np.zeros((8, 16, 16))}, "none of them empty"),
        ({"indices": [40]}, "indices expects numbers 0 … 31"),
        ({"indices": []}, "at least one sample that carries the artifact is needed"),
        ({"masks": None, "target": None}, "the data set plants no artifact of its own; give artifact= or masks="),
        ({"target": "x"}, "target names no class: expected one of 2 class names, got 'x'"),
        ({"target": 2}, "an index 0 … 1, got 2"),
        ({"masks": None, "artifact": Big()}, "of the image's size"),
        ({"network": "model"}, "names no module"),
    ],
)
def test_what_could_not_be_audited_is_refused_before_training(options, sentence, tmp_path):
    module = small()
    module.training_step = lambda *_: pytest.fail("training began")
    with pytest.raises(MisconfigurationException, match=sentence):
        train(module, [relevance_of(**options)], tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"indices": None}, "masks expects the indices"),
        ({"artifact": Rim()}, "masks expects the indices"),
        ({"target": None}, "expects the target"),
        ({"samples": 0}, "samples expects 1 or more"),
    ],
)
def test_knobs_are_checked_at_once(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        relevance_of(**options)


def test_kept_heatmaps_are_small_in_a_checkpoint_and_drawn_alike(tmp_path):
    maps = np.random.default_rng(0).normal(size=(32, 224, 224)).astype(np.float32)
    audit = relevance_of()
    audit.maps = dict.fromkeys((0, 1, 5, 10), maps)
    torch.save(audit.state_dict(), tmp_path / "state.pt")
    assert (tmp_path / "state.pt").stat().st_size < 4 * 32 * 6500 + 20_000
    audit.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert audit.maps[5].shape == maps.shape
    shown = legible(maps)
    assert np.abs(legible(audit.maps[5]) - shown).max() < 1e-3 * np.abs(shown).max()
    assert np.allclose(audit.maps[5].sum((1, 2)), maps.sum((1, 2)), atol=1e-3 * np.abs(maps).sum((1, 2)).max())


def test_samples_of_a_checkpoint_that_are_of_another_class_are_drawn_anew(tmp_path, caplog):
    def run(data, **options):
        audit = relevance_of(masks=None, artifact=Rim(), indices=None, samples=4, dataset=data)
        return audit, train(small(), [audit], tmp_path, **options)

    _, trainer = run(Still(), max_epochs=1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    exchanged = Still(1 - Still().targets)
    audit, _ = run(exchanged, ckpt_path=tmp_path / "one.ckpt")
    assert (exchanged.targets[audit.index] == 1).all()
    assert [point.epoch for point in audit.points] == [1, 2]
    assert "MaskRelevance: the samples of an earlier fit or checkpoint have other labels" in caplog.text
