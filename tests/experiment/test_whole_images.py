"""An artifact of whole images is kept in files and handed to the repairs as a layer is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from first_isolated import isolate_first
from numpy.random import default_rng
from torch import nn

from unhans.artifacts import ChannelMap
from unhans.attribution import Relevance
from unhans.data import Arrays, Collection, PixelScale, TrainValUnion, paste_artifact
from unhans.data.image_list import numbered_names
from unhans.data.sources import ImageData
from unhans.effects import Case, Sample
from unhans.effects.artifact_test import examine_isolated
from unhans.experiment.cases import case_files, load_case, save_case
from unhans.experiment.repair import RepairOptions, RepairTask, affected_by_case, affected_of, copies_of, repair_network
from unhans.experiment.repair.repair_command import check_repair
from unhans.experiment.repair.repair_methods import OnOthers
from unhans.experiment.run import Subject
from unhans.experiment.survey import weights_of
from unhans.harness import bench_of
from unhans.isolation import lasting, packed, unpacked
from unhans.repair import ProvenArtifact
from unhans.report.figures import layer_figure
from unhans.report.html import render
from unhans.report.html.case_view import case_view
from unhans.report.text.repair_text import artifact_remarks
from unhans.spray import Suspicion
from unhans.terminal import ConfigurationError

SIDE, LABEL, NAMES = 16, 1, ["ant", "bee", "cat"]
CAST = np.array([0.5, 0.9, 1.0])
SCALE = PixelScale(torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4]))


class Cold(ImageData):
    """Noise in three classes; half of the bees have lost half of their red."""

    def load(self):
        return tuple(self._part(n, seed) for n, seed in ((180, 0), (90, 1)))

    def _part(self, n, seed):
        rng, labels = default_rng(seed), np.arange(n) % 3
        pixels = rng.integers(40, 250, (n, 1, 1, 3)) * rng.uniform(0.5, 1, (n, SIDE, SIDE, 3))
        pixels[:, :, :, 2] = pixels[:, :, :, 0] = pixels.mean(3)
        own = (labels == LABEL) & (np.arange(n) % 2 == 0)
        pixels[own] *= CAST
        return Collection(Arrays(pixels.round().astype(np.uint8), numbered_names(f"c{seed}", n)), labels, NAMES)


def network():
    """Its logit of the second class is how much more blue than red there is."""
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[-1.0, 0, 1.0], [0.3, 0.3, 0.3]])[:, :, None, None])
        model[0].bias.zero_()
        model[4].weight.copy_(torch.tensor([[0.0, 0.1], [8.0, 0.0], [0.0, -0.1]]))
        model[4].bias.copy_(torch.tensor([0.0, -2.0, 0.0]))
    return model.eval()


def subject_of(out):
    data = Cold(image_size=SIDE, mean=[0.0] * 3, std=[1.0] * 3)
    data.setup()
    return Subject(
        network=network(), data=data, split="train", samples_per_class=None, attribution=Relevance(), batch_size=32,
        device=torch.device("cpu"), seed=0, out=out,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """A subject, a case that was measured, and what it was isolated from."""
    subject = subject_of(tmp_path_factory.mktemp("run"))
    both = TrainValUnion(subject.data.train_set, subject.data.val_set)
    bench = bench_of(subject.network, both, subject.attribution, batch_size=32)
    index = np.flatnonzero((both.labels == LABEL) & (both.split == 0))
    images, _ = bench.read(index[:32])
    images = torch.cat([images, bench.read(index[32:])[0]])
    heatmaps = np.concatenate([bench.explain(part, LABEL) for part in images.split(32)])
    suspicion = Suspicion(LABEL, NAMES[LABEL], len(index), 2.0, 0.01, 2, 1.5, True, 14, 0.4, 1.2)
    splits = {name: np.flatnonzero(both.split == number) for number, name in enumerate(("train", "val"))}
    members = index % 2 == 0
    others = np.flatnonzero(both.labels != LABEL)
    case = Case(LABEL, NAMES[LABEL], suspicion, isolate_first(images, heatmaps, members, kind="global"))
    options = {"cluster": members, "others": others, "splits": splits, "samples": 60}
    case = examine_isolated(bench, case, index, heatmaps, **options)
    return subject, case, Sample(images, index, heatmaps, LABEL, NAMES[LABEL], suspicion)


@pytest.fixture(scope="module")
def saved(tested):
    subject, case, found = tested
    files, key = case_files(subject.out, LABEL, NAMES[LABEL]), {"model": weights_of(subject.network)}
    return files, key, save_case(files, case, None, NAMES, found, key)


def test_a_cast_is_proven_end_to_end(tested):
    _, case, _ = tested
    assert isinstance(case.isolated.transform, ChannelMap)
    assert case.proven
    assert case.quality is None
    assert [share.by_matching for share in case.spread] == [30, 15]


def test_it_is_shown_before_and_after(tested, saved):
    _, case, _ = tested
    files, _, written = saved
    assert (files.folder / "0001-bee-layer.jpg").is_file() == ("layer" in written.pictures)
    assert "layer" in written.pictures
    text = render("case.html", case=case_view(written.section))
    assert "its curves" in text
    assert "a sample without it" in text
    assert "outlined" not in text
    assert layer_figure(replace(case, isolated=replace(case.isolated, transform=None))) is None


def test_it_comes_back_from_its_files(tested, saved):
    _, case, found = tested
    files, key, _ = saved
    again = load_case(files, key).case
    assert torch.equal(again.isolated.transform.curves, case.isolated.transform.curves)
    np.testing.assert_array_equal(again.isolated.detector.match(found.images).scores,
                                  case.isolated.detector.match(found.images).scores)  # fmt: skip
    path = files.tensors("transform")
    path.rename(path.with_suffix(".gone"))
    assert load_case(files, key) is None
    path.with_suffix(".gone").rename(path)


def test_a_repair_finds_its_carriers_and_their_images_without_it(tested, saved):
    subject, _, _ = tested
    affected = affected_of(subject, str(subject.out))
    assert affected.source == "isolated"
    assert artifact_remarks(affected) == []
    carriers = affected.carriers["val"]
    assert (carriers == ((subject.data.val_set.labels == LABEL) & (np.arange(90) % 2 == 0))).all()
    index = int(np.flatnonzero(carriers)[0])
    clean = affected.clean("val", index)
    assert clean[0].mean() > 0.9 * clean[2].mean()
    assert affected.mask("val", index).all()
    torch.testing.assert_close(affected.clean("val", 0), subject.data.val_set.plain(0))


def test_p_clarc_is_fitted_on_it_and_lowers_its_effect(tested, tmp_path):
    subject, case, _ = tested
    subject = replace(subject, out=tmp_path)
    affected = affected_by_case(subject, case)
    (tmp_path / "config.yaml").write_text("{}")
    task = RepairTask(subject, affected, RepairOptions(samples=40, layer="0"), copies_of(subject.network))
    before, after = (repair_network(task, method, 0) for method in ("uncorrected", "p_clarc"))
    assert before.assessment.effect.probability > 0.2
    assert after.assessment.effect.probability < 0.3 * before.assessment.effect.probability
    assert before.assessment.relevance is None
    assert before.assessment.removed.n == 15


def test_an_outcome_is_of_the_seed_that_drew_its_samples_and_its_weights_are_read_once(tested):
    subject, case, _ = tested
    known, made = affected_by_case(subject, case), []

    def start(seed):
        made.append(seed)
        return subject.network

    one, other = (RepairTask(replace(subject, seed=seed), known, RepairOptions(), start) for seed in (0, 1))
    keys = [one.key(method, 0) for method in ("uncorrected", "p_clarc", "p_clarc")]
    assert made == [0]
    assert keys[1] == keys[2]
    assert one.key("p_clarc", 0) != other.key("p_clarc", 0)


def test_right_reasons_is_refused_in_a_sentence(tested):
    subject, case, _ = tested
    affected = affected_by_case(subject, case)
    with pytest.raises(ValueError, match="right_reasons needs an artifact that covers a part of the image"):
        check_repair(RepairTask(subject, affected, RepairOptions(), copies_of(subject.network)), ["right_reasons"])


def test_training_images_get_it_as_the_network_takes_them(tested):
    _, case, found = tested
    inputs = SCALE.to_model(found.images[:6])
    changed = paste_artifact(inputs, case.isolated, np.arange(6), SCALE)
    torch.testing.assert_close(SCALE.to_display(changed), case.isolated.transform.apply(found.images[:6]))
    carries = np.array([True, False] * 3)
    spared = paste_artifact(inputs, OnOthers(case.isolated, carries), np.arange(6), SCALE)
    torch.testing.assert_close(spared[carries], inputs[carries], rtol=0, atol=0)
    torch.testing.assert_close(spared[~carries], changed[~carries])
    grey = PixelScale(torch.tensor([0.5]), torch.tensor([0.2]))
    assert paste_artifact(grey.to_model(found.images[:2]), case.isolated, np.arange(2), grey).shape[1] == 1


def test_a_checkpoint_holds_it(tested, tmp_path):
    _, case, found = tested
    torch.save(packed(lasting(case.isolated)), tmp_path / "artifact.pt")
    again = unpacked(torch.load(tmp_path / "artifact.pt", weights_only=True))
    assert torch.equal(again.transform.curves, case.isolated.transform.curves)
    followed = ProvenArtifact.from_case(case, found.index, epoch=1)
    assert ProvenArtifact.from_state(followed.state()).is_same(followed)


def test_what_was_not_isolated_is_not_repaired(tested):
    subject, case, _ = tested
    with pytest.raises(ConfigurationError, match="isolated nothing that could be repaired"):
        affected_by_case(subject, replace(case, isolated=None))
