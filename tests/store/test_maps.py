"""Heatmaps, images and logits of a class come back as they were; half files are never read."""

import os
import pickle
import re
import signal
import tracemalloc

import h5py
import numpy as np
import pytest
from stored_class import KEY, add_maps

from unhans.store import DamagedError, stored_key, sweep
from unhans.store.hdf5 import Disk, reading, writing
from unhans.store.virelay import class_files, open_maps, writing_maps


def test_what_was_added_comes_back(files):
    _, images, logits = add_maps(files, 0)
    stored = open_maps(files)
    assert len(stored) == len(stored.maps) == len(stored.images) == len(stored.logits) == 40
    np.testing.assert_array_equal(stored.index, np.arange(40) * 2 + 100)
    np.testing.assert_array_equal(stored.split, stored.index % 2)
    np.testing.assert_array_equal(stored.label, np.zeros(40))
    np.testing.assert_array_equal(stored.target, np.ones(40))
    np.testing.assert_array_equal(stored.images[:], images)
    np.testing.assert_array_equal(stored.logits[:], logits)
    np.testing.assert_array_equal(stored.prediction, logits.argmax(1))
    np.testing.assert_array_equal(stored.rank, [sorted(row, reverse=True).index(row[0]) for row in logits])
    assert stored.paths[3] == "images/106.png"
    assert stored.key == stored_key(files.attribution) == stored_key(files.dataset)
    assert stored.key == {"weights": "3fa", "attribution": {"composite": "epsilon", "stride": [1, 2]}}
    assert sorted(os.listdir(files.folder)) == ["attribution.h5", "dataset.h5"]


def test_the_relevance_of_layers_comes_back_cut_to_the_samples(files):
    random = np.random.default_rng(0)
    latent = {"head": random.normal(size=(9, 2, 4)), "features.3": random.normal(size=(9, 2, 7))}
    with writing_maps(files, 12, (6, 5), 3, (3, 12, 10), KEY) as writer:
        for rows in (slice(0, 4), slice(4, 9)):
            n = len(range(9)[rows])
            images, maps = np.zeros((n, 3, 12, 10), np.uint8), np.ones((n, 6, 5), np.float32)
            part = {layer: pooled[rows] for layer, pooled in latent.items()}
            writer.add(np.arange(9)[rows], 0, 0, 0, images, maps, np.zeros((n, 3)), latent=part)
    stored = pickle.loads(pickle.dumps(open_maps(files)))
    assert list(stored.latent) == list(latent)
    for layer, pooled in latent.items():
        assert stored.latent[layer].dtype == np.float32
        np.testing.assert_array_equal(stored.latent[layer][:], pooled.astype(np.float32))


@pytest.mark.parametrize("error", [KeyError("a class"), RuntimeError("no memory on the GPU")])
def test_an_error_of_the_reader_is_not_taken_for_damage(error, files):
    add_maps(files, 0)

    def read():
        with reading(files.attribution):
            raise error

    with pytest.raises(type(error)) as caught:
        read()
    assert caught.value is error
    with pytest.raises(DamagedError, match="delete it"), reading(files.attribution) as file:
        file["nothing"]


def test_maps_may_lack_layers_and_a_batch_with_others_is_refused(files):
    add_maps(files, 0)
    assert open_maps(files).latent == {}
    images, maps, logits = np.zeros((2, 3, 12, 10), np.uint8), np.ones((2, 6, 5), np.float32), np.zeros((2, 3))
    with writing_maps(files, 9, (6, 5), 3, (3, 12, 10), KEY) as writer:
        writer.add([0, 1], 0, 0, 0, images, maps, logits, latent={"a": np.zeros((2, 2, 4))})
        with pytest.raises(ValueError, match="relevance of layers must have the shapes"):
            writer.add([2, 3], 0, 0, 0, images, maps, logits)


def test_half_precision_keeps_every_map_in_its_own_scale(files):
    maps, _, _ = add_maps(files, 0)
    back = open_maps(files).maps[:]
    assert back.dtype == np.float32
    peak = np.abs(maps).max((1, 2), keepdims=True)
    assert (np.abs(back - maps) <= np.maximum(np.abs(maps) / 2048, peak * 3e-8)).all()
    assert np.ptp(np.log10(peak)) > 5


def test_single_precision_is_exact(files):
    maps, _, _ = add_maps(files, 0, precision="float32")
    np.testing.assert_array_equal(open_maps(files).maps[:], maps)


@pytest.mark.parametrize(
    "key",
    [
        3,
        -1,
        np.int64(5),
        slice(4, 9),
        slice(None, None, -3),
        slice(9, 4),
        [7, 2, 2, 39],
        [],
        np.arange(40) % 3 == 0,
        (slice(2, 8), slice(1, 3)),
        (5, 1),
        ([3, 1], slice(None), 0),
    ],
    ids=str,
)
def test_blocks_are_indexed_as_arrays(files, key):
    maps, images, _ = add_maps(files, 0, precision="float32")
    stored = open_maps(files)
    np.testing.assert_array_equal(stored.maps[key], maps[key])
    np.testing.assert_array_equal(stored.images[key], images[key])


