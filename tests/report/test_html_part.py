"""The JSON of a class holds what the audit holds, and the thumbnails are those of the samples it names."""

import base64
import io
import json
import zlib

import numpy as np
import pytest
from html_class import CLASSES, N, audit_of, paths_of, pictures
from PIL import Image

from unhans.attribution import COLOUR_MAPS, colorize, picture, scale
from unhans.report.html import Thumbnails, class_part, thumbnails_for
from unhans.report.html.class_gallery import shown_samples
from unhans.report.pictures import sheet, tile_size


class Reading:
    """Images that note which of them were read, one by one."""

    def __init__(self, images):
        self.images, self.read = images, []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        assert type(i) is int
        self.read.append(i)
        return self.images[i]


def part_of(audit=None, images=None, thumbnails=None, **options):
    audit = audit_of() if audit is None else audit
    images = pictures() if images is None else images
    packed = class_part(audit, images, CLASSES, paths_of(), thumbnails, **options)
    return json.loads(zlib.decompress(packed))


def tiles_of(part):
    """Cut the sprite up again."""
    sprite = part["sprite"]
    whole = np.asarray(Image.open(io.BytesIO(base64.b64decode(sprite["jpeg"]))))
    (width, height), (right, down) = sprite["tile"], sprite["step"]
    assert whole.shape == (sprite["rows"] * down, sprite["columns"] * right, 3)
    rows, columns = range(sprite["rows"]), range(sprite["columns"])
    return [whole[r * down : r * down + height, c * right : c * right + width] for r in rows for c in columns]


def error(first, second):
    return np.abs(first.astype(float) - second.astype(float)).mean()


def test_the_numbers_are_those_of_the_audit():
    audit = audit_of()
    part = part_of(audit)
    assert part["label"] == 1
    assert part["name"] == CLASSES[1]
    assert part["description"] == audit.description
    assert part["spectrum"] == {
        "heatmaps": audit.spray.eigenvalues_.tolist(), "images": audit.control.eigenvalues_.tolist(), "eigengap": 2
    }  # fmt: skip
    assert part["samples"]["index"] == list(range(100, 140))
    assert part["samples"]["path"] == paths_of()
    assert part["samples"]["prediction"] == audit.prediction.tolist()
    assert part["samples"]["rank"] == [3 if i in (0, 30) else 1 for i in range(N)]
    assert part["samples"]["split"] == [int(i % 4 == 0) for i in range(N)]
    assert part["samples"]["target"] is None
    assert part["names"] == {"1": CLASSES[1], "2": CLASSES[2]}


def test_the_map_keeps_the_proportions_of_the_projection():
    points = audit_of().spray.projection_
    drawn = part_of()["map"]
    assert drawn["projection"] == "umap"
    for axis, values in enumerate((drawn["x"], drawn["y"])):
        longer = max(points[:, 0].max() - points[:, 0].min(), points[:, 1].max() - points[:, 1].min())
        expected = [(point[axis] - points[:, axis].min()) / longer for point in points]
        np.testing.assert_allclose(np.array(values) / 1000, expected, atol=5.1e-4)


def test_without_a_projection_two_axes_of_the_embedding_are_drawn():
    audit = audit_of(projection=None)
    drawn = part_of(audit)["map"]
    assert drawn["projection"] is None
    assert np.corrcoef(drawn["x"], audit.spray.embedding_[:, 1])[0, 1] > 0.9999
    assert np.corrcoef(drawn["y"], audit.spray.embedding_[:, 2])[0, 1] > 0.9999


def test_clusters_go_from_typical_to_marginal_and_unknown_measures_are_null():
    audit = audit_of()
    cut, kmeans = part_of(audit)["clusters"]
    centre = sum(audit.spray.embedding_[i] for i in range(25, 40)) / 15
    distances = [np.sqrt(((audit.spray.embedding_[i] - centre) ** 2).sum()) for i in cut["members"]]
    assert distances == sorted(distances)
    assert sorted(cut["members"]) == list(range(25, 40))
    assert (cut["name"], cut["method"], cut["score"]) == ("cut", "cut", 0.75)
    assert (cut["compactness"], cut["separation"], cut["normalised_cut"]) == (0.8, 0.9, 0.1)
    assert (cut["relevance_consistency"], cut["image_consistency"]) == (0.6, 0.25)
    assert kmeans["name"] == "k-means 3 of 7"
    assert kmeans["image_consistency"] is None


def test_thumbnails_are_those_of_the_samples():
    audit, images = audit_of(), pictures()
    images[:] = images.mean((2, 3), keepdims=True)  # JPEG keeps flat colours
    part = part_of(audit, images, Thumbnails(10, 80))
    tiles, samples = tiles_of(part), part["sprite"]["samples"]
    assert part["sprite"]["tile"] == [12, 8]  # never enlarged
    assert len(samples) == len(set(samples)) == 10
    for number, i in enumerate(samples):
        assert error(tiles[2 * number], picture(images[i])) < 3
        expected = colorize(scale(audit.heatmaps[i]))
        assert error(tiles[2 * number + 1], expected) < 20
        others = [error(tiles[2 * number + 1], colorize(scale(each))) for each in np.delete(audit.heatmaps, i, 0)]
        assert error(tiles[2 * number + 1], expected) < min(others)


