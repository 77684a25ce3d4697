"""Boxes and masks follow an image into the square that the network sees; files of every form are read alike."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from unhans.data import (
    Collection,
    Files,
    ImageDataset,
    TrainValUnion,
    native_size,
    object_region,
    read_boxes,
    read_masks,
)
from unhans.data.image_io import native_mask, square_mask

WAYS = [
    ("squash", None), ("crop", None), ("crop", 40), ("pad", None), ("mirror", None),
]  # fmt: skip


def dataset(paths, size=32, **options):
    collection = Collection(Files(paths), np.zeros(len(paths), dtype=np.int64), ["cat"])
    return ImageDataset(collection, size, (0.0,) * 3, (1.0,) * 3, **options)


def picture(path, size, box, **options):
    """A black picture (height, width) with a white box (left, top, right, bottom)."""
    drawn = Image.new("RGB", size[::-1])
    left, top, right, bottom = box
    ImageDraw.Draw(drawn).rectangle((left, top, right - 1, bottom - 1), fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.save(path, **options)
    return str(path)


def table(path, *rows, head="path,class,x0,y0,x1,y1"):
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]))
    return path


@pytest.mark.parametrize(("resize", "crop_from"), WAYS)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_a_box_lands_where_the_network_sees_what_is_drawn_in_it(resize, crop_from, interpolation, tmp_path):
    """A white box in a black picture, through the data set: what is more white than black is the region."""
    for number, size in enumerate([(60, 90), (90, 60), (32, 32), (17, 23), (150, 111)]):
        height, width = size
        random = np.random.default_rng(number)
        left, top = (int(random.integers(1, n - 12)) for n in (width, height))
        right, bottom = int(random.integers(left + 10, width)), int(random.integers(top + 10, height))
        path = picture(tmp_path / f"{number}.png", size, (left, top, right, bottom))
        images = dataset([path], resize=resize, crop_from=crop_from, interpolation=interpolation)
        boxes = read_boxes(table(tmp_path / "boxes.csv", (f"{number}.png", "cat", left, top, right, bottom)))
        found = object_region(images, 0, boxes.by_path([path])[path], "cat")
        drawn = images.plain(0).numpy().mean(0)
        drawn = np.where(native_region(images, size), drawn, 0)  # copies and mirrored parts are outside the picture
        assert found.shape == (32, 32)
        assert not (found != (drawn > 0.5))[np.abs(drawn - 0.5) > 0.01].any()  # the picture has 256 steps of grey


def native_region(images, size):
    """Where the square shows the picture itself."""
    return images.squared_mask(np.ones(size, dtype=bool))


def test_what_is_added_to_a_picture_is_outside(tmp_path):
    path = picture(tmp_path / "0.png", (20, 40), (0, 0, 40, 20))
    boxes = read_boxes(table(tmp_path / "boxes.csv", ("0.png", "cat", 0, 0, 40, 20)))
    for resize in ("pad", "mirror"):
        region = object_region(dataset([path], 40, resize=resize), 0, boxes.by_path([path])[path], "cat")
        assert (region == np.repeat([False, True, False], [10, 20, 10])[:, None]).all()


def test_the_way_to_the_square_and_back_keeps_a_mask():
    mask = np.zeros((60, 90), dtype=bool)
    mask[20:40, 30:60] = True
    for resize, crop_from in WAYS:
        square = square_mask(mask, 60, resize, crop_from and 80)
        assert (native_mask(square, (60, 90), resize, crop_from and 80) & mask).sum() > 0.9 * mask.sum()


def test_an_object_smaller_than_a_pixel_keeps_one(tmp_path):
    path = picture(tmp_path / "0.png", (640, 640), (100, 100, 102, 102))
    boxes = read_boxes(table(tmp_path / "boxes.csv", ("0.png", "cat", 100, 100, 102, 102)))
    region = object_region(dataset([path], 32), 0, boxes.by_path([path])[path], "cat")
    assert np.argwhere(region).tolist() == [[5, 5]]


def test_edges_that_are_no_integers_take_the_pixels_whose_middle_they_hold(tmp_path):
    path = picture(tmp_path / "0.png", (8, 8), (0, 0, 8, 8))
    rows = [("0", "cat", 1.4, 2.6, 4.5, 6.51), ("0.png", "cat", 7.1, 0.2, 7.3, 0.4)]
    (objects,) = read_boxes(table(tmp_path / "boxes.csv", rows[0])).by_path([path])[path]
    literal = np.zeros((8, 8), dtype=bool)
    for y in range(8):
        for x in range(8):
            literal[y, x] = 1.4 <= x + 0.5 < 4.5 and 2.6 <= y + 0.5 < 6.51
    assert (objects.cover("cat", (8, 8)) == literal).all()
    (thin,) = read_boxes(table(tmp_path / "boxes.csv", rows[1])).by_path([path])[path]
    assert np.argwhere(thin.cover("cat", (8, 8))).tolist() == [[0, 7]]


def test_a_picture_that_lies_on_its_side_is_as_large_as_it_is_read(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    path = picture(tmp_path / "0.jpg", (20, 40), (0, 0, 10, 10), exif=turned)
    images = dataset([path])
    assert native_size(images, 0) == images.images.read(0).size[::-1] == (40, 20)


def test_both_splits_as_one_find_the_picture_of_each(tmp_path):
    paths = [picture(tmp_path / name, size, (0, 0, 4, 4)) for name, size in (("a.png", (8, 8)), ("b.png", (8, 16)))]
    union = TrainValUnion(dataset(paths[:1], 8), dataset(paths[1:], 8))
    boxes = read_boxes(table(tmp_path / "boxes.csv", ("b.png", "", 0, 0, 8, 4), ("a.png", "", 0, 0, 4, 8)))
    found = boxes.by_path(union.paths)
    first, second = (object_region(union, i, found[path], "cat") for i, path in enumerate(union.paths))
    assert (first == (np.arange(8) < 4)).all()
    assert (second == (np.arange(8) < 4)[:, None] & (np.arange(8) < 4)).all()


def voc(folder, size=(30, 40), boxes=((5, 3, 25, 13), (1, 1, 2, 2)), names=("cat", "dog"), file="0.png"):
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax>"
        f"<ymax>{y1}</ymax></bndbox></object>"
        for name, (x0, y0, x1, y1) in zip(names, boxes, strict=True)
    )
    shape = f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>" if size else ""
    folder.mkdir(exist_ok=True)
    (folder / "0.xml").write_text(f"<annotation><filename>{file}</filename>{shape}{objects}</annotation>")
    return folder


def coco(path, size=(30, 40), boxes=((5, 3, 25, 13), (1, 1, 2, 2))):
    whole = {
        "images": [{"id": 7, "file_name": "val/0.png", "height": size[0], "width": size[1]}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"image_id": 7, "category_id": category, "bbox": [x0, y0, x1 - x0, y1 - y0]}
            for category, (x0, y0, x1, y1) in zip((1, 9), boxes, strict=True)
        ],
    }
    path.write_text(json.dumps(whole))
    return path


def test_the_same_boxes_in_every_form(tmp_path):
    path = picture(tmp_path / "val" / "0.png", (30, 40), (5, 3, 25, 13))
    files = [
        table(tmp_path / "boxes.csv", ("val/0.png", "cat", 5, 3, 25, 13), ("val/0.png", "dog", 1, 1, 2, 2)),
        coco(tmp_path / "boxes.json"),
        voc(tmp_path / "xml"),
    ]
    for file in files:
        (objects,) = read_boxes(file).by_path([path])[path]
        assert objects.of("cat").tolist() == [[5, 3, 25, 13]], file
        assert objects.of("dog").tolist() == [[1, 1, 2, 2]]
        assert objects.classes == ("cat", "dog")
    Image.open(path).save(tmp_path / "0.png")
    (tmp_path / "masks" / "val").mkdir(parents=True)
    Image.open(path).convert("L").save(tmp_path / "masks" / "val" / "0.png")
    (masked,) = read_masks(tmp_path / "masks").by_path([path])[path]
    (boxed,) = read_boxes(files[0]).by_path([path])[path]
    assert (masked.cover("cat", (30, 40)) == boxed.cover("cat", (30, 40))).all()


def test_boxes_of_a_picture_that_was_larger_once_are_scaled(tmp_path):
    for file in (coco(tmp_path / "boxes.json", (60, 80), ((10, 6, 50, 26), (0, 0, 2, 2))),
                 voc(tmp_path / "xml", (60, 80), ((10, 6, 50, 26), (0, 0, 2, 2)))):  # fmt: skip
        (objects,) = read_boxes(file).images
        assert objects.scaled((30, 40)).of("cat").tolist() == [[5, 3, 25, 13]]
    (objects,) = read_boxes(voc(tmp_path / "none", size=(0, 0))).images
    assert objects.size is None


def test_a_mask_of_another_size_and_a_mask_of_zeros_and_ones(tmp_path):
    path = picture(tmp_path / "photos" / "0.png", (30, 40), (0, 0, 4, 4))
    (tmp_path / "masks").mkdir()
    shown = np.zeros((60, 80), np.uint8)
    shown[6:26, 10:50] = 1
    Image.fromarray(shown).save(tmp_path / "masks" / "0.png")
    (objects,) = read_masks(tmp_path / "masks").by_path([path])[path]
    literal = np.zeros((30, 40), dtype=bool)
    literal[3:13, 5:25] = True
    assert (objects.cover("any", (30, 40)) == literal).all()
    Image.fromarray(shown * 0).save(tmp_path / "masks" / "0.png")
    assert not objects.cover("any", (30, 40)).any()


def test_what_lies_outside_or_reaches_beyond_is_known(tmp_path):
    rows = [(-9, 0, 3, 4), (2, 2, 2, 5), (0, 0, 40.5, 30), (0, 0, 44, 30), (50, 0, 60, 9), (20, 10, 40, 30)]
    (objects,) = read_boxes(table(tmp_path / "boxes.csv", *(("0", "cat", *row) for row in rows))).images
    assert objects.outside((30, 40)).tolist() == [True, True, False, False, True, False]
    assert objects.beyond((30, 40)).tolist() == [True, False, False, True, True, False]


BROKEN = {
    "boxes.txt": ("", "expects a table with the columns path,class,x0,y0,x1,y1, a JSON file of COCO, an XML file"),
    "a.csv": ("path,x0,y0,x1\n", "the column 'y1' is missing"),
    "b.csv": ("path,x0,y0,x1,y1\n0.png,1,2,3,\n", "a box of 0.png is not four finite numbers"),
    "c.csv": ("path,x0,y0,x1,y1\n0.png,1,2,3,wide\n", "could not convert string to float: 'wide'"),
    "d.csv": ("path,x0,y0,x1,y1\n", "data.boxes expects boxes, got none in"),
    "a.json": ("[]", "it holds no images, annotations and categories"),
    "b.json": ('{"images": []}', "'categories' is missing"),
    "c.json": ("{", "Expecting property name"),
    "a.xml": ("<annotation>", "no element found"),
    "b.xml": ("<annotation><object><name>cat</name></object></annotation>", "an object of b.xml has no bndbox"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_of_another_form_is_one_sentence(name, tmp_path):
    text, sentence = BROKEN[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=r"^data\.boxes expects") as caught:
        read_boxes(tmp_path / name)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_must_fit_one_image(tmp_path):
    paths = ["photos/val/cat/0.png", "photos/val/dog/0.png"]
    with pytest.raises(ValueError, match=r"'0.png' in .* fits several images, such as photos/val/cat/0.png and"):
        read_boxes(table(tmp_path / "boxes.csv", ("0.png", "cat", 0, 0, 1, 1))).by_path(paths)
    found = read_boxes(table(tmp_path / "boxes.csv", ("dog\\0.png", "cat", 0, 0, 1, 1))).by_path(paths)
    assert list(found) == paths[1:]
    with pytest.raises(ValueError, match=r"expects images that are used, such as photos/val/cat/0.png, got none of"):
        read_boxes(table(tmp_path / "boxes.csv", ("at/0.png", "cat", 0, 0, 1, 1))).by_path(paths)
    with pytest.raises(FileNotFoundError, match=r"data.boxes expects a file of boxes, got nothing at"):
        read_boxes(tmp_path / "nowhere.csv")
    with pytest.raises(FileNotFoundError, match=r"data.masks expects a folder of masks, got no folder at"):
        read_masks(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"data.masks expects masks that are called as the images, got no picture"):
        read_masks(tmp_path)
