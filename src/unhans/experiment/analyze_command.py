"""Analysing a trained model after the fact."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from unhans.data import ImageData
from unhans.experiment.repair import accelerator_of, fine_tuning_of
from unhans.experiment.run import (
    CONSOLE,
    ConfigurationError,
    Subject,
    build,
    build_data,
    build_network,
    check,
    with_run,
)
from unhans.models import head_of, load_network
from unhans.store import replacing

SPLITS = ("train", "val", "union")  # union: both, each sample marked
SHARED = ("data", "artifact", "model")  # what a checkpoint's run and its analysis have in common
TRAINING = ("optimizer", "scheduler", "trainer")  # besides, where the analysis trains


def analyze(cfg: DictConfig) -> dict[str, float]:
    """Run the chosen analysis on a trained model; return the numbers that a sweep may optimise."""
    began = time.perf_counter()
    cfg = _completed(cfg)
    check(cfg)
    if cfg.split not in SPLITS:
        raise ConfigurationError(f"split expects one of {', '.join(SPLITS)}, got {cfg.split!r}.")
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    out = Path(cfg.out)
    check_folder(out)
    run = build(cfg.analysis)
    begin = partial(_write_config, cfg, out)
    if _takes(cfg, "subject"):
        tuning = {"tuning": fine_tuning_of(cfg, accelerator_of(_device(cfg.device)))} if _takes(cfg, "tuning") else {}
        needs = {"subject": _subject(cfg, out, begin)} | tuning
    else:
        needs = {"data": build_data(cfg), "out": out, "seed": cfg.seed}
        begin()
    numbers = run(**needs)
    CONSOLE.print(f"Done in {time.perf_counter() - began:.0f} s. Pages and tables are in [bold]{out}[/]")
    return numbers


def check_folder(out: Path) -> None:
    """Refuse a folder that cannot take an analysis: a file, or a training run, whose configuration would be lost."""
    for path in (out, *out.parents):
        if path.exists() and not path.is_dir():
            raise ConfigurationError(f"out expects a folder, but {path} is a file.")
    if (out / "checkpoints").is_dir():
        raise ConfigurationError(f"out={out} is the folder of a training run; give the analysis one of its own.")


def _write_config(cfg: DictConfig, out: Path) -> None:
    with replacing(out / "config.yaml") as part:
        part.write_text(OmegaConf.to_yaml(cfg, resolve=True))


def _takes(cfg: DictConfig, what: str) -> bool:
    """Tell whether the analysis is about a subject, a network, or data alone; and whether it trains ("tuning")."""
    return what in inspect.signature(get_object(cfg.analysis._target_)).parameters


def _subject(cfg: DictConfig, out: Path, begin: Callable[[], None]) -> Subject:
    """Load the data and the network."""
    data, device = build_data(cfg), _device(cfg.device)
    return Subject(
        network=_network(cfg, data).to(device),
        data=data,
        split=cfg.split,
        samples_per_class=cfg.samples_per_class,
        attribution=build(cfg.attribution),
        batch_size=cfg.batch_size,
        device=device,
        seed=cfg.seed,
        out=out,
        begin=begin,
    )


def _completed(cfg: DictConfig) -> DictConfig:
    """Return the configuration completed by that of the checkpoint's run; what is given here goes first."""
    trains = _takes(cfg, "tuning")
    cfg = with_run(cfg, (*SHARED, *(TRAINING if trains else ())))
    needed = ("data", *(("model",) if _takes(cfg, "subject") else ()), *(("optimizer", "trainer") if trains else ()))
    absent = [key for key in needed if "_target_" not in cfg[key]]
    if absent:
        besides = "" if absent[0] in SHARED else f", and {absent[0]}=…"
        raise ConfigurationError(f"{absent[0]} is missing; give ckpt=… of a run, or model=… and data=…{besides}.")
    return cfg


def _network(cfg: DictConfig, data: ImageData) -> torch.nn.Module:
    """The network with the checkpoint's weights; without a checkpoint, with the trained head of its own weights."""
    network = build_network(cfg, data)
    head = head_of(network)
    if cfg.ckpt is None and not cfg.untrained and (head is None or not head.kept):
        raise ConfigurationError(
            f"an analysis expects a trained network, but the last layer of this {type(network).__name__} is new and "
            "random; give ckpt=…, or model.weights=… with model.head=keep, or untrained=true for a sanity check."
        )
    if cfg.ckpt is not None:
        network = load_network(network, data.classes, cfg.ckpt)
    return network.eval()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ConfigurationError(
            f"device expects auto, cpu or a device of this machine, got {name!r}: {reason}"
        ) from error
