"""Anybody's data sets and batches: the same images and classes, however they are kept."""

from __future__ import annotations

import logging
from collections import namedtuple

import datasets as huggingface
import numpy as np
import pytest
import torch
import webdataset
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset, default_collate
from torchvision.datasets import Flowers102, VisionDataset
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2

from unhans.artifacts import Watermark
from unhans.data import (
    adapt,
    class_names_of,
    draw_per_class,
    entries_at,
    is_map_style,
    labels_of,
    names_of,
    own_index_of,
    parts_of,
    paths_of,
    read_samples,
    rows_of,
    without_class,
)
from unhans.data.adapters import Adapted
from unhans.data.items import NONE, stored_labels

N, CLASSES = 12, 3
IMAGES = torch.rand(N, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = [i % CLASSES for i in range(N)]
Pair = namedtuple("Pair", ["target", "inputs"])


class Items(Dataset):
    """A data set of items in some form, which counts how often it is read."""

    def __init__(self, form, **attributes):
        self.form, self.read = form, 0
        vars(self).update(attributes)

    def __len__(self):
        return N

    def __getitem__(self, index):
        self.read += 1
        return self.form(IMAGES[index], LABELS[index])


def one_hot(label):
    return torch.eye(CLASSES)[label]


FORMS = {
    "a pair": lambda image, label: (image, label),
    "a label in a tensor": lambda image, label: (image, torch.tensor(label)),
    "more parts": lambda image, label: (image, label, "path.png", {"age": 3}),
    "a list": lambda image, label: [image, np.int64(label)],
    "a mapping": lambda image, label: {"image": image, "label": label},
    "as Hugging Face has it": lambda image, label: {"pixel_values": image, "labels": label},
    "as WebDataset has it": lambda image, label: {"__key__": "a", "jpg": image, "cls": label},
    "named": lambda image, label: Pair(inputs=image, target=label),
    "one-hot": lambda image, label: (image, one_hot(label)),
    "soft": lambda image, label: (image, 0.9 * one_hot(label) + 0.1 / CLASSES),
}
GIVEN = {
    "positions": (lambda image, label: (label, "a", image), {"image": 2, "label": 0}),
    "other names": (lambda image, label: {"scan": image, "diagnosis": label}, {"image": "scan", "label": "diagnosis"}),
}


def check(dataset):
    labels = labels_of(dataset)
    images, index = read_samples(dataset, range(N))
    assert labels.tolist() == LABELS
    assert labels.dtype == np.int64
    assert torch.equal(images, IMAGES)
    assert index.tolist() == list(range(N))


@pytest.mark.parametrize("form", FORMS)
def test_items_of_any_form(form):
    check(adapt(Items(FORMS[form])))
    check(adapt(Items(FORMS[form], targets=LABELS)))


@pytest.mark.parametrize("form", GIVEN)
def test_items_where_it_is_said_what_is_where(form):
    items, keys = GIVEN[form]
    check(adapt(Items(items), keys))


def test_a_data_set_of_pairs_is_left_as_it_is():
    for dataset in (Items(FORMS["a pair"]), TensorDataset(IMAGES, torch.tensor(LABELS))):
        assert adapt(dataset) is dataset
        check(dataset)


def test_labels_that_are_kept_are_not_read_from_images():
    for name in ("labels", "targets", "_labels", "y"):
        dataset = Items(FORMS["a mapping"], **{name: LABELS})
        assert labels_of(adapt(dataset)).tolist() == LABELS
        assert dataset.read <= 4
    listed = Items(FORMS["a pair"], _samples=[(f"{i}.png", label) for i, label in enumerate(LABELS)])
    assert labels_of(listed).tolist() == LABELS
    assert listed.read <= 3


def test_labels_that_a_transform_changes_are_read(caplog):
    dataset = Items(lambda image, label: {"image": image, "label": label + 1}, labels=LABELS)
    with caplog.at_level(logging.WARNING):
        assert labels_of(adapt(dataset)).tolist() == [label + 1 for label in LABELS]
    assert "reads all 12 samples to know their labels" in caplog.text


@pytest.mark.parametrize("form", ["a pair", "a list"])
def test_labels_that_a_transform_changes_are_read_of_plain_pairs_too(form):
    """As torchvision's target_transform, or a wrapper with other labels."""
    dataset = Items(lambda image, label: FORMS[form](image, (label + 1) % CLASSES), targets=LABELS)
    assert labels_of(adapt(dataset)).tolist() == [(label + 1) % CLASSES for label in LABELS]
    assert labels_of(Subset(dataset, [3, 1])).tolist() == [1, 2]


def test_torchvisions_own_with_private_labels(tmp_path, monkeypatch):
    """Flowers102 and others keep labels under other names; not one image is decoded for them."""

    def files(self, root, **options):
        VisionDataset.__init__(self, str(root), **options)
        self.loader = default_loader
        self._labels, self._image_files = LABELS, [str(tmp_path / f"{i}.png") for i in range(N)]

    monkeypatch.setattr(Flowers102, "__init__", files)
    flowers = Flowers102(tmp_path, transform=v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]))
    assert stored_labels(flowers).tolist() == LABELS  # there are no files at all
    for i, image in enumerate(IMAGES):
        Image.fromarray((image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)).save(tmp_path / f"{i}.png")
    images, _ = read_samples(adapt(flowers), range(N))
    assert (images - IMAGES).abs().max() < 1 / 250


