"""The order in which classes are tested: planted classes first, and few clean ones called suspicious."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from unhans.spray import ClassAudit, SpRAy, Suspicion, rank_classes, rank_clusters, suspicion_of
from unhans.spray.groups import jaccard
from unhans.spray.suspicion import FAINTEST, USUAL, strengths_of, surprise, usual

VIEWS = ("input relevance", "relevance shares", "latent sum layer4", "image pattern")


def heatmaps(n, share, seed=0, strength=6.0):
    """Smooth random maps of 24 x 24; a share of them relies on a patch in the lower left corner in addition."""
    rng = np.random.default_rng(seed)
    maps = np.kron(rng.gamma(1, size=(n, 6, 6)), np.ones((4, 4))) + 0.3 * rng.normal(size=(n, 24, 24))
    carriers = rng.permutation(n) < round(share * n)
    maps[carriers, -6:-1, 2:9] += strength * rng.uniform(0.7, 1.3, size=(carriers.sum(), 1, 1))
    return maps, carriers


def audit(maps, label=0, control=None, **parameters):
    n = len(maps)
    spray = SpRAy(**{"projection": None, "pooling": 12, "n_clusters": (2, 3)} | parameters).fit(maps)
    return ClassAudit(
        label=label,
        name=f"class {label}",
        index=np.arange(n),
        heatmaps=maps,
        prediction=np.zeros(n, dtype=np.int64),
        rank=np.zeros(n, dtype=np.int64),
        spray=spray,
        control=control,
        clusters=rank_clusters(spray, maps),
    )


def posed(kind, n=80, seed=0):
    """One object whose place or direction varies continuously: no groups, but nothing like a cloud either."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :24] - 12.0
    first, second = rng.uniform(-1, 1, (2, n, 1, 1))
    shapes = {
        "blob on a line": np.exp(-((y - 8 * first) ** 2 + x**2) / 12.5),
        "blob in a square": np.exp(-((y - 7 * first) ** 2 + (x - 7 * second) ** 2) / 12.5),
        "slanted stroke": np.exp(-((x * np.cos(0.6 * first) + y * np.sin(0.6 * first)) ** 2) / 8) * (abs(y) < 9),
    }
    return 6 * shapes[kind] * rng.uniform(0.7, 1.3, (n, 1, 1)) + 0.3 * rng.normal(size=(n, 24, 24))


@pytest.mark.parametrize("kind", ["blob on a line", "blob in a square", "slanted stroke"])
def test_of_classes_whose_pose_varies_continuously_few_are_suspicious(kind):
    """Their cuts are smaller than a cloud's, in all of them alike; of 40 each 10, 0 and 1 were suspicious."""
    found = rank_classes(suspicion_of(audit(posed(kind, seed=label), label)) for label in range(10))
    assert sum(one.suspicious for one in found) <= 3


def entry(label=0, **strengths):
    return Suspicion(label, str(label), 50, 1.0, 0.1, 1, math.nan, False, 0, None, None, strengths)


def clean(count, seed=0, views=VIEWS):
    """Classes whose strengths are what is usual, in tails as heavy as assumed."""
    rng = np.random.default_rng(seed)

    def drawn(view):
        centre, spread = usual(view)
        return centre + spread * rng.standard_t(8)

    return [entry(label, **{view: drawn(view) for view in views}) for label in range(count)]


def planted(count, at, view="input relevance", deviations=12, seed=0):
    entries = clean(count, seed)
    centre, spread = usual(view)
    entries[at] = replace(entries[at], strengths={**entries[at].strengths, view: centre + deviations * spread})
    return entries


@pytest.mark.parametrize("count", [2, 10, 100])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_planted_class_is_the_first(count, view, seed):
    at = count // 2
    found = rank_classes(planted(count, at, view, seed=seed))
    assert found[0].label == at
    assert found[0].suspicious
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert found[0].score > 2


@pytest.mark.parametrize("count", [2, 10, 100])
def test_scores_do_not_depend_on_the_order_of_classes(count):
    entries = planted(count, 1)
    order = np.random.default_rng(1).permutation(count)
    one = {found.label: found.score for found in rank_classes(entries)}
    other = {found.label: found.score for found in rank_classes(entries[i] for i in order)}
    assert one == pytest.approx(other)