def test_blocks_look_like_arrays_and_can_be_sent(files):
    maps, _, _ = add_maps(files, 0, precision="float32")
    blocks = pickle.loads(pickle.dumps(open_maps(files))).maps
    assert (blocks.shape, blocks.ndim, blocks.dtype, len(blocks)) == ((40, 6, 5), 3, np.float32, 40)
    np.testing.assert_array_equal(np.asarray(blocks), maps)
    np.testing.assert_array_equal(np.stack(list(blocks)), maps)
    np.testing.assert_array_equal(blocks.take(np.array([9, 4, 30]))[1:], maps[[4, 30]])
    with pytest.raises(IndexError):
        blocks[40]


def test_a_map_of_zeros_stays_zero(files):
    with writing_maps(files, 2, (4, 4), 2, (1, 8, 8), {}) as writer:
        writer.add([5, 6], 0, 1, 1, np.full((2, 1, 8, 8), 9, np.uint8), np.zeros((2, 4, 4), np.float32), np.eye(2))
    stored = open_maps(files)
    assert not stored.maps[:].any()
    assert stored.images.shape == (2, 3, 8, 8)
    assert (stored.images[:] == 9).all()
    assert stored.paths == ["", ""]


def test_a_class_without_samples_is_refused_and_the_earlier_files_stay(files):
    add_maps(files, 0)
    with (
        pytest.raises(ValueError, match=r"nothing could be read of the 9 samples of class 0000-cat_dog"),
        writing_maps(files, 9, (4, 4), 2, (3, 8, 8), {}),
    ):
        pass
    assert stored_key(files.attribution) is not None
    assert sorted(os.listdir(files.folder)) == ["attribution.h5", "dataset.h5"]


@pytest.mark.parametrize(
    ("maps", "logits", "message"),
    [
        (np.full((2, 4, 4), np.nan), np.eye(2), "finite"),
        (np.ones((2, 4, 4)), np.eye(3), r"as many images and logits as heatmaps \(2\); got 2 images, 3 logits"),
        (np.ones((2, 4, 4)), np.ones((2, 5)), r"logits .* \(2, 2\), got \(2, 5\)"),
        (np.ones((2, 3, 4)), np.eye(2), r"heatmaps .* \(2, 4, 4\), got \(2, 3, 4\)"),
    ],
)
def test_a_wrong_batch_is_named_and_leaves_nothing(files, maps, logits, message):
    with pytest.raises(ValueError, match=message), writing_maps(files, 9, (4, 4), 2, (3, 8, 8), {}) as writer:
        writer.add([5, 6], 0, 1, 1, np.zeros((2, 3, 8, 8), np.uint8), maps.astype(np.float32), logits)
    assert not os.listdir(files.folder)


def test_images_that_are_no_bytes_are_refused(files):
    refused = pytest.raises(ValueError, match="images must be uint8, from 0 to 255, got float32")
    with refused, writing_maps(files, 2, (4, 4), 2, (3, 8, 8), {}) as writer:
        writer.add([5, 6], 0, 1, 1, np.ones((2, 3, 8, 8), np.float32), np.ones((2, 4, 4)), np.eye(2))


def test_a_batch_may_be_overwritten_and_a_path_be_any_bytes(files):
    index, paths = np.array([5, 6]), [os.fsdecode(b"caf\xe9.png"), "猫.png"]
    with writing_maps(files, 2, (4, 4), 2, (3, 8, 8), {}) as writer:
        writer.add(index, 0, 1, 1, np.zeros((2, 3, 8, 8), np.uint8), np.ones((2, 4, 4)), np.eye(2), paths)
        index[:] = 0
    assert open_maps(files).index.tolist() == [5, 6]
    assert open_maps(files).paths == paths


def test_more_samples_than_announced_are_refused(files):
    with (
        pytest.raises(ValueError, match="1 samples were announced, but 2 are added"),
        writing_maps(files, 1, (4, 4), 2, (3, 8, 8), {}) as writer,
    ):
        writer.add([5, 6], 0, 1, 1, np.zeros((2, 3, 8, 8), np.uint8), np.ones((2, 4, 4), np.float32), np.eye(2))


