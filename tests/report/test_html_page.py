"""The page is one whole file; in a browser it sorts, searches, opens classes, and loads nothing."""

import base64
import csv
import hashlib
import html
import io
import json
import re
import zlib
from dataclasses import replace
from importlib.resources import files

import pytest
from html_class import CLASSES, N, audit_of, cluster, paths_of, pictures, suspicion_of
from html_proof import CLASSES as PROOF_CLASSES
from html_proof import case_of, proof_of, samples_of
from PIL import Image

from unhans.report.html import CaseSection, Thumbnails, case_pictures, class_part, write_report
from unhans.report.html.audit_page import SCRIPTS
from unhans.report.tables import SUSPECT_COLUMNS
from unhans.report.text import ranking_sentences

LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 700}
TITLE = "Is <it> right & \u201cfair\u201d?"
SUSPECTS = 'path,index\n"a ""b"", </script>.png",1\n'


def ranking():
    return [
        replace(suspicion_of(1, 2.0), tau_clusters=8, exact_neighbours=False),
        suspicion_of(3, 1.1, 0.9, 5.0, 0.2, name="zebra 10"),
        suspicion_of(2, 0.4, 0.5, 2.0, 0.1, name="zebra 9"),
        suspicion_of(0, -0.1, 0.6, 1.0, None),
    ]


SENTENCES = ranking_sentences(ranking())


def write_part(folder, audit, label, thumbnails=None, images=None):
    path = folder / f"{label}.zlib"
    images = pictures() if images is None else images
    path.write_bytes(class_part(audit, images, CLASSES, paths_of(label), thumbnails))
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    bare = audit_of(0, clusters=(), control=False, projection=None, split=False)
    chosen = (cluster(range(25, 40)), cluster([7], "kmeans", 2, 7, float("nan"), 0.5))  # one sample: it has a thumbnail
    parts = [
        write_part(folder, audit_of(1, clusters=chosen), 1, Thumbnails(12, 80)),
        write_part(folder, bare, 0),
        write_part(folder, audit_of(2, control=False, target=audit_of(0).prediction), 2),
    ]
    (folder / "suspects.csv").write_text(SUSPECTS, encoding="utf-8")
    path = folder / "report.html"
    write_report(path, parts, ranking(), TITLE, "epoch 3", {"suspects.csv": folder / "suspects.csv"})
    return path


@pytest.fixture
def opened(browser, report):
    """Return a function that opens the page; at the end nothing was complained about or asked of a network."""
    said, asked, contexts = [], [], []

    def open_page(viewport=LAPTOP, scheme="light", target="", path=report):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{path.as_uri()}{target}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def shown_names(page):
    return page.locator("#ranking tbody tr:not([hidden]) a").all_text_contents()


def open_class(page, name):
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_selector("#sample dl")


def sample_text(page):
    return dict(zip(page.locator("#sample dt").all_inner_texts(), page.locator("#sample dd").all_inner_texts(),
                    strict=True))  # fmt: skip


def colours(page):
    """Count the pixels of each colour on the map."""
    url = page.evaluate("document.getElementById('map').toDataURL()")
    drawn = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA")
    counted = drawn.getcolors(drawn.width * drawn.height)
    return {"#" + bytes(pixel[:3]).hex(): count for count, pixel in counted if pixel[3] == 255}


def point(page, i, audit):
    """Find where sample i is drawn: the map keeps proportions and lies in the middle of its canvas."""
    points = audit.spray.projection_
    spread, box = points.max(0) - points.min(0), page.locator("#map").bounding_box()
    width, height = (page.evaluate(f"document.getElementById('map').client{side}") for side in ("Width", "Height"))
    scale = min((width - 28) / spread[0], (height - 28) / spread[1])
    x, y = points[i] - points.min(0)
    left, bottom = (width - scale * spread[0]) / 2, (height - scale * spread[1]) / 2
    return box["x"] + 1 + left + scale * x, box["y"] + 1 + height - bottom - scale * y


