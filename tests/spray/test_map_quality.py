"""How clusters lie in a map of samples: against a literal second version, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from unhans.spray import LAYOUTS, SpRAy, map_class, map_quality


def literal(points, labels, near=10):
    n = len(points)
    distances = [[np.hypot(*(points[i] - points[j])) for j in range(n)] for i in range(n)]
    others, inside, silhouettes = [], 0.0, []
    for i in range(n):
        order = sorted((j for j in range(n) if j != i), key=lambda j: distances[i][j])[:near]
        others.append(sum(labels[j] != labels[i] for j in order) / len(order))
        inside += ((points[i] - points[labels == labels[i]].mean(0)) ** 2).sum()
        means = {
            label: np.mean([distances[i][j] for j in range(n) if labels[j] == label and j != i])
            for label in set(labels)
        }
        own, rest = means[labels[i]], min(value for label, value in means.items() if label != labels[i])
        silhouettes.append((rest - own) / max(rest, own))
    return np.mean(others), inside / ((points - points.mean(0)) ** 2).sum(), np.mean(silhouettes)


def test_overlap_scatter_and_silhouette_are_those_of_a_literal_version():
    random = np.random.default_rng(0)
    points, labels = random.normal(size=(40, 2)) + np.repeat([[0, 0], [2, 0]], 20, axis=0), np.repeat([0, 1], 20)
    found = map_quality(points, labels)
    assert (found.overlap, found.scatter, found.silhouette) == pytest.approx(literal(points, labels))


def test_two_far_places_neither_overlap_nor_scatter():
    points = np.repeat([[0.0, 0.0], [9.0, 0.0]], 15, axis=0)
    found = map_quality(points, np.repeat([0, 1], 15))
    assert (found.overlap, found.scatter, found.silhouette) == (0, 0, 1)


def test_labels_by_chance_overlap_as_often_as_they_differ():
    random = np.random.default_rng(1)
    found = map_quality(random.normal(size=(600, 2)), random.integers(0, 2, 600))
    assert found.overlap == pytest.approx(0.5, abs=0.04)
    assert found.scatter == pytest.approx(1, abs=0.02)
    assert found.silhouette == pytest.approx(0, abs=0.02)


def test_groups_that_stand_apart_do_so_in_every_map(monkeypatch):
    monkeypatch.setattr("unhans.spray.projection.umap_points", lambda embedding, seed, **settings: embedding[:, 1:3])
    random = np.random.default_rng(2)
    heatmaps = random.normal(size=(40, 4, 4)) + 20 * np.repeat([0, 1], 20)[:, None, None]
    found = map_class(SpRAy(n_neighbors=5, n_eigenvalues=6, n_clusters=(2, 3)), heatmaps)
    assert set(found.points) == set(LAYOUTS)
    for layout in LAYOUTS[:2]:
        assert found.quality[layout].overlap == 0
    assert len(found.labels) == 40
