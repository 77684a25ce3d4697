"""Table 2, the comparison of repairs, and what is said about them, against slow literal computations."""

import io
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from repair_outcomes import CLASSES, TRUTHS, N, assessment_of, outcome_of, outcomes_of
from rich.console import Console
from scipy.stats import t as student

from unhans.experiment.repair.repair_command import log_repairs
from unhans.repair import METHODS, summaries, table_two_of
from unhans.report.tables import repair_scalars, repair_table, repair_tables, table_two
from unhans.report.tables.repair_tables import REPAIR_COLUMNS
from unhans.report.text import METHOD_NAMES, Named, pattern_sentences
from unhans.report.text.repair_text import achievement
from unhans.stats import Rate
from unhans.stats.seeds import newcombe

NAMED = Named("the $watermark$ [bold]", CLASSES[3])


def printed(*parts):
    """Return what a terminal of 80 columns shows."""
    console = Console(width=80, file=io.StringIO(), record=True)
    for part in parts:
        console.print(part)
    return console.export_text()


def flat(text):
    return " ".join(text.split())


def slow(rates):
    """Mean share, and Student's interval over seeds with Wilson's over samples, literally."""
    values, n = [rate.correct / rate.n for rate in rates], len(rates)
    mean = sum(values) / n
    half = student.ppf(0.975, n - 1) * statistics.stdev(values) / math.sqrt(n)
    below = sum(value - rate.interval[0] for value, rate in zip(values, rates, strict=True)) / n
    above = sum(rate.interval[1] - value for value, rate in zip(values, rates, strict=True)) / n
    return mean, max(0, mean - math.sqrt(half**2 + below**2)), min(1, mean + math.sqrt(half**2 + above**2))


def first_of(correct, n):
    """The first images are right."""
    return Rate(correct, n, np.packbits(np.arange(n) < correct).tobytes().hex())


def with_rates(method, seed, clean, added, n=500):
    found = replace(assessment_of(method, seed), clean=first_of(clean, n), added=first_of(added, n))
    return outcome_of(method, seed, assessment=found)


def test_every_method_has_a_name():
    assert tuple(METHOD_NAMES) == METHODS


# Table 2 -------------------------------------------------------------------------------------------------------------


def test_table_two_is_the_mean_over_seeds_with_the_interval_of_both():
    outcomes = outcomes_of(seeds=3)
    rows = {(row[0], row[1]): row for row in repair_tables(outcomes)["table_two"][1]}
    for trained, method in (("A", "unaltered"), ("B", "augmented")):
        for images, field in (("A", "clean"), ("B", "added")):
            runs = [one.assessment for one in outcomes if one.method == method]
            assert rows[trained, images][2:5] == pytest.approx(slow([getattr(run, field) for run in runs]))
            assert rows[trained, images][5:] == ("seeds and samples", N * len(CLASSES), 3)
    assert set(rows) == {(a, b) for a in ("A", "B", "B - A") for b in "AB"}


def test_its_differences_are_paired_over_the_seeds_that_both_rows_have():
    both = [with_rates("unaltered", s, 450 + 10 * s, 300 + 10 * s) for s in range(3)]
    both += [with_rates("augmented", s, 451 + 10 * s, 452 + 9 * s) for s in range(3)]
    more = [*both, with_rates("unaltered", 9, 0, 0)]
    for outcomes in (both, more):
        gains = table_two_of(outcomes).gains
        assert gains["A"].mean == pytest.approx(1 / 500)
        assert gains["B"].mean == pytest.approx((152 + 151 + 150) / 3 / 500)
        assert (gains["B"].seeds, gains["B"].of) == (3, "seeds and samples")
        pairs = [(first_of(451 + 10 * s, 500), first_of(450 + 10 * s, 500)) for s in range(3)]
        low, high = (statistics.fmean(end) for end in zip(*(newcombe(*pair) for pair in pairs), strict=True))
        assert gains["A"].interval == pytest.approx((low, high))  # the same in every seed


