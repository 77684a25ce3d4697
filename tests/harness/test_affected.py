"""From an artifact to its class and its carriers: planted, a picture, isolated."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from PIL import Image
from torch.utils.data import Subset, TensorDataset

from unhans.artifacts import Border, Patch, Remove, Watermark
from unhans.data import Arrays, Collection, ImageDataset, UnreadableImageError
from unhans.data.image_list import numbered_names
from unhans.harness import by_isolated, by_picture, by_planted
from unhans.harness.affected_class import find_carriers
from unhans.isolation import Isolated, Match, from_record, record_of
from unhans.isolation.fixed import Discriminant, FixedDetector
from unhans.isolation.free import ColorDetector, ColorModel, Template, TemplateDetector
from unhans.isolation.isolated import boxes

SIDE, NAMES, TARGET = 16, ["ant", "bee", "cat"], 1
SIZE = (SIDE, SIDE)


def images_of(n, split, artifact=None, dark=False):
    pixels = default_rng(len(split)).integers(150, size=(n, SIDE, SIDE, 3), dtype=np.uint8)
    if dark:
        pixels[1::6, -4:, -4:] = 255  # a white corner on every second sample of the class
    collection = Collection(Arrays(pixels, numbered_names(split, n)), np.arange(n) % 3, NAMES)
    return ImageDataset(collection, SIDE, [0.5] * 3, [0.25] * 3, flip=split == "train", split=split, artifact=artifact)


def splits_of(artifact=None, dark=False):
    return {name: images_of(n, name, artifact, dark) for name, n in (("train", 60), ("val", 30))}


class Corner:
    """Finds a white corner."""

    def match(self, images):
        carries = images[:, :, -3:, -3:].mean((1, 2, 3)).numpy() > 0.9
        masks = np.zeros((len(images), *images.shape[-2:]), dtype=bool)
        masks[carries, -4:, -4:] = True
        return Match(carries, carries.astype(float), masks)


FINDER = Corner()


def corner(kind="fixed", detector=FINDER, side=SIDE):
    layer = torch.zeros(4, side, side)
    layer[:, -4:, -4:] = 1
    masks = (layer[3] > 0).numpy()[None]
    layers = {"fixed": (layer,), "free": (layer[:, -4:, -4:],), "global": ()}[kind]
    return Isolated(kind, layers, np.array([True]), masks, detector, 1.0, boxes(masks))


def every(affected, splits):
    return ((split, index) for split in splits for index in range(len(splits[split])))


@pytest.mark.parametrize("placement", ["bottom_right", "random_position"])
def test_a_planted_artifact_is_known_exactly(placement):
    artifact = Watermark("bee", size=0.5, coverage=0.5, val_coverage=0.4, placement=placement)
    splits = splits_of(artifact)
    found = by_planted(splits, SIZE)
    assert (found.label, found.class_name, found.source, found.name) == (1, "bee", "planted", "watermark")
    assert {split: int(carriers.sum()) for split, carriers in found.carriers.items()} == {"train": 10, "val": 4}
    for split, index in every(found, splits):
        image = splits[split].plain(index)
        torch.testing.assert_close(found.clean(split, index), splits[split].clean(index))
        if found.carriers[split][index]:
            layer = found.artifact.layer(index, SIZE)
            assert (found.mask(split, index) == (layer[3] > layer[3].max() / 2).numpy()).all()
            torch.testing.assert_close(torch.lerp(found.clean(split, index), layer[:3], layer[3]), image)


def test_data_that_plant_nothing_have_no_planted_artifact():
    assert by_planted(splits_of(), SIZE) is None


def test_a_part_of_a_data_set_counts_its_own_indices():
    splits = splits_of(Border("bee", width=0.2, coverage=0.5, val_coverage=0.5))
    parts = {split: Subset(whole, range(1, len(whole), 2)) for split, whole in splits.items()}
    found = by_planted(parts, SIZE)
    assert found.class_name == "bee"
    for split, whole in splits.items():
        np.testing.assert_array_equal(found.carriers[split], whole.carriers[1::2])
        torch.testing.assert_close(found.clean(split, 3), whole.clean(7))


@pytest.fixture
def picture(tmp_path):
    pixels = np.zeros((SIDE, SIDE, 4), dtype=np.uint8)
    pixels[2:6, 3:9] = (255, 0, 0, 200)
    Image.fromarray(pixels).save(tmp_path / "patch.png")
    return tmp_path / "patch.png"


def test_nobody_is_known_to_carry_a_picture(picture):
    splits, patch = splits_of(), Patch("cat", picture, size=None, placement="top_left")
    found = by_picture(patch, 2, "cat", "the picture", splits, SIZE)
    assert (found.label, found.class_name, found.source) == (2, "cat", "picture")
    assert not any(carriers.any() for carriers in found.carriers.values())
    assert [len(carriers) for carriers in found.carriers.values()] == [60, 30]
    torch.testing.assert_close(found.clean("val", 5), splits["val"].plain(5))
    assert found.mask("val", 5)[2:6, 3:9].all()
    assert found.mask("val", 5).sum() == 24


@pytest.fixture
def frame(tmp_path):
    pixels = np.full((SIDE, SIDE, 4), 255, dtype=np.uint8)
    pixels[4:-4, 4:-4] = 0
    Image.fromarray(pixels).save(tmp_path / "frame.png")
    return tmp_path / "frame.png"


def test_a_picture_that_lies_where_the_planted_artifact_lies_is_taken_for_it(frame):
    splits = splits_of(Border("bee", width=0.2, coverage=0.5, val_coverage=0.5))
    patch = Patch("bee", frame, size=None, placement="random_corner")
    found = by_picture(patch, 1, "bee", "the picture", splits, SIZE)
    np.testing.assert_array_equal(found.carriers["val"], splits["val"].carriers)
    index = int(np.flatnonzero(splits["val"].carriers)[0])
    torch.testing.assert_close(found.clean("val", index), splits["val"].clean(index))
    assert found.mask("val", index)[0].all(), "the mask is that of the border"
    other = by_picture(patch, 0, "ant", "the picture", splits, SIZE)
    assert not other.carriers["train"].any()
    torch.testing.assert_close(other.clean("val", index), splits["val"].plain(index), msg="bee's border is not ant's")


def test_nobody_is_known_to_carry_a_picture_that_lies_elsewhere_than_the_planted_artifact(picture):
    splits = splits_of(Border("bee", width=0.2, coverage=0.5, val_coverage=0.5))
    found = by_picture(Patch("bee", picture, size=None, placement="top_left"), 1, "bee", "the picture", splits, SIZE)
    assert splits["val"].carriers.any()
    assert not any(carriers.any() for carriers in found.carriers.values())


def test_a_picture_larger_than_the_images_is_refused(picture):
    with pytest.raises(ValueError, match=r"larger than the image: expected at most 8 × 8 pixels, got 16 × 16"):
        by_picture(Patch("cat", picture, size=None), 2, "cat", "the picture", splits_of(), (8, 8))


@pytest.mark.parametrize("kind", ["fixed", "free"])
def test_carriers_of_an_isolated_artifact_are_found_in_both_splits_and_inpainted(kind):
    splits, seen = splits_of(dark=True), []
    found = by_isolated(corner(kind), TARGET, "bee", splits, SIZE, batch_size=4, advance=seen.append)
    assert (found.source, found.name, found.label) == ("isolated", kind, 1)
    assert sum(seen) == 30
    assert max(seen) <= 4
    for split, dataset in splits.items():
        wanted = np.arange(len(dataset)) % 6 == 1
        np.testing.assert_array_equal(found.carriers[split], wanted)
        for index in range(12):
            image = dataset.plain(index)
            if wanted[index]:
                assert found.mask(split, index).sum() == 16
                assert found.mask(split, index)[-4:, -4:].all()
                image = Remove(found.mask(split, index), "telea")(image)
                assert image[:, -4:, -4:].max() < 0.9
            torch.testing.assert_close(found.clean(split, index), image, atol=1e-6, rtol=0)
    with pytest.raises(KeyError):
        found.mask("val", 0)


def test_where_it_is_also_planted_the_true_images_are_taken():
    splits = splits_of(Border("bee", width=0.2, coverage=0.5, val_coverage=0.5))
    found = by_isolated(corner(), TARGET, "bee", splits, SIZE)
    index = int(np.flatnonzero(splits["val"].carriers)[0])
    assert found.carriers["val"][index]
    torch.testing.assert_close(found.clean("val", index), splits["val"].clean(index))


def test_any_data_set_will_do():
    images = torch.from_numpy(default_rng(0).random((40, 3, SIDE, SIDE), dtype=np.float32)) * 0.7
    images[1::6, :, -4:, -4:] = 1
    whole = TensorDataset(images, torch.arange(40) % 3)
    splits = {"train": Subset(whole, range(30)), "val": Subset(whole, range(30, 40))}
    found = by_isolated(corner(), TARGET, "bee", splits, SIZE)
    assert np.flatnonzero(found.carriers["train"]).tolist() == [1, 7, 13, 19, 25]
    assert np.flatnonzero(found.carriers["val"]).tolist() == [1, 7]
    torch.testing.assert_close(found.clean("val", 0), images[30])


def test_files_that_cannot_be_read_are_nobodys_carriers():
    class Gap(TensorDataset):
        def __getitem__(self, index):
            return None if index == 7 else super().__getitem__(index)

    images = torch.from_numpy(default_rng(0).random((30, 3, SIDE, SIDE), dtype=np.float32)) * 0.7
    images[1::6, :, -4:, -4:] = 1
    images[-1] = 1
    part = Gap(images, torch.arange(30) % 3)
    part.labels = np.arange(30) % 3
    found = by_isolated(corner(), TARGET, "bee", {"train": part, "val": part}, SIZE, batch_size=1)
    assert np.flatnonzero(found.carriers["train"]).tolist() == [1, 13, 19, 25]
    with pytest.raises(UnreadableImageError, match="sample 7 of the data set cannot be read"):
        found.clean("train", 7)


@pytest.mark.parametrize(
    ("isolated", "message"),
    [
        (corner("global"), "a global artifact has no layer"),
        (corner(detector=None), "needs a detector that tells who carries it, got none"),
        (corner(side=8), r"fits images of its own size: expected \(8, 8\) pixels, got \(16, 16\)"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(isolated, message):
    with pytest.raises(ValueError, match=message):
        by_isolated(isolated, TARGET, "bee", splits_of(), SIZE)


def test_an_artifact_found_on_all_of_an_image_is_refused():
    class Everywhere:
        def match(self, images):
            return Match(*[np.ones(len(images), dtype=bool)] * 2, np.ones((len(images), SIDE, SIDE), dtype=bool))

    with pytest.raises(ValueError, match="a mask of sample 1 must leave something of the image"):
        find_carriers(Everywhere(), splits_of()["train"], TARGET)


def test_what_is_found_nowhere_in_an_image_is_not_found():
    class Nowhere:
        def match(self, images):
            return Match(*[np.ones(len(images), dtype=bool)] * 2, np.zeros((len(images), SIDE, SIDE), dtype=bool))

    assert not find_carriers(Nowhere(), splits_of()["train"], TARGET).carriers.any()


def detectors():
    random = default_rng(0)
    filters = torch.from_numpy(random.normal(size=(2, 3, SIDE, SIDE))).float()
    shapes = tuple(random.random((2, 6, 6)) > 0.5)
    contrast = torch.from_numpy(random.normal(size=(6, 4, 4))).float()
    templates = Template(contrast, 0.1, 0.3), Template(contrast.flip(0), np.float64(0.2), 0.4)
    return {
        "fixed": FixedDetector(Discriminant(filters[0], 0.25), np.float64(1.5), random.random((SIDE, SIDE)) > 0.7),
        "rigid": TemplateDetector(templates, 0.01, shapes),
        "coloured": ColorDetector(ColorModel(random.normal(size=(24, 24, 24)).astype(np.float32)), 0.4, 1e-3),
    }


@pytest.mark.parametrize("kind", ["fixed", "rigid", "coloured"])
def test_a_detector_that_was_kept_finds_the_same(kind):
    detector, file = detectors()[kind], io.BytesIO()
    torch.save(record_of(detector), file)
    file.seek(0)
    kept = from_record(torch.load(file, weights_only=True))
    images = torch.from_numpy(default_rng(1).random((20, 3, SIDE, SIDE), dtype=np.float32))
    found, again = detector.match(images), kept.match(images)
    assert type(kept) is type(detector)
    assert np.isfinite(found.scores).all()
    assert np.ptp(found.scores) > 0
    for name in ("carries", "scores", "masks"):
        np.testing.assert_array_equal(getattr(found, name), getattr(again, name))


def test_a_kept_filter_takes_its_own_room_only():
    filters, file = torch.zeros(100, 3, SIDE, SIDE), io.BytesIO()
    torch.save(record_of(FixedDetector(Discriminant(filters[0], 0.0), 0.0, np.zeros(SIZE, bool))), file)
    assert file.tell() < 10_000


def test_a_detector_of_another_kind_is_not_kept():
    with pytest.raises(TypeError, match=r"must be one of FixedDetector, .*, got Corner"):
        record_of(Corner())
