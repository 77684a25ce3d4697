"""The door for Python: `unhans.audit` gives a ranking that prints, plots and saves itself."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, Subset

from unhans import audit
from unhans.attribution import Relevance
from unhans.experiment.survey import Parallel, survey
from unhans.models import SmallCNN
from unhans.spray import SpRAy

HERE = Parallel(n_jobs=1)
PLAIN = SpRAy(projection=None, pooling=28)


class Blobs(Dataset):
    """Two classes of noise; half of the first carry a bright square in a corner. No paths, no names."""

    def __init__(self):
        self.images = torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(0)) / 4
        self.images[:16, :, :8, :8] = 1
        self.targets = [0] * 32 + [1] * 32

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], self.targets[index]


class Corner(torch.nn.Module):
    """Class 0 is a bright corner."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Linear(3 * 32 * 32, 2, bias=False)
        with torch.no_grad():
            self.weight.weight.fill_(1e-3)
            self.weight.weight[0].view(3, 32, 32)[:, :8, :8] = 0.1

    def forward(self, x):
        return self.weight(x.flatten(1))


@pytest.fixture(scope="module")
def ranking():
    """The ranking of a network that reads a corner; LRP without a convolution."""
    return audit(Corner(), Blobs(), attribution=Relevance("epsilon"), spray=PLAIN, parallel=HERE)


def test_images_are_not_read_to_be_known_again_where_the_folder_is_not_kept(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(survey, "fingerprint_of", lambda dataset, indices, workers: asked.append(len(indices)) or "")
    options = {"attribution": Relevance("epsilon"), "spray": PLAIN, "parallel": HERE, "control": False}
    audit(Corner(), Blobs(), classes=["1"], **options)
    assert asked == []
    audit(Corner(), Blobs(), classes=["1"], out=tmp_path, **options)
    assert asked == [32, 64]  # of the class, and of all that it is compared with


def test_the_class_with_the_mark_is_first_and_its_cluster_holds_it(ranking):
    assert [entry.name for entry in ranking] == ["0", "1"]
    assert ranking[0].suspicious
    found = ranking.audit("0")
    assert set(found.index[found.cluster.members]) in ({*range(16)}, {*range(16, 32)})


def test_it_prints_itself(ranking):
    assert "Classes by suspicion" in str(ranking)
    assert repr(ranking) == "Ranking of 2 classes, suspicious: 0"
    assert "<td>0</td>" in ranking._repr_html_()


def test_it_plots_itself(ranking):
    assert ranking.plot().get_axes()
    assert "class 0" in ranking.plot("0").texts[0].get_text()


def test_it_saves_itself(ranking, tmp_path):
    folder = ranking.save(tmp_path / "run")
    assert {"report.html", "ranking.csv", "suspects.csv", "project.yaml"} <= {path.name for path in folder.iterdir()}
    with (folder / "suspects.csv").open() as file:
        assert {row["class"] for row in csv.DictReader(file)} == {"0"}


def test_unknown_classes_are_named(ranking):
    with pytest.raises(ValueError, match="must be one of 0, 1, got 'cat'"):
        ranking.audit("cat")
    with pytest.raises(ValueError, match="classes names no class"):
        audit(Corner(), Blobs(), classes=["cat"])


def test_the_model_is_not_changed(tmp_path):
    model = SmallCNN(2).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    audit(model, Blobs(), spray=PLAIN, out=tmp_path, parallel=HERE)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_it_goes_on_where_it_stopped(tmp_path, capsys):
    options = {"attribution": Relevance("epsilon"), "spray": PLAIN, "parallel": HERE, "out": tmp_path}
    first = audit(Corner(), Blobs(), **options)
    second = audit(Corner(), Blobs(), **options)
    assert "2 of 2 classes were finished before" in capsys.readouterr().out
    assert second.entries == first.entries


def test_a_subset_keeps_the_indices_of_its_own(tmp_path):
    subset = Subset(Blobs(), list(range(20, 64)))
    found = audit(Corner(), subset, attribution=Relevance("epsilon"), spray=PLAIN, parallel=HERE, out=tmp_path)
    assert found.audit("1").index.tolist() == list(range(12, 44))


def test_a_network_with_more_outputs_than_classes(tmp_path):
    found = audit(SmallCNN(5), Blobs(), spray=PLAIN, out=tmp_path, parallel=HERE, classes=["1"])
    assert [entry.name for entry in found] == ["1"]
    assert found.maps("1").logits.shape == (32, 5)


def test_an_empty_data_set_is_one_sentence():
    with pytest.raises(ValueError, match="data set must hold"):
        audit(Corner(), Subset(Blobs(), []))


def test_raw_images_are_read_in_blocks_and_averaged():
    from unhans.spray import raw_pixels

    images = np.random.default_rng(0).integers(0, 255, (300, 3, 112, 112), dtype=np.uint8)
    expected = images.reshape(300, 3, 56, 2, 56, 2).mean((3, 5)).reshape(300, -1)
    np.testing.assert_allclose(raw_pixels(images), expected, rtol=1e-6)
    assert raw_pixels(images[:1].repeat(4, 0)) is None
