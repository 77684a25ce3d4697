"""A class of 40 samples to report on, without fitting anything."""

from types import SimpleNamespace

import numpy as np

from unhans.spray import ClassAudit, Cluster, Suspicion

CLASSES = ["birds", "cats </script><script>boom()</script>", "<b>fish</b> & chips"]
N = 40


def spectral(projection="umap"):
    random = np.random.default_rng(3)
    embedding = random.normal(size=(N, 6))
    return SimpleNamespace(
        eigenvalues_=np.array([0.0, 0.012, 0.4, 0.5, 0.6, 0.7]), embedding_=embedding, separability_=3.1, eigengap_=2,
        projection=projection, projection_=None if projection is None else 5 * embedding[:, 2:4] * [2, 1] - 7,
    )  # fmt: skip


def cluster(members, method="cut", label=1, k=2, image_consistency=0.25, score=0.75):
    return Cluster(method, k, label, np.isin(np.arange(N), members), 0.1, 0.8, 0.9, 0.6, image_consistency, score)


CLUSTERS = (cluster(range(25, 40)), cluster(range(5, 15), "kmeans", 2, 7, float("nan"), 0.5))


def audit_of(label=1, clusters=CLUSTERS, control=True, projection="umap", split=True, **changes):
    random = np.random.default_rng(label)
    maps = random.normal(size=(N, 8, 12)).astype(np.float32)
    maps[25:, 6:, 6:] += 20
    prediction, rank = np.full(N, label), np.zeros(N, np.int64)
    prediction[[0, 30]], rank[[0, 30]] = (label + 1) % 3, 2
    values = {
        "label": label, "name": CLASSES[label], "index": np.arange(100, 100 + N), "heatmaps": maps,
        "prediction": prediction, "rank": rank, "spray": spectral(projection),
        "control": spectral(None) if control else None, "clusters": clusters,
        "description": "LRP epsilon_plus_flat of the label",
        "split": (np.arange(N) % 4 == 0).astype(np.uint8) if split else None,
    }  # fmt: skip
    return ClassAudit(**values | changes)


def pictures():
    return np.random.default_rng(1).random((N, 3, 8, 12)).astype(np.float32)


def paths_of(label=1):
    return [f"train/{label}/<i>sample</i> {number}, \u201c\u00e9\u201d.png" for number in range(N)]


def suspicion_of(label=1, score=2.0, lambda_2=0.012, tau=3.1, control=0.3, name=None, suspicious=None):
    return Suspicion(
        label=label, name=CLASSES[label] if name is None else name, n=N, tau=tau, lambda_2=lambda_2, eigengap=2,
        score=score, suspicious=score >= 1.3 if suspicious is None else suspicious, cluster_size=15,
        control_lambda_2=control, control_tau=None if control is None else 1.5,
    )  # fmt: skip
