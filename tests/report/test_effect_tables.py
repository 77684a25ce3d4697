"""The effects of artifacts as tables, files and sentences."""

import csv
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from html_proof import CLASSES, SPREAD, case_of, proof_of, suspicion_of, trial_of
from rich.console import Console

from unhans.effects import Case, FeatureEffect, GivenPicture, Share, Untested, decide, leading, reason_of, state_of
from unhans.effects.verdict import judge
from unhans.isolation import Failure
from unhans.report.files import case_record
from unhans.report.files.case_files import write_cases
from unhans.report.tables import (
    case_rows,
    class_states,
    effect_rows,
    effect_tables,
)
from unhans.report.text import (
    LOGIT,
    PROBABILITY,
    RANK,
    SHARE,
    case_sentences,
    failures_sentence,
    findings,
    isolated_sentence,
    signed,
    spread_sentences,
    verdict_grounds,
    verdict_summary,
)
from unhans.stats import wilson
from unhans.store import write_csv


def printed(cases, width=80, truths=()):
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as captured:
        for part in effect_tables(cases, truths):
            console.print(part)
    return captured.get()


# Numbers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"), [(0.6124, "+0.612"), (-0.5, "−0.500"), (0.0004, "0.000"), (-0.0004, "0.000")]
)
def test_a_number_has_a_sign_unless_it_rounds_to_zero(value, text):
    assert signed(value, 3) == text


def test_measures_are_written_with_their_intervals():
    effect = replace(trial_of().effect, share=0.5, share_interval=(0.4, 0.6), rank=355.62, rank_interval=(-1.0, 371.25))
    effect = replace(effect, probability=math.nan, logit_interval=(-math.inf, math.inf))
    assert (SHARE.said(effect), SHARE.range_said(effect)) == ("50 %", "[40, 60]")
    assert (RANK.said(effect), RANK.range_said(effect)) == ("+355.6", "[−1.00, +371.2]")
    assert PROBABILITY.said(effect) == "–"
    assert LOGIT.range_said(effect) == "[−∞, +∞]"


# The terminal --------------------------------------------------------------------------------------------------------


def test_the_tables_show_every_trial_and_then_the_verdict():
    case = case_of()
    text = printed([case])
    assert text.index("Added to samples of other classes") < text.index("Removed from affected samples")
    for trial in (*case.proof.added, *case.proof.removed):
        for measure in (RANK, PROBABILITY, LOGIT, SHARE):
            assert measure.said(trial.effect) in text
            assert measure.range_said(trial.effect) in text
    assert "  its area in " in text
    assert "[/" not in text
    verdict = text[text.rindex("Class ") :]
    assert verdict.startswith(f"Class {CLASSES[1]}: proven\n")
    assert "12 of 50 validation images of the class carry it" in " ".join(text.split())


def lines_of(text):
    """The text beside every label, the lines joined."""
    found, label = {}, ""
    for line in text.splitlines()[1:]:
        head, words = re.fullmatch(r"  (\S+|) +(.*?) *", line).groups() if line.strip() else ("", "")
        label = head or label
        found[label] = f"{found.get(label, '')} {words}".strip()
    return found


def test_every_ground_of_a_verdict_has_a_line_of_its_own():
    case = case_of()
    text = printed([case], truths=["The artifact <was> planted [/]."])
    lines = lines_of(text[text.rindex("Class ") :])
    grounds = verdict_grounds(case.proof)
    assert list(lines) == ["Verdict", "Effect", "Controls", "Removal", "Spread", "Truth"]
    assert lines["Verdict"] == verdict_summary(case.proof)
    assert [lines[label] for label in grounds] == list(grounds.values())
    assert lines["Spread"] == " ".join(spread_sentences(case))
    assert lines["Truth"] == "The artifact <was> planted [/]."
    assert "Truth" not in printed([case])


def test_nothing_is_wider_than_a_terminal():
    proof = proof_of(name="a very long name of a class " * 5)
    case = case_of(name=proof.name)
    assert max(map(len, printed([replace(case, proof=proof)]).splitlines())) <= 80


