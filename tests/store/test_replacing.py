"""A file is whole or absent (law 4)."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from unhans.store import export_json, file_stem, plain_text, replacing, write_csv, write_figure


def test_a_block_that_ends_well_leaves_the_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    with replacing(path) as part:
        part.write_text("whole")
        assert part.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as part:  # noqa: PT012
        part.write_text("hal")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_killed_writer_leaves_no_file_that_a_search_finds(tmp_path):
    code = (
        "import os, signal\nfrom atomic import replacing\n"
        f"with replacing({str(tmp_path / 'a.h5')!r}) as part:\n"
        "    part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    folder = Path(replacing.__wrapped__.__code__.co_filename).parent  # alone: the whole package takes seconds to import
    killed = subprocess.run([sys.executable, "-c", code], cwd=folder, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path)
    assert not list(tmp_path.glob("*.h5"))


def test_the_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    write_csv(tmp_path / "ours", ["a"], [])
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_two_writers_of_one_path_do_not_meet(tmp_path):
    path, both = tmp_path / "a.txt", threading.Barrier(2)

    def write(letter):
        with replacing(path) as part:
            both.wait()
            part.write_text(letter * 10_000)
            both.wait()

    threads = [threading.Thread(target=write, args=letter) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in ("a" * 10_000, "b" * 10_000)
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_longest_name_can_be_written(tmp_path):
    write_csv(tmp_path / ("a" * 255), ["a"], [])
    assert os.listdir(tmp_path) == ["a" * 255]


def test_a_full_disk_is_named_with_the_file(tmp_path, small_files):
    with small_files(20_000), pytest.raises(OSError, match=r"Cannot write: File too large: '.*a\.csv'"):
        write_csv(tmp_path / "a.csv", ["a"], [["x" * 100_000]])
    assert not os.listdir(tmp_path)


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match=r"'.*/a'"), replacing(tmp_path / "a" / "b"):
        pass


def test_the_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.jpg"), replacing(tmp_path / "a"):
        (tmp_path / "missing.jpg").read_bytes()


def test_csv_holds_what_was_given_whatever_is_in_it(tmp_path):
    rows = [['Zürich, "quoted"', "1"], ["two\nlines", ""], ["猫", "0.1"]]
    write_csv(tmp_path / "a.csv", ["name", "value"], [[row[0], row[1] or None] for row in rows])
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["name", "value"], *rows]


def test_file_names_are_safe_unique_and_sort_by_number():
    names = ["garbage truck", "a/b", "../..", "猫", "犬", "Café", "a_b", "A B", "con", "x" * 400, ".", "", "nul\0"]
    stems = [file_stem(i, name) for i, name in enumerate(names)]
    assert stems[:6] == ["0000-garbage_truck", "0001-a_b", "0002", "0003", "0004", "0005-Cafe"]
    assert len({stem.lower() for stem in stems}) == len(names)
    assert stems == sorted(stems)
    assert all(set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") for stem in stems)
    assert max(map(len, stems)) < 100


FIELDS = ["=1+1", "+a", "@b", "'=c", "plain", "it's", "'quoted'", "a=b", "", -0.5, 3, None]


def test_text_that_a_spreadsheet_would_compute_is_text_and_is_read_as_it_was(tmp_path):
    write_csv(tmp_path / "a.csv", ["name"], [[field] for field in FIELDS])
    with (tmp_path / "a.csv").open(newline="") as file:
        written = [row["name"] for row in csv.DictReader(file)]
    assert written[:5] == ["'=1+1", "'+a", "'@b", "''=c", "plain"]
    assert not any(field.startswith(("=", "+", "@")) for field in written)
    assert [plain_text(field) for field in written if field] == [str(field) for field in FIELDS if field]


BYTES = os.fsdecode(b"caf\xe9.png")


def test_a_file_name_that_is_no_text_is_in_tables_json_and_figures(tmp_path):
    write_csv(tmp_path / "a.csv", ["path"], [[BYTES]])
    assert (tmp_path / "a.csv").read_bytes() == b"path\ncaf\xe9.png\n"
    export_json(tmp_path / "a.json", {"path": BYTES, "name": "é"})
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"path": BYTES, "name": "é"}
    figure = Figure()
    figure.text(0, 0, BYTES)
    write_figure(tmp_path / "a.png", figure)
    assert (tmp_path / "a.png").stat().st_size
