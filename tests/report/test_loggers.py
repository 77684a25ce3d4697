"""What an audit logs arrives whole, once per epoch, in every logger (law 6)."""

import csv
import json
import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import wandb
from PIL import Image
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from wandb.proto.wandb_internal_pb2 import Record

from unhans.report.loggers import finish, log_epoch, log_once

BLOCK = 32768


class Notebook(Logger):
    """A logger of another kind, which keeps what it is told."""

    name = version = "notebook"

    def __init__(self):
        super().__init__()
        self.said = []

    def log_metrics(self, metrics, step=None):
        self.said.append((dict(metrics), step))

    def log_hyperparams(self, params):
        raise NotImplementedError

    def finalize(self, status):
        self.said.append(status)


@pytest.fixture
def page(tmp_path):
    Image.fromarray(np.full((4, 6, 3), (255, 0, 10), np.uint8)).save(tmp_path / "page.png")
    return tmp_path / "page.png"


@pytest.fixture
def wandb_logger(tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield WandbLogger(save_dir=tmp_path, mode="offline", project="test")
    if wandb.run is not None:
        wandb.finish()


def records(folder):
    """Return the records of a finished offline run; W&B's own process may still be writing the last of them."""
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    for _ in range(300):
        found = list(decoded(file.read_bytes()))
        if found and found[-1].WhichOneof("record_type") == "exit":
            return found
        time.sleep(0.1)
    raise AssertionError("the W&B run was not ended")


def decoded(data):
    """Decode a LevelDB log of protocol buffers behind seven bytes."""
    at, record = 7, b""
    while at + 7 <= len(data):
        if (left := BLOCK - at % BLOCK) < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4) and at <= len(data):  # a whole record, or its last part
            yield Record.FromString(record)
            record = b""


def rows(folder):
    """Read the logged rows of an offline run, media as dictionaries."""
    found = []
    for record in records(folder):
        if record.WhichOneof("record_type") == "history":
            found.append({})
            for item in record.history.item:
                key, *within = item.nested_key or [item.key]
                value = json.loads(item.value_json)
                found[-1][key] = found[-1].get(key, {}) | {within[0]: value} if within else value
    return found


def test_wandb_gets_one_row_with_everything_and_keeps_media_of_every_epoch(wandb_logger, page, tmp_path):
    for epoch, step in ((0, 10), (1, 20)):
        wandb_logger.log_metrics({"loss": 1.0}, step + 5)  # training is ahead, or logs in between
        table = (["class", "tau"], [["a", 1.0], ["b", 2.0]])
        log_epoch(
            [wandb_logger],
            epoch,
            step,
            {"audit/tau/a": 0.5},
            {"audit/page": page, "audit/all": [page, page]},
            {"t": table},
        )
    finish([wandb_logger], exit_code=3)
    found = [row for row in rows(tmp_path) if "audit/tau/a" in row]
    assert [(row["epoch"], row["trainer/global_step"]) for row in found] == [(0, 10), (1, 20)]
    for row in found:
        assert row["audit/page"]["count"] == 1
        assert row["audit/all"]["count"] == 2
        assert row["audit/all"]["captions"] == ["page", "page"]
        assert (row["t"]["ncols"], row["t"]["nrows"]) == (2, 2)
        (folder,) = tmp_path.glob("wandb/offline-run-*/files")
        assert (folder / row["audit/page"]["filenames"][0]).is_file()


def test_a_table_shows_pictures_and_an_analysis_has_no_epoch(wandb_logger, page, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))  # where pictures of tables wait for their upload
    table = (["class", "cluster"], [["a", page], ["b", page]])
    log_once([wandb_logger], {"audit/suspicious": 1.0}, tables={"t": table})
    finish([wandb_logger])
    (row,) = [row for row in rows(tmp_path) if "audit/suspicious" in row]
    assert "epoch" not in row
    assert (row["t"]["ncols"], row["t"]["nrows"]) == (2, 2)
    (stored,) = [record.artifact for record in records(tmp_path) if record.WhichOneof("record_type") == "artifact"]
    names = {Path(content.path).name: Path(content.local_path) for content in stored.manifest.contents}
    assert names["page.png"].read_bytes() == page.read_bytes()
    assert json.loads(names["t.table.json"].read_text())["data"][1][0] == "b"


