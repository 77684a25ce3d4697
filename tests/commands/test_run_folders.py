"""The folder of a command: one run at a time, of one analysis; a refused run leaves its configuration as it was."""

from __future__ import annotations

import shutil
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from PIL import Image
from running import RANDOM, command

from unhans import compare
from unhans.experiment.analyses.analyze_command import check_folder
from unhans.models import SmallCNN
from unhans.store import held
from unhans.terminal import ConfigurationError

SMALL = "data.max_per_class=30 data.max_per_class_val=12 data.image_size=16 data.classes=[1,3,7] model.width=4"
PLANTED = f"{SMALL} artifact=stripe artifact.target=1 artifact.val_coverage=0.5"
PLAIN = f"analyze.py data=digits {PLANTED} {RANDOM} device=cpu spray.projection=null spray.n_neighbors=5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs, a table of images and a picture."""
    folder = tmp_path_factory.mktemp("folders")
    text = f"train.py {PLANTED} trainer.max_epochs=1 callbacks=none logger=none correct=false out=first"
    assert command(folder, text) == 0
    shutil.copytree(folder / "first", folder / "second")
    (folder / "s.csv").write_text("path\ndigits/00044\n")
    Image.fromarray(np.full((4, 4, 4), 255, np.uint8)).save(folder / "logo.png")
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(folder / "none.png")
    (folder / "pairs.csv").write_text("before,after\nlogo.png,none.png\n")
    return folder


CKPT = "ckpt=first/checkpoints/last.ckpt"
CKPTS = "ckpts=[first/checkpoints/last.ckpt,second/checkpoints/last.ckpt]"


@pytest.mark.parametrize(
    "text",
    [
        f"{PLAIN} analysis=spray parallel.n_jobs=1",
        f"{PLAIN} analysis=effect parallel.n_jobs=1",
        f"{PLAIN} analysis=effect analysis.classes=[3] analysis.artifact=logo.png",
        f"{PLAIN} analysis=heatmaps",
        f"{PLAIN} analysis=conservation",
        f"{PLAIN} analysis=squaring analysis.aspect=1.5",
        f"{PLAIN} analysis=influence analysis.k=[5]",
        f"{PLAIN} analysis=cleaning analysis.suspects=s.csv analysis.way=filter",
        f"{PLAIN} analysis=faithfulness",
        f"{PLAIN} analysis=pairs analysis.pairs=pairs.csv",
        "analyze.py analysis=barycenters",
        f"analyze.py {CKPT} analysis=repair analysis.methods=[p_clarc] analysis.seeds=[0] device=cpu",
        f"analyze.py {CKPTS} analysis=compare device=cpu",
        f"analyze.py {CKPTS} analysis=decoys device=cpu",
        f"analyze.py {CKPTS} analysis=swap analysis.variants={{a:{{}},b:{{blur:1}}}} device=cpu",
        f"train.py {PLANTED} callbacks=none logger=none",
        f"train.py {PLANTED} experiment=p_clarc logger=none",
    ],
)
def test_a_folder_in_use_keeps_its_configuration(folder, text, tmp_path, capsys):
    """What another run works with is not replaced by a run that is refused."""
    out = tmp_path / "out"
    with held(out):
        (out / "config.yaml").write_text("mine: true")
        assert command(folder, f"{text} out={out}") == 1
        assert (out / "config.yaml").read_text() == "mine: true"
        assert {path.name for path in out.iterdir()} == {"config.yaml", ".lock"}
    assert "is in use by another run" in capsys.readouterr().err


def test_models_are_not_compared_in_a_folder_in_use(tmp_path):
    data = torch.utils.data.TensorDataset(torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 0, 1]))
    models = {name: SmallCNN(2, width=4) for name in "ab"}
    with held(tmp_path), pytest.raises(ValueError, match="in use by another run"):
        compare(models, data, out=tmp_path, effect_samples=0, device="cpu")


@pytest.mark.parametrize(
    ("there", "now", "free"),
    [
        ("experiment.survey.audit_classes", "experiment.survey.audit_classes", True),
        ("survey.of_an_earlier_version.audit_classes", "experiment.survey.audit_classes", True),
        ("experiment.survey.audit_classes", "experiment.effect.measure_effects", True),
        ("experiment.effect.measure_effects", "experiment.clean.clean_data", True),
        ("experiment.survey.audit_classes", "experiment.analyses.draw_heatmaps", False),
        ("experiment.effect.measure_effects", "experiment.survey.audit_classes", False),
    ],
)
def test_a_folder_is_of_one_analysis(there, now, free, tmp_path):
    (tmp_path / "config.yaml").write_text(f"analysis:\n  _target_: unhans.{there}\n")
    refused = pytest.raises(ConfigurationError, match=f"is the folder of another analysis .{there.rpartition('.')[2]}.")
    with nullcontext() if free else refused:
        check_folder(tmp_path, f"unhans.{now}")
