"""The detector of striking clusters: every measure against a slow second version and in closed form; what is kept."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_array
from test_striking import literal_ncut, maps

from unhans.spray import Cluster, SpRAy, rank_clusters
from unhans.spray import pooling as parts
from unhans.spray.cluster_measures import compactness, image_consistency, relevance_consistency
from unhans.spray.cluster_ranking import score
from unhans.spray.groups import Group, jaccard, k_means, smallest_group
from unhans.spray.pooling import mean_pool
from unhans.spray.spectral import normalised_cuts
from unhans.spray.suspicion import surprise


@pytest.fixture(scope="module")
def sets():
    """Three sets among twelve samples, their heatmaps (12, 4, 5) and images (12, 2, 8, 9)."""
    random = np.random.default_rng(0)
    members = np.array([np.arange(12) < 4, np.arange(12) % 2 == 0, np.arange(12) > 8])
    heatmaps = random.normal(size=(12, 4, 5)) + np.linspace(-1, 2, 20).reshape(4, 5)
    return members, heatmaps, random.random((12, 2, 8, 9))


def beyond_chance(likeness, members):
    found = []
    for chosen in members:
        inside, outside = np.flatnonzero(chosen), np.flatnonzero(~chosen)
        within = np.mean([likeness(i, j) for i in inside for j in inside if i != j])
        across = np.mean([likeness(i, j) for i in inside for j in outside])
        found.append(min(max((within - across) / (1 - across), 0), 1))
    return found


def cosine(one, other):
    return (one * other).sum() / np.sqrt((one * one).sum() * (other * other).sum())


def overlap(one, other):
    """Of where relevance lies: Bhattacharyya's coefficient."""
    p, q = (np.abs(heatmap) / np.abs(heatmap).sum() for heatmap in (one, other))
    return sum(math.sqrt(left * right) for left, right in zip(p.flat, q.flat, strict=True))


@pytest.mark.parametrize(("measure", "likeness"), [(compactness, cosine), (relevance_consistency, overlap)])
def test_measures_of_heatmaps_are_the_likeness_of_members_beyond_that_to_others(measure, likeness, sets):
    members, heatmaps, _ = sets
    expected = beyond_chance(lambda i, j: likeness(heatmaps[i], heatmaps[j]), members)
    assert measure(heatmaps, members) == pytest.approx(expected)


def test_image_consistency_is_that_of_pixels_under_the_relevance(sets):
    members, heatmaps, images = sets
    cells = mean_pool(images, (4, 5)).reshape(12, 2, 4, 5)
    expected = []
    for chosen in members:
        weight = sum(np.maximum(heatmap, 0) / np.maximum(heatmap, 0).sum() for heatmap in heatmaps[chosen])
        mean = cells[chosen].mean(0)
        inside, outside = (
            sum((weight * (image - mean) ** 2).sum() for image in group) / len(group)
            for group in (cells[chosen], cells[~chosen])
        )
        expected.append(max(1 - inside / outside, 0))
    assert image_consistency(heatmaps, members, images) == pytest.approx(expected)


def test_the_normalised_cut_is_that_of_the_definition():
    random = np.random.default_rng(0)
    affinity = np.triu(random.integers(0, 3, size=(14, 14)) / 2.0, 1)
    affinity += affinity.T
    members = random.random((5, 14)) < 0.4
    expected = [literal_ncut(affinity, chosen) for chosen in members]
    assert normalised_cuts(csr_array(affinity), members) == pytest.approx(expected)


def test_equal_members_unlike_the_others_have_the_largest_measures():
    random = np.random.default_rng(0)
    heatmaps, images = random.random((20, 6, 6)), random.random((20, 3, 6, 6))
    members = np.arange(20) < 8
    heatmaps[members] = heatmaps[0] * random.uniform(1, 5, size=(8, 1, 1))  # a factor makes no difference
    images[members] = images[0]
    for found in (
        compactness(heatmaps, members[None]),
        relevance_consistency(heatmaps, members[None]),
        image_consistency(heatmaps, members[None], images),
    ):
        assert found == pytest.approx([1])


def test_random_subsets_have_measures_of_about_zero():
    random = np.random.default_rng(0)
    heatmaps, images = random.normal(size=(400, 8, 8)), random.random((400, 3, 8, 8))
    members = random.random((20, 400)) < 0.3
    assert compactness(heatmaps, members).max() < 0.02
    assert relevance_consistency(heatmaps, members).max() < 0.02
    assert image_consistency(heatmaps, members, images).max() < 0.05


