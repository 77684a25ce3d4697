"""The artifact that a repair starts from, by its name on the command line, and what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from PIL import Image
from torch import nn

from unhans.artifacts import Border
from unhans.attribution import Relevance
from unhans.data import Arrays, Collection
from unhans.data.image_list import numbered_names
from unhans.data.sources import ImageData
from unhans.effects import CHOSEN_ON, Candidate, Case, Plan, Sample
from unhans.experiment.cases import case_files, save_case
from unhans.experiment.effect.effect_test import EffectTest
from unhans.experiment.repair import affected_by_case, affected_of
from unhans.experiment.run import Subject
from unhans.experiment.survey import weights_of
from unhans.isolation import Failure
from unhans.report.text import artifact_of_class
from unhans.report.text.repair_text import artifact_remarks
from unhans.spray import Suspicion
from unhans.terminal import ConfigurationError

SIDE, LABEL, NAMES = 16, 1, ["ant", "bee", "cat"]


class Noise(ImageData):
    """Noise in three classes; another background tells them apart."""

    def load(self):
        return tuple(self._part(n, seed) for n, seed in ((180, 0), (60, 1)))

    def _part(self, n, seed):
        pixels = default_rng(seed).integers(180, size=(n, SIDE, SIDE, 3), dtype=np.uint8)
        names = self.chosen or NAMES
        return Collection(Arrays(pixels, numbered_names(f"n{seed}", n)), np.arange(n) % len(names), names)


def data_of(artifact="border", classes=NAMES, image_size=SIDE):
    planted = Border("bee", width=0.1, coverage=0.5, val_coverage=0.5) if artifact else None
    data = Noise(image_size=image_size, classes=classes, mean=[0.5] * 3, std=[0.25] * 3, artifact=planted)
    data.setup()
    return data


def network(strength=0.03):
    """A linear network whose logit of the second class is the brightness of the rim."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3))
    rim, weight = torch.ones(SIDE, SIDE), torch.zeros(3, 3, SIDE, SIDE)
    rim[1:-1, 1:-1] = 0
    weight[LABEL] = rim * strength
    with torch.no_grad():
        model[1].weight.copy_(weight.flatten(1))
        model[1].bias.copy_(torch.tensor([0.0, -3.0, 0.0]))
    return model.eval()


def subject_of(out=Path("nowhere"), data=None, model=None):
    return Subject(
        model or network(), data or data_of(), "train", None, Relevance(), 16, torch.device("cpu"), seed=0, out=out
    )


def test_both_splits_are_one_data_set_made_once():
    """Its files are opened and its labels joined a single time."""
    subject = replace(subject_of(), split="union")
    assert subject.dataset is subject.dataset is subject.both


def key_of(subject):
    return {"model": {"architecture": "linear", "weights": weights_of(subject.network)}, "spray": {}}


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """The folder of an analysis in which the border was isolated and proven, and its case."""
    subject = subject_of(tmp_path_factory.mktemp("effect"))
    whole = np.flatnonzero(subject.data.train_set.labels == LABEL)
    members = subject.data.train_set.carriers[whole]
    images = torch.stack([subject.data.train_set.plain(int(index)) for index in whole])
    heatmaps = (0.1 * default_rng(0).random((len(whole), SIDE, SIDE))).astype(np.float32)
    heatmaps[members, 0], heatmaps[members, -1] = 1, 1
    suspicion = Suspicion(LABEL, "bee", len(whole), 2.0, 0.01, 2, 1.5, True, 30, 0.4, 1.2)
    found = Sample(images, whole, heatmaps, LABEL, "bee", suspicion), [Candidate("listed samples", members)]
    test = EffectTest(subject, Plan(kind="fixed", samples=30))
    test.test_groups(*found, key_of(subject))
    return subject.out, test.examine(*found)[0]  # as it was before the disk kept it


@pytest.fixture
def folder(tested, tmp_path):
    return Path(shutil.copytree(tested[0], tmp_path / "effect"))


@pytest.fixture
def picture(tmp_path):
    def write(side=SIDE, name="patch.png"):
        pixels = np.zeros((side, side, 4), dtype=np.uint8)
        pixels[:2] = (255, 0, 0, 255)
        Image.fromarray(pixels).save(tmp_path / name)
        return str(tmp_path / name)

    return write


def test_without_a_source_it_is_the_planted_one():
    subject = subject_of()
    found = affected_of(subject)
    assert (found.source, found.class_name) == ("planted", "bee")
    np.testing.assert_array_equal(found.carriers["train"], subject.data.train_set.carriers)
    assert affected_of(subject, label="bee").label == affected_of(subject, label=1).label == LABEL