def test_wandb_draws_an_audit_over_epochs_and_ends_with_the_exit_code(wandb_logger, tmp_path):
    log_epoch([wandb_logger], 0, 10, {"audit/tau/a": 0.5})
    finish([wandb_logger], exit_code=3)
    found = records(tmp_path)
    steps = {record.metric.name: record.metric.step_metric for record in found if record.metric.name}
    assert steps["audit/tau/a"] == "epoch"
    assert [record.exit.exit_code for record in found if record.WhichOneof("record_type") == "exit"] == [3]
    assert wandb.run is None


def test_wandb_offline_stays_in_its_folder_and_in_its_run(wandb_logger, tmp_path):
    log_epoch([wandb_logger], 0, 0, {"a": 1.0})
    finish([wandb_logger])
    assert "WANDB_MODE" not in os.environ
    assert not os.listdir(tmp_path / "cwd")


def test_finish_starts_no_run_that_was_never_used(wandb_logger, tmp_path):
    finish([wandb_logger], exit_code=1)
    assert not (tmp_path / "wandb").exists()


def test_a_disabled_run_is_no_error(tmp_path, page):
    logger = WandbLogger(save_dir=tmp_path, mode="disabled")
    log_epoch([logger], 0, 0, {"a": 1.0}, {"b": page})
    finish([logger])
    assert not list(tmp_path.glob("wandb/offline-run-*"))


def test_more_images_than_wandb_takes_go_on_under_further_keys(wandb_logger, page, tmp_path):
    log_epoch([wandb_logger], 0, 0, {}, {"all": [page] * 230})
    finish([wandb_logger])
    (row,) = (row for row in rows(tmp_path) if "all" in row)
    assert [row[key]["count"] for key in ("all", "all/2", "all/3")] == [108, 108, 14]


def test_csv_has_the_row_on_the_disk_before_the_run_ends(tmp_path):
    logger = CSVLogger(tmp_path)
    log_epoch([logger], 0, 10, {"tau": 0.5})
    log_epoch([logger], 1, 20, {"tau": 0.25, "new": 1.0})
    with open(os.path.join(logger.log_dir, "metrics.csv"), newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"], row["tau"], row["new"]) for row in found] == [
        ("0", "10", "0.5", ""), ("1", "20", "0.25", "1.0"),
    ]  # fmt: skip


def test_tensorboard_gets_scalars_and_images(tmp_path, page):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = TensorBoardLogger(tmp_path)
    log_epoch([logger], 4, 10, {"tau": 0.5}, {"one": page, "two": [page, page.with_name("page.png")]})
    events = accumulator.EventAccumulator(logger.log_dir).Reload()
    finish([logger])
    assert [(event.step, event.value) for event in events.Scalars("tau")] == [(10, 0.5)]
    assert [(event.step, event.value) for event in events.Scalars("epoch")] == [(10, 4)]
    image = events.Images("one")[0]
    assert (image.width, image.height) == (6, 4)
    assert "two/page" in events.Tags()["images"]


def test_any_other_logger_gets_the_scalars_and_the_status(page):
    notebook = Notebook()
    log_epoch([notebook, notebook], 2, 7, {"tau": 0.5}, {"page": page})
    finish([notebook], exit_code=1)
    finish([notebook])
    assert notebook.said == [({"tau": 0.5, "epoch": 2}, 7)] * 2 + ["failed", "success"]


def test_a_logger_that_fails_to_close_does_not_leave_the_wandb_run_open(wandb_logger):
    class Broken(Notebook):
        def finalize(self, status):
            raise OSError("disk full")

    log_epoch([wandb_logger], 0, 0, {"a": 1.0})
    with pytest.raises(OSError, match="disk full"):
        finish([Broken(), wandb_logger], exit_code=1)
    assert wandb.run is None
