"""The real ViRelAy opens a run's folder: its REST interface and its page in a browser."""

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from unhans.spray import ClassAudit, SpRAy, rank_clusters, suspicion_of
from unhans.store.virelay import class_files, load_analysis, open_maps, save_analysis, write_project, writing_maps

pytest.importorskip("virelay", reason="ViRelAy is not installed")

CLASSES = ["zero/0", "n00000001", "two 二"]
MARKED = 2


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A run over three digits, the third of which carries a mark in half of its images, explained by LRP-0."""
    folder = tmp_path_factory.mktemp("digits")
    pixels, labels = planted_digits()
    model = LogisticRegression(max_iter=200).fit(pixels.reshape(len(pixels), -1), labels)
    for label in range(len(CLASSES)):
        store(folder, label, np.flatnonzero(labels == label), pixels, model)
    write_project(folder, "digits, run 1", "logistic regression", CLASSES, [MARKED, 0, 1], "LRP-0", dataset="Digits")
    return folder


@pytest.fixture(scope="module")
def server(out, tmp_path_factory):
    """The address of a server that shows the run."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "virelay", str(out / "project.yaml"), "--port", str(port)]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    quiet = os.environ | {"BROWSER": "true"}  # it would open a tab
    with (elsewhere / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=elsewhere, env=quiet, stdout=log, stderr=log)
    address = f"http://localhost:{port}"
    while not answers(address):
        assert process.poll() is None, (elsewhere / "log").read_text()
        time.sleep(0.1)
    yield address
    process.kill()
    process.wait()


def test_the_project_is_listed_with_all_its_analyses(server):
    [entry] = read(server, "/api/projects")
    assert entry == {"id": 0, "name": "digits, run 1", "model": "logistic regression", "dataset": "Digits"}
    [found] = read(server, "/api/projects/0")["analysisMethods"]
    assert found["name"] == "SpRAy"
    assert [(each["name"], each["humanReadableName"]) for each in found["categories"]] == [
        ("0002-two", "two 二"),
        ("0000-zero_0", "zero/0"),
        ("n00000001", "n00000001"),
    ]
    assert found["embeddings"] == ["tsne", "spectral"]
    assert found["clusterings"] == ["striking", "cut", "dbscan", *(f"k-means {k:02d}" for k in range(2, 31))]


@pytest.mark.parametrize("label", range(3))
@pytest.mark.parametrize(
    ("embedding", "clustering"), [("tsne", "striking"), ("spectral", "dbscan"), ("spectral", "k-means 30")]
)
def test_every_class_opens_with_eigenvalues_and_clusters(server, out, label, embedding, clustering):
    files = class_files(out, label, CLASSES[label])
    audit, _ = load_analysis(files)
    found = analysis_of(server, files.wordnet_id, clustering, embedding)
    assert found["humanReadableCategoryName"] == CLASSES[label]
    np.testing.assert_allclose(found["eigenvalues"], audit.spray.eigenvalues_[::-1], rtol=1e-5, atol=1e-9)
    points = np.array([each["value"] for each in found["embedding"]])
    spray = audit.spray
    expected = {"tsne": spray.projection_, "spectral": spray.embedding_[:, ::-1]}
    shift = points - expected[embedding]  # planes are centred
    np.testing.assert_allclose(shift - shift[0], 0, atol=1e-5)
    assert embedding != "spectral" or not shift.round(5).any()
    labels = {"striking": 1 - audit.cluster.members, **spray.clusterings_, "k-means 30": spray.labels_[-1]}
    np.testing.assert_array_equal([each["cluster"] for each in found["embedding"]], labels[clustering])