def test_a_picture_of_the_images_size_lies_where_it_lies(picture):
    found = affected_of(subject_of(data=data_of(None)), picture(), "cat")
    assert (found.source, found.label, found.class_name) == ("picture", 2, "cat")
    assert artifact_of_class(found) == "the picture patch.png, of class 'cat'"
    layer = found.artifact.layer(3, (SIDE, SIDE))
    assert layer[3, :2].all()
    assert not layer[3, 2:].any()


def test_a_smaller_picture_is_placed_and_sized_as_by_the_analysis(picture):
    subject = subject_of()
    found = affected_of(subject, picture(8), "cat", placement="random_position", size=0.25)
    alphas = torch.stack([found.artifact.layer(i, (SIDE, SIDE))[3] for i in range(8)])
    assert {int((alpha > 0.5).sum()) for alpha in alphas} == {4}
    assert len({tuple(alpha.nonzero()[0].tolist()) for alpha in alphas}) > 2
    corner = affected_of(subject, picture(8), "cat", placement="bottom_right").artifact.layer(0, (SIDE, SIDE))[3]
    assert corner[8:10, 8:].all()
    assert corner.sum() == 16


def test_an_isolated_artifact_is_found_again_by_its_kept_detector(tested):
    out, case = tested
    assert case.proven
    subject = subject_of()
    marks = (out, out / "artifacts", out / "artifacts" / "0001-bee.json")
    for source in marks:
        found = affected_of(subject, str(source))
        assert (found.source, found.label, found.class_name) == ("isolated", LABEL, "bee")
        assert artifact_remarks(found) == []
        assert artifact_of_class(found) == "the fixed artifact that was isolated from class 'bee'"
        for split, dataset in (("train", subject.data.train_set), ("val", subject.data.val_set)):
            np.testing.assert_array_equal(found.carriers[split], dataset.carriers)
        index = int(np.flatnonzero(found.carriers["val"])[0])
        torch.testing.assert_close(found.clean("val", index), subject.data.val_set.clean(index))
        layer = found.artifact.layer(index, (SIDE, SIDE))
        torch.testing.assert_close(layer, case.isolated.layer(index, (SIDE, SIDE)), atol=1 / 255, rtol=0)
        covered = (case.isolated.layers[0][3] > 0.5).numpy()
        assert (found.mask("val", index) & covered).sum() / (found.mask("val", index) | covered).sum() > 0.8
    assert affected_of(subject, str(out), "bee").label == LABEL


def test_a_live_case_gives_the_same_as_its_file(tested):
    out, case = tested
    live, kept = affected_by_case(subject_of(), case), affected_of(subject_of(), str(out))
    assert (live.name, live.label, live.other_network) == (kept.name, kept.label, kept.other_network)
    for split in ("train", "val"):
        np.testing.assert_array_equal(live.carriers[split], kept.carriers[split])


def test_in_data_with_other_labels_the_class_is_found_by_its_name(tested):
    data = data_of(classes=["bee", "cat", "ant"])
    found = affected_of(subject_of(data=data), str(tested[0]))
    assert (found.label, found.class_name) == (0, "bee")
    np.testing.assert_array_equal(found.carriers["train"], data.train_set.carriers)


def test_what_is_not_proven_or_of_another_network_is_said(tested, tmp_path):
    out, case = tested
    other = affected_of(subject_of(model=network(0.02)), str(out))
    assert artifact_remarks(other) == ["Its effect was measured on another network."]
    verdict = replace(case.proof.verdict, name="open", reason="multiplicity")
    doubted = replace(case, proof=replace(case.proof, verdict=verdict))
    assert artifact_remarks(affected_by_case(subject_of(), doubted)) == [
        "That the network uses the artifact of class 'bee' is not proven: the verdict is 'open' (multiplicity)."
    ]
    unmeasured = affected_by_case(subject_of(), replace(case, proof=None))
    assert artifact_remarks(unmeasured) == [
        "That the network uses the artifact of class 'bee' is not proven: it was not measured."
    ]


def another(folder, case, name="cat", label=2):
    subject = subject_of()
    save_case(
        case_files(folder, label, name), replace(case, label=label, name=name), None, NAMES, None, key_of(subject)
    )


def test_of_several_classes_the_named_or_the_only_proven_one_is_taken(tested, folder):
    verdict = replace(tested[1].proof.verdict, name="not used")
    another(folder, replace(tested[1], proof=replace(tested[1].proof, verdict=verdict)))
    assert affected_of(subject_of(), str(folder)).class_name == "bee"
    assert affected_of(subject_of(), str(folder), "cat").class_name == "cat"
    another(folder, tested[1])
    with pytest.raises(ConfigurationError, match=r"several classes, 'bee', 'cat', and none is named"):
        affected_of(subject_of(), str(folder))


# Bad input -----------------------------------------------------------------------------------------------------------


