"""Artifacts of whole images are estimated, told from clean clusters, put on, controlled and undone."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from first_isolated import isolate_first
from marked_scenes import photographs
from scipy.linalg import sqrtm
from sklearn.datasets import load_digits

from unhans.artifacts import ChannelMap, ColourMatrix, Field, Jpeg, Spectrum, check_part, covered_by, put_on
from unhans.effects import Bench, prove
from unhans.effects.interventions import check_fills
from unhans.effects.interventions.transform_controls import as_strong_noise, controls_of, exchanged, opposite
from unhans.isolation import NothingIsolatedError, from_record, isolate, record_of
from unhans.isolation.whole import isolate_whole
from unhans.isolation.whole.colour_transport import estimate_colour_matrix
from unhans.report.text import transform_said, verdict_grounds

SIDE, N = 32, 80
KNOTS, ZERO, ONE = torch.linspace(0, 1, 33), torch.zeros(3, 33), torch.ones(3, 33)
WAVES = torch.linspace(0, 0.5**0.5, 33)
DOWN, ACROSS = torch.meshgrid(*[torch.linspace(-1, 1, SIDE)] * 2, indexing="ij")
LINES = (1 - 0.3 * (torch.arange(SIDE) % 4 < 2)).float()[:, None]
FAMILIES = ["colours", "places", "frequencies", "seams"]
NOWHERE = torch.zeros(3, SIDE, SIDE)
CAST = ChannelMap(torch.stack([0.6 * KNOTS, 0.9 * KNOTS, KNOTS]))
TRUTHS = {
    "cast": (CAST, 0.25),
    "contrast": (ChannelMap((0.5 + 0.3 * (KNOTS - 0.5)).expand(3, -1).clone()), 0.3),
    "vignette": (Field((1 - 0.35 * (DOWN**2 + ACROSS**2)).expand(3, -1, -1).clone(), NOWHERE), 0.6),
    "scan lines": (Field(LINES.expand(3, SIDE, SIDE).clone(), NOWHERE), 0.35),
    "blur": (Spectrum(torch.exp(-((4 * WAVES) ** 2)).expand(3, -1).clone(), ZERO, ONE), 0.35),
    "noise": (Spectrum(ONE, torch.full((3, 33), 0.08), ONE), 0.35),
    "jpeg": (Jpeg(15), 0.7),
}


def pictures(n, seed):
    """Photographs of different contrast."""
    contrast = torch.from_numpy(np.random.default_rng([seed, 1]).uniform(0.4, 1, (n, 1, 1, 1))).float()
    return 0.5 + contrast * (photographs(n, SIDE, seed) - 0.5)


def scene(truth, wrong=4, seed=0):
    """Photographs of which the first half carries a transform; the cluster misses some and holds some wrongly."""
    images, carries = pictures(N, seed), np.arange(N) < N // 2
    images[: N // 2] = truth.apply(images[: N // 2])
    members = carries.copy()
    members[:wrong], members[N - wrong :] = False, True
    return (images * 255).round() / 255, carries, members


def error(found, truth, images):
    """Root mean square difference of the two changes, of the true one's strength."""
    wanted = truth.apply(images)
    return float((found.apply(images) - wanted).square().mean().sqrt() / (wanted - images).square().mean().sqrt())


@pytest.mark.parametrize("name", TRUTHS)
def test_a_transform_is_estimated_from_images_that_are_not_paired(name):
    truth, most = TRUTHS[name]
    images, carries, members = scene(truth)
    found = [each for each in isolate_whole(images, members) if type(each.transform) is type(truth)]
    assert len(found) == 1
    assert error(found[0].transform, truth, pictures(20, 9)) < most
    assert (found[0].members == carries).mean() >= 0.9
    assert found[0].masks[found[0].members].all()
    assert found[0].kind == "global"
    fresh = pictures(40, 17)
    match = found[0].detector.match(torch.cat([truth.apply(fresh), fresh]))
    assert match.carries[:40].mean() - match.carries[40:].mean() > 0.6
    assert (match.masks.all((1, 2)) == match.carries).all()


def test_clean_halves_are_refused():
    images, passed, reasons = photographs(48, 24, 3), 0, []
    for seed in range(20):
        members = np.random.default_rng(seed).permutation(48) < 24
        try:
            isolate_whole(images, members, seed)
            passed += 1
        except NothingIsolatedError as error:
            reasons.append(error.failures)
    assert passed <= 1
    assert all([each.values["family"] for each in failures] == FAMILIES for failures in reasons)