@pytest.mark.parametrize("count", [2, 10, 30])
def test_of_clean_sets_few_have_a_suspicious_class(count):
    """Under a false-discovery rate of 5 % a set without any true discovery has one in 5 % of draws."""
    flagged = [any(one.suspicious for one in rank_classes(clean(count, seed))) for seed in range(200)]
    assert np.mean(flagged) <= 0.1


@pytest.mark.parametrize(("shift", "scale"), [(1.0, 1.0), (0.0, 3.0), (-0.3, 0.5)])
def test_data_of_another_kind_are_held_against_themselves(shift, scale):
    """A hundred classes all unlike those that the usual strengths come from."""
    flagged, views = [], VIEWS[:2]
    for seed in range(25):
        entries = [
            replace(one, strengths={view: value * scale + shift for view, value in one.strengths.items()})
            for one in clean(100, seed, views)
        ]
        flagged.append(np.mean([one.suspicious for one in rank_classes(entries)]))
    assert np.mean(flagged) <= 0.02


def test_a_few_planted_classes_do_not_hide_each_other():
    entries = clean(20)
    for at in (3, 8, 15):
        entries[at] = replace(entries[at], strengths={**entries[at].strengths, "input relevance": 2.2})
    assert {one.label for one in rank_classes(entries)[:3]} == {3, 8, 15}
    assert {3, 8, 15} <= {one.label for one in rank_classes(entries) if one.suspicious}


@pytest.mark.parametrize("among", [1, 2, 10])
def test_a_class_without_strengths_is_the_last(among):
    found = rank_classes([entry(0), *(replace(one, label=one.label + 1) for one in planted(among, 0))])
    (empty,) = [one for one in found if one.label == 0]
    assert empty.score == 0
    assert not empty.suspicious
    assert found[0].label == 1


def test_only_classes_without_strengths_have_scores_of_zero():
    assert [(one.score, one.suspicious) for one in rank_classes([entry(0), entry(1)])] == [(0.0, False), (0.0, False)]
    assert rank_classes([]) == []


def test_a_view_that_some_classes_lack_is_compared_among_those_that_have_it():
    entries = [replace(one, strengths=dict(list(one.strengths.items())[: 1 + one.label % 4])) for one in clean(12)]
    scores = [one.score for one in rank_classes(entries)]
    assert np.isfinite(scores).all()
    assert min(scores) >= 0


@pytest.mark.parametrize("strength", [-5.0, 0.0, 50.0, 1e9])
def test_no_score_is_nan_or_infinite(strength):
    entries = [*clean(5), replace(entry(5), strengths=dict.fromkeys(VIEWS, strength))]
    scores = [one.score for one in rank_classes(entries)]
    assert np.isfinite(scores).all()
    assert min(scores) >= 0
    assert max(scores) <= FAINTEST


def test_equal_classes_have_equal_scores():
    scores = [one.score for one in rank_classes([replace(clean(1)[0], label=label) for label in range(30)])]
    assert np.ptp(scores) == 0


def test_the_score_of_one_class_alone_by_hand():
    centre, spread = USUAL["input relevance"]
    (found,) = rank_classes([entry(0, **{"input relevance": centre + 5 * spread})])
    assert found.score == pytest.approx(-math.log10(t.sf(5 / math.sqrt(2), 8)))  # the centre varies between data sets


def test_the_score_of_one_of_four_classes_by_hand():
    """The spread of three others weighs 3, the usual one 10; their median's error is √(π/6) of it, the prior's 1."""
    centre, spread = USUAL["input relevance"]
    strengths = (2.0, 0.5, 0.6, 0.8)
    found = rank_classes(entry(label, **{"input relevance": one}) for label, one in enumerate(strengths))
    precision = 3 / (math.pi / 2)
    middle = (precision * 0.6 + centre) / (precision + 1)
    within = (3 * (1.4826 * 0.1) ** 2 + 10 * spread**2) / 13
    deviation = math.sqrt(within * (1 + 1 / (precision + 1)))
    assert found[0].label == 0
    assert found[0].score == pytest.approx(-math.log10(t.sf((2.0 - middle) / deviation, 8)))


