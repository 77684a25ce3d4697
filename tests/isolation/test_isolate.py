"""What a cluster's images share at a fixed place, or in their colours."""

import pickle
import re

import numpy as np
import pytest
import torch
from first_isolated import isolate_first
from marked_scenes import first, mark, overlap, photographs, planted, relevance

from unhans.artifacts import Patch
from unhans.isolation import NothingIsolatedError, from_record, record_of
from unhans.isolation.fixed import isolate_fixed
from unhans.isolation.isolated import boxes
from unhans.report.text import isolated_sentence

N = 60


def scene(alpha=1.0, carriers=20, side=32, n=N, seed=0):
    layer, mask = mark(side, alpha)
    carry = first(n, carriers)
    return planted(carry, layer, photographs(n, side, seed)), relevance(carry, mask), carry, layer, mask


@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize("carriers", [20, 54])
def test_a_fixed_mark_is_isolated_with_its_transparency_and_colour(alpha, carriers):
    images, maps, carry, layer, mask = scene(alpha, carriers)
    found = isolate_first(images, maps, carry, kind="fixed")
    estimate = found.layers[0]
    assert (found.members == carry).all()
    assert overlap((estimate[3] > alpha / 2).numpy(), mask) > 0.9
    assert overlap(found.masks[0], mask) > 0.9
    assert abs(estimate[3][mask].mean() - alpha) < 0.12
    assert (estimate[:3, mask] - layer[:3, mask]).abs().mean() < (0.01 if alpha == 1 else 0.12)
    assert found.separation == 1.0


def test_an_opaque_mark_is_recovered_exactly_but_for_its_rim():
    images, maps, carry, layer, mask = scene()
    estimate = isolate_first(images, maps, carry, kind="fixed").layers[0]
    assert estimate[3][mask].min() > 0.97
    torch.testing.assert_close(estimate[:3, mask], layer[:3, mask], atol=0.01, rtol=0)


def test_a_contaminated_cluster_heals():
    images, maps, carry, _, mask = scene()
    cluster = carry.copy()
    cluster[:4] = False
    cluster[-2:] = True
    found = isolate_first(images, maps, cluster, kind="fixed")
    assert (found.members == carry).all()
    assert 0.5 < found.separation < 1
    assert overlap(found.masks[0], mask) > 0.9


def test_it_is_said_where_the_search_for_the_images_does_not_settle(monkeypatch):
    images, maps, carry, _, _ = scene()
    cluster = carry.copy()
    cluster[:4] = False
    for rounds in (8, 1):  # the first of them finds the images that were left out
        monkeypatch.setattr("unhans.isolation.fixed.membership._ROUNDS", rounds)
        found = isolate_fixed(images, maps, cluster, 0)
        assert found.evidence.settled == (rounds == 8) == ("did not settle" not in isolated_sentence(found))


def test_two_members_are_enough_for_an_opaque_mark():
    images, maps, carry, _, mask = scene(carriers=2)
    found = isolate_first(images, maps, carry, kind="fixed")
    assert (found.members == carry).all()
    assert overlap(found.masks[0], mask) > 0.7


@pytest.mark.parametrize("side", [8, 20, 96])
def test_images_of_any_size(side):
    images, maps, carry, _, mask = scene(side=side)
    found = isolate_first(images, maps, carry, kind="fixed")
    assert found.layers[0].shape == (4, side, side)
    assert overlap(found.masks[0], mask) > 0.7


def test_grey_images_with_a_black_rim_that_never_changes():
    images, maps, _, _, _ = scene(carriers=0)
    images = images.mean(1, keepdim=True).expand(-1, 3, -1, -1).clone()
    images[..., :4, :] = 0
    carry, square = first(N, 20), torch.zeros(32, 32, dtype=torch.bool)
    square[1:3, 5:20] = True  # in the rim
    images[:20, :, square] = 1
    found = isolate_first(images, maps + 5 * (carry[:, None, None] & square.numpy()), carry, kind="fixed")
    assert (found.members == carry).all()
    assert (found.layers[0][:, square] > 0.97).all()
    assert overlap(found.masks[0], square.numpy()) == 1


def test_the_detector_finds_the_mark_in_other_images_and_survives_a_pickle():
    images, maps, carry, layer, _ = scene()
    detector = pickle.loads(pickle.dumps(isolate_first(images, maps, carry, kind="fixed").detector))
    others, carriers = photographs(40, seed=1), first(40, 15)
    match = detector.match(planted(carriers, layer, others))
    assert (match.carries == carriers).all()
    assert match.masks[0].any()
    assert not match.masks[15:].any()
    assert match.scores[:15].min() > match.scores[15:].max()
    with pytest.raises(ValueError, match="images of its own size"):
        detector.match(photographs(2, 16))


def test_places_and_masks_are_the_members():
    images, maps, carry, _, _ = scene()
    found = isolate_first(images, maps, carry, kind="fixed")
    assert (found.masks.any((1, 2)) == carry).all()
    rows, columns = np.nonzero(found.masks[0])
    assert found.places[0].tolist() == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    assert not found.places[20:].any()


