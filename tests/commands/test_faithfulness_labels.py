"""`analyze.py analysis=faithfulness` with a network trained on permuted labels, as a sanity check of heatmaps."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from running import command, inside
from scipy.stats import spearmanr

from unhans.attribution import Relevance
from unhans.experiment.faithfulness import faithfulness_command, faithfulness_results

TRAIN = (
    "train.py data.image_size=32 data.classes=[1,3] model.width=2 callbacks=none trainer.max_epochs=1 artifact=none "
    "correct=false logger=none seed=3 optimizer.lr=0"
)
CHECK = (
    "analyze.py analysis=faithfulness device=cpu analysis.per_class=2 analysis.steps=2 analysis.repeats=1 out=out "
    "analysis.path=0 analysis.examples=0 analysis.sanity=3 analysis.methods=[] ckpt=run/checkpoints/last.ckpt"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose parameters stay as they were drawn."""
    folder = tmp_path_factory.mktemp("labels")
    assert command(folder, f"{TRAIN} out=run") == 0
    return folder


@pytest.fixture
def checked(monkeypatch):
    """What the commands checked: the measures, and the network with permuted labels. Nothing is drawn."""
    seen = []
    checking = faithfulness_command._label_checks
    monkeypatch.setattr(faithfulness_command, "_label_checks", lambda *given: seen.append(given) or checking(*given))
    for name in ("perturbation_figure", "changes_figure", "sanity_figure", "labels_figure"):
        monkeypatch.setattr(faithfulness_results, name, lambda *_: None)
    monkeypatch.setattr(faithfulness_results, "write_figure", lambda *_, **__: None)
    monkeypatch.setattr(faithfulness_results, "write_faithfulness_page", lambda *_: None)
    return seen


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_network_is_trained_on_permuted_labels_from_the_same_start(run, checked, capsys):
    assert command(run, f"{CHECK} analysis.permuted_epochs=2") == 0
    said = " ".join(capsys.readouterr().out.split())
    count = len(checked[0][0].subject.data.train_set)
    assert f"a network is trained on permuted labels: {2 * count:,} images pass it forward and back, about" in said
    assert "of n =" in said
    assert "with permuted ones" in said
    assert "whose heatmaps are alike for two networks trained on the true labels" in said
    measures, _, relabelled = checked[0]
    trained = dict(measures.subject.network.named_parameters())
    assert all(torch.equal(value, trained[name]) for name, value in relabelled.start().named_parameters())
    before, after = measures.subject.data.train_set.labels, relabelled.labels
    assert np.bincount(before).tolist() == np.bincount(after).tolist()
    assert (before != after).mean() > 0.3
    read = faithfulness_command.SanityRun(measures, 3)._read
    with inside(run, []):
        networks = measures.subject.network, relabelled.network(), relabelled.start()
    maps = [
        np.abs(Relevance().of(network)(read.images, read.targets).maps.numpy()).reshape(3, -1) for network in networks
    ]
    rows = table(run / "out" / "labels.csv")
    assert [row["network"] for row in rows] == ["trained on permuted labels", "not trained"]
    for row, other in zip(rows, maps[1:], strict=True):
        literal = np.mean([spearmanr(*pair).statistic for pair in zip(maps[0], other, strict=True)])
        assert float(row["absolute"]) == pytest.approx(literal, abs=1e-5)
        assert row["n"] == "3"
    written = (run / "out" / "permuted" / "network.ckpt").stat().st_mtime_ns
    assert command(run, f"{CHECK} analysis.permuted_epochs=2") == 0
    assert "is trained on permuted labels:" not in " ".join(capsys.readouterr().out.split())
    assert (run / "out" / "permuted" / "network.ckpt").stat().st_mtime_ns == written
    assert table(run / "out" / "labels.csv") == rows
    assert command(run, f"{CHECK} analysis.permuted=out/permuted/network.ckpt out=given") == 0
    assert "of its permuted labels the given network has learned is not known" in " ".join(
        capsys.readouterr().out.split()
    )
    assert table(run / "given" / "labels.csv") == rows


SENTENCES = {
    "analysis.permuted=none.ckpt": "analysis.permuted expects a checkpoint file, but none.ckpt does not exist.",
    "analysis.permuted=run/checkpoints/last.ckpt analysis.permuted_epochs=1": "give one of them.",
    "analysis.permuted_epochs=1 analysis.sanity=0": "permuted labels check the maps of one network: give ckpt=…",
    "analysis.permuted_epochs=-1": "analysis.permuted_epochs=-1",
}


@pytest.mark.parametrize("options", SENTENCES)
def test_bad_input_is_one_sentence(options, run, capsys):
    assert command(run, f"{CHECK} {options} out=bad") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert SENTENCES[options] in said
    assert not (run / "bad" / "measures").exists()
