import logging
import shutil

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image

from unhans.artifacts import Patch, Watermark
from unhans.data import Batch, UnreadableImageError
from unhans.data.sources import ImageFolder

NAMES = ("n01 — füchse", "b c", "10")


def write(folder, n, size=(20, 14), seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(n):
        pixels = np.random.default_rng([seed, index]).integers(256, size=(*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        write(tmp_path / "train" / name, 10)
        write(tmp_path / "val" / name, 3)
    return tmp_path


def ready(root, **options):
    data = ImageFolder(root, **{"image_size": 8, "batch_size": 4, **options})
    data.setup()
    return data


def test_train_and_val_folders(root):
    data = ready(root)
    assert data.classes == sorted(NAMES)
    assert data.num_classes == 3
    assert (len(data.train_set), len(data.val_set)) == (30, 9)
    for dataset in (data.train_set, data.val_set):
        assert all(
            f"/{data.classes[label]}/" in path for path, label in zip(dataset.paths, dataset.labels, strict=True)
        )
    assert all("/train/" in path for path in data.train_set.paths)


@pytest.mark.parametrize("name", ["valid", "validation", "test"])
def test_other_names_of_the_validation_folder(root, name):
    (root / "val").rename(root / name)
    assert all(f"/{name}/" in path for path in ready(root).val_set.paths)


def test_one_folder_is_split(root):
    shutil.rmtree(root / "val")
    for folder in (root, root / "train"):  # a train/ that stands alone, and plain class folders
        data = ready(folder, val_share=0.3)
        assert (len(data.train_set), len(data.val_set)) == (21, 9)
        assert not set(data.train_set.paths) & set(data.val_set.paths)


def test_nested_uppercase_and_hidden_files(root):
    write(root / "train" / "10" / "deeper", 1)
    (root / "train" / "10" / "00.png").rename(root / "train" / "10" / "00.PNG")
    (root / "train" / "10" / "._01.png").write_bytes(b"resource fork")
    (root / "train" / "10" / "notes.txt").write_text("no image")
    write(root / "train" / ".hidden", 1)
    assert ready(root).train_set.labels.tolist().count(0) == 11


def test_limits_and_chosen_classes(root):
    data = ready(root, classes=[NAMES[1], 10], max_per_class=4, max_per_class_val=2)
    assert data.classes == ["b c", "10"]
    assert np.bincount(data.train_set.labels).tolist() == [4, 4]
    assert np.bincount(data.val_set.labels).tolist() == [2, 2]


def test_setup_twice_changes_nothing(root):
    data = ready(root)
    before = data.train_set
    data.setup("fit")
    assert data.train_set is before


def test_two_runs_see_the_same_batches_and_leave_the_random_state_alone(root):
    state = torch.get_rng_state()
    first, second = ([batch.index for batch in ready(root, flip=True).train_dataloader()] for _ in range(2))
    assert [index.tolist() for index in first] == [index.tolist() for index in second]
    assert sorted(torch.cat(first).tolist()) == list(range(30))
    assert [len(index) for index in first] == [4] * 7 + [2]
    assert torch.cat([batch.index for batch in ready(root).val_dataloader()]).tolist() == list(range(9))
    assert torch.equal(state, torch.get_rng_state())


class Counting(pl.LightningModule):
    """Trains on whatever batch is not empty and remembers the indices it saw."""

    def __init__(self):
        super().__init__()
        self.model = torch.nn.Linear(8 * 8 * 3, 3)
        self.seen = []

    def training_step(self, batch, _):
        assert isinstance(batch, Batch)
        self.seen.append(batch.index.tolist())
        return self.model(batch.image.flatten(1)).square().mean() if len(batch.index) else None

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


def fit(model, data, **options):
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **options,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)


@pytest.mark.parametrize("workers", [0, 1])
def test_training_skips_broken_files_and_reports_each_once(root, caplog, workers):
    broken = [root / "train" / "10" / f"{index:02d}.png" for index in range(4)]
    for path in broken[:3]:
        path.write_bytes(path.read_bytes()[:300])
    broken[3].write_bytes(b"")
    data, model = ready(root, num_workers=workers, batch_size=1), Counting()
    assert len(data.train_set) == 29
    fit(model, data, max_epochs=2)
    assert sum(index == [] for index in model.seen) == 6
    assert len(model.seen) == 58
    for path in broken:
        assert [record.levelno for record in caplog.records if str(path) in record.getMessage()] == [logging.WARNING]


def test_lightning_gives_each_epoch_its_order(root):
    data, model = ready(root, batch_size=30), Counting()
    fit(model, data, max_epochs=3)
    assert len({tuple(seen) for seen in model.seen}) == 3
    data.train_set.epoch.fill_(2)
    assert next(iter(data.train_dataloader())).index.tolist() == model.seen[2]


def test_on_corrupt_raise_names_the_path(root):
    path = root / "train" / "10" / "03.png"
    path.write_bytes(path.read_bytes()[:300])
    data = ready(root, on_corrupt="raise")
    with pytest.raises(UnreadableImageError, match=r"03\.png"):
        list(data.train_dataloader())
    path.write_bytes(b"")
    with pytest.raises(UnreadableImageError, match=r"03\.png"):
        ready(root, on_corrupt="raise")


def test_a_class_without_validation_images_is_a_warning(root, caplog):
    for path in (root / "val" / "b c").iterdir():
        path.unlink()
    assert len(ready(root).val_set) == 6
    assert "class 'b c' has no validation images" in caplog.text
    assert "'10'" not in caplog.text


def test_an_extra_validation_class_is_left_out(root, caplog):
    write(root / "val" / "stranger", 2)
    assert len(ready(root).val_set) == 9
    assert "stranger" in caplog.text


def test_bad_folders_are_one_sentence(root, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match=r"got no folder at .*absent"):
        ready(root / "absent")
    with pytest.raises(ValueError, match="one folder of images per class, got none in"):
        ready(tmp_path_factory.mktemp("empty"))
    with pytest.raises(ValueError, match="got 'bc'; did you mean 'b c'"):
        ready(root, classes=["10", "bc"])
    with pytest.raises(ValueError, match="at least two classes, got 1: 10"):
        ready(root, classes=["10"])
    (root / "train" / "nothing").mkdir()
    with pytest.raises(ValueError, match="needs training images, got none that can be read for 'nothing'"):
        ready(root)


def test_an_artifact_that_cannot_be_planted_stops_at_setup(root):
    with pytest.raises(ValueError, match="the artifact's target names no class"):
        ready(root, artifact=Watermark("cat"))
    Image.new("RGBA", (9, 9), "red").save(root / "patch.png")
    with pytest.raises(ValueError, match="larger than the image"):
        ready(root, artifact=Patch("10", root / "patch.png", size=None))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"image_size": 0}, "data.image_size must be 1 or more, got 0"),
        ({"batch_size": 0}, "data.batch_size must be 1 or more"),
        ({"num_workers": -1}, "data.num_workers must be 0 or more, got -1"),
        ({"max_per_class": 0}, "data.max_per_class must be 1 or more"),
        ({"val_share": 1.0}, "data.val_share must lie between 0 and 1, got 1.0"),
        ({"resize": "stretch"}, "data.resize must be one of squash, crop, pad, mirror, got 'stretch'"),
        ({"on_corrupt": "stop"}, "data.on_corrupt must be one of skip, raise, got 'stop'"),
        ({"std": (1, 0, 1)}, r"std above 0, got .* and \(1, 0, 1\)"),
        ({"mean": (0.5,)}, "must be three numbers each"),
    ],
)
def test_bad_options_are_one_sentence(tmp_path, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        ImageFolder(tmp_path, **options)


def test_real_photographs(real_data):
    data = ImageFolder(
        real_data / "imagenette224",
        classes=["n03417042", "n01440764"],
        max_per_class=30,
        max_per_class_val=10,
        artifact=Watermark("n03417042", coverage=0.6),
    )
    data.setup()
    assert data.train_set.carriers.sum() == 18
    batch = next(iter(data.train_dataloader()))
    assert batch.image.shape == (32, 3, 224, 224)
    assert batch.image.isfinite().all()
