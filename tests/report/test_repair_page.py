"""The page about a repair: the numbers it shows, what it escapes, and that it needs nothing from outside."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from repair_outcomes import CLASSES, assessment_of, outcome_of, outcomes_of
from test_repair_evolution import pair_of

from unhans.repair import summaries
from unhans.report.html import write_repair_report
from unhans.report.html.repair_page import headline, repair_part
from unhans.report.tables import write_repairs
from unhans.report.text import Named, repair_sentences
from unhans.stats import Rate

NAMED = Named("the <b>watermark</b>", CLASSES[1])


class Tags(HTMLParser):
    """Collects what is open at the end, and every address."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.names = [], [], set()

    def handle_starttag(self, tag, attributes):
        self.names.add(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.names.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(text):
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    return tags


def words(part):
    """Return the text of HTML, spaces made one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", part)).split())


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    outcomes = outcomes_of(seeds=3)
    write_repairs(folder / "repair.csv", outcomes)
    path = folder / "report.html"
    write_repair_report(
        path, outcomes, "<i>Title</i>", "5 > 4", named=NAMED, pairs=[pair_of([0, 1, 5], title="<u>sample</u>")],
        downloads={"repair.csv": folder / "repair.csv"}, more="<p>more to say</p>",
    )  # fmt: skip
    return path.read_text(encoding="utf-8")


def test_the_page_is_whole_and_loads_nothing(page):
    tags = parsed(page)
    assert all(address.startswith("data:") for address in tags.addresses)
    assert "script" not in tags.names
    assert "default-src 'none'" in page
    assert not re.search(r"\{\{\w+\}\}", page)


def test_names_are_escaped(page):
    for name in ("<i>Title</i>", "<b>watermark</b>", "<u>sample</u>", CLASSES[1]):
        assert name not in page
    said = words(page)
    assert "the <b>watermark</b>" in said
    assert CLASSES[1] in said
    assert "<u>sample</u>" in page.replace("&lt;", "<").replace("&gt;", ">")


def test_every_method_and_number_is_on_the_page(page):
    said = words(page)
    for one, sentence in zip(summaries(outcomes_of(seeds=3)), repair_sentences(summaries(outcomes_of(seeds=3)), NAMED),
                             strict=True):  # fmt: skip
        assert one.name in said
        assert sentence.split(": ", 1)[1] in said
        for value in (one.clean, one.added, one.removed, one.worst, one.relevance):
            low, high = (f"{100 * end:.1f}" for end in value.interval)
            assert f"{100 * value.mean:.1f} % [{low}, {high}]" in said
        assert f"{one.area.mean:.3f} [{one.area.interval[0]:.3f}" in said
        assert f"{one.effect.mean:+.3f} [{one.effect.interval[0]:+.3f}".replace("-", "−") in said
    assert "3 seeds; 95 % intervals over seeds" in said
    assert "The pattern to look for" in said
    assert "more to say" in said


def test_a_saved_table_is_the_table(page, tmp_path):
    write_repairs(tmp_path / "repair.csv", outcomes_of(seeds=3))
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


def test_marks_of_the_trade_off_lie_inside_their_picture(page):
    for picture in re.findall(r'<svg class="chart".*?</svg>', page, re.S):
        width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', picture).groups())
        places = [
            tuple(map(float, pair)) for pair in re.findall(r'class="mark".*?translate\(([\d.]+),([\d.]+)\)', picture)
        ]
        assert places
        assert all(0 <= x <= width and 0 <= y <= height for x, y in places)
        assert not re.search(r">10[1-9]", picture)  # no share above 100 %


def test_what_is_missing_leaves_no_hole():
    bare = replace(assessment_of("p_clarc"), removed=None, relevance=None, area=None)
    part = repair_part([outcome_of("p_clarc", assessment=bare)])
    parsed(part)
    said = words(part)
    assert "Artifact removed" not in said.split("How to read")[0]
    assert "Trained without" not in said
    assert "While the network is trained" not in said
    assert "1 network assessed" in said
    with pytest.raises(ValueError, match="at least one outcome"):
        repair_part([])


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
    said = headline(summaries([before, good, doubtful, costly]))
    assert said.startswith("2 of 3 repairs take away at least 80 % of the artifact's effect")
    assert said.endswith("1 without a measurable loss of accuracy")
    none = headline(summaries([before, doubtful]))
    assert none == "The repair does not certainly take away 80 % of the artifact's effect"
    control = repaired("unaltered", 0.1 * size, 0.05 * size, clean)  # a training without repair is not counted
    alone = headline(summaries([before, good, control]))
    assert alone == "The repair takes away 90 % of the artifact's effect, without a measurable loss of accuracy"


def test_a_page_is_whole_or_absent(tmp_path):
    with pytest.raises(ValueError, match="at least one outcome"):
        write_repair_report(tmp_path / "report.html", [], "t")
    with pytest.raises(OSError, match="gone"):
        write_repair_report(tmp_path / "report.html", [outcome_of("p_clarc")], "t", downloads={"x": tmp_path / "gone"})
    assert not list(tmp_path.iterdir())