def test_all_that_is_plausible_is_returned_and_the_first_is_the_one():
    images, _, members = scene(CAST)
    maps = np.random.default_rng(0).random((N, SIDE, SIDE)).astype(np.float32)
    every = list(isolate(images, maps, members))
    one = isolate_first(images, maps, members)
    assert [type(each.transform) for each in every][:1] == [ChannelMap]
    assert one.evidence == every[0].evidence
    assert isolate_first(images, maps, members, kind="global").evidence == one.evidence
    again = pickle.loads(pickle.dumps(one))
    assert torch.equal(again.transform.curves, one.transform.curves)
    kept = from_record(record_of(one.detector))
    np.testing.assert_array_equal(kept.match(images).scores, one.detector.match(images).scores)
    with pytest.raises(ValueError, match="found in images of its own size"):
        kept.match(images[..., :16])


def few_without(rest):
    """Photographs with a strong cast on all but a few."""
    images, members = photographs(60, 24, 1), np.arange(60) >= rest
    images[members] = ChannelMap(torch.stack([0.4 * KNOTS, KNOTS, KNOTS])).apply(images[members])
    return images, members


def test_two_without_it_are_too_few_to_tell():
    with pytest.raises(NothingIsolatedError) as error:
        isolate_whole(*few_without(2))
    failures = error.value.failures
    assert failures[0].values["family"] == "colours"
    alike = [each.values for each in failures if each.reason == "numbers alike"]
    assert alike
    assert all(values["most"] == 0.01 and 0 < values["area"] <= 1 for values in alike)


def test_a_cluster_of_nearly_the_whole_class_does_not_fail():
    images, members = few_without(5)
    found = isolate_whole(images, members)
    assert any(isinstance(each.transform, ChannelMap) for each in found)
    assert all(each.transform.apply(images[:2]).isfinite().all() for each in found)