def test_the_images_matter_only_where_relevance_is():
    random = np.random.default_rng(0)
    heatmaps, images = np.zeros((20, 4, 4)), random.random((20, 3, 4, 4))
    heatmaps[:, 1:3, 1:3], heatmaps[:, 0] = 1, -5  # what contradicts the class is no reason for it
    members = np.arange(20) < 10
    images[members, :, 1:3, 1:3] = 0.5
    assert image_consistency(heatmaps, members[None], images) == pytest.approx([1])
    assert image_consistency(heatmaps[:, ::-1, ::-1] * -1, members[None], images)[0] < 0.3


def test_images_that_are_the_same_in_the_whole_class_say_nothing():
    heatmaps = np.random.default_rng(0).random((20, 4, 4))
    members = np.arange(20)[None] < 10
    assert image_consistency(heatmaps, members, np.full((20, 3, 4, 4), 77, dtype=np.uint8)).tolist() == [0]
    assert image_consistency(-heatmaps, members, np.random.default_rng(1).random((20, 3, 4, 4))).tolist() == [0]


def test_the_scale_and_type_of_images_make_no_difference(sets):
    members, heatmaps, images = sets
    whole = np.rint(255 * images).astype(np.uint8)
    expected = image_consistency(heatmaps, members, whole)
    assert image_consistency(heatmaps, members, whole / 127.5 - 1) == pytest.approx(expected)


def test_parts_of_the_samples_add_up_to_all(sets, monkeypatch):
    members, heatmaps, images = sets
    expected = [compactness(heatmaps, members), image_consistency(heatmaps, members, images)]
    monkeypatch.setattr(parts, "ELEMENTS", 50)
    found = [compactness(heatmaps, members), image_consistency(heatmaps, members, images)]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("grid", [(2, 3), (4, 4), (5, 2), (9, 12)])
def test_images_are_averaged_over_cells_or_repeat_the_nearest_pixel(grid):
    images = np.random.default_rng(0).random((2, 3, 5, 7))

    def cell(axis, place):
        length = images.shape[axis]
        start, stop = place * length // grid[axis - 2], (place + 1) * length // grid[axis - 2]
        return slice(start, max(stop, start + 1))

    found = mean_pool(images, grid).reshape(2, 3, *grid)
    for i, j in np.ndindex(*grid):
        np.testing.assert_allclose(found[:, :, i, j], images[:, :, cell(2, i), cell(3, j)].mean((2, 3)))


def planted(share=0.4, n=150):
    heatmaps, carriers = maps(n, share, strength=6)
    images = np.random.default_rng(2).random((n, 3, 24, 24))
    images[carriers, :, -6:-1, 2:9] = 0.9
    return SpRAy(projection=None, pooling=12, clusterings=("agglomerative",)).fit(heatmaps), heatmaps, images, carriers


@pytest.fixture(scope="module")
def found():
    spray, heatmaps, images, _ = planted()
    return rank_clusters(spray, heatmaps, images)


def test_the_planted_artifact_is_the_first_and_the_most_striking():
    for share in (0.2, 0.4, 0.8):
        spray, heatmaps, images, carriers = planted(share)
        first, *others = rank_clusters(spray, heatmaps, images)
        assert jaccard(first.members, carriers) >= 0.95
        assert first.method == "cut"
        assert first.score > max(other.score for other in others)
        assert first.image_consistency > 0.7


def test_it_scores_higher_than_any_cluster_of_a_clean_class(found):
    clean, _ = maps(150, 0, strength=6)
    images = np.random.default_rng(2).random((150, 3, 24, 24))
    spray = SpRAy(projection=None, pooling=12).fit(clean)
    assert found[0].score > 2 * max(cluster.score for cluster in rank_clusters(spray, clean, images))


def test_what_is_kept_has_the_right_size_order_and_no_doubles(found):
    assert 2 <= len(found) <= 12
    proposed = [cluster.proposed for cluster in found]
    assert proposed == sorted(proposed, reverse=True)
    assert 0 < sum(proposed) < len(found)
    surprises = [surprise(cluster.view, cluster.strength) for cluster in found if cluster.proposed]
    assert surprises == sorted(surprises, reverse=True)
    scores = [cluster.score for cluster in found if not cluster.proposed]
    assert scores == sorted(scores, reverse=True)
    for i, cluster in enumerate(found):
        least = smallest_group(150) if cluster.proposed else 11
        assert least <= cluster.members.sum() <= 150 - least
        assert all(jaccard(cluster.members, other.members) < 0.9 for other in found[:i])


