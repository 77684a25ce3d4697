"""`analyze.py analysis=groups`: accuracy and effects in groups of a table."""

from __future__ import annotations

import csv

import pytest
from running import RANDOM, command, photographs

from unhans.artifacts import Watermark


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path):
    """A folder of photographs, and a table of the hospitals of most of them, one of which has training images alone."""
    photographs(tmp_path / "photos")
    lines = [
        f"photos/val/{name}/{i}.png,{'north' if i % 2 else 'south'}\n" for name in ("cat", "dog") for i in range(3)
    ]
    lines = [f"{tmp_path}/{line}" for line in lines]
    (tmp_path / "table.csv").write_text("path,hospital\n" + "".join(lines) + "elsewhere.png,west\n")
    Watermark("cat").draw(40, 40).save(tmp_path / "layer.png")
    return tmp_path


DATA = f"data=image_folder data.root=photos data.image_size=40 {RANDOM} device=cpu"


def test_accuracy_and_effect_are_told_by_group(folder, capsys):
    artifact = "analysis.artifact=layer.png analysis.of=cat"
    text = f"analyze.py {DATA} analysis=groups analysis.groups=table.csv:hospital {artifact}"
    assert command(folder, f"{text} out={folder / 'out'}") == 0
    table = rows(folder / "out" / "groups.csv")
    overall = {row["group"]: int(row["n"]) for row in table if row["class"] == "all"}
    assert overall == {"": 2, "north": 2, "south": 4}
    for row in table:
        assert float(row["accuracy"]) == int(row["correct"]) / int(row["n"])
        assert float(row["accuracy_low"]) <= float(row["accuracy"]) <= float(row["accuracy_high"])
    assert (folder / "out" / "groups.png").is_file()
    page = (folder / "out" / "groups.html").read_text()
    assert '<th scope="row">cat: north</th>' in page
    assert "The artifact of cat on images of other classes" in page
    effects = rows(folder / "out" / "group_effects.csv")
    assert {row["group"]: int(row["n"]) for row in effects} == {"": 1, "north": 1, "south": 2}
    said = " ".join(capsys.readouterr().out.split())
    assert "2 validation images have no 'hospital' in the table" in said
    assert "Groups without validation images: 'west'" in said
    assert said.endswith("begin with groups.html")
    assert "fewer than two have 10 validation images" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("analysis.groups=table.csv:age", "got 'age'"),
        ("analysis.groups=none.csv:age", "no file at"),
        ("", "analysis.groups"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_folder(options, words, folder, capsys):
    assert command(folder, f"analyze.py {DATA} analysis=groups {options} out={folder / 'out'}") != 0
    captured = capsys.readouterr()
    assert words in " ".join((captured.err + captured.out).split())
    assert not (folder / "out").exists()
