from dataclasses import replace

import numpy as np
import pytest

from unhans.spray import ClassAudit, SpRAy, judge, rank, rank_clusters, striking_cluster
from unhans.spray.suspicion import APART, THRESHOLD, Suspicion, ranked


def heatmaps(n, share, seed=0, strength=6.0):
    """Smooth random maps of 24 x 24; a share of them relies on a patch in the lower left corner in addition."""
    rng = np.random.default_rng(seed)
    maps = np.kron(rng.gamma(1, size=(n, 6, 6)), np.ones((4, 4))) + 0.3 * rng.normal(size=(n, 24, 24))
    carriers = rng.permutation(n) < round(share * n)
    maps[carriers, -6:-1, 2:9] += strength * rng.uniform(0.7, 1.3, size=(carriers.sum(), 1, 1))
    return maps, carriers


def audit(maps, label=0, control=None, **parameters):
    n = len(maps)
    spray = SpRAy(**{"projection": None, "pooling": 12} | parameters).fit(maps)
    cluster = striking_cluster(spray, maps)
    return ClassAudit(
        label=label,
        name=f"class {label}",
        index=np.arange(n),
        heatmaps=maps,
        prediction=np.zeros(n, dtype=np.int64),
        rank=np.zeros(n, dtype=np.int64),
        spray=spray,
        control=control,
        clusters=() if cluster is None else (cluster,),
    )


def entry(score, suspicious=False, label=0):
    return Suspicion(label, str(label), 50, 1.0, 0.1, 1, score, suspicious, 0, None, None)


@pytest.mark.parametrize("n", [100, 200])
@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize("strength", [6, 1000])  # a cluster very far away must not pass for a long cloud
def test_a_class_that_relies_on_an_artifact_is_suspicious(n, share, strength):
    found = judge(audit(heatmaps(n, share, strength=strength)[0]))
    assert found.suspicious
    assert found.score > 1.5
    assert found.cluster_size == pytest.approx(share * n, abs=3)


@pytest.mark.parametrize("n", [24, 60, 200])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_clean_class_is_not(n, seed):
    found = judge(audit(heatmaps(n, 0, seed)[0]))
    assert not found.suspicious
    assert abs(found.score) < 0.3


def test_maps_that_vary_along_one_direction_have_a_small_lambda_2_but_no_clusters():
    rng = np.random.default_rng(0)
    maps = np.kron(rng.gamma(1, size=(150, 6, 6)), np.ones((4, 4))) * rng.lognormal(0, 0.5, size=(150, 1, 1))
    found = judge(audit(maps + 6 * rng.normal(size=(150, 1, 1)) * np.kron(rng.normal(size=(6, 6)), np.ones((4, 4)))))
    assert found.lambda_2 < 0.05
    assert abs(found.score) < 0.5


@pytest.mark.parametrize("planted", [0, 1])
def test_two_classes_are_enough(planted):
    audits = [audit(heatmaps(100, 0.6 * (label == planted), label)[0], label) for label in range(2)]
    found = rank(audits)
    assert [one.label for one in found] == [planted, 1 - planted]
    assert [one.suspicious for one in found] == [True, False]


def test_the_planted_class_ranks_first_of_six():
    audits = [audit(heatmaps(120, 0.6 * (label == 4), label)[0], label) for label in range(6)]
    found = rank(audits)
    assert found[0].label == 4
    assert [one.label for one in found if one.suspicious] == [4]
    carriers = heatmaps(120, 0.6, 4)[1]
    members = audits[4].cluster.members
    assert carriers[members].mean() >= 0.9
    assert members[carriers].mean() >= 0.7


def test_does_not_depend_on_the_scale_of_relevance():
    maps, _ = heatmaps(100, 0.6)
    assert judge(audit(1e-6 * maps)).score == pytest.approx(judge(audit(maps)).score, abs=1e-6)


def test_without_a_cluster_there_is_no_suspicion():
    one = audit(heatmaps(100, 0.6)[0])
    assert judge(one).suspicious
    found = judge(replace(one, clusters=()))
    assert not found.suspicious
    assert found.cluster_size == 0


def test_the_numbers_are_those_of_spray_and_of_the_control():
    maps, _ = heatmaps(80, 0.6)
    control = SpRAy(projection=None).fit(np.random.default_rng(0).normal(size=(80, 30)))
    one = audit(maps, 3, control)
    found = judge(one)
    assert (found.label, found.name, found.n) == (3, "class 3", 80)
    assert (found.tau, found.lambda_2) == (one.spray.separability_, one.spray.eigenvalues_[1])
    assert found.eigengap == one.spray.eigengap_
    assert (found.control_tau, found.control_lambda_2) == (control.separability_, control.eigenvalues_[1])
    assert found.score == judge(replace(one, control=None)).score  # the control is no part of the rule
    assert found.numbers()["control_lambda_2"] == control.eigenvalues_[1]
    assert "control_lambda_2" not in judge(replace(one, control=None)).numbers()
    assert all(isinstance(value, float) for value in found.numbers().values())


def test_a_graph_in_pieces_has_a_finite_score():
    found = judge(audit(heatmaps(100, 0.5, strength=1000.0)[0]))
    assert found.lambda_2 < 1e-10
    assert 2 < found.score < 5


def test_ranked_puts_suspicious_classes_first_and_then_goes_by_score():
    entries = [entry(0.2, label=0), entry(1.5, True, 1), entry(2.0, label=2), entry(1.1, True, 3)]
    assert [one.label for one in ranked(entries)] == [1, 3, 2, 0]


def test_a_class_of_two_different_maps_is_two_clusters():
    maps = np.repeat(np.random.default_rng(0).normal(size=(2, 24, 24)), 40, axis=0)
    found = judge(audit(maps))
    assert found.suspicious
    assert found.cluster_size == 40


def zeros(n, few):
    maps = np.random.default_rng(0).normal(size=(n, 49))
    maps[:few] = 0
    return maps


def piece(n, few):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(n, 49))
    maps[:few] = 20 * rng.normal(size=49) + 0.1 * rng.normal(size=(few, 49))
    return maps


@pytest.mark.parametrize(("make", "metric"), [(zeros, "cosine"), (piece, "euclidean")])
def test_a_few_equal_heatmaps_that_are_no_cluster_do_not_make_a_class_suspicious(make, metric):
    maps = make(1000, 11)
    one = audit(maps, pooling=None, metric=metric)
    found = judge(replace(one, clusters=rank_clusters(one.spray, maps)))
    assert found.score >= THRESHOLD
    assert one.cluster.normalised_cut > APART
    assert not found.suspicious


def test_the_same_heatmaps_are_suspicious_where_they_are_a_cluster():
    maps = piece(100, 11)
    one = audit(maps, pooling=None)
    found = judge(replace(one, clusters=rank_clusters(one.spray, maps)))
    assert found.suspicious
    assert found.cluster_size == 11


def test_the_cluster_must_stand_apart():
    one = audit(heatmaps(100, 0.6)[0])
    assert judge(one).suspicious
    for cut in (APART, 0.5):
        assert not judge(replace(one, clusters=(replace(one.cluster, normalised_cut=cut),))).suspicious