def test_without_removals_there_is_one_table_and_without_a_proof_a_sentence():
    text = printed([replace(case_of(), proof=proof_of(removed=False))])
    assert "Removed" not in text
    text = printed([case_of(None, None)])
    assert text.splitlines()[0].endswith(": open (not isolated)")
    assert lines_of(text) == {
        "Verdict": "Open: no artifact could be isolated, so its effect was not measured.",
        "Reason": failures_sentence(case_of(None, None).failures),
        "Missing": "A layer that can be pasted: a mask of where the artifact lies, or a picture of it.",
    }
    assert effect_tables([]) == []


# Files ---------------------------------------------------------------------------------------------------------------


def test_every_trial_is_a_row_and_the_verdict_stands_with_the_artifact(tmp_path):
    cases = [case_of(), case_of(None, None)]
    write_csv(tmp_path / "effects.csv", *effect_rows(cases))
    with (tmp_path / "effects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == effect_rows(cases).columns
    trials = [*cases[0].proof.added, *cases[0].proof.removed]
    assert [row["trial"] for row in rows] == [*(trial.name for trial in trials), ""]
    assert [row["direction"] for row in rows] == ["add"] * 4 + ["remove"] * 2 + [""]
    assert [row["verdict"] for row in rows] == ["proven", "", "", "", "", "", "open"]
    assert [row["reason"] for row in rows] == ["", "", "", "", "", "", "not isolated"]
    for row, trial in zip(rows, trials, strict=False):
        effect = trial.effect
        assert float(row["delta_p"]) == effect.probability
        assert (float(row["delta_p_low"]), float(row["delta_p_high"])) == effect.probability_interval
        assert (float(row["flipped"]), float(row["delta_rank"])) == (effect.share, effect.rank)
        assert float(row["delta_logit_high"]) == effect.logit_interval[1]
        assert int(row["n"]) == effect.n
    assert rows[0]["class"] == CLASSES[1]
    assert all(isinstance(value, str | int | float | None) for row in effect_rows(cases).rows for value in row)


def test_the_record_is_strict_json(tmp_path):
    case = replace(case_of(), proof=proof_of(added=(trial_of(n=1),)))  # one sample: the logit has no bound
    case = replace(case, isolated=replace(case.isolated, separation=np.float64("nan")))
    write_cases(tmp_path / "effects.json", [case, case_of("global", None)])
    text = (tmp_path / "effects.json").read_text(encoding="utf-8")
    first, second = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert first["verdict"] == "proven"
    assert first["proven"] is True
    assert first["added"][0]["delta_logit_low"] is None
    assert first["added"][0]["delta_p"] == case.proof.added[0].effect.probability
    assert first["isolated"]["separation"] is None
    assert first["isolated"]["members"] == len(first["isolated"]["places"]) == 8
    assert first["spread"][1] == {"split": "val", "n": 50, "by_cluster": None, "by_matching": 12, "correct": 46,
                                  "correct_without": 34, "planted": None, "right": None}  # fmt: skip
    assert first["suspicion"]["score"] == 2.0
    assert (second["verdict"], second["reason"]) == ("open", "not isolated")
    assert (second["added"], second["proven"]) == ([], False)
    assert case_record(case) == first


def test_a_case_is_a_row_of_a_logger_with_its_pictures():
    cases = [case_of(), case_of(None, None)]
    columns, rows = case_rows(cases, {"layer": [Path("a.png"), None]})
    assert [len(row) for row in rows] == [len(columns)] * 2
    assert (rows[0][0], rows[0][1], rows[0][-1]) == (CLASSES[1], "proven", Path("a.png"))
    assert rows[0][columns.index("delta_p")] == cases[0].proof.added[0].effect.probability
    assert rows[1][columns.index("delta_p")] is None
    assert case_rows(cases).columns == columns[:-1]


# Feature space -------------------------------------------------------------------------------------------------------


def in_features():
    """A class of which only a direction at a layer was tested, with a large effect."""
    added = trial_of("concept"), trial_of("random direction", 0.1, seed=1)
    features = FeatureEffect("layer4", added, (trial_of("concept", -2.0, 20, lost=True),))
    return Case(1, CLASSES[1], suspicion_of(), features=features)


def test_features_alone_are_open_and_say_their_effect():
    case = in_features()
    effect = case.features.added[0].effect
    assert effect.probability_interval[0] > 0.05
    assert (state_of(case), reason_of(case), case.proven) == ("open", "features only", False)
    said, verdict = case_sentences(case)[2:]
    assert "Added to 60 samples of other classes, its direction in the features of layer 'layer4' changes" in said
    assert f"{PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)}" in said
    assert verdict.startswith("Open: the network uses what the samples of this group share, as a test in feature space")
    (state,) = class_states([(1, CLASSES[1])], [case], {}, {}, {})
    assert state.effect == f"Δp {PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)} in feature space."
    lines = lines_of(printed([case]))
    assert list(lines) == ["Verdict", "Effect", "Missing"]
    small = replace(case, features=replace(case.features, added=(trial_of("concept", 0.0, 500),)))
    assert (state_of(small), reason_of(small)) == ("open", "not isolated")  # never: not used
    assert "does not show that what the group shares does more than its controls" in case_sentences(small)[3]
    assert class_states([(1, CLASSES[1])], [small], {}, {}, {})[0].effect == ""


def test_what_is_open_speaks_for_a_class_before_what_is_not_used():
    """In the table of all classes as in the line that the callback prints."""
    unused = case_of(proof=None, failures=())
    unused = replace(unused, proof=replace(proof_of(), verdict=judge((trial_of(shift=-2.0, n=500),))))
    cases = [unused, in_features()]
    assert state_of(unused) == "not used"
    assert leading(cases) is leading(cases[::-1]) is cases[1]
    (state,) = class_states([(1, CLASSES[1])], cases, {}, {}, {})
    line = findings([suspicion_of()], {1: leading(cases)})
    assert (state.state, state.reason) == ("open", "features only")
    assert f"open: {CLASSES[1]} (features only: {state.effect.rstrip('.')})" in line


def test_features_are_in_the_record_and_in_the_rows():
    record = case_record(in_features())
    assert (record["verdict"], record["reason"], record["proven"]) == ("open", "features only", False)
    assert record["features"]["layer"] == "layer4"
    assert [each["trial"] for each in record["features"]["added"]] == ["concept", "random direction"]
    assert [each["n"] for each in record["features"]["removed"]] == [20]
    columns, found = effect_rows([in_features()])
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    assert [row["direction"] for row in rows] == ["add in features", "add in features", "remove in features"]
    assert [row["verdict"] for row in rows] == ["open", None, None]
    assert [row["reason"] for row in rows] == ["features only", None, None]


def test_the_record_holds_which_comparison_decided_and_how_sure_it_is():
    case = case_of()
    verdict = judge(case.proof.added)
    (decided, _) = decide([replace(case, proof=replace(case.proof, verdict=verdict)), case_of()], look=2)
    record = case_record(decided)
    assert record["decided_by"] == list(verdict.decided_by) != []
    assert record["p_value"] == verdict.p_value
    assert (record["q_value"], record["tests"]) == (decided.proof.verdict.q_value, 2)
    assert record["rate"] == pytest.approx(0.05 / 6)
    assert record["reason"] is None


def test_the_record_holds_codes_and_numbers_and_no_sentences():
    failure = Failure("too few images", {"images": 3.0})
    record = case_record(replace(case_of(), failures=(failure,), untested=Untested(groups=4, silent=1, artifacts=2)))
    assert record["failures"] == [{"reason": "too few images", "images": 3.0}]
    assert record["untested"] == {"groups": 4, "silent": 1, "artifacts": 2}
    assert [text for text in strings(record) if len(text.split()) > 4] == []


def strings(value):
    """All texts among nested values."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in strings(each)]


# Sentences -----------------------------------------------------------------------------------------------------------


def test_four_sentences_lead_from_the_suspicion_to_the_verdict():
    case = case_of()
    suspicion, layer, effect, verdict = case_sentences(case)
    assert suspicion.startswith(f"Class {CLASSES[1]} stands out (score ")
    assert layer == (
        f"{isolated_sentence(case.isolated)} Inside the artifact lies 71 % [65, 77] of the positive relevance in the "
        "8 images that carry it; on 20 other images 10 % [8, 12] before and 60 % [50, 70] after the isolated layer is "
        "laid over them; the mean relevance inside it correlates with the cluster's by 0.90 (95 % intervals)."
    )
    artifact = case.proof.added[0].effect
    assert "Added to 60 samples of other classes, the artifact changes the probability of " in effect
    assert f"{PROBABILITY.said(artifact)} {PROBABILITY.range_said(artifact)}" in effect
    assert "a patch of the class in its area changes" in effect
    assert "Taken away from 20 affected samples (fill: telea)" in effect
    assert verdict == verdict_summary(case.proof)
    assert effect == " ".join(verdict_grounds(case.proof).values())


@pytest.mark.parametrize(
    ("case", "state"),
    [
        (case_of(), "proven"),
        (case_of(proof="not used"), "not used"),
        (case_of(proof="open"), "open"),
        (case_of("global", None), "open"),
        (case_of(None, None), "open"),
        (Case(0, "fish"), "not tested"),
        (case_of(None), "proven"),  # an artifact that was given
    ],
)
def test_states(case, state):
    assert state_of(case) == state
    assert all(case_sentences(case))


def test_what_is_missing_is_said():
    assert case_sentences(Case(0, "fish"))[0] == "Class fish was named by the user."
    assert case_sentences(case_of(None, given=GivenPicture("mark.png", 0.3, "top_left")))[1] == (
        "The artifact was given: The picture mark.png at size 0.3, top left."
    )
    assert case_sentences(case_of(None, given=GivenPicture("mark.png", None, "by_hand", 2)))[1] == (
        "The artifact was given: The picture mark.png in its own pixels, at a place chosen by hand on each of 2 "
        "images; its effect is known on these images and places alone."
    )
    assert "does not stand out" in case_sentences(replace(case_of(), suspicion=suspicion_of(suspicious=False)))[0]
    said = case_sentences(case_of("global", None))
    assert said[2] == f"Its effect was not measured. {failures_sentence(case_of(None, None).failures)}"
    assert said[3] == "Open: what was isolated has no layer to paste, so its effect was not measured."


def test_the_spread_says_how_many_carry_it_and_how_well_the_class_does_without():
    train, val = spread_sentences(replace(case_of(), spread=SPREAD))
    low, high = wilson(34, 38)
    assert train.startswith("8 of 12 training images of the class carry it (8 by the cluster); accuracy 1.00")
    assert val.startswith("12 of 50 validation images of the class carry it; accuracy 0.92 [")
    assert val.endswith(f"{34 / 38:.2f} [{low:.2f}, {high:.2f}] on the 38 without it.")
    edge = (Share("val", 0, None, 0, 0, 0), Share("val", 1, None, 1, 1, 0), Share("test", 3, 0, 0, 2, 2))
    one, none = spread_sentences(replace(case_of(), spread=edge))
    assert one.startswith("1 of 1 validation image of the class")
    assert one.endswith("and no image is without it.")
    assert none.startswith("0 of 3 test images of the class carry it (0 by the cluster); accuracy 0.67 [")


def test_every_trial_says_of_which_split_its_samples_are():
    """A removal is measured on members of the split that was surveyed, an addition mostly on validation images."""
    case = case_of()
    added, removed = case.proof.added, case.proof.removed
    mixed = replace(added[1], indices=np.array([3, 7]))
    added = (replace(added[0], indices=np.array([7, 8])), mixed, *added[2:])
    removed = tuple(replace(trial, indices=np.array([0, 3])) for trial in removed)
    case = replace(case, proof=replace(case.proof, added=added, removed=removed))
    columns, rows = effect_rows([case], {"train": np.arange(5), "val": np.arange(5, 9)})
    found = [row[columns.index("split")] for row in rows]
    assert found[:2] == ["val", "train and val"]
    assert found[-len(removed) :] == ["train"] * len(removed)
    assert {row[columns.index("split")] for row in effect_rows([case])[1]} == {None}
