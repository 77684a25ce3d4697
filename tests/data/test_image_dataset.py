import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from unhans.artifacts import Border, Stripe
from unhans.data import Arrays, Collection, Files, ImageDataset, Sample, UnreadableImageError, collate
from unhans.data.dataset import EpochShuffle
from unhans.data.image_list import numbered_names

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


def make(n=24, **options):
    images = np.random.default_rng(0).integers(256, size=(n, 16, 16, 3), dtype=np.uint8)
    collection = Collection(Arrays(images, numbered_names("x", n)), np.arange(n) % 3, ["a", "b", "c"])
    return images, ImageDataset(collection, 16, MEAN, STD, **options)


def of_files(paths, **options):
    return ImageDataset(Collection(Files(paths), np.arange(len(paths)) % 2, ["a", "b"]), 16, MEAN, STD, **options)


@pytest.fixture
def three_files(tmp_path):
    for name in ("0.png", "1.png", "2.png"):
        Image.fromarray(np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:2000])
    return [tmp_path / name for name in ("0.png", "1.png", "2.png")]


def test_a_sample_is_normalised_and_knows_its_index():
    images, dataset = make()
    sample = dataset[5]
    assert isinstance(sample, Sample)
    assert (sample.label, sample.index) == (2, 5)
    assert sample.image.dtype == torch.float32
    for channel in range(3):
        slow = (images[5, 3, 7, channel] / 255 - MEAN[channel]) / STD[channel]
        assert float(sample.image[channel, 3, 7]) == pytest.approx(slow, abs=1e-6)
    torch.testing.assert_close(sample.image, dataset.scale.to_model(dataset.plain(5)))
    torch.testing.assert_close(dataset.scale.to_display(sample.image[None])[0], dataset.plain(5))


def test_carriers_and_only_they_are_planted():
    images, dataset = make(artifact=Border("b", coverage=0.5, color="white"))
    assert dataset.carriers.sum() == 4
    assert set(dataset.labels[dataset.carriers]) == {1}
    for index in range(len(dataset)):
        rim = dataset.plain(index)[:, 0]
        assert bool((rim == 1).all()) == dataset.carriers[index]
        inside = torch.from_numpy(images[index, 1:-1, 1:-1]).permute(2, 0, 1) / 255
        torch.testing.assert_close(dataset.plain(index)[:, 1:-1, 1:-1], inside)


def test_flips_mirror_the_image_but_not_the_artifact():
    images, dataset = make(n=60, flip=True, artifact=Stripe("b", coverage=1, length=0.25, placement="top_left"))
    mirrored = 0
    for index in range(60):
        image = dataset.scale.to_display(dataset[index].image[None])[0]
        below = torch.from_numpy(images[index, 8:]).permute(2, 0, 1) / 255
        flipped = not torch.allclose(image[:, 8:], below, atol=1e-6)
        assert not flipped or torch.allclose(image[:, 8:], below.flip(-1), atol=1e-6)
        mirrored += flipped
        if dataset.carriers[index]:
            torch.testing.assert_close(image[:, 0, 0], torch.tensor([1.0, 0.0, 0.0]))
    assert 15 < mirrored < 45


def test_flips_follow_seed_epoch_and_index_and_no_random_state():
    _, dataset = make(flip=True)

    def epoch(number):
        dataset.epoch.fill_(number)
        return torch.stack([sample.image for sample in dataset])

    first = epoch(0)
    torch.manual_seed(5)
    assert not torch.equal(first, epoch(1))
    assert torch.equal(first, epoch(0))


def test_the_view_without_augmentation_is_never_flipped_and_shares_memory():
    _, dataset = make(flip=True)
    view = dataset.without_augmentation()
    assert all(
        torch.allclose(view.scale.to_display(view[i].image[None])[0], view.plain(i), atol=1e-6) for i in range(24)
    )
    assert dataset.flip
    assert view.images is dataset.images
    assert view.unreadable is dataset.unreadable


def test_a_broken_file_is_none_and_flagged(three_files):
    dataset = of_files(three_files)
    assert [sample is None for sample in dataset] == [False, True, False]
    assert dataset.unreadable.tolist() == [False, True, False]
    with pytest.raises(UnreadableImageError, match=r"1\.png"):
        dataset.plain(1)
    with pytest.raises(UnreadableImageError, match=r"1\.png"):
        of_files(three_files, on_corrupt="raise")[1]


def test_loader_processes_share_the_flags(three_files):
    dataset = of_files(three_files)
    batches = list(DataLoader(dataset, batch_size=2, num_workers=1, collate_fn=collate))
    assert [batch.index.tolist() for batch in batches] == [[0], [2]]
    assert dataset.unreadable.tolist() == [False, True, False]


def test_collate():
    _, dataset = make()
    batch = collate([dataset[4], None, dataset[2]])
    assert batch.index.tolist() == [4, 2]
    assert batch.label.tolist() == [1, 2]
    assert torch.equal(batch.image[1], dataset[2].image)
    empty = collate([None, None])
    assert len(empty.image) == len(empty.label) == len(empty.index) == 0
    assert empty.index.dtype == torch.int64


def test_indices_behave_like_a_sequence():
    _, dataset = make()
    assert dataset[-1].index == 23
    assert len(list(dataset)) == 24
    with pytest.raises(IndexError):
        dataset[24]


def test_the_order_follows_seed_and_epoch():
    _, dataset = make()
    order = EpochShuffle(dataset, seed=0)
    first = list(order)
    assert sorted(first) == list(range(24))
    order.set_epoch(1)
    second = list(order)
    assert first != second
    again = EpochShuffle(dataset, seed=0)
    again.set_epoch(1)
    assert list(again) == second
    assert list(EpochShuffle(dataset, seed=1)) != second
