"""HeatmapQuality and RegionRelevance: what they measure, log, write, keep and refuse."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from callbacks_training import Colour, KeepingLogger, Still, TheirModule, planted_data, train, without_pictures
from PIL import Image
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from unhans.callbacks import HeatmapQuality, RegionRelevance

from unhans.artifacts import Border
from unhans.attribution import Relevance
from unhans.faithfulness import PixelRange, RegionPerturbation
from unhans.faithfulness.training import SHARES, MeasuredEpoch, region_shares
from unhans.report.figures.quality import regions_figure
from unhans.stats import Estimate

SMALL = {"network": "net", "on_error": "raise", "dataset": Still()}
QUICK = {"samples": 4, "steps": 3, "repeats": 1, "accuracy_samples": 8}
CORNER = np.zeros((16, 16), bool)
CORNER[:5, :5] = True


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch, request):
    """Drawing takes longer than the rest; one test draws."""
    if request.node.name != "test_curves_are_drawn":
        without_pictures(monkeypatch)


def small(kind=TheirModule, **options):
    torch.manual_seed(1)
    return kind(**options)


def quality(folder, **options):
    return HeatmapQuality(**(SMALL | QUICK | {"folder": folder / "quality"} | options))


def regions(folder, masks=None, **options):
    return RegionRelevance(masks or {"corner": CORNER}, **(SMALL | {"folder": folder / "regions"} | options))


def test_quality_is_what_measuring_by_hand_gives(tmp_path):
    module, audit = small(), quality(tmp_path, target="label", regions={"corner": CORNER})
    train(module, [audit], tmp_path, max_epochs=2)
    images, labels = Still().images[audit.index], Still().targets[audit.index]
    maps = Relevance().of(module.net)(images, labels).maps.numpy()
    how = RegionPerturbation(1, 3, 33, repeats=1, at_once=32)
    assert audit.perturbation == how
    assert audit.valid.low.item() == pytest.approx(float(Still().images.min()), abs=0.01)
    module.eval()
    valid = PixelRange(audit.valid.low, audit.valid.high)
    drops = [
        how.curves(module.net, images, labels, how.orders(maps, images, order), valid).aopc
        for order in ("morf", "random")
    ]
    last = audit.points[-1].values
    assert last["minus_random"].mean == pytest.approx(float((drops[0] - drops[1]).mean()), abs=1e-5)
    corner = region_shares(maps, np.repeat(CORNER[None], 4, 0))
    assert last["share/corner/net"].mean == pytest.approx(float(corner.net.mean()), abs=1e-5)
    assert last["accuracy"].n == 8
    assert last["accuracy"].mean * 8 == pytest.approx(round(last["accuracy"].mean * 8))


def test_what_is_logged_and_written(tmp_path):
    logger, audit = KeepingLogger(tmp_path), quality(tmp_path, regions=["border"])
    trainer = train(small(), [audit], tmp_path, logger=logger, max_epochs=4)
    calls = logger.calls_with("quality/")
    assert [call["epoch"] for call in calls] == [-1, 0, 1, 2, 3]
    assert [point.epoch for point in audit.points] == [0, 1, 2, 3, 4]
    last = calls[-1]
    for key in ("minus_random", "accuracy", "gini", "share/border/net"):
        one = audit.points[-1].values[key]
        assert (last[f"quality/{key}"], last[f"quality/{key}_low"]) == (one.mean, one.interval[0])
    assert -1 <= last["quality/with_accuracy_low"] <= last["quality/with_accuracy"] <= 1
    assert float(trainer.callback_metrics["quality/minus_random"]) == pytest.approx(last["quality/minus_random"])
    with (tmp_path / "quality" / "quality.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["measure"] == "minus_random"]
    assert [int(row["epochs"]) for row in rows] == [0, 1, 2, 3, 4]
    assert float(rows[-1]["mean"]) == pytest.approx(last["quality/minus_random"])


class Unmoved(TheirModule):
    """Learns nothing."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def test_a_correlation_of_what_never_changes_is_not_logged(tmp_path):
    logger = KeepingLogger(tmp_path)
    train(small(Unmoved, frozen=True), [quality(tmp_path)], tmp_path, logger=logger, max_epochs=2)
    last = logger.calls_with("quality/")[-1]
    assert "quality/minus_random" in last
    assert not {key for key in last if "/with_" in key}


def test_a_region_that_a_resumed_run_adds_is_drawn_from_there_on():
    one = {f"share/tag/{kind}": Estimate(0.1, (0.0, 0.2), "samples", 1, 4) for kind in SHARES}
    added = {key.replace("tag", "rim"): each for key, each in one.items()}
    points = [MeasuredEpoch(0, one), MeasuredEpoch(1, one | added), MeasuredEpoch(2, one | added)]
    panels = regions_figure(points, ["tag", "rim", "never"], "all classes", "").axes
    courses = [[line.get_xdata().tolist() for line in panel.lines if line.get_marker() == "o"] for panel in panels[:3]]
    assert courses == [[[0, 1, 2]], [[1, 2]], []]


def test_curves_are_drawn(tmp_path):
    train(small(), [quality(tmp_path), regions(tmp_path, ["border"])], tmp_path, max_epochs=1)
    drawn = {path.name for path in tmp_path.rglob("*.png")}
    assert drawn == {"quality.png", "regions.png", "0000-0.png", "0001-1.png"}


