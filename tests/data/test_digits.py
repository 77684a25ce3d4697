import numpy as np
import torch
from sklearn.datasets import load_digits

from unhans.artifacts import Watermark
from unhans.data.sources import Digits


def test_digits_are_the_real_ones_and_keep_their_number():
    data = Digits(artifact=Watermark("3", coverage=0.5))
    data.setup()
    digits = load_digits()
    assert data.classes == [str(digit) for digit in range(10)]
    assert len(data.train_set) + len(data.val_set) == len(digits.target) == 1797
    for index in (0, 700, 1400):
        number = int(data.train_set.paths[index].removeprefix("digits/"))
        assert data.train_set.labels[index] == digits.target[number]
        if not data.train_set.carriers[index]:
            small = torch.nn.functional.avg_pool2d(data.train_set.plain(index), 8)[0]
            assert np.corrcoef(small.flatten(), digits.images[number].ravel())[0, 1] > 0.95


def test_default_batches():
    data = Digits()
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch.image.shape == (64, 3, 64, 64)
    assert batch.image.min() == -1
    assert batch.image.max() == 1
    shares = np.bincount(data.val_set.labels) / (np.bincount(data.val_set.labels) + np.bincount(data.train_set.labels))
    assert np.abs(shares - 0.2).max() < 0.003


def test_ground_truth_of_the_planted_digit():
    data = Digits(artifact=Watermark(3, coverage=0.5, val_coverage=1.0))
    data.setup()
    threes = (data.train_set.labels == 3).sum()
    assert data.train_set.carriers.sum() == round(0.5 * threes)
    assert (data.val_set.carriers == (data.val_set.labels == 3)).all()