def test_one_seed_has_the_intervals_of_its_images_and_says_so():
    outcomes = outcomes_of(("unaltered", "augmented"), seeds=1)
    text = flat(printed(table_two(table_two_of(outcomes))))
    clean = outcomes[0].assessment.clean
    low, high = (f"{100 * end:.1f}" for end in clean.interval)
    assert f"{100 * clean.share:.1f} %" in text
    assert f"[{low}, {high}]" in text
    assert "n = 500 validation images, 1 seed; 95 % intervals over the images (Wilson): one seed does not tell" in text
    assert "Newcombe" in text


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((465, 260), (466, 460), ("more often than A", "not measurably worse than A", 1)),
        ((465, 460), (440, 462), ("no difference is measurable", "B is worse than A", 0)),
        ((440, 460), (470, 420), ("less often than A", "B is better than A", 1)),
    ],
)
def test_the_pattern_is_said_plainly(a, b, words):
    with_it, without = pattern_sentences(table_two_of([with_rates("unaltered", 0, *a), with_rates("augmented", 0, *b)]))
    first, second, holds = words
    assert first in with_it
    assert second in without
    assert sum("the pattern holds" in sentence for sentence in (with_it, without)) == holds
    assert ("nothing here speaks against" in without) == ("not measurably worse" in without)  # not shown to be as good
    assert f"{b[1] / 5:.1f} % against {a[1] / 5:.1f} %" in with_it
    assert f"{(b[0] - a[0]) / 5:+.1f} points".replace("-", "−") in without


def test_without_one_of_its_rows_there_is_no_table_two():
    only = [outcome_of("unaltered", 0), outcome_of("augmented", 1), outcome_of("p_clarc", 0)]
    assert table_two_of(only) is None
    assert set(repair_tables(only)) == {"methods", "runs"}
    assert table_two_of([*only, outcome_of("augmented", 0)]) is not None


# The comparison ------------------------------------------------------------------------------------------------------


def test_every_number_of_a_method_is_that_of_its_runs():
    outcomes = outcomes_of(seeds=3)
    for row in repair_tables(outcomes)["methods"][1]:
        cell = dict(zip(REPAIR_COLUMNS, row, strict=True))
        runs = [one.assessment for one in outcomes if one.method == cell["method"]]
        if cell["method"] == "uncorrected":
            assert cell["accuracy_clean_interval_of"] == "seeds and samples"  # the same network three times
            ends = [cell[f"{name}_{end}"] for name in ("accuracy_clean", "delta_p") for end in ("low", "high")]
            assert ends == pytest.approx([*runs[0].clean.interval, *runs[0].effect.probability_interval])
            continue
        expected = slow([run.removed for run in runs])
        assert [cell[f"accuracy_removed{end}"] for end in ("", "_low", "_high")] == pytest.approx(expected)
        assert cell["delta_p"] == pytest.approx(statistics.fmean(run.effect.probability for run in runs))
        assert cell["relevance_in_mask"] == pytest.approx(statistics.fmean(run.relevance.mean for run in runs))
        assert cell["auc_clean"] == pytest.approx(statistics.fmean(run.area.value for run in runs))
        means = {group: statistics.fmean(run.groups[group].share for run in runs) for group in runs[0].groups}
        assert (cell["worst_group"], cell["worst_group_artifact_added"]) == min(means, key=means.get)
        assert cell["accuracy_worst_group"] == pytest.approx(min(means.values()))
        assert cell["seconds"] == pytest.approx(TRUTHS[cell["method"]][5] + 1)


def test_the_effect_is_reduced_against_the_uncorrected_network():
    outcomes = outcomes_of(seeds=3)
    effect = {one.method: one.effect for one in summaries(outcomes)}
    for one in summaries(outcomes):
        if one.method == "uncorrected":
            assert (one.reduced, one.kept) == (None, None)
            continue
        before = effect["uncorrected"].mean
        sizes = [abs(one.effect.mean), *sorted(map(abs, one.effect.interval))]
        if one.effect.interval[0] <= 0 <= one.effect.interval[1]:
            sizes[1] = 0
        share, (low, high) = one.reduced
        assert (share, high, low) == pytest.approx([1 - size / before for size in sizes])


def test_an_effect_turned_round_is_not_called_gone():
    before = outcome_of("uncorrected")
    effect = replace(before.assessment.effect, probability=-0.3, probability_interval=(-0.4, -0.2))
    base = replace(before.assessment.effect, probability=0.4, probability_interval=(0.3, 0.5))
    first = replace(before, assessment=replace(before.assessment, effect=base))
    second = outcome_of("p_clarc", assessment=replace(assessment_of("p_clarc"), effect=effect))
    (_, found) = summaries([first, second])
    assert found.reduced[0] == pytest.approx(0.25)
    assert found.reduced[1] == pytest.approx((0.0, 0.5))
    grown = replace(effect, probability=0.6, probability_interval=(0.5, 0.7))
    (_, found) = summaries([first, replace(second, assessment=replace(second.assessment, effect=grown))])
    assert found.reduced[0] == pytest.approx(-0.5)
    assert "50 % more than before." in achievement(found)
    hardly = replace(effect, probability=0.38, probability_interval=(0.3, 0.46))
    (_, found) = summaries([first, replace(second, assessment=replace(second.assessment, effect=hardly))])
    assert "5 % less than before, which is no measurable change." in achievement(found)
    nothing = replace(base, probability_interval=(-0.1, 0.5))
    (_, found) = summaries([replace(first, assessment=replace(first.assessment, effect=nothing)), second])
    assert found.reduced is None  # of an effect that may be zero no share can be taken away


