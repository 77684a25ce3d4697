"""What users call things is text on every page: class names, paths, artifacts, file names and messages."""

from dataclasses import replace

import numpy as np
import pytest
from html_class import audit_of, pictures
from html_class import suspicion_of as entry_of
from html_outline import Outline
from html_proof import case_of, samples_of
from jinja2 import UndefinedError
from PIL import Image
from repair_outcomes import outcome_of, outcomes_of
from test_repair_evolution import pair_of

from unhans.faithfulness import ContextRatios, summarise_context
from unhans.faithfulness.training import MAIN, MeasuredEpoch
from unhans.influence import GradientClusters
from unhans.repair import Decision
from unhans.report import Ranking
from unhans.report.html import (
    CaseSection,
    ClassDecisions,
    Correction,
    case_pictures,
    class_part,
    render,
    write_context_page,
    write_influence_page,
    write_quality_page,
    write_repair_report,
    write_report,
)
from unhans.report.tables import ClassState
from unhans.report.tables.models import InfluenceGroup
from unhans.report.text import Named
from unhans.stats import Estimate

NAME = "<b title=\"'\">&amp;</b></script><script>boom('&')</script></template></style>"
NAMES = [f"{number} {NAME}" for number in range(3)]


def audit_page(folder):
    case = case_of(name=NAMES[1], proof=None, isolated=None)
    proven = case_of(name=NAMES[1], proof="proven")
    decision = Decision(1, 1, NAMES[1], "did not act", "proven", trouble=NAME)
    decided = ClassDecisions([decision], [], "augment")
    correction = Correction(outcome_of("uncorrected").assessment, outcome_of("p_clarc").assessment, f"{NAME}.html")
    sections = [
        CaseSection(proven, case_pictures(proven, NAMES, *samples_of()), None, correction, decided),
        CaseSection(case, correction=Correction(error=NAME)),
    ]
    (folder / "list.csv").write_text(f'path\n"{NAME}"\n')
    (folder / "part").write_bytes(class_part(audit_of(1), pictures(), NAMES, [NAME] * 40))
    state = ClassState(1, NAMES[1], "open", NAME, missing=NAME)
    ranking, downloads = [entry_of(name=NAMES[1])], {NAME: folder / "list.csv"}
    cases = [(1, sections)]
    write_report(folder / "page.html", [folder / "part"], ranking, NAME, NAME, downloads, cases, [state])


def repair_page(folder):
    (folder / "list.csv").write_text(NAME)
    concept = replace(outcome_of("p_clarc").concept, layer=NAME)
    outcomes = [*outcomes_of(seeds=1), outcome_of("p_clarc", 1, concept=concept)]
    options = {"named": Named(NAME, NAMES[1]), "pairs": [pair_of([0, 1, 5], title=NAME)]}
    write_repair_report(folder / "page.html", outcomes, NAME, NAME, downloads={NAME: folder / "list.csv"}, **options)


def influence_page(folder):
    Image.new("RGB", (9, 9)).save(folder / "picture.png")
    (folder / "list.csv").write_text(NAME)
    found = GradientClusters((NAME, "fc"), np.zeros(2), np.array([[1, 0], [0, 1]]), 1.0, 1.0, 1.0)
    group = InfluenceGroup(NAME, NAME, 1, {5: 0.5}, 0.5, 0.5, 0.5, {5: 0.5})
    files = {NAME: folder / "picture.png"}, {NAME: folder / "list.csv"}
    write_influence_page(folder / "page.html", NAME, [NAME, NAME], [group], {NAME: [found]}, *files)


def notebook(folder):
    html = Ranking([entry_of(name=NAMES[1])], folder, NAMES, NAME)._repr_html_()
    (folder / "page.html").write_text(html)


def context_page(folder):
    values = np.array([0.5, 2.0])
    found = ContextRatios(*(np.arange(2),) * 3, np.zeros(2, np.int8), values / 8, values / 8, values)
    one = summarise_context(found)
    Image.new("RGB", (9, 9)).save(folder / "picture.png")
    (folder / "list.csv").write_text(NAME)
    files = {NAME: folder / "picture.png"}, {NAME: folder / "list.csv"}
    write_context_page(folder / "page.html", [NAME, NAME], {NAME: one}, {NAME: {NAMES[1]: one}}, *files)


def quality_page(folder):
    one = Estimate(0.5, (0.25, 0.75), "samples", 1, 9)
    points = [MeasuredEpoch(epoch, {MAIN: one, f"share/{NAME}/net": one}) for epoch in (1, 2)]
    Image.new("RGB", (9, 9)).save(folder / "picture.png")
    (folder / "list.csv").write_text(NAME)
    files = {NAME: folder / "picture.png"}, {NAME: folder / "list.csv"}
    of_class = {NAMES[1]: points[-1]}
    write_quality_page(folder / "page.html", [NAME, NAME], points, of_class, {1: NAME, 2: NAME}, [NAME], *files)


@pytest.mark.parametrize("write", [audit_page, repair_page, influence_page, context_page, quality_page, notebook])
def test_a_name_is_text_wherever_it_stands(write, tmp_path):
    write(tmp_path)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    read = Outline(text)
    assert NAME in read.text
    assert ("title", "'") not in read.attributes
    assert not any(part in text for part in ("<b title", "</script><script>boom", "</template></style>"))


def test_a_name_that_a_template_lacks_is_an_error():
    with pytest.raises(UndefinedError, match="'sentences' is undefined"):
        render("ranking.html", caption="", columns=[], rows=[])