@pytest.mark.parametrize("form", ["a pair", "a mapping"])
def test_parts_and_unions(form):
    whole = Items(FORMS[form], labels=LABELS, classes=["a", "b", "c"])
    halves = ConcatDataset([Subset(whole, range(5)), Subset(whole, range(5, N))])
    assert labels_of(adapt(halves)).tolist() == labels_of(adapt(Subset(whole, range(N)))).tolist() == LABELS
    assert whole.read <= 8  # of each the first, and three more
    check(adapt(halves))
    assert class_names_of(halves) == ["a", "b", "c"]
    assert names_of(adapt(halves), np.array(LABELS)) == {0: "a", 1: "b", 2: "c"}
    part = adapt(Subset(whole, [7, 3, 4]))
    assert labels_of(part).tolist() == [1, 0, 1]
    assert paths_of(part) == ["7", "3", "4"]
    assert len(set(paths_of(halves))) == N


def photographs():
    features = huggingface.Features(
        {"image": huggingface.Image(), "label": huggingface.ClassLabel(names=["cat", "dog", "emu"])}
    )
    pictures = [Image.fromarray((image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)) for image in IMAGES]
    return huggingface.Dataset.from_dict({"image": pictures, "label": LABELS}, features=features)


TENSOR = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


def test_data_sets_of_hugging_face():
    """With a transform on access, as its guide to image classification does it."""
    plain = photographs()
    read = []

    def transformed(rows):
        read.extend(rows["label"])
        return {"pixel_values": [TENSOR(image) for image in rows["image"]], "labels": rows["label"]}

    dataset = adapt(plain.with_transform(transformed))
    assert labels_of(dataset).tolist() == LABELS
    assert len(read) <= 4
    assert names_of(dataset, dataset.labels) == {0: "cat", 1: "dog", 2: "emu"}
    assert (read_samples(dataset, range(N))[0] - IMAGES).abs().max() < 1 / 250


def test_images_that_the_loader_makes_tensors_of():
    def collate(rows):
        images = torch.stack([TENSOR(row["image"]) for row in rows])
        return {"pixel_values": images, "labels": default_collate([row["label"] for row in rows])}

    dataset = adapt(photographs(), collate=collate)
    assert labels_of(dataset).tolist() == LABELS
    assert (read_samples(dataset, range(N))[0] - IMAGES).abs().max() < 1 / 250
    with pytest.raises(ValueError, match="expects a tensor of images, got PngImageFile; let the data set's transform"):
        adapt(photographs())


def test_a_loaders_function_that_changes_nothing_is_not_needed():
    dataset = Items(FORMS["a pair"])
    assert adapt(dataset, collate=default_collate) is dataset
    assert adapt(dataset, collate=lambda rows: default_collate(rows)) is dataset
    mixed = v2.MixUp(num_classes=CLASSES)
    assert adapt(dataset, collate=lambda rows: mixed(*default_collate(rows))) is dataset