def test_absent_damaged_foreign_and_newer_files_are_told_apart(files):
    assert stored_key(files.attribution) is None
    with pytest.raises(FileNotFoundError, match=r"attribution\.h5"):
        open_maps(files)
    add_maps(files, 0)
    content = files.attribution.read_bytes()
    for part in (content[:-1000], content[:3], b""):
        files.attribution.write_bytes(part)
        with pytest.raises(DamagedError, match=r"attribution\.h5 is damaged \(cut or incomplete\): delete it to"):
            stored_key(files.attribution)
        with pytest.raises(DamagedError, match="damaged"):
            open_maps(files)
    files.attribution.write_bytes(content)
    with h5py.File(files.attribution, "a") as file:
        file.attrs["format"] = 3
    with pytest.raises(ValueError, match=r"newer version of unhans \(format 3; this is 1\)") as caught:
        stored_key(files.attribution)
    assert not isinstance(caught.value, DamagedError)
    with h5py.File(files.attribution, "w") as file:
        file["attribution"] = 1
    with pytest.raises(ValueError, match="was not written by unhans"):
        stored_key(files.attribution)


def test_an_unreadable_file_is_no_damaged_one(files, monkeypatch):
    add_maps(files, 0)

    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(PermissionError):
        stored_key(files.attribution)


def test_new_maps_remove_the_analysis_of_the_old(files):
    add_maps(files, 0)
    files.analysis.write_text("old")
    add_maps(files, 0, n=20, key={"weights": "new"})
    assert not files.analysis.exists()
    assert len(open_maps(files)) == 20
    assert stored_key(files.attribution) == {"weights": "new"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_killed_run_leaves_half_files_that_the_next_sweeps(files, tmp_path):
    child = os.fork()
    if not child:
        with writing_maps(files, 99, (16, 16), 2, (3, 8, 8), {}) as writer:
            add_some(writer, 16)
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    left = os.listdir(files.folder)
    assert len(left) == 2
    assert all(re.fullmatch(r"\..*\.part", name) for name in left)
    (files.folder / "notes.part").touch()
    assert stored_key(files.attribution) is None
    assert sweep(tmp_path) == 2
    assert os.listdir(files.folder) == ["notes.part"]


@pytest.mark.parametrize("room", [10, 3_000, 20_000, 60_000, 200_000])
def test_a_full_disk_is_one_error_and_leaves_nothing(files, small_files, room):
    too_large = r"Cannot write: File too large: '.*/(attribution|dataset)\.h5'"
    with small_files(room), pytest.raises(OSError, match=too_large):
        fill(files, 2_000)
    assert not os.listdir(files.folder)


@pytest.mark.parametrize("room", [0, 1, 300, 5_000])
def test_what_a_full_disk_does_not_take_is_read_back(tmp_path, small_files, room):
    random = np.random.default_rng(room)
    literal = bytearray(8_000)
    with small_files(room), Disk(tmp_path / "a") as disk:
        for _ in range(60):
            at, content = random.integers(7_000), random.bytes(random.integers(900))
            disk.seek(at)
            assert disk.write(content) == len(content)
            assert disk.tell() == at + len(content)
            literal[at : at + len(content)] = content
            at, read = random.integers(7_000), bytearray(random.bytes(random.integers(1, 900)))
            disk.seek(at)
            got = disk.readinto(read)
            assert read[:got] == literal[at : at + got]
            assert got == len(read) or disk.error is None
        with pytest.raises(OSError, match="File too large"):
            disk.check()


def test_a_full_disk_ends_the_work_soon(files, small_files):
    full = pytest.raises(OSError, match="Cannot write")
    with small_files(100_000), full, writing_maps(files, 5_000, (64, 64), 2, (3, 8, 8), {}) as writer:
        for _ in range(500):
            add_some(writer, 64)
    assert len(writer) < 2_500


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_block_leaves_nothing(files, error):
    with pytest.raises(error), writing_maps(files, 10, (16, 16), 2, (3, 8, 8), {}) as writer:  # noqa: PT012
        add_some(writer, 16)
        raise error
    assert not os.listdir(files.folder)


def test_memory_holds_a_batch_not_the_class(files):
    fill(files, 10)
    tracemalloc.start()
    fill(files, 1_000, size=64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert files.attribution.stat().st_size > 8_000_000
    assert peak < 1_500_000


def test_an_error_inside_a_plain_file_keeps_its_kind(tmp_path):
    with pytest.raises(KeyError, match="mine"), writing(tmp_path / "a.h5"):
        raise KeyError("mine")


def test_files_are_named_for_every_file_system(tmp_path):
    assert class_files(tmp_path, 3, "a/b 猫").folder == tmp_path / "classes" / "0003-a_b"
    assert class_files(tmp_path, 3, "a/b 猫").wordnet_id == "0003-a_b"
    assert class_files(tmp_path, 3, "n02105855").wordnet_id == "n02105855"
    assert class_files(tmp_path, 3, "n021058551").wordnet_id == "0003-n021058551"


def add_some(writer, size):
    maps = np.random.default_rng(0).normal(size=(10, size, size)).astype(np.float32)
    writer.add(range(10), 0, 1, 1, np.zeros((10, 3, 8, 8), np.uint8), maps, np.ones((10, 2)))


def fill(files, n, size=16):
    with writing_maps(files, n, (size, size), 2, (3, 8, 8), KEY) as writer:
        for _ in range(n // 10):
            add_some(writer, size)