# The file ------------------------------------------------------------------------------------------------------------


def test_the_page_holds_the_parts_and_loads_nothing(report):
    text = report.read_text(encoding="utf-8")
    assert f"<title>{html.escape(TITLE)}</title>" in text
    packed = re.search(r'id="part-1">([^<]*)<', text)[1]
    part = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert part["name"] == CLASSES[1]
    assert text.count("<script") == text.count("</script>")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert "{{" not in text


def test_names_cannot_end_a_script(report):
    assert "</script><script>boom" not in report.read_text(encoding="utf-8")


def test_every_script_is_in_the_page():
    present = {entry.name for entry in (files("unhans.report.html") / "static").iterdir() if entry.name.endswith(".js")}
    assert present == set(SCRIPTS)


def test_only_the_code_of_the_page_may_run(report):
    """Its policy names it by its hash, so that a script in a name or a stored section never runs."""
    text = report.read_text(encoding="utf-8")
    (code,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\">" in text
    assert len(re.findall('<script(?! type="application/)', text)) == 1
    assert not re.search(r"""<[^>]*\son\w+=["']""", text.replace(code, ""))  # an attribute is no part of the code


def test_a_script_in_a_section_does_not_run(browser, report, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(report.read_text(encoding="utf-8").replace("<main", "<script>document.title = 1</script><main", 1))
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.title() == TITLE
    assert page.locator("#ranking tbody tr").count() > 0
    page.close()


def test_the_same_parts_give_the_same_page(report, tmp_path):
    downloads = {"suspects.csv": report.parent / "suspects.csv"}
    parts = [report.parent / f"{label}.zlib" for label in (1, 0, 2)]
    write_report(tmp_path / "again.html", iter(parts), ranking(), TITLE, "epoch 3", downloads)
    assert (tmp_path / "again.html").read_bytes() == report.read_bytes()


FORMATS = (b"[1]", b'{"format": "something else"}', b'{"format": "unhans class report 1"}')


@pytest.mark.parametrize("content", [b"", b"{}", *map(zlib.compress, FORMATS), zlib.compress(b" " * 1000)[:-4]])
def test_a_damaged_part_is_refused_and_the_old_page_stays(tmp_path, content):
    (tmp_path / "part.zlib").write_bytes(content)
    (tmp_path / "report.html").write_text("the old one")
    with pytest.raises(ValueError, match=r"part\.zlib is not a complete part of a report"):
        write_report(tmp_path / "report.html", [tmp_path / "part.zlib"], ranking(), "", "", {})
    assert (tmp_path / "report.html").read_text() == "the old one"
    assert {path.name for path in tmp_path.iterdir()} == {"part.zlib", "report.html"}


def test_an_empty_ranking_and_a_missing_part_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one class"):
        write_report(tmp_path / "report.html", [], [], "", "", {})
    with pytest.raises(FileNotFoundError, match="absent"):
        write_report(tmp_path / "report.html", [tmp_path / "absent"], ranking(), "", "", {})
    assert list(tmp_path.iterdir()) == []


# The overview --------------------------------------------------------------------------------------------------------


def test_the_overview_says_what_was_found(opened):
    page = opened()
    assert page.inner_text("h1") == TITLE
    assert page.inner_text("#findings") == f"1 of 4 classes stands out\n\n{SENTENCES[0]}"
    assert shown_names(page) == [CLASSES[1], "zebra 10", "zebra 9", "birds"]
    assert page.inner_text("#count") == "4 classes"
    cells = page.locator("#ranking tbody tr").first.locator("td").all_text_contents()
    assert cells == ["1", CLASSES[1], "2.00", "0.012", "0.300", "3.10", "1.50", "2", "15 / 40"]
    assert page.locator("#ranking tbody tr").last.locator("td").all_text_contents()[4] == "–"


def test_bars_are_as_long_as_numbers(opened):
    page = opened()
    parts = page.locator("#ranking td.score .bar").evaluate_all(
        "all => all.map(b => b.style.getPropertyValue('--part'))"
    )
    assert [float(part) for part in parts] == pytest.approx([1, 1.1 / 2, 0.4 / 2, 0])


def test_a_header_sorts_and_the_second_click_reverses(opened):
    page = opened()
    names = {entry.label: entry.name for entry in ranking()}
    for column, first, direction in [
        ("score", [1, 3, 2, 0], "descending"),
        ("lambda_2", [1, 2, 0, 3], "ascending"),
        ("control_lambda_2", [2, 3, 1, 0], "ascending"),
        ("tau", [3, 1, 2, 0], "descending"),
        ("name", [0, 1, 2, 3], "ascending"),  # zebra 9 before zebra 10
    ]:
        page.click(f"th.{column} button")
        assert shown_names(page) == [names[label] for label in first]
        assert page.get_attribute(f"th.{column}", "aria-sort") == direction
        page.click(f"th.{column} button")
        unknown = [0] if column == "control_lambda_2" else []  # what was not measured stays last
        reverse = [label for label in reversed(first) if label not in unknown] + unknown
        assert shown_names(page) == [names[label] for label in reverse]
        assert page.get_attribute(f"th.{column}", "aria-sort") != direction
        assert page.get_attribute("th.place", "aria-sort") == "none"


def test_the_search_filters_and_so_does_the_box(opened):
    page = opened()
    page.fill("#search", "ZEBRA")
    assert shown_names(page) == ["zebra 10", "zebra 9"]
    assert page.inner_text("#count") == "2 of 4 classes"
    page.fill("#search", "nothing like it")
    assert shown_names(page) == []
    assert page.is_visible("#nothing")
    page.fill("#search", "")
    page.check("#only")
    assert shown_names(page) == [CLASSES[1]]


def test_a_download_is_the_file(opened):
    page = opened()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save suspects.csv").click()
    assert download.value.suggested_filename == "suspects.csv"
    assert download.value.path().read_text(encoding="utf-8") == SUSPECTS


def test_without_a_control_there_are_no_raw_columns(opened, tmp_path):
    write_report(tmp_path / "bare.html", [], [suspicion_of(control=None)], "", "", {})
    page = opened(path=tmp_path / "bare.html")
    assert page.locator("#ranking th").count() == 7
    assert page.is_hidden("#raw-key")


# A class -------------------------------------------------------------------------------------------------------------


def test_a_class_opens_with_its_map_and_goes_back(opened):
    page = opened()
    open_class(page, CLASSES[1])
    assert page.is_hidden("#overview")
    assert page.inner_text("#name") == CLASSES[1]
    assert page.inner_text("#badge") == "stands out"
    assert page.inner_text("#verdict") == SENTENCES[0]
    found = colours(page)
    assert found["#c8102e"] > 300  # 15 members
    assert found["#b4bec8"] > 500  # 25 others
    assert page.locator("#spectrum circle.value").count() == 6
    assert page.locator("#spectrum circle.raw").count() == 6
    assert "largest gap after 2" in page.locator("#spectrum svg").inner_html()
    assert page.inner_text("#meaning").startswith("Heatmaps: LRP epsilon_plus_flat of the label.")
    page.click("#back")
    page.wait_for_selector("#overview")
    assert page.evaluate("document.activeElement.textContent") == CLASSES[1]


def test_pointing_at_a_sample_shows_its_thumbnail_and_text(opened):
    page = opened(target="#class-1")
    page.wait_for_selector("#sample dl")
    with_thumbnail = json.loads(
        zlib.decompress(base64.b64decode(page.evaluate("document.getElementById('part-1').textContent")))
    )["sprite"]["samples"]
    audit = audit_of(1)
    page.mouse.move(*point(page, 30, audit))
    assert sample_text(page) == {
        "Predicted": CLASSES[2], "Rank of the true label": "3", "Split": "train", "Index": "130",
        "Path": paths_of()[30],
    }  # fmt: skip
    shown, hidden = with_thumbnail[0], next(i for i in range(N) if i not in with_thumbnail)
    page.mouse.move(*point(page, shown, audit))
    assert sample_text(page)["Index"] == str(100 + shown)
    assert page.locator("#sample .tile:visible").count() == 2
    page.mouse.move(*point(page, hidden, audit))
    assert sample_text(page)["Index"] == str(100 + hidden)
    assert page.locator("#sample .tile:visible").count() == 0
    assert "no thumbnail" in page.inner_text("#sample")


def test_arrow_keys_move_between_samples(opened):
    page = opened(target="#class-1")
    page.wait_for_selector("#sample dl")
    points, place = audit_of(1).spray.projection_, []
    page.focus("#map")
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        before = int(sample_text(page)["Index"]) - 100
        page.keyboard.press(key)
        after = int(sample_text(page)["Index"]) - 100
        place.append((points[after] - points[before]).tolist())
    assert place[0][0] >= 0 >= place[1][0]
    assert place[2][1] >= 0 >= place[3][1]


def test_another_cluster_changes_map_galleries_and_measures(opened):
    page = opened(target="#class-1")
    page.wait_for_selector("#sample dl")
    members = colours(page)["#c8102e"]
    assert page.locator("#cluster option").all_inner_texts() == [
        "cut · 15 samples · score 0.75", "k-means 3 of 7 · 1 sample · score 0.50"
    ]  # fmt: skip
    assert page.locator("#members .pair").count() >= 4
    assert page.inner_text("#validation h3") == "Validation samples in this cluster: 3 of 15 members"
    assert page.locator("#validation .pair").count() == 2  # of 12 thumbnails a sixth
    page.select_option("#cluster", "1")
    assert page.inner_text("#validation h3") == "Validation samples in this cluster: 0 of 1 member"
    assert colours(page)["#c8102e"] < members / 5
    assert page.inner_text("#members h3") == "Cluster “k-means 3 of 7”: 1 sample"
    assert page.inner_text("#others h3") == "The other 39 samples of the class"
    assert "not measured" in page.inner_text("#measures")
    page.hover("#members .pair")
    assert sample_text(page)["Index"] == "107"


def test_a_cluster_is_listed_and_saved(opened):
    page = opened(target="#class-1")
    page.wait_for_selector("#sample dl")
    page.click("#list summary")
    page.wait_for_selector("#list tbody tr")
    assert page.locator("#list tbody tr").count() == 15
    with page.expect_download() as download:
        page.get_by_role("button", name="Save 0001-cut.csv").click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    assert tuple(rows[0]) == SUSPECT_COLUMNS
    by_path = {row[0]: dict(zip(SUSPECT_COLUMNS, row, strict=True)) for row in rows[1:]}
    assert set(by_path) == set(paths_of()[25:])
    assert by_path[paths_of()[30]] == {
        "path": paths_of()[30], "index": "130", "split": "train", "class": CLASSES[1], "cluster": "cut",
        "score": "0.75", "predicted_class": CLASSES[2], "rank_of_true_label": "3",
    }  # fmt: skip


def test_a_class_without_projection_clusters_or_control(opened):
    page = opened(target="#class-0")
    page.wait_for_selector("#sample dl")
    assert page.inner_text("#map-title") == "Two axes of the spectral embedding"
    assert page.is_hidden("#cluster")
    assert page.is_hidden("#members")
    assert page.is_hidden("#validation")
    assert page.is_hidden("#measured")
    assert page.inner_text("#others h3") == "All 40 samples"
    assert page.locator("#spectrum circle.raw").count() == 0
    assert page.locator("#means .tile").count() == 1
    assert "Class birds does not stand out: its most striking group" in page.inner_text("#verdict")
    assert "Split" not in sample_text(page)
    assert "#c8102e" not in colours(page)


def test_explained_classes_are_named(opened):
    page = opened(target="#class-2")
    page.wait_for_selector("#sample dl")
    assert set(sample_text(page)) >= {"Explained", "Rank of the true label"}


def test_the_numbers_of_a_class_say_of_which_clusterings_and_neighbours_they_are(opened):
    page = opened()
    open_class(page, CLASSES[1])
    notes = page.locator("#numbers .small").all_inner_texts()
    assert notes[1:3] == ["approximate neighbours; raw images 0.300", "k up to 8; raw images 1.50"]
    page.click("#back")
    open_class(page, "zebra 9")
    assert page.locator("#numbers .small").all_inner_texts()[1:3] == ["raw images 0.100", "raw images 1.50"]


def test_the_map_may_be_drawn_before_the_next_class_is_unpacked(opened):
    page, wrong = opened(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    open_class(page, CLASSES[1])
    page.click("#back")
    page.evaluate("() => { unpack = () => new Promise(() => {}); }")
    page.evaluate("() => { location.hash = '#class-2'; }")
    page.wait_for_selector("#details", state="visible")
    page.set_viewport_size({"width": 700, "height": 500})  # the map follows the window
    page.wait_for_timeout(300)
    assert page.is_visible("#map")
    assert wrong == []


def test_next_and_previous_follow_the_table_and_a_class_without_a_page_says_so(opened):
    page = opened()
    open_class(page, CLASSES[1])
    assert page.get_attribute("#previous", "href") is None
    page.click("#next")
    page.wait_for_selector("#problem:not(:empty)")  # a function would be evaluated, which the page's policy forbids
    assert page.inner_text("#name") == "zebra 10"
    assert page.inner_text("#problem") == "This class has no page in this file."
    assert page.is_hidden("#body")
    page.click("#next")
    page.wait_for_selector("#name:text-is('zebra 9')")
    page.wait_for_selector("#body")
    assert page.inner_text("#problem") == ""
    page.go_back()
    page.wait_for_selector("#name:text-is('zebra 10')")
    page.wait_for_selector("#body", state="hidden")


def test_an_unknown_class_in_the_address_is_the_overview(opened):
    assert shown_names(opened(target="#class-77")) != []


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_nothing_is_wider_than_the_screen(opened, viewport):
    page = opened(viewport)
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    open_class(page, CLASSES[1])
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_light_and_dark_keep_their_contrast(opened, scheme, dark):
    page = opened(scheme=scheme)
    values = page.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          return Object.fromEntries(["paper", "ink", "quiet", "alarm", "blue", "wash", "raised"].map(
            (name) => [name, style.getPropertyValue(`--${name}`).trim()]));
        }"""
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == rgb(values["paper"])
    assert (luminance(values["paper"]) < 0.5) == dark
    for text in ("ink", "quiet", "alarm", "blue"):
        assert contrast(values[text], values["paper"]) >= 4.5  # WCAG 2, level AA
    for text in ("ink", "quiet", "alarm"):
        assert contrast(values[text], values["wash"]) >= 4.5
        assert contrast(values[text], values["raised"]) >= 4.5


def test_a_map_follows_the_colours_of_the_system(opened):
    page = opened(target="#class-1")
    page.wait_for_selector("#sample dl")
    assert "#ff7583" not in colours(page)
    page.emulate_media(color_scheme="dark")
    page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )  # the event is first
    assert colours(page)["#ff7583"] > 300


# Proofs --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proven(report, tmp_path_factory):
    case = case_of(name=CLASSES[1])
    other = replace(case, label=2, name="zebra 9", proof=proof_of("not used"))
    cases = [
        (1, [CaseSection(case, case_pictures(case, PROOF_CLASSES, *samples_of()))]),
        (2, [CaseSection(other, case_pictures(other, PROOF_CLASSES))]),
        (3, [CaseSection(case_of(None, None, label=3, name="zebra 10"))]),
    ]
    path = tmp_path_factory.mktemp("proven") / "report.html"
    parts = [report.parent / f"{label}.zlib" for label in (1, 0, 2)]
    write_report(path, parts, ranking(), TITLE, "epoch 3", {}, cases)
    return path


def test_a_page_without_proofs_has_none(opened):
    page = opened()
    assert page.locator(".badge.proven").count() == 0
    open_class(page, CLASSES[1])
    assert page.inner_html("#proof") == ""


def test_a_proven_class_says_so_in_the_overview(opened, proven):
    page = opened(path=proven)
    assert page.inner_text("#findings h2") == "1 of 4 classes stands out, 1 proven"
    said = page.inner_text("#findings p.proven")
    assert said.startswith(f"proven {CLASSES[1]}. Its artifact, added to 60 samples of other classes, changes")
    assert SENTENCES[0] not in page.inner_text("#findings")
    assert sorted(page.locator("#ranking .badge").all_inner_texts()) == ["not used", "open", "proven"]
    assert page.locator("#ranking tbody tr").first.locator(".badge.proven").count() == 1
    assert page.locator("#ranking .badge.proven").count() == 1
    assert [line.split(" ")[0] for line in page.locator("#findings p").all_inner_texts()] == ["proven", "open", "not"]
    assert page.locator("img").count() == 0  # what lies in a template is not decoded
    page.click("#findings p.proven a")
    page.wait_for_selector("#proof .chain")
    assert page.inner_text("#name") == CLASSES[1]


def test_a_proven_class_shows_suspicion_layer_effect_and_verdict(opened, proven):
    page = opened(path=proven, target="#class-1")
    page.wait_for_selector("#sample dl")
    assert page.inner_text("#badge") == "proven"
    assert page.inner_text("#verdict") == SENTENCES[0]
    assert page.locator("#proof .step").all_inner_texts() == ["Suspicion", "Layer", "Effect", "Verdict"]
    assert page.locator("#proof .chain b").all_inner_texts()[3] == "proven"
    assert page.locator("#proof img").evaluate_all("all => all.every((one) => one.complete && one.naturalWidth > 0)")
    dots = page.locator("#proof .effects u").evaluate_all("all => all.map((one) => one.getBoundingClientRect().left)")
    assert dots[0] > max(dots[1:4])  # the artifact lies right of its controls
    assert page.locator("#proof script").count() == 0


def test_other_verdicts_have_their_badges_and_the_next_class_loses_the_section(opened, proven):
    page = opened(path=proven, target="#class-2")
    page.wait_for_selector("#proof .chain")
    assert page.inner_text("#badge") == "not used"
    page.goto(f"{proven.as_uri()}#class-3")
    page.wait_for_selector("#name:text-is('zebra 10')")
    assert page.inner_text("#badge") == "open"
    assert page.is_visible("#proof .chain")  # it has no page of its own, but a case
    page.goto(f"{proven.as_uri()}#class-0")
    page.wait_for_selector("#name:text-is('birds')")
    assert page.inner_html("#proof") == ""
    assert page.inner_text("#badge") == "does not stand out"


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_a_proof_is_not_wider_than_the_screen(opened, proven, viewport):
    page = opened(viewport, path=proven, target="#class-1")
    page.wait_for_selector("#sample dl")
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]


def rgb(colour):
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_map_of_more_points_than_a_call_takes_arguments(browser):
    """And what is downloaded is no formula, whatever it is called."""
    page = browser.new_page()
    page.set_content("<canvas id=map width=300 height=200 style='width: 300px; height: 200px'></canvas>")
    for name in ("map.js", "elements.js"):
        page.add_script_tag(content=files("unhans.report.html").joinpath("static", name).read_text(encoding="utf-8"))
    page.evaluate("""() => {
        const x = Array.from({ length: 130000 }, (_, i) => i % 1000);
        const map = scatterMap(document.getElementById("map"), () => {});
        map.show({ map: { x, y: x }, samples: { split: null } }, () => false);
    }""")
    assert len(colours(page)) >= 1
    rows = [["path", "n"], ["=a,b.png", 1], ["'@c", -2], ["d'", "+e"]]
    assert page.evaluate("(rows) => csv(rows)", rows) == "path,n\n\"'=a,b.png\",1\n''@c,-2\nd','+e\n"
    page.close()
