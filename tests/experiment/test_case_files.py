"""The files of a case: what is written is read again, and only where it is still the wanted one."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from experiment_cases import CLASSES, LABEL, LISTED, bench, dataset, heatmaps, measured, troubled

from unhans.artifacts import Case, FeatureEffect, decide
from unhans.artifacts.verdict import judge
from unhans.data import planted_in, reading
from unhans.experiment.case_content import case_from, plain_case
from unhans.experiment.case_files import case_files, earlier_section, load_case, save_case
from unhans.experiment.clustered import Clustered
from unhans.experiment.known import known

KEY = {"model": "weights", "spray": {"n_neighbors": 10}, "effect": {"samples": 30}}
ANALYSIS = {"model": "weights", "spray": {"n_neighbors": 10}}


def found_in(images, case):
    pixels, index = reading.read(images, LISTED)
    shown = reading.displayed(images, pixels)
    return Clustered(shown, index, heatmaps(), case.isolated.members, case.suspicion, LISTED, LISTED[:14])


@pytest.fixture(scope="module")
def tested():
    """A dataset, a case and what is known of its artifact."""
    images = dataset()
    case = measured(images)
    return images, case, known(bench(images), case, planted_in(images), LISTED)


@pytest.fixture
def saved(tested, tmp_path):
    images, case, truth = tested
    files = case_files(tmp_path, LABEL, CLASSES[LABEL])
    return files, save_case(files, case, truth, CLASSES, found_in(images, case), KEY)


def numbers(case):
    """Everything of a case that a file holds."""
    trials = [asdict(trial) for trial in (*case.proof.added, *case.proof.removed)]
    return json.loads(json.dumps(trials, default=lambda array: array.tolist()))


def test_a_saved_case_is_read_again(saved, tested):
    files, written = saved
    _, case, truth = tested
    read = load_case(files, KEY)
    assert numbers(read.case) == numbers(case)
    assert read.case.proof.verdict == case.proof.verdict
    assert read.case.proof.verdict.grounds
    assert (read.case.suspicion, read.case.spread, read.case.quality) == (case.suspicion, case.spread, case.quality)
    assert read.truth == truth
    assert read.truth.sentence == truth.sentence
    assert (read.pictures, read.section) == (written.pictures, written.section)
    assert read.case.proven
    np.testing.assert_array_equal(read.case.isolated.members, case.isolated.members)
    np.testing.assert_array_equal(read.case.isolated.places, case.isolated.places)
    np.testing.assert_allclose(read.case.isolated.layers[0], case.isolated.layers[0], atol=1 / 255)
    assert read.case.isolated.layer(0, case.isolated.layers[0].shape[1:]).shape == case.isolated.layers[0].shape


def test_the_section_holds_the_case_and_the_truth_and_harmless_names(saved, tested):
    text = saved[1].section
    assert 'data-verdict="proven"' in text
    assert "Beside the planted artifact" in text
    assert "<b>bee</b>" not in text
    assert "A white &lt;rim&gt;." in text
    assert set(saved[1].pictures) == {"layer", "effect", "examples", "layer-1"}


def test_a_case_without_a_layer_is_saved_too(tmp_path):
    files = case_files(tmp_path, LABEL, CLASSES[LABEL], rank=2)
    save_case(files, troubled(), None, CLASSES, None, KEY)
    read = load_case(files, KEY)
    assert files.folder == tmp_path / "artifacts" / "cluster_3"
    assert read.case == troubled()
    assert (read.truth, read.pictures) == (None, {})
    assert read.case.trouble


def test_features_and_donors_are_read_again(tested, tmp_path):
    """To compare an artifact with a control again, or to decide it in another family, takes the donors as they were."""
    proof = tested[1].proof
    features = FeatureEffect("layer4", proof.added[:2], proof.removed)
    case = Case(LABEL, CLASSES[LABEL], proof=proof, features=features)
    read = case_from(json.loads(json.dumps(plain_case(case))), ())
    assert (read.features.layer, len(read.features.added), len(read.features.removed)) == ("layer4", 2, 2)
    np.testing.assert_array_equal(read.features.added[0].differences, proof.added[0].differences)
    lent = [trial.donors for trial in proof.added if trial.donors is not None]
    assert len(lent) == 1
    for one, other in zip(read.proof.added, proof.added, strict=True):
        np.testing.assert_array_equal(one.donors, other.donors)
    assert judge(read.proof.added, read.proof.removed, proof.name) == proof.verdict
    assert decide([read], look=2)[0].proof.verdict == decide([case], look=2)[0].proof.verdict


def test_format_3_is_measured_again(saved):
    """Its verdicts had other names and no error rate."""
    files, _ = saved
    files.mark.write_text(json.dumps(json.loads(files.mark.read_text()) | {"format": 3}))
    assert load_case(files, KEY) is None


@pytest.mark.parametrize("change", [{"model": "others"}, {"effect": {"samples": 31}}, {"spray": {"n_neighbors": 9}}])
def test_another_key_is_another_case(saved, change):
    assert load_case(saved[0], KEY | change) is None


@pytest.mark.parametrize("damage", ["mark", "section", "picture", "format", "nothing written"])
def test_what_is_not_whole_is_done_again(saved, damage, tmp_path):
    files, written = saved
    if damage == "mark":
        files.mark.write_text(files.mark.read_text()[:200])
    elif damage == "section":
        files.section.unlink()
    elif damage == "picture":
        written.pictures["effect"].unlink()
    elif damage == "format":
        files.mark.write_text(json.dumps(json.loads(files.mark.read_text()) | {"format": 1}))
    else:
        files = case_files(tmp_path / "elsewhere", LABEL, CLASSES[LABEL])
    assert load_case(files, KEY) is None


def test_files_of_an_earlier_case_are_removed(saved):
    files, written = saved
    assert all(path.is_file() for path in written.pictures.values())
    save_case(files, troubled(), None, CLASSES, None, KEY)
    assert not any(path.exists() for path in written.pictures.values())
    assert load_case(files, KEY).case.trouble


# What a later survey keeps -------------------------------------------------------------------------------------------


def test_sections_of_the_same_clusters_are_kept_in_the_order_of_the_clusters(saved, tmp_path):
    second = save_case(case_files(tmp_path, LABEL, CLASSES[LABEL], 1), troubled(), None, CLASSES, None, KEY)
    tenth = save_case(case_files(tmp_path, LABEL, CLASSES[LABEL], 9), troubled(), None, CLASSES, None, KEY)
    kept, left = earlier_section(tmp_path, LABEL, CLASSES[LABEL], ANALYSIS)
    assert kept == saved[1].section + second.section + tenth.section
    assert left == 0


@pytest.mark.parametrize("key", [{"model": "weights"}, ANALYSIS | {"model": "others"}, {}])
def test_sections_about_other_clusters_are_left_and_counted(saved, key, tmp_path):
    assert earlier_section(tmp_path, LABEL, CLASSES[LABEL], key) == (None, 1)


def test_without_a_case_nothing_is_kept_or_left(saved, tmp_path):
    assert earlier_section(tmp_path, 0, CLASSES[0], ANALYSIS) == (None, 0)
    assert earlier_section(tmp_path / "elsewhere", LABEL, CLASSES[LABEL], ANALYSIS) == (None, 0)
    saved[0].section.unlink()
    assert earlier_section(tmp_path, LABEL, CLASSES[LABEL], ANALYSIS) == (None, 1)