class Stream(IterableDataset):
    """Samples without end."""

    def __init__(self, form):
        self.form = form

    def __iter__(self):
        while True:
            yield from (self.form(image, label) for image, label in zip(IMAGES, LABELS, strict=True))


@pytest.mark.parametrize("form", ["a pair", "a mapping", "one-hot"])
def test_the_first_samples_of_an_iterable(form):
    dataset = adapt(Stream(FORMS[form]))
    assert len(dataset) == 1000
    assert labels_of(dataset)[:N].tolist() == LABELS
    assert torch.equal(read_samples(dataset, range(N))[0], IMAGES)


def test_that_only_the_first_samples_of_an_iterable_are_audited_is_a_warning(caplog):
    adapt(Stream(FORMS["a pair"]), who="SpRAyAudit")
    adapt(iter([(IMAGES[0], 0)]), who="SpRAyAudit")
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "SpRAyAudit keeps the first 1000 samples of an iterable data set in memory; only these are audited."
    ]


def test_an_iterable_with_a_length_is_read_in_its_order():
    """As WebDataset's .with_length()."""

    class Counted(Stream):
        def __len__(self):
            return N

    assert not is_map_style(Counted(FORMS["a pair"]))
    assert labels_of(adapt(Counted(FORMS["a pair"])))[:N].tolist() == LABELS


def test_shards_of_webdataset(tmp_path):
    """Single samples, and the whole batches that its pipelines often make."""
    with webdataset.TarWriter(str(tmp_path / "a.tar")) as shard:
        for i, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
            shard.write({"__key__": f"{i:04}", "image.pth": image, "cls": label})
    source = webdataset.WebDataset(str(tmp_path / "a.tar"), shardshuffle=False).decode()
    check(adapt(source.to_tuple("image.pth", "cls")))
    check(adapt(source.to_tuple("image.pth", "cls").batched(5)))
    check(adapt(source, {"image": "image.pth"}))


class Tagged(Dataset):
    """Samples with none, one or several of three classes."""

    held = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]])

    def __len__(self):
        return len(self.held)

    def __getitem__(self, index):
        return IMAGES[index], self.held[index].float()


def test_a_users_numbers_of_samples_are_told_from_those_of_entries():
    """Rows 0, 0, 1, 2, 3, 3, 3 with the labels 0, 2, none, 1, 0, 1, 2."""
    dataset = adapt(Tagged())
    assert rows_of(dataset).tolist() == own_index_of(dataset).tolist() == [0, 0, 1, 2, 3, 3, 3]
    assert entries_at(dataset, np.array([3, 0])).tolist() == [4, 5, 6, 0, 1]
    assert entries_at(dataset, np.array([3, 0, 1]), label=2).tolist() == [6, 1, 2]
    assert entries_at(dataset, np.array([2]), label=0).tolist() == [3]
    with pytest.raises(ValueError, match="indices expects numbers 0 … 3 of the data set"):
        entries_at(dataset, np.array([4]))
    assert entries_at(Items(FORMS["a pair"]), np.array([5, 2])).tolist() == [5, 2]


def test_a_sample_of_several_classes_is_in_each_of_them():
    dataset = adapt(Tagged())
    assert list(zip(dataset.rows.tolist(), dataset.labels.tolist(), strict=True)) == [
        (0, 0), (0, 2), (1, NONE), (2, 1), (3, 0), (3, 1), (3, 2),
    ]  # fmt: skip
    chosen = draw_per_class(dataset.labels, None, 0)
    assert {label: dataset.rows[index].tolist() for label, index in chosen.items()} == {0: [0, 3], 1: [2, 3], 2: [0, 3]}
    assert names_of(dataset, dataset.labels) == {0: "0", 1: "1", 2: "2"}
    assert torch.equal(dataset[1][0], IMAGES[0])
    for label in range(3):
        others = without_class(dataset, dataset.labels, label)
        assert set(dataset.rows[others]) == {row for row in range(4) if not Tagged.held[row, label]}
    part = Subset(dataset, [1, 2, 3])
    assert without_class(part, labels_of(part), 2).tolist() == [False, True, True]


