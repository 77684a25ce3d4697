from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_bench import (
    COLUMNS,
    ROWS,
    SIDE,
    TARGET,
    FixedLayer,
    bench_of,
    exact_weights,
    images_of,
    pattern,
    pattern_layer,
)

from unhans.artifacts.inpainting import FILLS
from unhans.effects import prove, softmax
from unhans.effects.interventions import choose
from unhans.effects.verdict import comparisons
from unhans.report.text import verdict_grounds, verdict_summary

LAYERED = [fill for fill in FILLS if fill != "undo"]  # that is for artifacts of whole images

CLASS = np.arange(TARGET, 200, 4)
AFFECTED, UNAFFECTED = CLASS[:20], CLASS[20:]
CLEAN, IMAGES = images_of(), images_of(carriers=AFFECTED)


def proof_of(bench, layer=None, **options):
    given = {"affected": AFFECTED, "unaffected": UNAFFECTED, "samples": 60} | options
    return prove(bench, FixedLayer(pattern_layer() if layer is None else layer), TARGET, **given)


def sentence_of(proof):
    return " ".join([verdict_summary(proof), *verdict_grounds(proof).values()])


def area_weights(value):
    weights = torch.zeros(4, 3, SIDE, SIDE)
    weights[TARGET, :, ROWS, COLUMNS] = value
    return weights


def test_a_network_that_reads_the_pattern_is_caught():
    proof = proof_of(bench_of(exact_weights(), IMAGES, bias=-2.0), truth=lambda index: CLEAN[index])
    assert proof.verdict.name == "proven"
    assert "the network leans on it" in sentence_of(proof)
    assert (proof.label, proof.name) == (TARGET, "bee")
    assert [trial.name for trial in proof.added] == [
        "artifact",
        "mean colour",
        "area averaged",
        "patch of the class",
        "other classes",
    ]
    assert [trial.name for trial in proof.removed] == ["telea", "elsewhere"]
    assert [each.possible for each in comparisons(proof.added)] == [1.0, 1.0, 1.0, 1.0, 2.0]
    assert proof.verdict.p_value == max(each.p_value for each in comparisons(proof.added)) < 0.05
    assert proof.removed[0].effect.share > 0.9
    assert proof.removed[1].effect.share == 0


def test_a_network_that_ignores_the_artifact_is_not_used():
    weights = torch.zeros(4, 3, SIDE, SIDE)
    weights[:, :, 10:] = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 3, 6, SIDE))).float() * 0.2
    proof = proof_of(bench_of(weights, IMAGES), samples=150)
    assert proof.verdict.name == "not used"
    assert "or more is excluded" in sentence_of(proof)
    assert proof.added[0].effect.probability == 0
    low, high = proof.added[0].effect.probability_interval
    assert -0.05 < low <= 0 <= high < 0.05
    few = proof_of(bench_of(weights, IMAGES), samples=20)  # they cannot exclude an effect on one sample in twenty
    assert verdict_summary(few).startswith("Open: an effect of 0.05 or more is neither shown nor excluded")


def test_a_network_that_answers_to_any_brightness_there_is_open():
    layer = pattern_layer()
    layer[:3, ROWS, COLUMNS] = 0.6 + 0.4 * pattern()  # bright: its mean colour does the same
    proof = proof_of(bench_of(area_weights(0.3), images_of() * 0.5, bias=-4.0), layer)
    assert proof.verdict.name == "open"
    assert "its area in its mean colour" in sentence_of(proof)
    assert proof.added[0].effect.probability > 0.1


def test_an_artifact_that_another_class_answers_to_as_well_is_open():
    weights = exact_weights()
    weights[3] = weights[TARGET] * 1.02
    proof = proof_of(bench_of(weights, IMAGES))
    assert proof.verdict.name == "open"
    assert "its effect on 'dog', the class that gains most from it besides" in sentence_of(proof)


def test_the_true_removal_is_exact():
    proof = proof_of(bench_of(exact_weights(), IMAGES), fills=("truth",), truth=lambda index: CLEAN[index])
    weights = exact_weights()[TARGET]
    slow = [float((weights * (CLEAN[index] - IMAGES[index])).sum()) for index in AFFECTED]
    assert proof.removed[0].effect.logit == pytest.approx(np.mean(slow), abs=1e-4)
    assert proof.removed[1].detail == "telea"


