"""The section of a proven class: whole HTML, every name harmless, nothing from a network."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from html_outline import Outline, section_of
from html_proof import CLASSES, case_of, example_of, free_of, proof_of, samples_of, trial_of
from PIL import Image

from unhans.report.html import CaseSection, case_pictures, render
from unhans.report.html.case_view import effects_view
from unhans.report.pictures import data_uri
from unhans.report.tables import EffectGroup, axis_of, effect_groups
from unhans.report.tables.effect_tables import EffectLine
from unhans.report.text import MEASURES, failures_sentence, isolated_sentence, verdict_grounds, verdict_summary


def html_of(case, *sources):
    return section_of(CaseSection(case, case_pictures(case, CLASSES, *sources)))


def section(case, *sources):
    return Outline(html_of(case, *sources))


def test_a_section_holds_the_four_steps_and_every_number():
    case = case_of()
    read = section(case, *samples_of())
    steps = [read.text.index(step) for step in ("Suspicion", "Layer", "Effect", "Verdict")]
    assert steps == sorted(steps)
    assert dict(read.attributes)["data-verdict"] == "proven"
    for trial in (*case.proof.added, *case.proof.removed):
        for measure in MEASURES:
            assert measure.said(trial.effect) in read.text
            assert measure.range_said(trial.effect) in read.text
    grounds = verdict_grounds(case.proof)
    assert set(grounds) >= {"Effect", "Controls", "Removal"}
    for text in (verdict_summary(case.proof), *grounds.items()):
        for words in [text] if isinstance(text, str) else text:
            assert words in read.text
    assert isolated_sentence(case.isolated) in read.text
    assert "12 of 50 validation images of the class carry it" in read.text
    assert read.seen.count("img") == 3 + 2 * 6 + 4 * 4  # the layer, samples and heatmaps, before and after


def test_no_name_is_read_as_html_and_nothing_comes_from_a_network():
    text = html_of(case_of(), *samples_of())
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    sources = re.findall(r'src="([^"]*)"', text)
    assert len(sources) == text.count("<img")
    assert all(source.startswith("data:image/") for source in sources)
    assert "http" not in text


@pytest.mark.parametrize(
    ("case", "badge", "pictures"),
    [
        (case_of(proof="not used"), "not used", 3 + 16),
        (case_of(proof="open"), "open", 3 + 16),
        (case_of(None, None), "open", 0),
        (case_of("global", None), "open", 0),
        (case_of("free"), "proven", 3 + 16),
        (case_of(None), "proven", 16),
        (replace(case_of(), isolated=free_of(8), proof=proof_of(removed=False, examples=0)), "proven", 8),
    ],
)
def test_every_state_has_its_badge(case, badge, pictures):
    read = section(case)
    assert dict(read.attributes)["data-badge"] == badge
    assert read.text.count(badge) >= 1
    assert read.seen.count("img") == pictures


def test_what_is_missing_is_said():
    assert failures_sentence(case_of(None, None).failures) in section(case_of(None, None)).text
    assert "Its effect was not measured. An artifact is what" in section(case_of("global", None)).text


def test_both_heatmaps_of_a_sample_share_one_scale():
    proof = replace(proof_of(removed=False), examples=(example_of(0),))
    text = html_of(replace(case_of(None), proof=proof))
    pictures = [read_picture(source) for source in re.findall(r'src="([^"]*)"', text)]
    assert pictures[1].max() < pictures[3].max() == 255  # the map after is five times as strong


# Pictures ------------------------------------------------------------------------------------------------------------


def read_picture(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_a_small_picture_keeps_its_pixels_and_a_large_one_its_colours():
    small = np.random.default_rng(0).integers(0, 255, (30, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_picture(data_uri(small)), small)
    large = np.zeros((900, 600, 3), np.uint8)
    large[:, 300:, 0] = 255
    shown = read_picture(data_uri(large, 300))
    assert shown.shape == (300, 200, 3)
    np.testing.assert_allclose(shown[:, 105:].mean((0, 1)), [255, 0, 0], atol=3)


# The chart -----------------------------------------------------------------------------------------------------------


def table_of(groups):
    return render("effects.html", table=effects_view(groups))


def dots_of(html):
    return [float(value) for value in re.findall(r'<u style="left:([\d.]+)%">', html)]


def test_a_dot_lies_where_its_value_is_on_the_axis():
    groups = effect_groups(proof_of())
    low, high, _ = axis_of(groups)
    values = [line.value for group in groups for line in group.lines]
    assert dots_of(table_of(groups)) == pytest.approx([100 * (v - low) / (high - low) for v in values], abs=0.01)


@pytest.mark.parametrize("ends", [(-0.001, 0.002), (0, 0), (-1, 1), (-0.3, 0.7), (0.2, 0.9), (-0.9, -0.2)])
def test_an_axis_holds_its_values_zero_and_few_ticks(ends):
    line = EffectLine("a", 3, sum(ends) / 2, *ends, marked=True)
    low, high, ticks = axis_of([EffectGroup("", [line], 0.05)])
    assert low <= min(*ends, 0) < high
    assert high >= max(*ends, 0.05)
    assert 2 <= len(ticks) <= 7
    assert any(tick == pytest.approx(0, abs=1e-12) for tick in ticks)
    assert (ticks[0], ticks[-1]) == pytest.approx((low, high))


def test_an_interval_without_bounds_stays_on_the_axis():
    groups = effect_groups(proof_of(added=(trial_of(n=1),), removed=()))
    table = table_of(groups)
    assert all(0 <= left <= 100 for left in dots_of(table))
    assert "−∞" in table