def test_many_views_cost_a_factor():
    centre, spread = usual("latent sum")
    one = entry(0, **{"latent sum a": centre + 6 * spread})
    ten = entry(0, **{f"latent sum {i}": centre + 6 * spread for i in range(10)})
    assert rank_classes([one])[0].score - rank_classes([ten])[0].score == pytest.approx(1)


def test_what_is_usual_goes_by_the_beginning_of_a_name():
    assert usual("latent sum layer4.1") == USUAL["latent sum"]
    assert usual("image statistics: colour") == USUAL["image statistics"]
    assert usual("a view of one's own")[1] > 0
    assert surprise("input relevance", sum(USUAL["input relevance"])) == pytest.approx(1)


def test_the_strengths_are_those_of_the_strongest_proposed_clusters():
    one = audit(heatmaps(100, 0.4)[0])
    for view, strength in strengths_of(one).items():
        assert strength == max(cluster.strength for cluster in one.candidates if cluster.view == view)
    assert strengths_of(replace(one, clusters=tuple(each for each in one.clusters if not each.proposed))) == {}


@pytest.mark.parametrize("n", [100, 200])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_class_that_relies_on_an_artifact_stands_out(n, share):
    maps, carriers = heatmaps(n, share)
    one = audit(maps)
    found = suspicion_of(one)
    assert found.suspicious
    assert jaccard(one.cluster.members, carriers) >= 0.95
    assert found.cluster_size == one.cluster.members.sum()


@pytest.mark.parametrize("n", [60, 200])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_clean_class_does_not(n, seed):
    assert not suspicion_of(audit(heatmaps(n, 0, seed)[0])).suspicious


@pytest.mark.parametrize(("count", "at"), [(2, 0), (2, 1), (6, 4)])
def test_the_planted_class_of_several_audits_is_the_first(count, at):
    found = rank_classes(
        suspicion_of(audit(heatmaps(100, 0.5 * (label == at), label)[0], label)) for label in range(count)
    )
    assert found[0].label == at
    assert [one.label for one in found if one.suspicious] == [at]


def test_without_clusters_there_is_no_suspicion():
    found = suspicion_of(replace(audit(heatmaps(100, 0.6)[0]), clusters=()))
    assert (found.suspicious, found.cluster_size, found.score) == (False, 0, 0.0)


def test_the_scale_of_relevance_makes_no_difference():
    maps, _ = heatmaps(100, 0.6)
    assert suspicion_of(audit(1e-6 * maps)).score == pytest.approx(suspicion_of(audit(maps)).score, abs=1e-6)


def test_the_numbers_are_those_of_spray_and_of_the_control():
    maps, _ = heatmaps(80, 0.6)
    control = SpRAy(projection=None).fit(np.random.default_rng(0).normal(size=(80, 30)))
    one = audit(maps, 3, control)
    found = suspicion_of(one)
    assert (found.label, found.name, found.n) == (3, "class 3", 80)
    assert (found.tau, found.lambda_2) == (one.spray.separability_, one.spray.eigenvalues_[1])
    assert found.eigengap == one.spray.eigengap_
    assert (found.control_tau, found.control_lambda_2) == (control.separability_, control.eigenvalues_[1])
    assert found.score == suspicion_of(replace(one, control=None)).score  # the control is no part of the rule
    assert found.numbers()["control_lambda_2"] == control.eigenvalues_[1]
    assert "control_lambda_2" not in suspicion_of(replace(one, control=None)).numbers()
    assert all(isinstance(value, float) for value in found.numbers().values())
    assert (found.tau_clusters, found.exact_neighbours) == (max(one.spray.n_clusters_), True)


def test_a_statistic_that_falls_in_two_in_most_classes_tells_of_the_data():
    drawings = {"image statistics: local brightness": 2.5, "input relevance": 0.55}
    common = [entry(i, **(drawings | {"image statistics: local brightness": 1.0 + 0.1 * i})) for i in range(9)]
    assert not any(one.suspicious for one in rank_classes([entry(9, **drawings), *common]))
    rare = [entry(i, **{"image statistics: local brightness": 0.3, "input relevance": 0.55}) for i in range(9)]
    assert [one.label for one in rank_classes([entry(9, **drawings), *rare]) if one.suspicious] == [9]