def test_without_the_uncorrected_network_nothing_is_compared_with_it():
    (found,) = summaries([outcome_of("p_clarc")])
    assert (found.reduced, found.kept) == (None, None)
    assert "than before" not in achievement(found)


def test_clean_accuracy_is_compared_seed_by_seed():
    befores = [with_rates("uncorrected", s, 450 + 20 * s, 300) for s in range(3)]
    afters = [with_rates("a_clarc", s, 441 + 20 * s - s, 300) for s in range(3)]
    found = summaries([*befores, *afters])[1]
    assert found.kept.mean == pytest.approx(-10 / 500)
    assert found.kept.of == "seeds and samples"
    assert found.kept.interval[1] < 0
    assert "fewer than before (−2.0 points" in achievement(found)


def test_the_terminal_shows_every_method_within_80_columns():
    text = printed(repair_table(outcomes_of(seeds=3), NAMED))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    said = flat(text)
    for one in summaries(outcomes_of(seeds=3)):
        assert f"{100 * one.clean.mean:.1f} % [{100 * one.clean.interval[0]:.1f}," in said
        assert f"{one.effect.mean:+.3f}" in said
    assert "the $watermark$ [bold] on images of other classes changes the probability of garbage truck" in said
    assert "n = 500 validation images, Δp on n = 200 of other classes; 3 seeds" in said
    assert "3 seeds; 95 % intervals over seeds and samples." in said


def test_what_could_not_be_measured_as_it_should_is_said():
    bare = replace(assessment_of("p_clarc"), removed=None, relevance=None, area=None)
    text = flat(printed(repair_table([outcome_of("p_clarc", assessment=bare)])))
    assert "–" in text
    odd = replace(assessment_of("p_clarc"), removed_from="train", relevance_on="pasted", left_out=7)
    text = flat(printed(repair_table([outcome_of("p_clarc", assessment=odd)])))
    assert "Removal is measured on training samples, as no validation sample carries the artifact." in text
    assert "measured on validation images with the artifact pasted" in text
    assert "7 samples with the artifact and no image without it" in text
    same = replace(assessment_of("p_clarc"), removed_from="train", relevance_on="train")
    text = flat(printed(repair_table([outcome_of("p_clarc", assessment=same)])))
    assert "Removal and relevance in the mask are measured on training samples" in text


def test_no_outcome_and_a_seed_twice_are_refused():
    with pytest.raises(ValueError, match="at least one outcome; got none"):
        repair_table([])
    with pytest.raises(ValueError, match="one outcome per method and seed; got seeds \\[1, 1\\] of 'p_clarc'"):
        summaries([outcome_of("p_clarc", 1), outcome_of("p_clarc", 1)])


# Files and loggers ---------------------------------------------------------------------------------------------------


def test_tables_have_a_cell_for_every_column():
    tables = repair_tables(outcomes_of(seeds=2))
    assert {name: len(rows) for name, (_, rows) in tables.items()} == {"methods": 7, "runs": 14, "table_two": 6}
    for columns, rows in tables.values():
        assert all(len(row) == len(columns) for row in rows)
    columns, rows = tables["runs"]
    notes = [dict(zip(columns, row, strict=True))["note"] for row in rows]
    assert notes[8] == (
        "pattern at features.3, positions, AUC 0.980, from 200 and 190 images: the same images with and without the "
        "artifact pasted"
    )
    assert (notes[0], notes[-1]) == ("", "weight 10")


def test_loggers_get_means_tables_and_figures_at_once(monkeypatch):
    outcomes, calls = outcomes_of(seeds=2), []
    monkeypatch.setattr("unhans.experiment.repair.repair_command.log_once", lambda *parts: calls.append(parts))
    log_repairs(["logger"], outcomes, {"repair/methods": "a.png"})
    (loggers, scalars, figures, tables) = calls[0]
    assert (loggers, figures) == (["logger"], {"repair/methods": "a.png"})
    assert scalars == repair_scalars(outcomes)
    assert scalars["repair/p_clarc/delta_p"] == pytest.approx(summaries(outcomes)[4].effect.mean)
    assert all(isinstance(value, float) and math.isfinite(value) for value in scalars.values())
    assert set(tables) == {"repair/methods", "repair/runs", "repair/table_two"}
    log_repairs(["logger"], outcomes_of(("p_clarc",), 1))
    assert set(calls[1][3]) == {"repair/methods", "repair/runs"}
