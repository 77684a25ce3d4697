"""The ranking in the terminal and as CSV, the cleaning list, and their sentences."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from rich.console import Console

from unhans.report.tables import (
    SUSPECT_COLUMNS,
    cluster_rows,
    ranked_clusters,
    ranking_rows,
    ranking_table,
    separability_rows,
    striking_rows,
    suspect_rows,
)
from unhans.report.text.audit_text import raw_images_stand_out
from unhans.store import write_csv

NAMES = ["church", "[bold]a very long class name[/bold] indeed, with markup", "猫"]


def printed(ranking, width=80):
    console = Console(width=width, file=io.StringIO())
    console.print(ranking_table(ranking))
    return console.file.getvalue()


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_number_can_be_read_at_80_columns(suspicion):
    ranking = [
        suspicion(i, name, lambda_2=0.123 + i, tau=12.34, suspicious=i == 0, control=0.987)
        for i, name in enumerate(NAMES)
    ]
    lines = printed(ranking).splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines)
    row = next(line for line in lines if "▶ church" in line)
    assert row.split() == ["▶", "church", "8.13", "0.123", "12.34", "2", "15/40", "0.987", "1.50"]
    assert any("[bold]a very long" in line for line in lines)
    assert next(line for line in lines if "λ₂ raw" in line).split()[-4:] == ["λ₂", "raw", "τ", "raw"]


@pytest.mark.parametrize(("control", "sentence"), [
    (0.05, "Its raw images alone fall into groups as well (λ₂ 0.050, unusually small)"),
    (0.2, "Its raw images alone do not fall into groups (λ₂ 0.200, larger than that of its heatmaps)"),
    (None, "The raw images were not compared"),
])  # fmt: skip
def test_the_caption_says_what_the_raw_images_mean(suspicion, control, sentence):
    others = [suspicion(i, control=None if control is None else 0.3) for i in (1, 2)]
    text = " ".join(printed([suspicion(0, lambda_2=0.01, suspicious=True, control=control), *others]).split())
    assert "Class class 0 stands out: a group of 15 of its 40 samples is set apart more than is usual (λ₂ of" in text
    assert "heatmaps 0.010)" in text
    assert sentence in text


def test_the_caption_says_when_nothing_was_found(suspicion):
    assert "No class stands out" in printed([suspicion(0), suspicion(1)])


def test_many_suspicious_classes_do_not_bury_the_table(suspicion):
    text = printed([suspicion(i, suspicious=True) for i in range(9)])
    assert text.count("stands out:") == 1
    assert "and 8 more classes that stand out." in text


@pytest.mark.parametrize(("own", "others", "expected"), [
    (0.1, [0.3, 0.21, 0.9], True),
    (0.16, [0.3, 0.21, 0.9], False),
    (0.1, [0.3], True),
    (0.2, [0.3], False),
    (0.1, [], False),
    (0.02, [0.02], True),
    (0.02, [], True),
    (None, [0.3], None),
    (0.1, [None, 0.3], True),
])  # fmt: skip
def test_raw_images_stand_out_below_the_heatmaps_or_half_of_the_others(suspicion, own, others, expected):
    entry = suspicion(0, lambda_2=0.02, control=own)
    ranking = [entry, *(suspicion(i + 1, control=value) for i, value in enumerate(others))]
    assert raw_images_stand_out(entry, ranking) is expected


def test_the_ranking_is_written_in_full(suspicion, tmp_path):
    ranking = [suspicion(1, "猫, cat", lambda_2=1 / 3, suspicious=True), suspicion(0, control=None)]
    write_csv(tmp_path / "ranking.csv", *ranking_rows(ranking))
    first, second = read(tmp_path / "ranking.csv")
    assert (first["label"], first["name"], first["suspicious"]) == ("1", "猫, cat", "True")
    assert float(first["lambda_2"]) == 1 / 3
    assert second["control_lambda_2"] == second["control_tau"] == ""
    assert (first["tau_clusters"], first["exact_neighbours"]) == ("8", "True")


def test_the_cleaning_list_has_the_members_of_the_striking_cluster(audit, suspicion, tmp_path):
    paths = [tmp_path / f"{i}.jpg" for i in range(40)]
    rows = suspect_rows(striking_rows(audit, ["birds", "cats", "fish"], paths), suspicion(1, suspicious=True))
    write_csv(tmp_path / "suspects.csv", SUSPECT_COLUMNS, rows)
    found = read(tmp_path / "suspects.csv")
    assert [int(row["index"]) for row in found] == list(range(125, 140))
    assert found[0] == {
        "path": str(paths[25]), "index": "125", "split": "", "class": "cats & $dogs$", "cluster": "cut",
        "score": "0.45", "predicted_class": "cats", "rank_of_true_label": "1",
    }  # fmt: skip
    assert (found[5]["predicted_class"], found[5]["rank_of_true_label"]) == ("birds", "3")


def test_the_cleaning_list_names_the_split(audit, suspicion):
    split = (np.arange(40) % 3 == 0).astype(np.uint8)
    rows = striking_rows(dataclasses.replace(audit, split=split), "abc", ["x"] * 40)
    assert [row[2] for row in rows] == ["validation" if i % 3 == 0 else "train" for i in range(25, 40)]


def test_nothing_is_to_clean_in_a_class_that_is_not_suspicious_or_has_no_cluster(audit, suspicion):
    assert suspect_rows(striking_rows(audit, "abc", ["x"] * 40), suspicion(1)) == []
    bare = dataclasses.replace(audit, clusters=())
    assert striking_rows(bare, "abc", ["x"] * 40) == []


def test_the_clusters_of_all_classes_are_ranked_by_score(audit, suspicion, tmp_path):
    better = tuple(dataclasses.replace(cluster, score=cluster.score + 0.1) for cluster in audit.clusters)
    other = dataclasses.replace(audit, name="猫", clusters=better)
    rows = cluster_rows(audit, suspicion(1)) + cluster_rows(other, suspicion(2, suspicious=True))
    write_csv(tmp_path / "clusters.csv", *ranked_clusters(rows))
    found = read(tmp_path / "clusters.csv")
    assert [float(row["score"]) for row in found] == pytest.approx([0.55, 0.45, 0.3, 0.2])
    assert [row["rank"] for row in found] == ["1", "2", "3", "4"]
    assert found[1] == {
        "rank": "2", "class": "cats & $dogs$", "cluster": "cut", "n": "15", "share": "0.375", "score": "0.45",
        "separation": "0.9", "compactness": "0.8", "relevance_consistency": "0.7", "image_consistency": "0.6",
        "normalised_cut": "0.1", "suspicious_class": "False",
    }  # fmt: skip
    assert (found[2]["cluster"], found[2]["image_consistency"]) == ("k-means 3 of 7", "")
    assert found[0]["suspicious_class"] == "True"


def test_rows_are_plain_values_that_json_can_hold(audit, suspicion):
    rows = cluster_rows(audit, suspicion(1)), striking_rows(audit, "abc", ["x"] * 40)
    assert json.loads(json.dumps(rows, allow_nan=False)) == [[list(row) for row in part] for part in rows]


def test_of_a_proven_artifact_those_who_carry_it_are_listed(audit, suspicion):
    carriers, paths = np.arange(40) % 3 == 0, [f"{i}.png" for i in range(40)]
    rows = suspect_rows(striking_rows(audit, ["birds", "cats", "fish"], paths, carriers), suspicion(1))
    assert [row[0] for row in rows] == [f"{i}.png" for i in range(0, 40, 3)]
    assert {row[4:6] for row in rows} == {("proven artifact", None)}


def test_the_ends_of_the_order_by_tau_are_two_columns(suspicion):
    """Table 1 of [000]: seven classes with the highest τ, seven with the lowest; of few classes half of them."""
    ranking = [suspicion(i, tau=float((11 * i) % 20)) for i in range(20)]
    columns, rows = separability_rows(ranking)
    assert columns[:3] == ("place", "most_separable", "tau")
    assert [row[2] for row in rows] == [19, 18, 17, 16, 15, 14, 13]
    assert [row[5] for row in rows] == [0, 1, 2, 3, 4, 5, 6]
    assert all(row[1] == f"class {(11 * int(row[2])) % 20}" for row in rows)  # 11 · 11 = 1 mod 20
    assert [len(separability_rows(ranking[:n]).rows) for n in (1, 2, 5, 14)] == [1, 1, 2, 7]


def test_over_how_many_clusters_tau_is_averaged_is_said(suspicion):
    ranking = [suspicion(i) for i in range(3)]
    assert "averaged over clusterings into at most 8 clusters." in " ".join(printed(ranking).split())
    ranking[0].tau_clusters = 30
    said = " ".join(printed(ranking).split())
    assert "at most 30 clusters, but in 2 of 3 classes into at most 8, since fewer samples allow fewer" in said
    for entry in ranking:
        entry.tau_clusters = 0  # files of earlier versions do not say
    assert "averaged" not in printed(ranking)