def test_mean_heatmaps_are_of_the_class_of_each_cluster_and_of_its_rest():
    audit = audit_of()
    part = part_of(audit, thumbnails=Thumbnails(5, 80))
    means = tiles_of(part)[10:15]
    everything, inside = set(range(N)), [set(range(25, 40)), set(range(5, 15))]
    groups = [everything, inside[0], everything - inside[0], inside[1], everything - inside[1]]
    for tile, group in zip(means, groups, strict=True):
        total = sum(audit.heatmaps[i] / np.abs(audit.heatmaps[i]).max() for i in group)
        assert error(tile, colorize(scale(total))) < 20


def test_only_samples_that_are_shown_are_read():
    images = Reading(pictures())
    part = part_of(images=images, thumbnails=Thumbnails(7, 80))
    assert set(images.read) == set(part["sprite"]["samples"])
    assert len(part["sprite"]["samples"]) == 7


def test_images_of_bytes_and_of_one_channel_look_the_same():
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (N, 1, 8, 12), np.uint8), 3, axis=1)
    jpeg = part_of(images=grey)["sprite"]["jpeg"]
    assert part_of(images=grey / np.float32(255))["sprite"]["jpeg"] == jpeg
    assert part_of(images=grey[:, :1])["sprite"]["jpeg"] == jpeg


def test_large_images_and_heatmaps_shrink_alike():
    images = np.zeros((N, 3, 120, 240), np.float32)
    images[:, 0, :60, :120] = 1
    maps = np.zeros((N, 60, 120), np.float32)
    maps[:, :30, :60] = 3
    part = part_of(audit_of(heatmaps=maps), images, Thumbnails(4, 64))
    image, heatmap = tiles_of(part)[:2]
    assert image.shape == heatmap.shape == (32, 64, 3)
    red, yellow = image[4, 4], heatmap[4, 4]
    assert red[0] > 240
    assert red[1] < 20
    assert yellow[0] > 240
    assert yellow[1] > 240
    assert image[28, 60].max() < 20
    assert heatmap[28, 60].max() < 20


def test_a_class_without_clusters_control_or_splits():
    part = part_of(audit_of(clusters=(), control=False, split=False))
    assert part["clusters"] == []
    assert part["spectrum"]["images"] is None
    assert part["samples"]["split"] is None
    assert len(part["sprite"]["samples"]) == N


def test_explained_classes_have_names():
    part = part_of(audit_of(target=np.zeros(N, np.int64)))
    assert part["samples"]["target"] == [0] * N
    assert part["names"]["0"] == "birds"


def test_the_colours_are_those_of_the_colour_map():
    assert part_of(cmap="bwr")["colours"] == ["#0000ff", "#8080ff", "#ffffff", "#ff8080", "#ff0000"]
    assert len(COLOUR_MAPS["bwr"]) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": pictures()[:3]}, r"one image per audited sample \(40\); got 3"),
        ({"paths": ["a"]}, r"one path per audited sample \(40\); got 1"),
        ({"classes": ["birds"]}, r"a name for class 2; got 1 names"),
        ({"cmap": "rainbow"}, "colour map must be one of"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    values = {"images": pictures(), "classes": CLASSES, "paths": paths_of()} | change
    with pytest.raises(ValueError, match=message):
        class_part(audit_of(), **values)


def test_thumbnails_are_refused_without_samples_or_classes():
    with pytest.raises(ValueError, match="at least one sample"):
        Thumbnails(0)
    with pytest.raises(ValueError, match="at least one class"):
        thumbnails_for(0)


def test_many_classes_get_fewer_and_smaller_thumbnails():
    offers = [thumbnails_for(classes) for classes in (1, 10, 100, 300, 1000, 5000)]
    bytes_of = [offer.samples * offer.side for offer in offers]
    assert bytes_of == sorted(bytes_of, reverse=True)
    assert offers[0].samples == 300
    assert 60 <= offers[2].samples <= 300
    assert offers[4].samples >= 8


def test_the_striking_cluster_gets_a_third_and_the_rest_is_spread():
    first, second = np.arange(50, 100)[::-1], np.arange(0, 10)
    shown = shown_samples([first, second], 200, 24)
    assert len(shown) == len(set(shown.tolist())) == 24
    assert sum(50 <= i < 100 for i in shown) >= 8
    assert sum(i < 10 for i in shown) >= 5
    assert {50, 99} <= set(shown.tolist())  # the most typical and the most marginal


def test_validation_samples_of_the_striking_cluster_have_thumbnails():
    first, validation = np.arange(100, 200), np.zeros(200, dtype=bool)
    validation[[120, 150, 199]] = True
    shown = shown_samples([first], 200, 24, validation)
    assert len(shown) == 24
    assert {120, 150, 199} <= set(shown.tolist())
    validation[100:] = True
    assert len(shown_samples([first], 200, 24, validation)) == 24


@pytest.mark.parametrize("count", [1, 2, 3, 9, 100])
def test_as_many_samples_are_shown_as_were_asked_for(count):
    groups = [np.arange(5), np.arange(3, 8), np.arange(20)]
    shown = shown_samples(groups, 20, count)
    assert len(shown) == min(count, 20)
    assert shown.tolist() == sorted(set(shown.tolist()))
    assert count > 1 or shown[0] in groups[0]


def test_tiles_share_no_cell_of_the_jpeg():
    red, blue = np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    part = {"sprite": sheet([red, blue, blue, red, red])}
    for tile, expected in zip(tiles_of(part), [red, blue, blue, red, red], strict=False):
        assert error(tile, expected) < 3


@pytest.mark.parametrize(("size", "expected"), [((224, 224), (64, 64)), ((28, 28), (28, 28)), ((1000, 3), (64, 1))])
def test_a_tile_keeps_proportions_and_never_grows(size, expected):
    assert tile_size(*size, 64) == expected