def test_every_fill_takes_the_pattern_away():
    proof = proof_of(bench_of(exact_weights(), IMAGES), fills=LAYERED, truth=lambda index: CLEAN[index])
    assert [trial.name for trial in proof.removed] == [*LAYERED, "elsewhere"]
    for trial in proof.removed[:-1]:
        assert trial.effect.logit < -3
    assert abs(proof.removed[-1].effect.logit) < 0.5
    assert proof.removed[-1].detail == "telea"


def test_the_same_seed_gives_the_same_proof_in_batches_of_any_size():
    one, two, three = (proof_of(bench_of(exact_weights(), IMAGES, batch_size=size)) for size in (32, 32, 5))
    other = proof_of(bench_of(exact_weights(), IMAGES, seed=1))
    assert one.verdict == two.verdict == three.verdict
    for first, second in zip(one.added + one.removed, three.added + three.removed, strict=True):
        np.testing.assert_array_equal(first.indices, second.indices)
        np.testing.assert_allclose(first.differences, second.differences, atol=1e-9)
    for first, second in zip(one.examples + one.removal_examples, three.examples + three.removal_examples, strict=True):
        assert first.index == second.index
        assert torch.equal(first.images, second.images)
    assert one.added[0].indices.tolist() != other.added[0].indices.tolist()


def test_examples_are_the_largest_and_the_typical_ones():
    weights, bench = exact_weights(), bench_of(exact_weights(), IMAGES)
    proof = proof_of(bench, examples=4)
    changes = proof.added[0].differences
    assert [example.choice for example in proof.examples] == ["largest", "largest", "typical", "typical"]
    by_index = dict(zip(proof.added[0].indices, changes, strict=True))
    shown = [by_index[example.index] for example in proof.examples]
    assert shown[:2] == sorted(changes)[-1:-3:-1]
    away = abs(changes - np.median(changes))
    assert max(abs(value - np.median(changes)) for value in shown[2:]) <= np.quantile(away, 0.25)
    for example in proof.examples:
        assert example.label == example.index % 4 != TARGET
        assert torch.equal(example.images[0], IMAGES[example.index])
        assert torch.equal(example.images[1][:, ROWS, COLUMNS], pattern())
        expected = softmax(bench.predict(example.images))[:, TARGET]
        np.testing.assert_allclose(example.probabilities, expected)
        np.testing.assert_allclose(example.heatmaps, (example.images * weights[TARGET]).sum(1), atol=1e-6)


def test_removal_examples_are_those_that_lose_most():
    proof = proof_of(bench_of(exact_weights(), IMAGES, bias=-2.0), examples=3)
    losses = [example.probabilities[1] - example.probabilities[0] for example in proof.removal_examples]
    assert losses[0] == pytest.approx(proof.removed[0].differences.min())
    assert {example.label for example in proof.removal_examples} == {TARGET}


def test_examples_come_from_different_classes():
    proof = proof_of(bench_of(exact_weights(), IMAGES), examples=3)
    assert len({example.label for example in proof.examples}) == 3


def test_a_class_that_changes_little_is_not_shown_for_its_own_sake():
    change = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.0])
    labels = np.array([1, 1, 1, 1, 1, 1, 1, 2])
    assert choose(change, 3, labels) == [(0, "largest"), (1, "largest"), (3, "typical")]
    assert choose(change, 3, np.array([1, 2, 1, 1, 3, 1, 1, 2])) == [(0, "largest"), (1, "largest"), (4, "typical")]
    assert [row for row, _ in choose(change, 8, labels)][:4] == [0, 1, 2, 3]


def test_choices_are_never_double():
    rows = [row for row, _ in choose(np.zeros(5), 5)]
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert len(choose(np.arange(3.0), 8)) == 3
    assert choose(np.arange(3.0), 0) == []


