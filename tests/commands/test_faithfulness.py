"""`analyze.py analysis=faithfulness`: its numbers, its files, going on, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from running import RANDOM, command, photographs

from unhans.attribution import Relevance
from unhans.experiment.faithfulness import METHODS, compared_methods, faithfulness_command
from unhans.faithfulness import RegionGrid

CONF = Path(__file__).parents[2] / "conf"
TINY = (
    f"analyze.py data=digits data.classes=[1,3] data.image_size=16 {RANDOM} model.width=2 analysis=faithfulness "
    "device=cpu out=out seed=1 batch_size=16 analysis.per_class=2 analysis.region=4 analysis.steps=5 analysis.repeats=2"
)
QUICK = f"{TINY} analysis.sanity=0 analysis.examples=0 analysis.path=0"


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def subjects(monkeypatch):
    """The subjects of the commands that ran."""
    seen = []
    building = faithfulness_command.FaithfulnessRun
    monkeypatch.setattr(
        faithfulness_command, "FaithfulnessRun", lambda *given: seen.append(given[0]) or building(*given)
    )
    return seen


def test_numbers_pages_and_what_is_logged(tmp_path, subjects, capsys):
    """AOPC of black regions by LRP, written again image by image; everything else is there and agrees."""
    options = "analysis.replace=constant analysis.orders=[morf,lerf] analysis.methods=[saliency] logger=csv"
    photographs(tmp_path / "photos", size=16)
    folder = "data=image_folder data.root=photos data.classes=null"  # noise: no two regions have the same relevance
    assert command(tmp_path, f"{TINY} {folder} {options} analysis.sanity=2 analysis.examples=1") == 0
    (subject,) = subjects
    rows = [row for row in table(tmp_path / "out" / "images.csv") if row["method"] == "LRP epsilon_plus_flat"]
    assert len(rows) == 4
    black = subject.dataset.scale.to_model(torch.zeros(1, 3, 1, 1))
    for row in rows:
        image = subject.dataset[int(row["index"])][0][None]
        with torch.no_grad():
            target = int(subject.network(image).argmax())
        assert row["target"] == subject.data.classes[target]
        sums = RegionGrid((16, 16), 4).sums(Relevance().of(subject.network)(image, target).maps.numpy())[0]
        for order, ranked in (("morf", np.argsort(-sums)), ("lerf", np.argsort(sums))):
            now, scores = image.clone(), []
            for step in range(6):
                if step:
                    top, left = (4 * int(part) for part in divmod(ranked[step - 1], 4))
                    now[..., top : top + 4, left : left + 4] = black
                with torch.no_grad():
                    scores.append(float(subject.network(now)[0, target]))
            assert float(row[f"aopc_{order}"]) == pytest.approx(np.mean(scores[0] - np.array(scores)), abs=1e-5)
        assert float(row["score"]) == pytest.approx(scores[0], abs=1e-5)
    first, second = table(tmp_path / "out" / "faithfulness.csv")
    assert (first["method"], second["method"]) == ("LRP epsilon_plus_flat", "saliency")
    differences = [float(row["aopc_morf"]) - float(row["aopc_random"]) for row in rows]
    assert float(first["minus_random_morf"]) == pytest.approx(np.mean(differences))
    assert float(first["gini"]) == pytest.approx(np.mean([float(row["gini"]) for row in rows]))
    assert float(first["ahead_of_it"]) == 0
    curves = [row for row in table(tmp_path / "out" / "curves.csv") if row["order"] == "most relevant first"]
    assert len(curves) == 2 * 6
    changed = sum(float(row["first_changed"]) for row in curves[:6])
    assert float(curves[5]["changed"]) <= changed + 1e-9 <= 1 + 1e-9
    assert {row["method"] for row in table(tmp_path / "out" / "sanity.csv")} == {first["method"], "saliency"}
    rows, every = table(tmp_path / "out" / "classes.csv"), table(tmp_path / "out" / "images.csv")
    assert len(rows) == 4
    for row in rows:
        own = [float(one["gini"]) for one in every if (one["class"], one["method"]) == (row["class"], row["method"])]
        assert float(row["gini"]) == pytest.approx(np.mean(own))
    assert {path.name[-4:] for path in (tmp_path / "out" / "figures").iterdir()} == {".png", ".jpg"}
    page = (tmp_path / "out" / "faithfulness.html").read_text()
    assert "AOPC minus random order, class by class" in page
    assert page.count("data:image/jpeg") == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "4 images; 144 perturbed images pass the network, about" in said  # 4 × 6 × (2 orders × 2 methods + 2 random)
    assert "The logit of the predicted class of 4 images" in said
    metrics = next((tmp_path / "out").rglob("metrics.csv")).read_text()
    assert "faithfulness/minus_random/morf/LRP epsilon_plus_flat" in metrics


def test_what_is_there_stays_and_what_depends_on_a_change_is_done_again(tmp_path, capsys):
    def times():
        files = (tmp_path / "out" / "measures").rglob("*.npz")
        return {"/".join(path.parts[-2:]): path.stat().st_mtime_ns for path in files}

    assert command(tmp_path, QUICK) == 0
    before, numbers = times(), (tmp_path / "out" / "faithfulness.csv").read_bytes()
    assert len(before) == 2 * (1 + 3)
    (tmp_path / "out" / "measures" / "0001-3" / "0003-saliency.npz").write_bytes(b"half")
    assert command(tmp_path, QUICK) == 0
    after = times()
    assert [name for name in before if before[name] != after[name]] == ["0001-3/0003-saliency.npz"]
    assert (tmp_path / "out" / "faithfulness.csv").read_bytes() == numbers
    capsys.readouterr()
    assert command(tmp_path, f"{QUICK} batch_size=5") == 0  # no number depends on it, but for rounding
    assert "Nothing is left to perturb of 4 images." in " ".join(capsys.readouterr().out.split())
    assert command(tmp_path, f"{QUICK} analysis.of=probability analysis.target=label") == 0
    assert not [name for name, time in times().items() if time == after[name]]
    again = table(tmp_path / "out" / "images.csv")
    assert all(row["class"] == row["target"] and 0 <= float(row["score"]) <= 1 for row in again)


@pytest.mark.parametrize("replace", ["dirichlet", "inpaint"])
def test_every_replacement_gives_the_same_result_again(replace, tmp_path):
    found = []
    for out in ("one", "two"):
        options = f"analysis.replace={replace} analysis.methods=[] analysis.repeats=1 analysis.steps=2 out={out}"
        assert command(tmp_path, f"{QUICK} {options}") == 0
        found.append((tmp_path / out / "images.csv").read_text())
    assert found[0] == found[1]


def test_what_cannot_be_read_is_left_out_and_said(tmp_path, capsys):
    photos = photographs(tmp_path / "photos", size=16)
    broken = photos / "val" / "dog" / "1.png"
    broken.write_bytes(broken.read_bytes()[:100])
    folder = "data=image_folder data.root=photos"
    assert command(tmp_path, f"{QUICK} {folder} data.classes=null analysis.per_class=4") == 0
    assert str(broken) in "".join(capsys.readouterr())
    rows = table(tmp_path / "out" / "images.csv")
    assert len(rows) == 7 * 3
    assert str(broken) not in {row["path"] for row in rows}


SENTENCES = {
    "analysis.region=17": "region expects 1 to 16 for images of 16×16, got 17.",
    "analysis.region=16 analysis.steps=null analysis.replace=inpaint": "are one region of 16×16; make region smaller.",
    "analysis.steps=17": "steps expects at most 16 for 16 regions of 4×4 pixels, 1 a step, got 17.",
    "analysis.methods=[salience]": "got 'salience'; did you mean saliency?",
    "analysis.methods=[{saliency:{norm:l3}}]": "analysis.methods: saliency does not take {'norm': 'l3'}: norm",
    "analysis.methods=[{epsilon:{epsilonn:1}}]": "analysis.methods: epsilon does not take {'epsilonn': 1}: ",
    "analysis.methods=[epsilon_gamma_box]": "composite 'epsilon_gamma_box': missing",
    "analysis.orders=[]": "analysis.orders expects morf, lerf or both, got an empty list.",
    "analysis.orders=[random]": "analysis.orders=['random']: input should be 'morf' or 'lerf'",
    "analysis.replace=noise": "analysis.replace='noise': input should be",
    "analysis.constant=2": "constant expects a number from 0 to 1, got 2",
    "analysis.classes=[cow]": "names no class",
    "attribution.layer=features.1": "expects heatmaps of the images' size",
}


@pytest.mark.parametrize("options", SENTENCES)
def test_bad_input_is_one_sentence_and_comes_before_any_work(options, tmp_path, capsys):
    assert command(tmp_path, f"{QUICK} {options}") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert SENTENCES[options] in said
    assert not list((tmp_path / "out").rglob("0001*.npz"))


def test_a_mixture_of_one_image_is_one_sentence(tmp_path, capsys):
    photos = photographs(tmp_path / "photos", size=16)
    for path in sorted(photos.glob("val/*/*.png"))[1:]:
        path.unlink()
    folder = "data=image_folder data.root=photos data.classes=null"
    assert command(tmp_path, f"{QUICK} {folder} analysis.replace=dirichlet") == 1
    sentence = "error: analysis.replace=dirichlet mixes pixels of other images, but there is one image alone."
    assert sentence in capsys.readouterr().err.splitlines()


def test_methods_are_the_choices_of_the_group_attribution_with_their_settings():
    named = {path.stem: OmegaConf.load(path) for path in (CONF / "attribution").glob("*.yaml")}
    lrp = {name for name in named if name.startswith("lrp")}
    assert set(METHODS) == set(named) - lrp
    for name, method in METHODS.items():
        settings = OmegaConf.to_container(named[name])
        assert settings.pop("_target_") == f"unhans.attribution.{method.__name__}"
        assert method(**settings) == method()


def test_names_of_methods_tell_settings_and_none_is_there_twice():
    chosen = METHODS["saliency"](norm="linf")
    found = compared_methods(chosen, ["saliency", "lrp", "epsilon_plus_flat", "epsilon", "random"])
    assert list(found) == ["saliency, norm linf", "saliency", "LRP epsilon_plus_flat", "LRP epsilon", "random"]
    assert found["LRP epsilon"] == Relevance("epsilon")
    given = [{"epsilon": {"epsilon": 100}}, {"saliency": {"norm": "linf"}}, {"lrp": {"composite": "epsilon_plus"}}]
    assert list(compared_methods(METHODS["saliency"](), given).values()) == [
        METHODS["saliency"](), Relevance("epsilon", {"epsilon": 100}), chosen, Relevance("epsilon_plus"),
    ]  # fmt: skip
    assert list(compared_methods(Relevance(parameters={"epsilon": 0.1}), [])) == [
        "LRP epsilon_plus_flat, parameters {'epsilon': 0.1}"
    ]
