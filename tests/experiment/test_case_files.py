"""The files of a case: what is written is read again, and only where it is still the wanted one."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from experiment_cases import CLASSES, LABEL, LISTED, bench, dataset, heatmaps, measured, troubled

from unhans.data import display_images, read_samples
from unhans.effects import Case, FeatureEffect, Sample, decide
from unhans.effects.verdict import judge
from unhans.experiment.cases import (
    case_files,
    case_store,
    earlier_cases,
    find_case,
    load_case,
    load_cases,
    remove_cases,
    save_case,
    save_verdict,
)
from unhans.experiment.effect.effect_test import MOST, drawn_rows
from unhans.experiment.survey import ClassResult
from unhans.experiment.survey.survey import load_result, save_result
from unhans.harness import compare_with_planted, planted_in
from unhans.report.html import render
from unhans.report.html.case_view import case_view
from unhans.report.text import truth_sentence, verdict_grounds
from unhans.store.virelay import class_files
from unhans.terminal import ConfigurationError

KEY = {"model": "weights", "spray": {"n_neighbors": 10}, "effect": {"samples": 30}}
ANALYSIS = {"model": "weights", "spray": {"n_neighbors": 10}}


def found_in(images, case):
    pixels, index = read_samples(images, LISTED)
    shown = display_images(images, pixels)
    return Sample(shown, index, heatmaps(), LABEL, CLASSES[LABEL], case.suspicion)


@pytest.fixture(scope="module")
def tested():
    """A dataset, a case and what is known of its artifact."""
    images = dataset()
    case = measured(images)
    return images, case, compare_with_planted(bench(images), case, planted_in(images), LISTED)


@pytest.fixture
def saved(tested, tmp_path):
    images, case, truth = tested
    files = case_files(tmp_path, LABEL, CLASSES[LABEL])
    return files, save_case(files, case, truth, CLASSES, found_in(images, case), KEY)


def numbers(case):
    """Everything of a case that a file holds."""
    trials = [asdict(trial) for trial in (*case.proof.added, *case.proof.removed)]
    return json.loads(json.dumps(trials, default=lambda array: array.tolist()))


def html_of(tested):
    return render("case.html", case=case_view(tested.section))


def test_a_saved_case_is_read_again(saved, tested):
    files, written = saved
    _, case, truth = tested
    read = load_case(files, KEY)
    assert numbers(read.case) == numbers(case)
    assert read.case.proof.verdict == case.proof.verdict
    assert verdict_grounds(read.case.proof) == verdict_grounds(case.proof)
    assert (read.case.suspicion, read.case.spread, read.case.quality) == (case.suspicion, case.spread, case.quality)
    assert read.truth == truth
    assert truth_sentence(read.truth) == truth_sentence(truth)
    assert (read.pictures, read.section.pictures) == (written.pictures, written.section.pictures)
    assert read.section.pictures.layers
    assert read.section.pictures.samples
    assert read.case.proven
    np.testing.assert_array_equal(read.case.isolated.members, case.isolated.members)
    np.testing.assert_array_equal(read.case.isolated.places, case.isolated.places)
    np.testing.assert_allclose(read.case.isolated.layers[0], case.isolated.layers[0], atol=1 / 255)
    assert read.case.isolated.layer(0, case.isolated.layers[0].shape[1:]).shape == case.isolated.layers[0].shape


def test_a_case_of_a_class_without_latin_letters_is_found(tested, tmp_path):
    """Its files are named by the number alone."""
    images, case, truth = tested
    names = [*CLASSES[:LABEL], "猫", *CLASSES[LABEL + 1 :]]
    save_case(case_files(tmp_path, LABEL, "猫"), replace(case, name="猫"), truth, names, found_in(images, case), KEY)
    assert find_case(tmp_path).case.name == "猫"
    assert find_case(tmp_path, "猫").weights == KEY["model"]


def test_the_section_holds_the_case_and_the_truth_and_harmless_names(saved, tested):
    text = html_of(saved[1])
    assert 'data-verdict="proven"' in text
    assert "Beside the planted artifact" in text
    assert "<b>bee</b>" not in text
    assert "A fixed artifact along the rim" in text
    assert set(saved[1].pictures) == {"layer", "effect", "examples", "layer-1"}


def test_a_case_without_a_layer_is_saved_too(tmp_path):
    files = case_files(tmp_path, LABEL, CLASSES[LABEL], rank=2)
    save_case(files, troubled(), None, CLASSES, None, KEY)
    read = load_case(files, KEY)
    assert files.folder == tmp_path / "artifacts" / "cluster_3"
    assert read.case == troubled()
    assert (read.truth, read.pictures) == (None, {})
    assert read.case.failures


def test_features_and_donors_are_read_again(tested, tmp_path):
    """To compare an artifact with a control again, or to decide it in another family, takes the donors as they were."""
    proof = tested[1].proof
    features = FeatureEffect("layer4", proof.added[:2], proof.removed)
    case, files = Case(LABEL, CLASSES[LABEL], proof=proof, features=features), case_files(tmp_path, LABEL, "bee")
    save_case(files, case, None, CLASSES, None, KEY)
    read = load_case(files, KEY).case
    assert (read.features.layer, len(read.features.added), len(read.features.removed)) == ("layer4", 2, 2)
    np.testing.assert_array_equal(read.features.added[0].differences, proof.added[0].differences)
    lent = [trial.donors for trial in proof.added if trial.donors is not None]
    assert len(lent) == 1
    for one, other in zip(read.proof.added, proof.added, strict=True):
        np.testing.assert_array_equal(one.donors, other.donors)
    assert judge(read.proof.added) == proof.verdict
    assert decide([read], look=2)[0].proof.verdict == decide([case], look=2)[0].proof.verdict


@pytest.mark.parametrize("older", [3, 4, 5, 6])
def test_an_older_format_is_measured_again(older, saved):
    """Format 3 had other verdicts and no error rate, format 4 one case of a class only, format 6 plain lists."""
    files, _ = saved
    files.mark.write_text(json.dumps(json.loads(files.mark.read_text()) | {"format": older}))
    assert load_case(files, KEY) is None


def test_a_class_is_found_beside_cases_of_an_older_format(saved, tested, tmp_path, monkeypatch):
    """Only the files of the class that is named are read."""
    images, case, truth = tested
    other = case_files(tmp_path, 0, "ant")
    save_case(other, replace(case, label=0, name="ant"), truth, CLASSES, found_in(images, case), KEY)
    other.mark.write_text(json.dumps(json.loads(other.mark.read_text()) | {"format": 6}))
    read = []
    monkeypatch.setattr(case_store, "_mark", lambda path, mark=case_store._mark: read.append(path) or mark(path))
    assert find_case(tmp_path, CLASSES[LABEL]).files == saved[0]
    assert read == [saved[0].mark]
    with pytest.raises(ConfigurationError, match=r"0000-ant\.json is no whole case of this version"):
        find_case(tmp_path, "ant")


@pytest.mark.parametrize("change", [{"model": "others"}, {"effect": {"samples": 31}}, {"spray": {"n_neighbors": 9}}])
def test_another_key_is_another_case(saved, change):
    assert load_case(saved[0], KEY | change) is None


@pytest.mark.parametrize("damage", ["mark", "pictures", "picture", "format", "nothing written"])
def test_what_is_not_whole_is_done_again(saved, damage, tmp_path):
    files, written = saved
    if damage == "mark":
        files.mark.write_text(files.mark.read_text()[:200])
    elif damage == "pictures":
        files.pictures.unlink()
    elif damage == "picture":
        written.pictures["effect"].unlink()
    elif damage == "format":
        files.mark.write_text(json.dumps(json.loads(files.mark.read_text()) | {"format": 1}))
    else:
        files = case_files(tmp_path / "elsewhere", LABEL, CLASSES[LABEL])
    assert load_case(files, KEY) is None


def test_damaged_pictures_are_named(saved):
    saved[0].pictures.write_bytes(saved[0].pictures.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"pictures\.zlib does not hold the pictures of a case"):
        _ = saved[1].section


def test_files_of_an_earlier_case_are_removed(saved):
    files, written = saved
    assert all(path.is_file() for path in written.pictures.values())
    files.mark.with_suffix(".html").write_text("of an earlier version")
    save_case(files, troubled(), None, CLASSES, None, KEY)
    assert not any(path.exists() for path in written.pictures.values())
    assert not files.mark.with_suffix(".html").exists()
    assert load_case(files, KEY).case.failures


# Verdicts among all tests -----------------------------------------------------------------------------------------


def unsure(case):
    """The same case among so many tests that it is open."""
    return decide([case], rate=1e-12)[0]


def test_another_verdict_is_said_by_every_file(saved, tested):
    files, written = saved
    before = written.pictures["effect"].read_bytes()
    examples = written.pictures["examples"].stat().st_mtime_ns
    left_open = unsure(written.case)
    assert (left_open.proof.verdict.name, left_open.proof.verdict.reason) == ("open", "multiplicity")
    found = save_verdict(written, left_open)
    read = load_case(files, KEY)
    assert read.case.proof.verdict == left_open.proof.verdict
    text, first = html_of(read), html_of(written)
    assert text == html_of(found)
    assert 'data-verdict="open"' in text
    assert '"proven"' not in text
    assert first[first.index("<h3>") :] == text[text.index("<h3>") :]
    assert "Beside the planted artifact" in text
    assert written.pictures["effect"].read_bytes() != before
    assert written.pictures["examples"].stat().st_mtime_ns == examples
    assert (read.truth, read.seconds) == (tested[2], written.seconds)


def test_a_verdict_that_was_changed_and_comes_back_is_the_first_again(saved):
    files, written = saved
    first = html_of(written)
    once = save_verdict(written, unsure(written.case))
    again = decide([load_case(files, KEY).case])[0]
    assert html_of(save_verdict(once, again)) == first
    assert load_case(files, KEY).case.proof.verdict == written.case.proof.verdict


def test_the_same_verdict_writes_nothing(saved):
    files, written = saved
    times = {path: path.stat().st_mtime_ns for path in files.folder.iterdir()}
    read = load_case(files, KEY)
    assert save_verdict(read, decide([read.case])[0]) is read
    assert {path: path.stat().st_mtime_ns for path in files.folder.iterdir()} == times
    assert written.seconds == read.seconds


def test_another_place_in_the_ranking_is_said_too(saved):
    files, written = saved
    entry = replace(written.case.suspicion, score=7.25)
    save_verdict(written, replace(written.case, suspicion=entry))
    read = load_case(files, KEY)
    assert read.case.suspicion == entry
    assert "score 7.25" in html_of(read)


# All cases of a class -----------------------------------------------------------------------------------------------


def test_a_class_is_finished_with_all_its_cases(tested, tmp_path):
    name = CLASSES[LABEL]
    second, first = (case_files(tmp_path, LABEL, name, rank) for rank in (1, 0))
    save_case(second, troubled(), None, CLASSES, None, KEY, 2, 3.5)
    assert load_cases(tmp_path, LABEL, name, KEY) == []
    save_case(first, tested[1], None, CLASSES, found_in(*tested[:2]), KEY, 2, 4.5)
    cases = load_cases(tmp_path, LABEL, name, KEY)
    assert [(one.case.proven, one.seconds) for one in cases] == [(True, 4.5), (False, 3.5)]
    assert load_cases(tmp_path, LABEL, name, KEY | {"model": "others"}) == []
    second.mark.unlink()
    assert load_cases(tmp_path, LABEL, name, KEY) == []


def test_everything_of_a_class_is_removed_and_nothing_of_others(saved, tmp_path):
    other = save_case(case_files(tmp_path, 0, CLASSES[0]), troubled(), None, CLASSES, None, KEY)
    save_case(case_files(tmp_path, LABEL, CLASSES[LABEL], 1), troubled(), None, CLASSES, None, KEY)
    remove_cases(tmp_path, LABEL, CLASSES[LABEL])
    left = [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]
    assert sorted(left) == sorted([other.files.mark, other.files.pictures])


def test_a_case_of_other_fields_is_to_be_done_again(saved, tmp_path):
    files = case_files(tmp_path, LABEL, CLASSES[LABEL])
    mark, content = files.mark, json.loads(files.mark.read_text(encoding="utf-8"))
    assert load_case(files, KEY) is not None
    for other in ({"case": content["case"] | {"extra": 1}}, {"pictures": None}, {"case": {}}):
        mark.write_text(json.dumps(content | other), encoding="utf-8")
        assert load_case(files, KEY) is None


@pytest.mark.parametrize("change", [{"extra": 1}, {"suspicion": {"label": 3}}, {"suspects": 5}])
def test_a_finding_of_other_fields_is_to_be_done_again(change, tmp_path):
    files = class_files(tmp_path, 0, "ant")
    save_result(files, ClassResult(0, "ant", refused="too few"), {"weights": "3fa"})
    path = files.folder / "finding.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert load_result(files).finding.refused == "too few"
    found = content["finding"] | change
    if "extra" in change:
        del found["seconds"]
    path.write_text(json.dumps(content | {"finding": found}), encoding="utf-8")
    assert load_result(files) is None


# Which samples of a class are looked at -----------------------------------------------------------------------------


def test_small_classes_are_taken_whole_and_none_without_groups():
    assert drawn_rows([], 0).tolist() == []
    np.testing.assert_array_equal(drawn_rows([np.arange(90) < 3, np.arange(90) > 60], 0), np.arange(90))


def test_every_group_of_a_large_class_is_drawn():
    groups = [np.arange(5000) < 30, np.arange(5000) >= 900]
    rows = drawn_rows(groups, 1)
    assert len(rows) == len(set(rows)) == MOST
    assert groups[0][rows].sum() == 30
    assert (np.diff(rows) > 0).all()
    assert 0 < (~groups[0] & ~groups[1])[rows].sum() < MOST
    np.testing.assert_array_equal(rows, drawn_rows(groups, 1))
    assert (rows != drawn_rows(groups, 2)).any()


# What a later survey keeps -------------------------------------------------------------------------------------------


def test_sections_of_the_same_clusters_are_kept_in_the_order_of_the_clusters(saved, tmp_path):
    second = save_case(case_files(tmp_path, LABEL, CLASSES[LABEL], 1), troubled(), None, CLASSES, None, KEY)
    tenth = save_case(case_files(tmp_path, LABEL, CLASSES[LABEL], 9), troubled(), None, CLASSES, None, KEY)
    kept, left = earlier_cases(tmp_path, LABEL, CLASSES[LABEL], ANALYSIS)
    assert [one.files for one in kept] == [saved[0], second.files, tenth.files]
    assert left == 0


@pytest.mark.parametrize("key", [{"model": "weights"}, ANALYSIS | {"model": "others"}, {}])
def test_sections_about_other_clusters_are_left_and_counted(saved, key, tmp_path):
    assert earlier_cases(tmp_path, LABEL, CLASSES[LABEL], key) == ([], 1)


def test_without_a_case_nothing_is_kept_or_left(saved, tmp_path):
    assert earlier_cases(tmp_path, 0, CLASSES[0], ANALYSIS) == ([], 0)
    assert earlier_cases(tmp_path / "elsewhere", LABEL, CLASSES[LABEL], ANALYSIS) == ([], 0)
    saved[0].pictures.unlink()
    assert earlier_cases(tmp_path, LABEL, CLASSES[LABEL], ANALYSIS) == ([], 1)
