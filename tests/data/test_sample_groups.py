"""Groups of images from a column of a table."""

from __future__ import annotations

import pytest

from unhans.data import read_groups_table

TABLE = "image_id,sex,age\nA_1,female,30\nA_2,male,50\nA_3,,70\nA_4,male,40\n"


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "of:patients.csv"
    file.write_text(TABLE)
    return file


def test_images_are_found_by_path_file_name_and_stem(table, tmp_path):
    found = read_groups_table(f"{table}:sex", "analysis.groups")
    paths = ["x/A_1.jpg", "y/A_2.png", "A_3", "z/A_9.jpg"]
    assert found.groups(paths).tolist() == ["female", "male", "", ""]
    (tmp_path / "t.csv").write_text("path,g\nx/a.jpg,one\nb.jpg,two\n")
    assert read_groups_table(f"{tmp_path / 't.csv'}:g", "o").groups(["x/a.jpg", "y/b.jpg", "z/a.jpg"]).tolist() == [
        "one",
        "two",
        "",
    ]


def test_a_name_that_two_images_share_tells_nothing(table):
    found = read_groups_table(f"{table}:sex", "o")
    assert found.groups(["x/A_1.jpg", "y/A_1.jpg", "A_2.jpg"]).tolist() == ["", "", "male"]


def test_numbers_are_binned(table):
    found = read_groups_table(f"{table}:age", "o", bins=[40, 60])
    assert found.groups(["A_1", "A_2", "A_3", "A_4"]).tolist() == ["below 40", "40 to 60", "from 60", "40 to 60"]
    table.write_text("id,age\nA_1,30\nA_2,unknown\nA_3,\n")
    found = read_groups_table(f"{table}:age", "o", bins=[40])
    assert found.groups(["A_1", "A_2", "A_3"]).tolist() == ["below 40", "unknown", ""]


@pytest.mark.parametrize(
    ("content", "column", "bins", "words"),
    [
        (TABLE, "size", None, "one of image_id, sex, age, got 'size'"),
        ("a,b\nx,1\nx,2\n", "b", None, "one group for each image, got '1' and '2' of x"),
        ("a,b\n", "b", None, "got none in"),
        ("a,b\n" + "".join(f"{k},{k}\n" for k in range(21)), "b", None, "at most 20 groups, got 21"),
        (TABLE, "sex", [40], "expects numbers"),
        (TABLE, "age", [60, 40], "ascending"),
    ],
)
def test_what_is_no_column_of_groups_is_one_sentence(tmp_path, content, column, bins, words):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(ValueError, match=words):
        read_groups_table(f"{tmp_path / 't.csv'}:{column}", "analysis.groups", bins)


def test_a_missing_table_and_one_of_other_images_are_refused(table, tmp_path):
    with pytest.raises(FileNotFoundError, match="no file at"):
        read_groups_table(f"{tmp_path / 'none.csv'}:sex", "analysis.groups")
    with pytest.raises(ValueError, match=r"TABLE\.csv:column"):
        read_groups_table(str(table.parent / "plain"), "analysis.groups")
    with pytest.raises(ValueError, match="got none of them among its 4"):
        read_groups_table(f"{table}:sex", "analysis.groups").groups(["other.jpg"])