def test_fewer_samples_than_asked_are_all_used_and_counted():
    others = [0, 2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15]
    labels = np.where(np.isin(np.arange(200), [*others, *CLASS]), np.arange(200) % 4, -1)
    proof = proof_of(bench_of(exact_weights(), IMAGES, labels=labels), samples=500)
    assert proof.added[0].indices.tolist() == others
    assert "Added to 12 samples" in sentence_of(proof)
    same = proof_of(bench_of(exact_weights(), IMAGES), samples=500, others=np.array([*others, CLASS[0]]))
    assert same.added[0].indices.tolist() == others


def test_without_affected_or_unaffected_samples_the_rest_is_measured():
    none = np.array([], dtype=np.int64)
    proof = proof_of(bench_of(exact_weights(), IMAGES), affected=none, unaffected=none)
    assert (proof.removed, proof.removal_examples) == ((), ())
    assert [trial.name for trial in proof.added] == ["artifact", "mean colour", "area averaged", "other classes"]
    assert "Taken away" not in sentence_of(proof)


def test_samples_on_which_it_does_not_lie_are_left_out_of_removal():
    mask = pattern_layer()[3].numpy() > 0
    proof = proof_of(bench_of(exact_weights(), IMAGES), masks=lambda index: mask & (index in AFFECTED[:7]))
    assert proof.removed[0].indices.tolist() == AFFECTED[:7].tolist()
    assert "Taken away from 7 affected samples" in sentence_of(proof)
    nowhere = proof_of(bench_of(exact_weights(), IMAGES), masks=lambda index: np.zeros((SIDE, SIDE), bool))
    assert nowhere.removed == ()


def test_no_more_than_one_batch_is_read_at_once():
    """toy_bench asserts it; here the batch is a single image."""
    proof = proof_of(bench_of(exact_weights(), IMAGES, batch_size=1), samples=11, fills=("neighbour",))
    assert proof.added[0].effect.n == 11
    assert proof.removed[0].effect.n == 11


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"label": 4}, "an artifact's class must be an index 0 … 3, got 4"),
        ({"label": -1}, "an artifact's class must be an index 0 … 3, got -1"),
        ({"fills": ("telea", "magic")}, "a fill must be one of telea, .*, got 'magic'"),
        ({"fills": ()}, "at least one fill, got none"),
        ({"fills": ("truth",)}, "'truth' needs the images without the artifact"),
        ({"others": CLASS}, "an artifact of 'bee' needs samples of other classes, got none"),
        ({"samples": 0}, "must be positive, got 0"),
        ({"layer": torch.zeros(4, SIDE, SIDE)}, "must show something, got a layer that is fully transparent"),
        ({"layer": torch.ones(4, 8, 8)}, r"expected \(4, 16, 16\), got \(4, 8, 8\)"),
        ({"layer": torch.ones(4, SIDE, SIDE)}, r"a mask of sample 1 must leave something .* covers 100% of it"),
        ({"masks": lambda index: np.ones((SIDE, SIDE), bool)}, "a mask of sample 1 must leave something"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_predicted(options, sentence):
    def predict(images):
        raise AssertionError("too late")

    bench = replace(bench_of(exact_weights(), IMAGES), predict=predict)
    given = {"affected": AFFECTED, "unaffected": UNAFFECTED, "label": TARGET} | options
    layer = FixedLayer(given.pop("layer", pattern_layer()))
    with pytest.raises(ValueError, match=sentence):
        prove(bench, layer, given.pop("label"), **given)


def test_a_free_artifact_cannot_be_unblended():
    layer = FixedLayer(pattern_layer())
    layer.kind = "free"
    with pytest.raises(ValueError, match="'unblend' needs an artifact that lies at one fixed place, got a free one"):
        prove(
            bench_of(exact_weights(), IMAGES),
            layer,
            TARGET,
            affected=AFFECTED,
            unaffected=UNAFFECTED,
            fills=("unblend",),
        )


def test_samples_without_a_label_are_never_used():
    bench = bench_of(exact_weights(), IMAGES, bias=-2.0)
    labels = bench.labels.copy()
    labels[::8] = -1
    named = proof_of(replace(bench, labels=labels), others=np.arange(len(labels)))
    assert (labels[named.added[0].indices] >= 0).all()
    assert (labels[named.added[0].indices] != TARGET).all()
