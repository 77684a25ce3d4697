"""The benchmark of truth: its painters, its halves, its grid, and the whole command on two tiny cases."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
import truth
from planted import baselines, cases, painters, tables
from planted.baselines import METHODS, Views
from planted.cases import COVERAGES, DATA, SUBSETS, Case
from planted.outcome import append, read_lines
from planted.painters import PAINTERS, REPORTING, SETTING
from planted.pictures import SOURCES, Pictures, Source, digits
from planted.training import RECIPES, Recipe, drawn_carriers, kept_in

SIDES = (28, 32, 96)


def picture(side, seed=0):
    coarse = np.random.default_rng(seed).uniform(0.1, 0.9, (4, 4, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((side // 4, side // 4, 1), dtype=np.float32))


@pytest.mark.parametrize(("kind", "side"), list(product(PAINTERS, SIDES)))
def test_painters_change_images_the_same_each_time(kind, side):
    clean = picture(side)
    before = clean.copy()
    first, second = (PAINTERS[kind](clean, np.random.default_rng(3), 1.0) for _ in range(2))
    np.testing.assert_array_equal(clean, before)
    np.testing.assert_array_equal(first, second)
    assert first.shape == clean.shape
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    assert np.abs(first - clean).max() > 0.03


@pytest.mark.parametrize("kind", PAINTERS)
def test_painters_keep_their_group(kind):
    """Fixed marks stay within a small area; free ones move; the rest reaches every part of the image."""
    clean = picture(32)
    changed = [np.abs(PAINTERS[kind](clean, np.random.default_rng(i), 1.0) - clean).max(-1) > 0.01 for i in range(20)]
    somewhere, largest = np.mean(np.any(changed, axis=0)), max(map(np.mean, changed))
    group, parts = PAINTERS[kind].group, np.reshape(changed, (20, 4, 8, 4, 8)).any((2, 4))
    assert parts.all((1, 2)).any() == (group == "whole")
    if group == "fixed":
        assert somewhere < 0.3
    if group == "free":
        assert somewhere > 1.5 * largest


@pytest.mark.parametrize("kind", PAINTERS)
def test_size_makes_it_larger(kind):
    change = [
        np.mean([np.abs(PAINTERS[kind](picture(32), np.random.default_rng(i), size) - picture(32)) for i in range(8)])
        for size in (0.8, 1.3)
    ]
    assert change[1] > change[0]


def test_halves_are_disjoint_complete_and_balanced():
    assert not SETTING & REPORTING
    assert set(PAINTERS) == SETTING | REPORTING
    assert len(PAINTERS) >= 18
    for group in painters.GROUPS:
        counts = [sum(PAINTERS[kind].group == group for kind in half) for half in (SETTING, REPORTING)]
        assert abs(counts[0] - counts[1]) <= 1
    for pair in cases.PAIRS:
        assert len({painters.half_of(kind) for kind in pair}) == 1


def test_subsets_hold_every_kind_and_no_case_twice():
    data = list(SOURCES)
    for name, subset in SUBSETS.items():
        found = subset(data)
        assert len({case.key for case in found}) == len(found), name
        assert {kind for case in found for kind in case.kinds} == set(PAINTERS)
        assert {case.coverage for case in found if case.kinds} == set(COVERAGES)
        assert any(not case.kinds for case in found)
        assert any(case.everywhere for case in found)
        assert any(len(case.kinds) == 2 for case in found)
        assert {case.data for case in subset(["digits"])} == {"digits"}


def test_fewer_data_sets_are_a_part_of_all():
    every = {case.trained for case in SUBSETS["full"](DATA)}
    for name in DATA:
        assert {case.trained for case in SUBSETS["square"]([name])} <= every
    assert tuple(SOURCES) == DATA


def test_carriers_are_that_share_of_the_class():
    labels = np.repeat([0, 1, 2], 100)
    carry = drawn_carriers(Case("digits", ("dot",), 0.3, 0), "dot", labels, 1)
    assert carry[labels == 1].sum() == carry.sum() == 30
    everywhere = drawn_carriers(Case("digits", ("dot",), 0.3, 0, everywhere=True), "dot", labels, 1)
    assert [everywhere[labels == label].sum() for label in range(3)] == [30, 30, 30]


@pytest.mark.parametrize("name", METHODS)
def test_baselines_find_a_group_that_stands_apart(name):
    rng = np.random.default_rng(0)
    carry = np.arange(120) < 40
    views = [rng.gamma(2.0, size=(120, *shape)) for shape in ((28, 28), (24,), (64,))]
    for view in views:
        view.reshape(120, -1)[carry, :12] += 12
    proposal = METHODS[name](Views(*views))
    assert any(np.mean(members == carry) > 0.8 for members in proposal.candidates)
    assert all(members.sum() >= baselines.FEWEST for members in proposal.candidates)


def test_wilson_is_the_published_interval():
    assert tables.wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert tables.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_a_line_that_was_cut_off_does_not_count(tmp_path):
    file = tmp_path / "audits.jsonl"
    append(file, {"key": "first"})
    with file.open("a") as stream:
        stream.write('{"key": "sec')
    append(file, {"key": "third"})
    assert set(read_lines(file)) == {"first", "third"}


def few_digits(folder, side):
    whole = digits(folder, side)
    some = [np.flatnonzero(whole.labels == label)[:40] for label in range(3)]
    train, held_out = np.concatenate(some), whole.held_out_labels < 3
    parts = whole.images[train], whole.labels[train], whole.held_out[held_out], whole.held_out_labels[held_out]
    return Pictures(*parts, whole.classes[:3])


@pytest.mark.slow
def test_the_whole_command_on_two_cases(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(SOURCES, "digits", Source("", 32, few_digits))
    monkeypatch.setitem(RECIPES, "small_cnn", Recipe(4, 2e-3, 20))
    tiny = [Case("digits", ("logo",), 0.6, 0, audited=2), Case("digits", (), 0, 0, audited=1)]
    monkeypatch.setitem(SUBSETS, "quick", lambda data: tiny)
    arguments = ["--out", str(tmp_path), "--data", "digits", "--jobs", "1", "--markdown", str(tmp_path / "report.md")]
    truth.main([*arguments, "--baselines"])
    lines, proposed = (
        [json.loads(text) for text in (kept_in(tmp_path) / name).read_text().splitlines()]
        for name in ("audits-today.jsonl", "baselines.jsonl")
    )
    assert [line["key"] for line in lines] == [case.key for case in tiny]
    assert [len(line["results"]) for line in lines] == [2, 1]
    assert all(each["verdict"] in ("proven", "not used", "open", "not tested") for each in lines[0]["results"])
    assert set(proposed[0]["methods"]) == set(METHODS)
    report = (tmp_path / "report.md").read_text()
    assert "reporting half" in report
    assert "Clean classes" in report

    monkeypatch.setattr(truth.outcome, "audited", pytest.fail)  # a second call has nothing to do
    truth.main(arguments)
    assert (tmp_path / "report.md").read_text().startswith("### Planted classes")
    assert "Planted classes" in capsys.readouterr().out


def test_absent_data_is_skipped_with_a_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("UNHANS_TEST_DATA", str(tmp_path))
    truth.main(["--out", str(tmp_path), "--data", "digits", "cifar", "--report"])
    assert "cifar: skipped" in capsys.readouterr().out