def test_every_number_is_that_of_its_measure():
    spray, heatmaps, images, _ = planted()
    pooled = spray.prepare(heatmaps)
    shown = {("agglomerative", len(set(spray.clusterings_["agglomerative"]))): spray.clusterings_["agglomerative"]}
    for labels in k_means(spray.affinity_, spray.embedding_, range(2, 9)):
        shown["kmeans", len(set(labels))] = labels
    for cluster in rank_clusters(spray, heatmaps, images):
        if not cluster.proposed:
            np.testing.assert_array_equal(cluster.members, shown[cluster.method, cluster.k] == cluster.label)
        one = cluster.members[None]
        assert cluster.normalised_cut == pytest.approx(literal_ncut(spray.affinity_.toarray(), cluster.members))
        assert cluster.separation == pytest.approx(max(1 - cluster.normalised_cut, 0))
        assert cluster.compactness == pytest.approx(compactness(pooled, one)[0])
        assert cluster.relevance_consistency == pytest.approx(relevance_consistency(pooled, one)[0])
        assert cluster.image_consistency == pytest.approx(image_consistency(pooled, one, images)[0])


def test_clusters_of_other_clusterings_are_candidates_and_noise_is_none():
    spray, heatmaps, images, carriers = planted()
    half = carriers & (np.arange(150) % 2 == 0)
    spray.clusterings_ = {"dbscan": np.where(half, 0, -1), "hdbscan": np.where(half, 0, np.where(carriers, 1, -1))}
    names = [cluster.name for cluster in rank_clusters(spray, heatmaps, images)]
    assert names[0] == f"input relevance, {carriers.sum()} samples"
    assert "HDBSCAN 2 of 2" in names
    assert not {"DBSCAN 1 of 1", "HDBSCAN 1 of 2"} <= set(names)  # the same half was found twice
    assert {"DBSCAN 1 of 1", "HDBSCAN 1 of 2"} & set(names)


def test_without_images_the_score_goes_without_them():
    spray, heatmaps, _, _ = planted()
    for cluster in rank_clusters(spray, heatmaps):
        assert math.isnan(cluster.image_consistency)
        measures = (cluster.compactness, cluster.separation, cluster.relevance_consistency)
        size = cluster.members.sum()
        assert cluster.score == pytest.approx(sum(measures) / 3 * size / (size + 10))


def test_the_score_is_the_mean_measure_and_shrinks_for_small_clusters():
    assert score(10, 1, 1, 1, 1) == 0.5
    assert score(90, 1, 0, 1, 0) == pytest.approx(0.45)
    assert score(90, 1, 0, 0.5, math.nan) == pytest.approx(0.45)


@pytest.mark.parametrize(("n", "groups"), [(11, None), (21, ())])  # two of six, two of eleven do not fit
def test_a_class_too_small_for_clusters_has_none(n, groups):
    heatmaps = np.random.default_rng(0).normal(size=(n, 9))
    assert rank_clusters(SpRAy(projection=None, n_clusters=(2,)).fit(heatmaps), heatmaps, None, groups) == ()


def test_given_groups_are_measured_in_the_order_of_their_surprise_and_come_first():
    spray, heatmaps, images, carriers = planted()
    half = np.arange(150) < 75
    given = [Group("image pattern", half, 3.0, method="pattern"), Group("latent sum a", carriers, 2.5, 0.1, 0.9)]
    first, second, *others = rank_clusters(spray, heatmaps, images, given)
    np.testing.assert_array_equal(first.members, carriers)
    np.testing.assert_array_equal(second.members, half)
    assert (first.view, first.strength, first.stability) == ("latent sum a", 2.5, 0.9)
    assert (second.method, second.name) == ("pattern", "image pattern, 75 samples")
    assert second.normalised_cut == pytest.approx(literal_ncut(spray.affinity_.toarray(), half))
    assert not any(other.proposed for other in others)


def test_no_more_than_twelve_are_kept_and_of_doubles_the_first():
    spray, heatmaps, _, carriers = planted()
    random = np.random.default_rng(0)
    given = [Group("latent sum a", random.random(150) < 0.4, 1.0) for _ in range(15)]
    assert len(rank_clusters(spray, heatmaps, None, given)) == 12
    double = [Group("latent sum a", carriers, 2.0), Group("latent sum b", carriers, 3.0)]
    found = [cluster for cluster in rank_clusters(spray, heatmaps, None, double) if cluster.proposed]
    assert [cluster.view for cluster in found] == ["latent sum b"]


@pytest.mark.parametrize("shape", [(149, 3, 24, 24), (150, 24, 24)])
def test_images_of_another_number_or_shape_are_refused(shape):
    spray, heatmaps, _, _ = planted()
    with pytest.raises(ValueError, match=r"images must have shape \(n, C, h, w\)"):
        rank_clusters(spray, heatmaps, np.zeros(shape))


def test_names_count_from_one():
    names = [Cluster(method, 7, 2, np.ones(3, bool), *(0.0,) * 6).name for method in
             ("cut", "kmeans", "agglomerative", "dbscan", "hdbscan")]  # fmt: skip
    assert names == ["cut", "k-means 3 of 7", "agglomerative 3 of 7", "DBSCAN 3 of 7", "HDBSCAN 3 of 7"]