def test_boxes_by_hand():
    masks = np.zeros((2, 4, 5), bool)
    masks[0, 1:3, 2] = True
    assert boxes(masks).tolist() == [[1, 2, 3, 3], [0, 0, 0, 0]]


def test_the_saved_picture_can_be_planted(tmp_path):
    images, maps, carry, _, _ = scene()
    found = isolate_first(images, maps, carry, kind="fixed")
    ((name, picture),) = found.pictures().items()
    picture.save(tmp_path / f"{name}.png")
    patch = Patch(0, tmp_path / "layer.png", size=None, placement="top_left")
    torch.testing.assert_close(patch.layer(3, 32), found.layer(3, (32, 32)), atol=1 / 255, rtol=0)
    with pytest.raises(ValueError, match="own size"):
        found.layer(0, (16, 16))


def test_parts_where_the_model_does_not_look_are_named_and_not_kept():
    images, maps, carry, _, mask = scene()
    images[carry, :, :4, -8:] = 0.0  # shared, but without relevance
    maps[:, :6, -10:] = 0
    found = isolate_first(images, maps, carry, kind="fixed")
    assert overlap(found.masks[0], mask) > 0.9
    assert not found.layers[0][3, :4, -8:].any()
    assert "not kept: 32 pixels at the top right" in isolated_sentence(found)


def digits(n):
    """Smooth grey blobs in the middle of a black image: the rim never changes."""
    window = np.hanning(32)[:, None] * np.hanning(32)
    window[:5] = window[-5:] = window[:, :5] = window[:, -5:] = 0
    return (photographs(n).mean(1, keepdim=True) * torch.from_numpy(window).float()).expand(-1, 3, -1, -1).clone()


def test_a_border_of_one_channel_is_whole_though_only_its_corners_are_relevant():
    carry, border = first(N, 30), np.ones((32, 32), bool)
    border[2:-2, 2:-2] = False
    images = digits(N)
    images[:30, :, torch.from_numpy(border)] = torch.tensor([1.0, 0, 0])[:, None]
    corners = np.zeros((32, 32), bool)
    corners[np.ix_([0, 1, 30, 31], [0, 1, 30, 31])] = True
    found = isolate_first((images * 255).round() / 255, relevance(carry, corners), carry, kind="fixed")
    assert overlap(found.masks[0], border) > 0.99
    assert found.layers[0][3, torch.from_numpy(border)].min() > 0.97


def test_parts_that_continue_a_relevant_one_are_kept():
    layer, mask = mark()
    twin = torch.zeros_like(layer)
    twin[:, 2:8, 8:24] = torch.tensor([0.9, 0.8, 0.1, 1.0])[:, None, None]
    carry = first(N, 20)
    images, maps = planted(carry, twin, planted(carry, layer, photographs())), relevance(carry, mask)
    maps[:, :10, 6:26] = 0
    found = isolate_first(images, maps, carry, kind="fixed")
    assert overlap(found.masks[0], mask | (twin[3] > 0).numpy()) > 0.9
    assert "not kept" not in isolated_sentence(found)


def test_a_mark_of_little_relevance_is_kept_and_said_to_have_little():
    images, maps, carry, _, mask = scene()
    maps = np.where(mask | ~carry[:, None, None], 0.4, 1.0) + 0 * maps
    found = isolate_first(images, maps, carry, kind="fixed")
    assert overlap(found.masks[0], mask) > 0.9
    assert re.search(r"relevance there is only 0\.[4-9]\d of the map's mean", isolated_sentence(found))


def test_a_faint_part_beside_a_strong_one_is_found():
    carry, faint = first(N, 30), torch.zeros(4, 64, 64)
    faint[:, 6:16, 40:60] = torch.tensor([0.0, 0.0, 0.0, 0.25])[:, None, None]
    layer, mask = mark(64)
    images = planted(carry, faint, planted(carry, layer, photographs(side=64)))
    both = mask | (faint[3] > 0).numpy()
    found = isolate_first(images, relevance(carry, both), carry, kind="fixed")
    assert overlap(found.masks[0], both) > 0.9
    assert abs(found.layers[0][3, 8:14, 42:58].mean() - 0.25) < 0.12
    assert found.layers[0][3][mask].min() > 0.97


@pytest.mark.parametrize("seed", range(3))
def test_a_faint_mark_on_ten_images_has_one_level(seed):
    images, maps, carry, _, mask = scene(0.3, 10, 64, seed=seed)
    alpha = isolate_first(images, maps, carry, kind="fixed").layers[0][3].numpy()
    assert overlap(alpha > alpha.max() / 2, mask) > 0.85
    assert np.median(alpha[mask]) == pytest.approx(0.3, abs=0.12)
    assert alpha[alpha > alpha.max() / 2].std() < 0.05  # a pixel's own alpha has a noise of .16