def test_an_item_that_cannot_be_read():
    dataset = Items(lambda image, label: None if label == 1 else {"image": image, "label": label})
    found = adapt(dataset)
    assert labels_of(found).tolist() == [-1 if label == 1 else label for label in LABELS]
    assert found[1] is None


@pytest.mark.parametrize(
    ("dataset", "keys", "sentence"),
    [
        (Items(lambda image, label: {"scan": image}), {}, "no image in a batch with the keys 'scan'; name it in"),
        (Items(lambda image, label: (image,)), {}, "expects labelled samples, got one without; say where"),
        (Items(lambda image, label: (image, label)), {"label": 5}, "finds no label at 5 in a batch of 2 parts; say"),
        (Items(lambda image, label: "photo.png"), {}, r"expects \(image, label, …\) or a mapping, got str; give"),
        (3, {}, "expects a data set with samples by index, or one to iterate over, got int; give one as dataset=."),
        ({"train": Tagged(), "test": Tagged()}, {}, "expects one data set, got a dict of 'train', 'test'; give one"),
        (iter([]), {}, "expects labelled samples, got none; give others as"),
        (iter([(IMAGES[0],)]), {}, "expects labelled samples, got some without a label; give others as"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(dataset, keys, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        labels_of(adapt(dataset, keys, who="SpRAyAudit"))
    assert str(caught.value).startswith("SpRAyAudit ")
    assert "dataset=" in str(caught.value) or "keys={" in str(caught.value)  # the argument to give
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("label", ["cat", 0.7])
def test_a_label_that_is_no_class(label):
    with pytest.raises(ValueError, match=rf"a label expects the number of a class, .*, got {label!r}; let the"):
        labels_of(adapt(Items(lambda image, _: {"image": image, "label": label})))


@pytest.mark.parametrize(
    ("label", "got"),
    [
        (torch.zeros(8, 8), r"float32 of shape \(8, 8\)"),  # a mask
        (np.array([[0, 0, 4, 4]]), r"int64 of shape \(1, 4\)"),  # boxes
        ([0.0, 3.0, 8.0, 8.0], "entries from 0 to 8 with the sum 19"),
        ([0.5, 0.9, 0.1], "entries from 0.1 to 0.9 with the sum 1.5"),
        ([-0.5, 1.0, 0.5], "entries from -0.5 to 1 with the sum 1"),
    ],
)
def test_an_array_that_is_no_vector_of_classes(label, got):
    with pytest.raises(ValueError, match=rf"a label .*, got {got}; say where labels are with keys="):
        labels_of(adapt(Items(lambda image, _: (image, label))))


def test_vectors_of_different_lengths():
    with pytest.raises(ValueError, match=r"an entry for each of 2 classes, got float32 of shape \(3,\)"):
        labels_of(adapt(Items(lambda image, label: (image, torch.eye(3 if label else 2)[0]))))


def test_batches():
    loader = DataLoader(Items(FORMS["as Hugging Face has it"]), batch_size=4)
    parts = parts_of(next(iter(loader)), {}, "a callback")
    assert torch.equal(parts.image, IMAGES[:4])
    assert parts.label.tolist() == LABELS[:4]
    assert isinstance(adapt(loader.dataset), Adapted)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("split", "target"), [("train", "a"), ("val", "b")])
def test_a_draw_does_not_choose_who_carries_an_artifact(seed, split, target):
    """The numbers of splits and of classes are the same: a draw by seed and number alone took carriers only."""
    labels = np.repeat([0, 1], 400)
    options = {"coverage": 0.5, "val_coverage": 0.5, "seed": seed}
    carriers = Watermark(target=target, **options).carriers(labels, ["a", "b"], split)
    drawn = draw_per_class(labels, 100, seed)["ab".index(target)]
    assert 0.35 < carriers[drawn].mean() < 0.65
