import numpy as np
import pytest

from unhans.data.sources import Npz


def arrays(**changes):
    rng = np.random.default_rng(0)
    good = {
        "x_train": rng.integers(256, size=(12, 9, 7), dtype=np.uint8),
        "y_train": np.arange(12) % 3 + 4,
        "x_test": rng.integers(256, size=(6, 9, 7), dtype=np.uint8),
        "y_test": np.arange(6) % 3 + 4,
    }
    return {name: array for name, array in {**good, **changes}.items() if array is not None}


def ready(tmp_path, **changes):
    np.savez(tmp_path / "data.npz", **arrays(**changes))
    data = Npz(tmp_path / "data.npz", image_size=9)
    data.setup()
    return data


def test_grey_images(tmp_path):
    data = ready(tmp_path)
    assert data.classes == ["4", "5", "6"]
    assert (len(data.train_set), len(data.val_set)) == (12, 6)
    assert data.train_set.labels.tolist() == [0, 1, 2] * 4
    assert data.val_set.paths[3] == f"{tmp_path}/data.npz/x_test/00003"


@pytest.mark.parametrize("shape", [(12, 9, 9), (12, 9, 9, 1), (12, 9, 9, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_every_layout_reads_alike(tmp_path, shape, kind):
    pixels = np.random.default_rng(1).integers(256, size=shape, dtype=np.uint8)
    data = ready(tmp_path, x_train=pixels if kind is np.uint8 else (pixels / 255).astype(kind))
    shown = data.train_set.plain(2).permute(1, 2, 0).numpy() * 255
    assert np.abs(shown - pixels[2].reshape(9, 9, -1)).max() < 1e-3


def test_names_and_columns_as_labels(tmp_path):
    assert ready(tmp_path, y_train=np.array(["x", "y"] * 6), y_test=np.array(["y"] * 6)).classes == ["x", "y"]
    assert ready(tmp_path, y_train=(np.arange(12) % 3 + 4)[:, None]).num_classes == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"y_train": None, "x_test": None}, r"got .*data\.npz without y_train, x_test"),
        ({"x_train": np.zeros((12, 9), np.uint8)}, r"x_train must have shape .*, got \(12, 9\)"),
        ({"x_test": np.zeros((6, 9, 9, 4), np.uint8)}, r"x_test must have shape .*, got \(6, 9, 9, 4\)"),
        ({"x_train": np.zeros((12, 9, 7), int)}, "x_train must be uint8, or floating point"),
        ({"x_train": np.full((12, 9, 7), 3.0)}, "x_train must be uint8, or floating point"),
        ({"x_train": np.full((12, 9, 7), np.nan)}, "x_train must be uint8, or floating point"),
        ({"y_train": np.zeros(11, int)}, "equal length, got 12 and 11"),
        ({"y_test": np.arange(6)}, "label of y_test must occur in y_train, got 0"),
        (
            {"y_train": np.zeros((12, 3), int)},
            r"y_train must be \(n,\) integers or names, got int64 of shape \(12, 3\)",
        ),
        ({"y_train": np.linspace(0, 1, 12)}, "got float64"),
        ({"y_train": np.array([{}] * 12)}, "archive of plain arrays"),
    ],
)
def test_bad_archives_are_one_sentence(tmp_path, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        ready(tmp_path, **changes)


def test_missing_or_broken_archive(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"got no file at .*none\.npz"):
        Npz(tmp_path / "none.npz").setup()
    for content in (b"", b"text", b"PK\x03\x04 broken"):
        (tmp_path / "broken.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"must be an \.npz archive of plain arrays"):
            Npz(tmp_path / "broken.npz").setup()
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"must be an \.npz archive of plain arrays"):
        Npz(tmp_path / "single.npy").setup()


def test_real_mnist(real_data):
    data = Npz(real_data / "mnist" / "mnist.npz", max_per_class=50, max_per_class_val=10)
    data.setup()
    assert data.classes == [str(digit) for digit in range(10)]
    assert len(data.train_set) == 500
