"""The correction of feature maps against its definition."""

from __future__ import annotations

import clarc_cases as cases
import pytest
import torch

from unhans.clarc import Correction

SHAPE = (3, 4, 5)


def features(n=6, shape=SHAPE, seed=5):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def along(direction, h):
    return (h.double() * direction.double()).flatten(1).sum(1)


def test_one_direction_is_the_formula_written_out():
    cav, h = cases.concept(SHAPE), features()
    out = Correction.projective(cav)(h)
    for i in range(len(h)):
        v, z = cav.direction.flatten(), cav.unaffected.flatten()
        expected = h[i].flatten() - v * float(v @ (h[i].flatten() - z))
        torch.testing.assert_close(out[i].flatten(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("build", "group"), [("projective", "unaffected"), ("augmentative", "affected")])
def test_afterwards_features_are_as_far_along_the_direction_as_the_mean(build, group):
    cav = cases.concept(SHAPE)
    found = along(cav.direction, getattr(Correction, build)(cav)(features()))
    expected = float((cav.direction.double() * getattr(cav, group).double()).sum())
    torch.testing.assert_close(found, torch.full_like(found, expected), atol=1e-5, rtol=1e-5)


def test_several_directions_hold_at_once_by_the_smallest_change():
    cavs, h = [cases.concept(SHAPE, seed) for seed in range(3)], features()
    out = Correction.projective(cavs)(h)
    rows = torch.stack([cav.direction.flatten() for cav in cavs]).double()
    targets = torch.stack([(cav.direction.double() * cav.unaffected.double()).sum() for cav in cavs])
    torch.testing.assert_close(out.flatten(1).double() @ rows.T, targets.expand(6, 3), atol=1e-5, rtol=1e-5)
    change = (out - h).flatten(1).double()
    # The smallest change that meets the conditions, from least squares, has no part outside the span of the rows.
    literal = torch.linalg.lstsq(rows, targets[:, None] - rows @ h.flatten(1).double().T, driver="gelsd").solution.T
    torch.testing.assert_close(change, literal, atol=1e-5, rtol=1e-5)


def test_channels_are_corrected_at_every_position():
    cav, h = cases.concept((3,), spatial="channels"), features()
    out = Correction.projective(cav)(h)
    for y in range(4):
        for x in range(5):
            expected = h[:, :, y, x] - ((h[:, :, y, x] - cav.unaffected) @ cav.direction)[:, None] * cav.direction
            torch.testing.assert_close(out[:, :, y, x], expected, atol=1e-5, rtol=1e-5)
    assert Correction.projective(cav)(features(shape=(3, 2, 2))).shape == (6, 3, 2, 2)


def test_directions_that_are_one_are_corrected_once():
    cav = cases.concept(SHAPE)
    torch.testing.assert_close(Correction.projective([cav, cav])(features()), Correction.projective(cav)(features()))


def test_correcting_twice_changes_nothing_more():
    correction = Correction.projective([cases.concept(SHAPE, seed) for seed in range(2)])
    once = correction(features())
    torch.testing.assert_close(correction(once), once, atol=1e-5, rtol=1e-5)


def test_strength_goes_in_proportion_and_zero_returns_the_features_themselves():
    cav, h = cases.concept(SHAPE), features()
    whole = Correction.projective(cav)(h)
    torch.testing.assert_close(Correction.projective(cav, strength=0.25)(h), h + 0.25 * (whole - h))
    assert Correction.projective(cav, strength=0)(h) is h


@pytest.mark.parametrize("spatial", ["positions", "channels"])
def test_reactive_corrects_only_where_the_direction_is_detected(spatial):
    shape = (3,) if spatial == "channels" else SHAPE
    cav, h = cases.concept(shape, spatial=spatial, threshold=0.05), features(20)
    pooled = h.mean((2, 3)) if spatial == "channels" else h
    detected = along(cav.direction, pooled) > 0.05
    out = Correction.projective(cav, reactive=True)(h)
    assert 0 < int(detected.sum()) < 20
    assert torch.equal(out[~detected], h[~detected])
    torch.testing.assert_close(out[detected], Correction.projective(cav)(h)[detected])


def test_reactive_keeps_the_directions_that_are_not_detected_and_meets_the_others():
    cavs, h = [cases.concept(SHAPE, seed, threshold=0.1) for seed in range(2)], features(20)
    out = Correction.projective(cavs, reactive=True)(h)
    kinds = set()
    for i in range(20):
        detected = [bool(along(cav.direction, h)[i] > 0.1) for cav in cavs]
        kinds.add(tuple(detected))
        for cav, found in zip(cavs, detected, strict=True):
            target = (cav.direction * cav.unaffected).sum().double() if found else along(cav.direction, h)[i]
            torch.testing.assert_close(along(cav.direction, out)[i], target, atol=1e-5, rtol=1e-5)
    assert len(kinds) == 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_type_of_the_features_is_kept(dtype):
    cav, h = cases.concept(SHAPE), features()
    expected, tolerance = Correction.projective(cav)(h), 1e-5 if dtype == torch.float64 else 0.05
    for correction in (Correction.projective(cav), Correction.projective(cav).to(dtype)):
        out = correction(h.to(dtype))
        assert out.dtype == dtype
        torch.testing.assert_close(out.float(), expected, atol=tolerance, rtol=tolerance)


def test_what_follows_may_write_into_the_result_and_gradients_are_those_of_the_projection():
    cav = cases.concept(SHAPE)
    h = features().requires_grad_()
    Correction.projective(cav)(h).relu_().sum().backward()
    v = cav.direction.flatten()
    open_ = (Correction.projective(cav)(h) > 0).flatten(1).float()
    torch.testing.assert_close(h.grad.flatten(1), open_ @ (torch.eye(60) - torch.outer(v, v)), atol=1e-5, rtol=1e-5)


def test_it_is_moved_with_a_model():
    correction = Correction.projective(cases.concept(SHAPE), reactive=True).to("meta")
    assert {buffer.device.type for buffer in correction.buffers()} == {"meta"}
    assert set(correction.state_dict()) == {"directions", "inverse", "targets", "thresholds"}
    assert not list(correction.parameters())


REFUSED = [
    (lambda: Correction.projective([]), "concepts of one layer, shape and spatial mode, got 0"),
    (lambda: Correction.projective([cases.concept(SHAPE), cases.concept((3,), spatial="channels")]), "got 2"),
    (lambda: Correction.projective([cases.concept(SHAPE), cases.concept(SHAPE, layer="b")]), "one layer"),
    (lambda: Correction.projective(cases.concept(SHAPE), strength=1.5), "a number from 0 to 1, got 1.5"),
    (lambda: Correction(torch.zeros(2, 3, 4, 5, 6), torch.zeros(2)), r"directions expects \(k, C, H, W\) or \(k, C\)"),
    (lambda: Correction(torch.ones(2, 3), torch.zeros(3)), "targets expects one number per direction"),
    (lambda: Correction.projective(cases.concept(SHAPE))(features(shape=(3, 5, 5))), r"\(3, 4, 5\), got \(3, 5, 5\)"),
    (lambda: Correction.projective(cases.concept((3,), spatial="channels"))(features(shape=(4, 5, 5))), "for feature"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "message"), REFUSED)
def test_bad_input_is_refused_in_one_sentence(build, message):
    with pytest.raises(ValueError, match=message):
        build()
