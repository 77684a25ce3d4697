import threading
import time
from urllib.error import URLError

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from unhans.data.sources import TorchvisionData
from unhans.data.sources.image_files import _unique_names


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(header + array.tobytes())


def mnist_like(folder):
    folder.mkdir(parents=True)
    for part, n in (("train", 40), ("t10k", 20)):
        pixels = np.random.default_rng(n).integers(256, size=(n, 28, 28), dtype=np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte", pixels)
        write_idx(folder / f"{part}-labels-idx1-ubyte", (np.arange(n) % 10).astype(np.uint8))
    return pixels


@pytest.mark.parametrize(
    ("name", "folder", "classes"),
    [("mnist", "MNIST", ["0", "1", "9"]), ("fashion_mnist", "FashionMNIST", ["T-shirt/top", "Trouser", "Ankle boot"])],
)
def test_files_at_the_root_need_no_network(tmp_path, name, folder, classes):
    test_pixels = mnist_like(tmp_path / folder / "raw")
    data = TorchvisionData(name, tmp_path, image_size=28)
    data.prepare_data()
    data.setup()
    assert [data.classes[0], data.classes[1], data.classes[9]] == classes
    assert (len(data.train_set), len(data.val_set)) == (40, 20)
    assert data.val_set.paths[7] == f"{name}/test/00007"
    assert np.allclose(data.val_set.plain(7)[0] * 255, test_pixels[7], atol=1e-3)


def test_imagenette_has_readable_names(tmp_path):
    for part in ("train", "val"):
        for wnid in datasets.Imagenette._WNID_TO_CLASS:
            (tmp_path / "imagenette2-320" / part / wnid).mkdir(parents=True)
            Image.new("RGB", (30, 20)).save(tmp_path / "imagenette2-320" / part / wnid / "a.JPEG")
    data = TorchvisionData("imagenette", tmp_path, download=False, image_size=8)
    data.setup()
    assert data.classes[:2] == ["tench", "English springer"]
    assert "n01440764" in data.train_set.paths[0]
    assert (len(data.train_set), len(data.val_set)) == (10, 10)


def test_imagenet_cranes_are_told_apart():
    assert _unique_names([("crane",), ("tench", "Tinca"), ("crane",)], ["n1", "n2", "n3"]) == [
        "crane (n1)",
        "tench",
        "crane (n3)",
    ]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "imagenette", "imagenet"])
def test_missing_files_say_what_to_put_where(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=rf"{name} is not at {tmp_path} and could not be fetched: put .* there"):
        TorchvisionData(name, tmp_path, download=False).setup()


@pytest.mark.parametrize(("name", "module"), [("mnist", "mnist"), ("cifar10", "cifar"), ("imagenette", "imagenette")])
def test_a_failed_download_is_one_sentence(tmp_path, monkeypatch, name, module):
    def no_network(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr(f"torchvision.datasets.{module}.download_and_extract_archive", no_network)
    with pytest.raises(FileNotFoundError, match="could not be fetched: put"):
        TorchvisionData(name, tmp_path / "new").prepare_data()


def test_processes_fetch_one_after_the_other(tmp_path, monkeypatch):
    inside, most, both = [], [], threading.Barrier(2)

    def fetch(self, download):
        inside.append(download)
        most.append(len(inside))
        time.sleep(0.2)
        inside.pop()

    def process():
        data = TorchvisionData("mnist", tmp_path / "new")
        both.wait()
        data.prepare_data()

    monkeypatch.setattr(TorchvisionData, "_open", fetch)
    threads = [threading.Thread(target=process) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1]


def test_unknown_name(tmp_path):
    with pytest.raises(ValueError, match=r"data\.name must be one of mnist, .*, got 'svhn'"):
        TorchvisionData("svhn", tmp_path)
