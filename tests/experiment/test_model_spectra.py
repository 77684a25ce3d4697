"""What a comparison of models leaves about classes: spectra and places, clusters, complexity, mean maps by format."""

from __future__ import annotations

import csv
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from test_comparison_run import CLASSES, model, run

from unhans.data import Collection, Files, ImageDataset
from unhans.experiment.compare import comparison_files
from unhans.experiment.compare.compare_command import displayed, formats_of
from unhans.experiment.compare.comparison_files import write_comparison
from unhans.experiment.compare.model_spectra import PLAIN, clusters_of, spectra_of
from unhans.faithfulness import complexity
from unhans.report.figures.models import SourceClusters, cluster_figure
from unhans.report.tables.models import eigenvalue_rows, lambda_2_places
from unhans.spray import SpRAy


@pytest.fixture(scope="module")
def models():
    return [model("a"), model("b", offset=1)]


@pytest.fixture(scope="module")
def found(models):
    return run(models)[0]


def grey(found, models):
    return displayed(models[0], found.index).mean(1)


def test_spectra_of_all_classes_are_those_of_sprays_graph(found, models):
    spray = SpRAy(n_neighbors=4, symmetrisation="max", edges="distance")
    spectra = spectra_of(found, [0, 1, 2], grey(found, models), spray)
    assert list(spectra) == CLASSES
    rows = found.rows_of(1)
    own = clone(spray).set_params(**PLAIN).fit(found.views["b"].heatmaps[rows])
    np.testing.assert_array_equal(spectra["dog"]["b"], own.eigenvalues_)
    assert list(spectra["dog"]) == ["images", "a", "b"]
    assert spectra_of(found, [0], grey(found, models), SpRAy(n_neighbors=40)) == {}


def test_places_by_lambda_2():
    spectra = {
        "x": {"images": np.array([0, 0.3, 0.5]), "a": np.array([0, 0.1])},
        "y": {"images": np.array([0, 0.2, 0.9])},
        "z": {"images": np.array([0, 0.3, 0.4]), "a": np.array([0, 0.0])},
    }
    assert lambda_2_places(spectra) == {"images": {"y": 1, "x": 2, "z": 2}, "a": {"z": 1, "x": 2}}
    columns, rows = eigenvalue_rows(spectra)
    assert columns == ("of", "class", "place_by_lambda_2", "lambda_1", "lambda_2", "lambda_3")
    assert list(rows)[:2] == [("images", "y", 1, 0, 0.2, 0.9), ("images", "x", 2, 0, 0.3, 0.5)]
    assert list(rows)[-1] == ("a", "x", 2, 0, 0.1, None)


def test_clusters_of_two_blobs_are_two(found, models):
    rows, pixels = found.rows_of(0), grey(found, models)
    first = np.arange(len(rows)) < 6
    pixels[rows] = np.where(first[:, None, None], 0.0, 1.0) + 0.01 * pixels[rows]
    sources = clusters_of(found, 0, pixels, SpRAy(n_neighbors=3))
    assert [one.name for one in sources] == ["images", "a", "b"]
    assert len(np.unique(sources[0].labels[first])) == len(np.unique(sources[0].labels[~first])) == 1
    assert sources[0].labels[0] != sources[0].labels[-1]
    assert sources[0].points.shape == (12, 2)


def test_thumbnails_lie_at_their_points_with_rims_by_cluster():
    points = np.array([[0.0, 0], [4, 0], [4, 2], [0, 2], [2, 1]])
    labels = np.array([3, 3, 3, 1, 1])
    sources = [SourceClusters("images", points, labels), SourceClusters("a", points, 0 * labels)]
    images = np.random.default_rng(0).random((5, 3, 8, 8))
    panels = cluster_figure(sources, images, "title").axes
    assert [axes.get_title("left") for axes in panels] == ["images: 2 clusters", "a: 1 cluster"]
    rims = [patch.get_edgecolor() for patch in panels[0].patches]
    assert rims[0] == rims[1] == rims[2] != rims[3] == rims[4]
    left, right = (picture.get_extent()[0] for picture in panels[0].images[:2])
    assert right - left >= 6


@pytest.fixture(scope="module")
def written(found, models, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    formats = np.array(["landscape", "portrait", "square"])[np.arange(len(found.index)) % 3]
    formats[found.rows_of(2)] = "portrait"
    drawn = []

    def panel_figure(*given, **named):
        drawn.append((given, named))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison_files, "panel_figure", panel_figure)
        patch.setattr(comparison_files, "write_figure", lambda path, figure, **how: Image.new("RGB", (4, 4)).save(path))
        patch.setattr(comparison_files, "CLUSTERED", 0)
        (out / "heatmaps").mkdir()
        write_comparison(found, "toy", out, SpRAy(n_neighbors=4), partial(displayed, models[0]), [], 2, formats=formats)
    return out, formats, drawn


def test_mean_maps_of_each_format(found, written):
    out, formats, drawn = written
    assert {path.name for path in out.glob("mean_maps*")} == {
        "mean_maps.jpg", "mean_maps_landscape.jpg", "mean_maps_portrait.jpg"
    }  # fmt: skip
    (methods, names, notes, *_), named = drawn[-2]  # landscape; the owls are all upright
    assert named["subtitle"] == "landscape images; toy"
    assert sorted(names) == ["cat", "dog"]
    assert list(notes) == ["n = 4", "n = 4"]
    rows = found.rows_of(list(found.names).index(names[0]))
    own = found.views["a"].heatmaps[rows[formats[rows] == "landscape"]].astype(float)
    expected = np.mean([each / np.abs(each).sum() for each in own], axis=0)
    np.testing.assert_allclose(methods[0].maps[0], expected, atol=1e-6)


def test_complexity_by_model_and_class(found, written):
    with (written[0] / "complexity.csv").open() as file:
        rows = {(row["model"], row["class"]): row for row in csv.DictReader(file)}
    assert len(rows) == 6
    own = complexity(found.views["b"].heatmaps[found.rows_of(1)])
    for name in ("entropy", "gini", "effective_area", "top_share", "png_bytes"):
        one = rows["b", "dog"]
        assert float(one[name]) == pytest.approx(float(np.mean(getattr(own, name))))
        assert float(one[f"{name}_low"]) <= float(one[name]) <= float(one[f"{name}_high"])


def test_formats_are_those_of_the_files(tmp_path):
    for name, size in {"0.png": (30, 20), "1.png": (20, 30), "2.png": (20, 20)}.items():  # width, height
        Image.new("RGB", size).save(tmp_path / name)
    files = Collection(Files([tmp_path / f"{i}.png" for i in range(3)]), np.zeros(3, np.int64), ["a"])
    dataset = ImageDataset(files, 16, [0.5] * 3, [0.5] * 3)
    assert formats_of(dataset, np.array([2, 0, 1])).tolist() == ["square", "landscape", "portrait"]
    assert formats_of(torch.utils.data.TensorDataset(torch.zeros(3)), np.array([0])) is None