def test_a_resumed_run_goes_on_with_its_points(tmp_path):
    def run(ckpt_path=None, **options):
        audits = [quality(tmp_path), regions(tmp_path)]
        return audits, train(small(), audits, tmp_path, ckpt_path=ckpt_path, **options)

    half, trainer = run(max_epochs=1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    assert torch.load(tmp_path / "half.ckpt", weights_only=True)
    rest, _ = run(tmp_path / "half.ckpt", max_epochs=2)
    for before, after in zip(half, rest, strict=True):
        assert [point.epoch for point in after.points] == [0, 1, 2]
        assert after.points[:2] == before.points
    assert rest[1].by_class[0][:2] == half[1].by_class[0]


def test_regions_of_every_class_as_by_hand(tmp_path):
    module, audit = small(), regions(tmp_path, {"corner": CORNER, "box": [0, 0, 5 / 16, 5 / 16]}, samples_per_class=16)
    train(module, [audit], tmp_path)
    labels = audit.labels[audit.index]
    maps = Relevance().of(module.net)(Still().images[audit.index], torch.from_numpy(labels)).maps.numpy()
    found = region_shares(maps, np.repeat(CORNER[None], len(maps), 0))
    for kind in ("positive", "negative", "absolute", "net"):
        for name in ("corner", "box"):
            all_of_it = audit.points[-1].values[f"share/{name}/{kind}"]
            assert all_of_it.mean == pytest.approx(np.nanmean(getattr(found, kind)), abs=1e-5)
        own = audit.by_class[1][-1].values[f"share/corner/{kind}"]
        assert (own.n, own.mean) == (16, pytest.approx(np.nanmean(getattr(found, kind)[labels == 1]), abs=1e-5))


def test_regions_in_every_form(tmp_path):
    Image.fromarray(np.uint8(255 * CORNER)).save(tmp_path / "mask.png")
    forms = {
        "picture": str(tmp_path / "mask.png"), "array": CORNER, "frame": 0.2, "rim": Border(1, width=0.2),
        "q": "quadrants", "function": lambda rows: np.repeat(CORNER[None], len(rows), 0), "planted": "planted",
    }  # fmt: skip
    audit = regions(tmp_path, forms, dataset=planted_data(), target="odd", samples_per_class=6)
    train(small(Colour), [audit], tmp_path, data=planted_data("train"), val=planted_data(), max_epochs=1)
    assert list(audit.masks)[4:8] == ["top left", "top right", "bottom left", "bottom right"]
    for name in ("picture", "array", "function"):
        assert (audit.masks[name] == CORNER).all()
    carriers = planted_data().carriers[audit.index]
    assert (audit.masks["planted"].any((1, 2)) == carriers).all()
    assert audit.points[0].values["share/planted/net"].n == carriers.sum() < 12
    assert audit._class == 1


def test_keys_of_the_logger_and_names_of_the_audit(tmp_path):
    logger = KeepingLogger(tmp_path)
    train(small(), [regions(tmp_path, ["border"], name="frame")], tmp_path, logger=logger)
    last = logger.calls_with("frame/")[-1]
    assert {"frame/border/net", "frame/border/net_low", "frame/class/1/border/positive"} <= set(last)


@pytest.mark.parametrize(
    ("masks", "options", "sentence"),
    [
        (["bordr"], {}, "the region 'bordr' expects a word or a picture file"),
        (["planted"], {}, "the region planted needs a data set that plants an artifact"),
        ({"a": np.ones((3, 3))}, {}, r"the region 'a' expects masks \(16, 16\)"),
        ({"a": np.zeros((16, 16))}, {}, "the region 'a' covers no pixel of the 16 images"),
        ({"a": 0.7}, {}, "a frame expects a width"),
        ({"top left": CORNER, "q": "quadrants"}, {}, "regions expects names of their own, got 'top left' twice"),
        (["border"], {"target": "x"}, "target names no class"),
        (["border"], {"classes": ["x"]}, "classes"),
        (["border"], {"indices": [99]}, "indices expects numbers 0 … 31"),
    ],
)
def test_regions_that_do_not_fit_are_refused_before_training(masks, options, sentence, tmp_path):
    module = small()
    module.training_step = lambda *_: pytest.fail("training began")
    with pytest.raises(MisconfigurationException, match=sentence):
        train(module, [regions(tmp_path, masks, **options)], tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"region": 17}, "region expects 1 to 16 for images of 16×16"),
        ({"region": 16, "replace": "inpaint"}, "are one region of 16×16; make region smaller"),
        ({"steps": 50, "per_step": 50}, "steps expects at most"),
        ({"regions": ["planted"]}, "plants an artifact"),
    ],
)
def test_perturbations_that_do_not_fit_are_refused_before_training(options, sentence, tmp_path):
    module = small()
    module.training_step = lambda *_: pytest.fail("training began")
    with pytest.raises(MisconfigurationException, match=sentence):
        train(module, [quality(tmp_path, **options)], tmp_path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: HeatmapQuality(samples=1), "samples expects 2 or more"),
        (lambda: HeatmapQuality(accuracy_samples=-1), "accuracy_samples expects 0 or more"),
        (lambda: HeatmapQuality(target="both"), "target expects 'predicted' or 'label'"),
        (lambda: HeatmapQuality(steps=0), "steps expects 1 or more"),
        (lambda: RegionRelevance({}), "masks expects regions by name"),
        (lambda: RegionRelevance("border"), "masks expects regions by name"),
        (lambda: RegionRelevance(["border"], samples_per_class=0), "samples_per_class expects 1 or more"),
    ],
)
def test_knobs_are_checked_at_once(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
