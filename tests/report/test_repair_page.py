"""The page about a repair: the numbers it shows, what it escapes, and that it needs nothing from outside."""

import re
from base64 import b64decode
from dataclasses import replace
from urllib.parse import unquote

import pytest
from html_outline import Outline
from repair_outcomes import CLASSES, assessment_of, outcome_of, outcomes_of
from test_repair_evolution import pair_of

from unhans.repair import summaries
from unhans.report.figures import trade_off_figure
from unhans.report.html import render, write_repair_report
from unhans.report.html.repair_page import repair_view
from unhans.report.pictures import drawn_picture
from unhans.report.tables import repair_tables
from unhans.report.text import METHOD_NAMES, Named, repair_headline
from unhans.report.text.repair_text import achievement
from unhans.stats import Rate
from unhans.store import write_csv

NAMED = Named("the <b>watermark</b>", CLASSES[1])


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    outcomes = outcomes_of(seeds=3)
    write_csv(folder / "repair.csv", *repair_tables(outcomes)["methods"])
    path = folder / "report.html"
    write_repair_report(
        path, outcomes, "<i>Title</i>", "5 > 4", named=NAMED, pairs=[pair_of([0, 1, 5], title="<u>sample</u>")],
        downloads={"repair.csv": folder / "repair.csv"},
    )  # fmt: skip
    return path.read_text(encoding="utf-8")


def test_the_page_is_whole_and_loads_nothing(page):
    read = Outline(page)
    assert all(value.startswith("data:") for name, value in read.attributes if name in ("src", "href"))
    assert "script" not in read.seen
    assert "default-src 'none'" in page


@pytest.mark.parametrize(("width", "scheme"), [(375, "light"), (1280, "dark")])
def test_it_fits_the_screen_and_figures_have_a_light_ground(browser, page, tmp_path, width, scheme):
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    opened = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said = []
    opened.on("console", lambda message: said.append(message.text))
    opened.goto((tmp_path / "page.html").as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    grounds = opened.locator(".chart").evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundColor)")
    assert grounds == ["rgb(255, 255, 255)"] * 2
    assert opened.locator("img").evaluate_all("all => all.every((one) => one.complete && one.naturalWidth > 0)")
    assert said == []
    opened.close()


def test_every_method_and_number_is_on_the_page(page):
    said = Outline(page).words
    for one in summaries(outcomes_of(seeds=3)):
        assert METHOD_NAMES[one.method] in said
        assert achievement(one, NAMED) in said
        for value in (one.clean, one.added, one.removed, one.worst, one.relevance):
            low, high = (f"{100 * end:.1f}" for end in value.interval)
            assert f"{100 * value.mean:.1f} % [{low}, {high}]" in said
        assert f"{one.area.mean:.3f} [{one.area.interval[0]:.3f}" in said
        assert f"{one.effect.mean:+.3f} [{one.effect.interval[0]:+.3f}".replace("-", "−") in said
    assert "3 seeds; 95 % intervals over seeds" in said
    assert "The pattern to look for" in said


def test_a_saved_table_is_the_table(page, tmp_path):
    write_csv(tmp_path / "repair.csv", *repair_tables(outcomes_of(seeds=3))["methods"])
    (link,) = re.findall(r'download="repair.csv" href="data:text/csv;charset=utf-8,([^"]*)"', page)
    assert unquote(link) == (tmp_path / "repair.csv").read_text(encoding="utf-8")


def test_dots_lie_where_the_numbers_are(page):
    row = re.search(r'<tr class="method p_clarc">(.*?)</tr>', page, re.S).group(1)
    found = {one.method: one for one in summaries(outcomes_of(seeds=3))}
    cell = re.search(r'<td data-title="Unaltered">(.*?)</td>', row, re.S).group(1)
    (dot,) = re.findall(r'<u style="left:([\d.]+)%">', cell)
    (before,) = re.findall(r'<s style="left:([\d.]+)%">', cell)
    assert float(dot) == pytest.approx(100 * found["p_clarc"].clean.mean, abs=0.01)
    assert float(before) == pytest.approx(100 * found["uncorrected"].clean.mean, abs=0.01)


def test_figures_are_drawn_by_the_same_code_whose_text_is_the_same_each_time(page):
    first, second = (b64decode(text).decode() for text in re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', page))
    again = drawn_picture(trade_off_figure(outcomes_of(seeds=3)))
    assert b64decode(again.address.partition(",")[2]).decode() == first
    assert ">P-ClArC</text>" in first
    assert "relevance inside the artifact's mask</text>" in second
    assert "<dc:date>" not in first + second
    assert "; P-ClArC: Δp +0.0" in page  # for who cannot see it


def test_what_is_missing_leaves_no_hole():
    bare = replace(assessment_of("p_clarc"), removed=None, relevance=None, area=None)
    said = Outline(
        render(
            "repair.html", title="", subtitle="", downloads=[], **repair_view([outcome_of("p_clarc", assessment=bare)])
        )
    ).words
    assert "Artifact removed" not in said.split("How to read")[0]
    assert "Trained without" not in said
    assert "While the network is trained" not in said
    assert "1 network assessed" in said
    with pytest.raises(ValueError, match="at least one outcome"):
        repair_view([])


def test_the_headline_counts_only_what_is_certain():
    before = outcome_of("uncorrected")
    effect = before.assessment.effect

    def repaired(method, p, half, clean):
        changed = replace(effect, probability=p, probability_interval=(p - half, p + half))
        return outcome_of(method, assessment=replace(assessment_of(method), effect=changed, clean=Rate(clean, 500)))

    size, clean = effect.probability, before.assessment.clean.correct
    good = repaired("p_clarc", 0.1 * size, 0.05 * size, clean)
    doubtful = repaired("reactive", 0.1 * size, 0.15 * size, clean)
    costly = repaired("a_clarc", 0.1 * size, 0.05 * size, clean - 200)
    said = repair_headline(summaries([before, good, doubtful, costly]))
    assert said.startswith("2 of 3 repairs take away at least 80 % of the artifact's effect")
    assert said.endswith("1 without a measurable loss of accuracy")
    none = repair_headline(summaries([before, doubtful]))
    assert none == "The repair does not certainly take away 80 % of the artifact's effect"
    control = repaired("unaltered", 0.1 * size, 0.05 * size, clean)  # a training without repair is not counted
    alone = repair_headline(summaries([before, good, control]))
    assert alone == "The repair takes away 90 % of the artifact's effect, without a measurable loss of accuracy"


def test_a_page_is_whole_or_absent(tmp_path):
    with pytest.raises(ValueError, match="at least one outcome"):
        write_repair_report(tmp_path / "report.html", [], "t")
    with pytest.raises(OSError, match="gone"):
        write_repair_report(tmp_path / "report.html", [outcome_of("p_clarc")], "t", downloads={"x": tmp_path / "gone"})
    assert not list(tmp_path.iterdir())