def test_each_point_has_its_image_label_logits_and_heatmap(server, out):
    files = class_files(out, MARKED, CLASSES[MARKED])
    stored = open_maps(files)
    points = analysis_of(server, files.wordnet_id, "cut", "tsne")["embedding"]
    for row in (0, len(points) - 1):
        number = points[row]["attributionIndex"]
        sample = read(server, f"/api/projects/0/dataset/{number}")
        assert sample["labels"] == [{"index": MARKED, "name": "two 二", "wordNetId": "0002-two"}]
        shown = picture(server, sample["url"])
        assert np.abs(shown - stored.images[row].transpose(1, 2, 0)).mean() < 8  # JPEG
        attribution = read(server, f"/api/projects/0/attributions/{number}?imageMode=attribution")
        np.testing.assert_allclose(attribution["prediction"], stored.logits[row], rtol=1e-6)
        for url in attribution["urls"].values():  # every colour map
            assert picture(server, url).shape == (16, 16, 3)
        heat = picture(server, attribution["urls"]["blue-white-red"])
        red = heat[..., 0] - heat[..., 2]  # blurred by JPEG
        assert np.corrcoef(red.ravel(), stored.maps[row].ravel())[0, 1] > 0.8
        overlay = read(server, f"/api/projects/0/attributions/{number}?imageMode=overlay")
        assert picture(server, overlay["urls"]["black-fire-red"]).shape == (16, 16, 3)


def test_the_marked_samples_are_the_striking_cluster(server, out):
    files = class_files(out, MARKED, CLASSES[MARKED])
    found = analysis_of(server, files.wordnet_id, "striking", "spectral")["embedding"]
    striking = np.array([each["cluster"] == 0 for each in found])
    marked = open_maps(files).images[:, :, :3, :3].min((1, 2, 3)) == 255
    assert max((striking == marked).mean(), (striking != marked).mean()) > 0.95


def test_the_page_opens_in_a_browser_without_errors(server, browser):
    wrong = []
    page = browser.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    with page.expect_response(lambda answer: "/analyses/" in answer.url):
        page.goto(server)
        page.get_by_text("digits, run 1").first.click()
    page.get_by_text("Eigenvalues").wait_for()
    page.wait_for_load_state("networkidle")
    page.close()
    assert not wrong


def planted_digits():
    """Digits 0, 1 and 2, enlarged twice, the even ones of the marked class with a white corner."""
    digits = load_digits(n_class=len(CLASSES))
    pixels = np.kron(digits.images / 16, np.ones((2, 2))).astype(np.float32)
    pixels[np.flatnonzero(digits.target == MARKED)[::2], :3, :3] = 1
    return pixels, digits.target


def store(folder, label, index, pixels, model):
    """Explain, cluster and store one class; relevance of a linear model is weight times input."""
    files, chosen = class_files(folder, label, CLASSES[label]), pixels[index]
    relevance = chosen * model.coef_[label].reshape(16, 16)
    logits = model.decision_function(chosen.reshape(len(chosen), -1)).astype(np.float32)
    images = np.repeat(np.round(chosen * 255).astype(np.uint8)[:, None], 3, axis=1)
    with writing_maps(files, len(index), (16, 16), len(CLASSES), (3, 16, 16), {"seed": 0}) as writer:
        writer.add(index, 0, label, label, images, relevance.astype(np.float32), logits)
    stored = open_maps(files)
    spray = SpRAy(projection="tsne", clusterings=("dbscan",)).fit(stored.maps)
    audit = ClassAudit(
        label=label,
        name=CLASSES[label],
        index=stored.index,
        heatmaps=stored.maps,
        prediction=stored.prediction,
        rank=stored.rank,
        spray=spray,
        control=None,
        clusters=rank_clusters(spray, stored.maps, stored.images),
    )
    save_analysis(files, audit, suspicion_of(audit), {"seed": 0})


def answers(address):
    try:
        return bool(read(address, "/api/projects"))
    except urllib.error.URLError:
        return False


def read(address, path):
    with urllib.request.urlopen(address + path) as answer:
        return json.load(answer)


def analysis_of(address, category, clustering, embedding):
    query = urllib.parse.urlencode({"category": category, "clustering": clustering, "embedding": embedding})
    return read(address, f"/api/projects/0/analyses/SpRAy?{query}")


def picture(address, path):
    with urllib.request.urlopen(address + path) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB")).astype(float)