def test_data_that_plant_nothing_need_an_artifact():
    with pytest.raises(ConfigurationError, match=r"no artifact to repair: none is given .* and the data plant none"):
        affected_of(subject_of(data=data_of(None)))


def test_the_planted_artifact_belongs_to_its_own_class():
    with pytest.raises(ConfigurationError, match="plant their artifact in class 'bee', not in 'cat'"):
        affected_of(subject_of(), label="cat")


@pytest.mark.parametrize(("label", "message"), [("be", "did you mean 'bee'"), (3, "an index 0 … 2, got 3")])
def test_the_class_must_exist(label, message):
    with pytest.raises(ValueError, match=message):
        affected_of(subject_of(), label=label)


def test_a_picture_needs_a_class(picture):
    with pytest.raises(
        ConfigurationError, match=r"patch.png is an artifact of one class, which must be named as classes="
    ):
        affected_of(subject_of(), picture())


def test_a_picture_larger_than_the_images_is_refused(picture):
    with pytest.raises(ValueError, match=r"larger than the image: expected at most 16 × 16 pixels, got 20 × 20"):
        affected_of(subject_of(), picture(20), "cat")


def test_a_source_must_be_there(tmp_path):
    for name, message in (("no.png", "got nothing at"), ("no.json", "writes, got no file at")):
        with pytest.raises(FileNotFoundError, match=message):
            affected_of(subject_of(), str(tmp_path / name), "cat")


def test_an_isolated_artifact_of_other_images_is_refused(tested):
    with pytest.raises(ValueError, match=r"expected \(16, 16\) pixels, got \(32, 32\)"):
        affected_of(subject_of(data=data_of(image_size=32)), str(tested[0]))


def test_an_isolated_artifact_of_a_class_that_the_data_lack_is_refused(tested):
    data = data_of(None, classes=["ant", "cow", "cat"])
    with pytest.raises(ValueError, match=r"the class of the artifact in .*0001-bee.json names no class: .* got 'bee'"):
        affected_of(subject_of(data=data), str(tested[0]))


def test_a_folder_needs_a_case_of_the_class(tested, tmp_path):
    with pytest.raises(ConfigurationError, match=r"expects a case in it, got none in"):
        affected_of(subject_of(), str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"expects a case of class 'cat' in it, got none in"):
        affected_of(subject_of(), str(tested[0]), "cat")


def test_a_case_that_isolated_nothing_says_why(tmp_path):
    save_case(
        case_files(tmp_path, LABEL, "bee"), Case(LABEL, "bee", failures=(Failure("parts disagree"),)), None, NAMES,
        None, key_of(subject_of()),
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match=r"no artifact was isolated in .*\. No agreement at a fixed place:"):
        affected_of(subject_of(), str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"isolated nothing that could be repaired\. No agreement"):
        affected_by_case(subject_of(), Case(LABEL, "bee", failures=(Failure("parts disagree"),)))


def test_the_case_of_a_given_artifact_is_no_isolated_one(tested, tmp_path):
    case = replace(tested[1], isolated=None)
    save_case(case_files(tmp_path, LABEL, "bee", given=True), case, None, NAMES, None, {"model": "digest"})
    with pytest.raises(ConfigurationError, match=r"no artifact was isolated in .*A given artifact was tested\."):
        affected_of(subject_of(), str(tmp_path / "artifacts" / "given"))


@pytest.mark.parametrize("damage", ["format", "detector", "layer", "cut"])
def test_a_case_that_is_not_whole_is_refused(folder, damage):
    mark = folder / "artifacts" / "0001-bee.json"
    if damage == "format":
        mark.write_text(json.dumps(json.loads(mark.read_text()) | {"format": 2}))
    elif damage == "cut":
        mark.write_text(mark.read_text()[:100])
    else:
        (one,) = (folder / "artifacts").glob(f"0001-bee-{damage}*.p[nt]*")
        one.unlink()
    with pytest.raises(
        ConfigurationError, match=r"0001-bee.json is no whole case of this version; analysis=effect with"
    ):
        affected_of(subject_of(), str(folder))


@pytest.mark.parametrize("samples", [5, 60, 5000])
def test_training_samples_of_other_classes_fill_up_what_validation_lacks(samples):
    plan = EffectTest(subject_of(), Plan(samples=samples))
    found, both = plan.others(LABEL), plan.subject.both
    assert not (both.labels[found] == LABEL).any()
    val = plan.subject.rows["val"][both.labels[plan.subject.rows["val"]] != LABEL]
    train = plan.subject.rows["train"][both.labels[plan.subject.rows["train"]] != LABEL]
    assert set(val) <= set(found)
    assert len(found) == max(len(val), min(len(val) + len(train), samples + CHOSEN_ON))