def test_the_sentence_gives_the_box_in_pixels():
    images, maps, carry, _, mask = scene()
    sentence = isolated_sentence(isolate_first(images, maps, carry, kind="fixed"))
    assert f"on {100 * mask.mean():.1f} % of the image (16 × 8 pixels at x 4, y 16), opaque; 20 of 60" in sentence


def test_agreement_without_relevance_is_refused():
    images, maps, carry, _, mask = scene()
    with pytest.raises(NothingIsolatedError, match="irrelevant parts"):
        isolate_fixed(images, np.where(mask, 0, maps), carry)


@pytest.mark.parametrize("seed", range(4))
def test_a_random_cluster_has_no_agreement(seed):
    cluster = np.random.default_rng(seed).permutation(first(N, 15))
    maps = relevance(first(N, 0), np.ones((32, 32), bool))
    with pytest.raises(NothingIsolatedError, match=r"nothing at a fixed place \(members 15"):
        isolate_fixed(photographs(), maps, cluster)


def test_images_that_lack_what_the_others_carry_are_no_artifact():
    images, maps, carry, _, _ = scene()
    with pytest.raises(NothingIsolatedError, match="parts disagree"):
        isolate_first(images, np.ones_like(maps), ~carry, kind="fixed")


def test_a_mask_of_the_user_bounds_the_layer_and_overrules_relevance():
    images, maps, carry, layer, mask = scene()
    half = mask.copy()
    half[:, :12] = False
    found = isolate_first(images, np.zeros_like(maps), carry, mask=half)
    assert (found.members == carry).all()
    assert ((found.layers[0][3] > 0).numpy() == half).all()
    torch.testing.assert_close(found.layers[0][:3, half], layer[:3, half], atol=0.01, rtol=0)


def test_a_colour_cast_is_global():
    images, carry = photographs(), first(N, 25)
    images[carry, 0] = images[carry, 0] * 0.5
    maps = relevance(first(N, 0), np.ones((32, 32), bool))
    found = isolate_first(images, maps, carry)
    assert found.kind == "global"
    assert found.layers == ()
    assert found.transform.name == "colour curves"
    assert found.separation > 0.95
    assert "to red 0.1" in isolated_sentence(found)
    with pytest.raises(ValueError, match="no layer"):
        found.layer(0, (32, 32))


def test_nothing_of_any_kind_is_refused_with_every_reason():
    maps = relevance(first(N, 0), np.ones((32, 32), bool))
    with pytest.raises(NothingIsolatedError, match=r"fixed place.*colours.*places.*frequencies.*seams"):
        isolate_first(photographs(), maps, np.random.default_rng(5).permutation(first(N, 15)))


def test_the_same_seed_gives_the_same_result():
    images, maps, carry, _, _ = scene(0.5)
    one, two = (isolate_first(images, maps, carry, kind="fixed", seed=3) for _ in range(2))
    assert torch.equal(one.layers[0], two.layers[0])
    assert one.evidence == two.evidence


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": first(N, 1)}, "least 2, members 1, others 59"),
        ({"members": first(N, N)}, "least 2, members 60, others 0"),
        ({"members": first(N - 1, 5)}, r"members must be \(60,\) bool"),
        ({"members": np.ones(N)}, "bool, one for each image"),
        ({"images": photographs()[:, :1]}, "images must be"),
        ({"images": photographs() * 255}, r"must lie in \[0, 1\]"),
        ({"images": photographs() * float("nan")}, r"must lie in \[0, 1\]"),
        ({"heatmaps": np.zeros((N, 16, 16))}, "heatmaps must be"),
        ({"heatmaps": np.full((N, 32, 32), np.nan)}, "60 of 60 with NaN"),
        ({"kind": "square"}, "kind must be one of auto, fixed, free"),
        ({"mask": np.zeros((32, 32), bool)}, "hold a pixel"),
        ({"mask": np.ones((16, 16), bool)}, "like the images"),
        ({"mask": np.ones((32, 32), bool), "kind": "free"}, "leave one of them out"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_one_sentence(change, message):
    given = {"images": photographs(), "heatmaps": np.zeros((N, 32, 32)), "members": first(N, 9)} | change
    with pytest.raises(ValueError, match=message) as error:
        isolate_first(**given)
    assert "\n" not in str(error.value)


def test_a_frame_in_the_mean_colour_is_found_by_its_colour():
    """Its edges are faint, and its detector comes back from a record."""
    images = photographs()
    carry = np.random.default_rng(3).permutation(N) < N // 3
    rim = torch.ones(images.shape[2:], dtype=torch.bool)
    rim[1:-1, 1:-1] = False
    for i in np.flatnonzero(carry):
        images[i][:, rim] = images.mean((0, 2, 3))[:, None]
    found = isolate_first(images, np.ones(images[:, 0].shape, dtype=np.float32), carry, kind="fixed")
    assert (found.members == carry).mean() >= 0.97
    assert found.layers[0][3][rim].median() > 0.8
    again = from_record(record_of(found.detector))
    np.testing.assert_array_equal(again.match(images).carries, found.detector.match(images).carries)
