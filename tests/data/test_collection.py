import numpy as np
import pytest

from unhans.data import Arrays, Collection
from unhans.data.image_list import numbered_names


@pytest.fixture
def collection():
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [50, 20, 5]))
    return Collection(
        Arrays(np.arange(75, dtype=np.uint8)[:, None, None], numbered_names("x", 75)), labels, ["a", "b", "c"]
    )


def names(collection, label=None):
    chosen = collection.labels == label if label is not None else slice(None)
    return set(np.array(collection.images.paths)[chosen])


def test_split_is_stratified_and_complete(collection):
    train, val = collection.split(0.2, seed=0)
    assert val.counts().tolist() == [10, 4, 1]
    assert train.counts().tolist() == [40, 16, 4]
    assert names(train) | names(val) == names(collection)
    assert not names(train) & names(val)
    assert names(val) != names(collection.split(0.2, seed=1)[1])


def test_each_image_keeps_its_label_and_name(collection):
    for part in collection.split(0.3, seed=4):
        for index, path in enumerate(part.images.paths):
            old = int(path.split("/")[1])
            assert part.images.images[index, 0, 0] == old
            assert part.labels[index] == collection.labels[old]


def test_limits_draw_from_each_class(collection):
    limited = collection.at_most(8, seed=0)
    assert limited.counts().tolist() == [8, 8, 5]
    assert names(limited) < names(collection.at_most(12, seed=0))
    assert limited.images.paths == sorted(limited.images.paths)
    assert collection.at_most(None, seed=0) is collection


def test_classes_are_relabelled_in_the_order_given(collection):
    chosen = collection.of_classes(["c", "a"])
    assert chosen.classes == ["c", "a"]
    assert names(chosen, 0) == names(collection, 2)
    assert names(chosen, 1) == names(collection, 0)
    assert chosen.counts().tolist() == [5, 50]


def test_other_classes_change_nothing_in_the_draw(collection):
    alone, together = collection.of_classes(["b", "c"]).split(0.2, 0)[1], collection.split(0.2, 0)[1]
    assert names(alone, 0) == names(together, 1)
    fewer = collection.of_classes(["b", "c"]).at_most(3, 0)
    assert names(fewer, 0) == names(collection.at_most(3, 0), 1)


def test_unknown_or_repeated_class(collection):
    with pytest.raises(ValueError, match=r"data\.classes names no class: expected one of 3 class names, got 'd'"):
        collection.of_classes(["a", "d"])
    with pytest.raises(ValueError, match="each class once, got a, b, a"):
        collection.of_classes(["a", "b", "a"])


def test_folds_share_no_image_and_hold_all(collection):
    parts = [collection.split(0.2, 3, fold) for fold in range(5)]
    assert sorted(path for _, val in parts for path in val.images.paths) == sorted(collection.images.paths)
    for train, val in parts:
        assert sorted([*train.images.paths, *val.images.paths]) == sorted(collection.images.paths)
    assert list(parts[0][1].images.paths) == list(collection.split(0.2, 3)[1].images.paths)