def test_grey_images_stay_grey():
    grey = photographs(N, SIDE)[:, :1].expand(-1, 3, -1, -1)
    images = grey.clone()
    images[: N // 2] = images[: N // 2] ** 4
    found = isolate_whole(images, np.arange(N) < N // 2)[0]
    changed = found.transform.apply(grey[:4].clone())
    torch.testing.assert_close(changed[:, 0], changed[:, 2])


class Whole:
    """An artifact of whole images."""

    def __init__(self, transform):
        self.transform = transform


def test_an_artifact_of_whole_images_is_put_on_without_a_layer():
    images, indices = photographs(3, SIDE), np.arange(3)
    torch.testing.assert_close(put_on(Whole(CAST), images, indices), CAST.apply(images))
    assert covered_by(Whole(CAST), indices, (SIDE, SIDE)).all()
    with pytest.raises(ValueError, match=r"right_reasons needs .* but the artifact covers the whole image"):
        check_part(Whole(CAST), "right_reasons")
    assert check_fills(["telea", "blur"], Whole(CAST), None) == ("undo",)
    with pytest.raises(ValueError, match="a fill must be one of"):
        check_fills(["water"], Whole(CAST), None)


def test_controls_change_the_same_images_as_strongly_in_another_way():
    images, indices = 0.3 + 0.4 * photographs(8, SIDE), np.arange(8)
    step = CAST.apply(images) - images
    torch.testing.assert_close(opposite(CAST)(images, indices), (images - step).clamp(0, 1))
    torch.testing.assert_close(exchanged(CAST)(images, indices) - images, step.roll(1, 1))
    undone = CAST.undo(images) - images
    torch.testing.assert_close(opposite(CAST, undo=True)(images, indices), (images - undone).clamp(0, 1))
    noise = as_strong_noise(CAST, 0)(images, indices) - images
    strengths = [each.square().mean((1, 2, 3)).sqrt() for each in (noise, step)]
    torch.testing.assert_close(*strengths, rtol=0.05, atol=0)
    assert noise.mean((2, 3)).abs().max() < 0.3 * step.abs().mean()
    again = as_strong_noise(CAST, 0)(images[3:5], indices[3:5]) - images[3:5]
    torch.testing.assert_close(again, noise[3:5])


def test_noise_is_as_smooth_as_the_change():
    images = 0.3 + 0.4 * photographs(4, SIDE)
    lines = TRUTHS["scan lines"][0]
    for transform, smooth in ((CAST, True), (lines, False)):
        noise = as_strong_noise(transform, 1)(images, np.arange(4)) - images
        assert bool(noise.diff(dim=2).abs().mean() < 0.5 * noise.abs().mean()) is smooth


def test_a_grey_change_has_no_colours_to_exchange():
    images = photographs(4, SIDE)
    darker = ChannelMap((0.5 * KNOTS).expand(3, -1).clone())
    assert list(controls_of(darker, images, 0)) == ["opposite change", "as strong noise"]
    assert list(controls_of(CAST, images, 0)) == ["opposite change", "colours exchanged", "as strong noise"]


def test_noise_is_not_held_against_the_same_noise():
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    grain = Spectrum(torch.ones(3, 33), torch.full((3, 33), 0.1), torch.ones(3, 33))
    assert list(controls_of(grain, images, 0)) == ["as strong noise"]
    blurred = Spectrum(torch.linspace(1, 0, 33).expand(3, -1).clone(), torch.full((3, 33), 0.01), torch.ones(3, 33))
    found = controls_of(blurred, images, 0)
    assert list(found) == ["opposite change", "as strong noise"]
    quiet = replace(blurred, noise=torch.zeros(3, 33))
    expected = (2 * images - quiet.apply(images)).clamp(0, 1)
    torch.testing.assert_close(found["opposite change"](images, np.arange(8)), expected)


def cast_bench(strength=30.0):
    """Three classes of photographs; half of the first has a cast, and the network counts blue against red."""
    images, labels = photographs(180, SIDE, 5), np.arange(180) % 3
    carries = (labels == 0) & (np.arange(180) % 2 == 0)
    images[torch.from_numpy(carries)] = CAST.apply(images[torch.from_numpy(carries)])

    def predict(batch):
        cold = (batch[:, 2] - batch[:, 0]).mean((1, 2)).double().numpy()
        return np.stack([strength * cold - 3, np.zeros(len(batch)), np.zeros(len(batch))], axis=1)

    def explain(batch, target):
        return (batch[:, 2] - batch[:, 0]).abs().numpy()

    return Bench(predict, explain, lambda i: (images[torch.from_numpy(i)], i), labels, ["a", "b", "c"]), images, carries


def test_a_cast_that_the_network_uses_is_proven_and_undone():
    bench, images, carries = cast_bench()
    own = np.flatnonzero(bench.labels == 0)
    found = isolate_whole(images[own], carries[own])[0]
    proof = prove(
        bench, found, 0, affected=own[found.members], unaffected=own[~found.members],
        fills=("telea",), examples=2,
    )  # fmt: skip
    assert proof.verdict.name == "proven"
    names = ["artifact", "opposite change", "colours exchanged", "as strong noise", "other classes"]
    assert [trial.name for trial in proof.added] == names
    undone, control = proof.removed
    assert (undone.name, control.name, control.detail) == ("undo", "elsewhere", "undo")
    assert undone.effect.probability < -0.2
    assert "its colour channels exchanged changes" in verdict_grounds(proof)["Controls"]
    assert "patch of the class" not in verdict_grounds(proof)["Controls"]
    assert "the opposite of changing back" in verdict_grounds(proof)["Removal"]


def test_a_network_that_does_not_look_at_colour_is_not_accused():
    bench, images, carries = cast_bench(strength=0.0)
    own = np.flatnonzero(bench.labels == 0)
    found = isolate_whole(images[own], carries[own])[0]
    proof = prove(bench, found, 0, affected=own[:0], unaffected=own[:0])
    assert proof.verdict.name == "not used"
    assert proof.removed == ()


def test_noise_is_held_against_noise_of_other_frequencies():
    images = 0.3 + 0.4 * photographs(8, SIDE)
    grain = TRUTHS["noise"][0]
    own, control = grain.apply(images) - images, as_strong_noise(grain, 0)(images, np.arange(8)) - images
    torch.testing.assert_close(control.std((1, 2, 3)), own.std((1, 2, 3)), rtol=0.1, atol=0)
    assert control.diff(dim=2).abs().mean() < 0.5 * own.diff(dim=2).abs().mean()


RED = torch.tensor([1.0, 0.0, 0.0])[:, None, None]


def ink(digit, n=100, side=24):
    """White digits on black: (n, 3, H, W)."""
    found = load_digits()
    images = torch.from_numpy(found.images[found.target == digit][:n] / 16).float()[:, None]
    return torch.nn.functional.interpolate(images, side, mode="bilinear").expand(-1, 3, -1, -1).clone()


INKS = {
    "strokes": lambda white: (white, white * RED),
    "ground": lambda white: (white, white + (1 - white) * 0.7 * RED),
    "paper": lambda white: (1 - white, 1 - white * (1 - 0.8 * RED)),
}


@pytest.mark.parametrize("name", INKS)
def test_a_colour_of_drawings_is_isolated_put_on_and_taken_off(name):
    plain, coloured = INKS[name](ink(3))
    carries = np.random.default_rng(1).permutation(100) < 40
    images = (torch.where(torch.from_numpy(carries)[:, None, None, None], coloured, plain) * 255).round() / 255
    members = carries.copy()
    members[np.flatnonzero(carries)[:2]], members[np.flatnonzero(~carries)[:2]] = False, True
    found = isolate_whole(images, members)[0]
    assert name == "ground" or isinstance(found.transform, ColourMatrix)  # a ground is a curve of each channel as well
    assert (found.members == carries).all()
    other, changed = INKS[name](ink(7))
    assert (found.transform.apply(other) - changed).abs().max() < 0.04
    assert (found.transform.undo(changed) - other).abs().max() < 0.08
    kept = from_record(record_of(found.transform))
    assert torch.equal(kept.apply(other), found.transform.apply(other))


def test_a_class_that_has_one_colour_throughout_has_none_isolated():
    images = ink(3) * RED
    with pytest.raises(NothingIsolatedError):
        isolate_whole(images, np.random.default_rng(0).permutation(100) < 50)


def test_colours_are_moved_as_by_the_closed_form_of_optimal_transport():
    """Pixels of two Gaussians: the map of least cost, written with matrix roots in the metric of brightness."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(2, 3, 3)) * 0.04
    pixels = [0.5 + rng.normal(size=(40, 50, 3)) @ each for each in mix]
    images = torch.from_numpy(np.concatenate(pixels)).float().transpose(1, 2).reshape(80, 3, 5, 10)
    found = estimate_colour_matrix(images, np.repeat([0.0, 1.0], 40))
    before, after = (np.cov(each.reshape(-1, 3).T, bias=True) + 0.01**2 * np.eye(3) for each in pixels)
    scale = np.eye(3) + 2 * np.full((3, 3), 1 / 3)
    first, second = scale @ before @ scale, scale @ after @ scale
    root = np.real(sqrtm(first))
    moved = np.linalg.inv(root) @ np.real(sqrtm(root @ second @ root)) @ np.linalg.inv(root)
    expected = np.linalg.inv(scale) @ moved @ scale
    np.testing.assert_allclose(found.forward[:, :3].numpy(), expected, atol=0.02)
    np.testing.assert_allclose(found.forward[:, :3].numpy() @ found.backward[:, :3].numpy(), np.eye(3), atol=0.03)


def ink_bench(strength):
    """Digits 3, 1 and 7; half of the threes are red, which a network counts."""
    images, labels = torch.cat([ink(3), ink(1), ink(7)]), np.repeat(range(3), 100)
    carries = (labels == 0) & (np.arange(300) % 2 == 0)
    images[torch.from_numpy(carries)] *= RED

    def predict(batch):
        red = ((batch[:, 0] - batch[:, 1]).mean((1, 2)) / batch.amax(1).mean((1, 2))).double().numpy()
        return np.stack([strength * red - 3, np.zeros(len(batch)), np.zeros(len(batch))], axis=1)

    def explain(batch, target):
        return (batch[:, 0] - batch[:, 1]).abs().numpy()

    return Bench(predict, explain, lambda i: (images[torch.from_numpy(i)], i), labels, ["3", "1", "7"]), images, carries


@pytest.mark.parametrize(("strength", "expected"), [(8.0, "proven"), (0.0, "not used")])
def test_the_colour_of_strokes_is_proven_where_the_network_uses_it(strength, expected):
    bench, images, carries = ink_bench(strength)
    own = np.flatnonzero(bench.labels == 0)
    found = isolate_whole(images[own], carries[own])[0]
    proof = prove(bench, found, 0, affected=own[found.members], unaffected=own[~found.members])
    assert proof.verdict.name == expected
    if strength:
        assert proof.removed[0].effect.probability < -0.5
        assert "colours exchanged" in [trial.name for trial in proof.added]


def test_a_colour_matrix_is_checked_and_said():
    red = ColourMatrix(torch.diag(torch.tensor([1.0, 0.0, 0.0, 0.0]))[:3], torch.eye(3, 4))
    assert transform_said(red) == (
        "maps black to 0.00, 0.00, 0.00; grey to 0.50, 0.00, 0.00; white to 1.00, 0.00, 0.00 (red, green, blue)"
    )
    with pytest.raises(ValueError, match=r"must both be \(3, 4\), got shapes"):
        ColourMatrix(torch.eye(3), torch.eye(3, 4))
    with pytest.raises(ValueError, match="must be finite"):
        ColourMatrix(torch.eye(3, 4) / 0, torch.eye(3, 4))
