"""Auditing a trained model after the fact, class by class."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from unhans.data import ImageData, reading
from unhans.experiment.build import build, build_data, build_network
from unhans.experiment.check import ConfigurationError, check
from unhans.experiment.saved import saved_config
from unhans.models import Classifier, load_weights
from unhans.report import AuditPages, progress, ranking_table
from unhans.spray import Auditor, Suspicion, judge, ranked
from unhans.store import replacing

CONSOLE = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)
SHARED = ("data", "artifact", "model")  # what a checkpoint's run and its analysis have in common


def analyze(cfg: DictConfig) -> dict[str, float]:
    """Explain and cluster every class of a data set; print and write the ranking.

    Each class is on disk as soon as it is done; an interrupted analysis still ranks what it finished.
    """
    began = time.perf_counter()
    cfg = with_run(cfg)
    check(cfg)
    if cfg.split not in ("train", "val"):
        raise ConfigurationError(f"split expects train or val, got {cfg.split!r}.")
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    out = Path(cfg.out)
    with replacing(out / "config.yaml") as part:
        part.write_text(OmegaConf.to_yaml(cfg, resolve=True))
    data = build_data(cfg)
    attribution = build(cfg.attribution)
    device = _device(cfg.device)
    auditor = Auditor(
        attribution.of(_network(cfg, data).to(device)),
        build(cfg.spray),
        attribution.description,
        cfg.batch_size,
        device,
    )
    ranking = _audit(cfg, data, auditor, out)
    CONSOLE.print(ranking_table(ranking))
    CONSOLE.print(f"Done in {time.perf_counter() - began:.0f} s. Pages and tables are in [bold]{out}[/]")
    return {"suspicious": float(sum(found.suspicious for found in ranking))}


def with_run(cfg: DictConfig) -> DictConfig:
    """Return the configuration completed by that of the checkpoint's run; what is given here goes first."""
    own = {key: cfg.get(key) for key in SHARED}
    saved = _saved(cfg.ckpt) if cfg.ckpt is not None else OmegaConf.create({})
    merged = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
    for key, node in own.items():
        before = saved.get(key) or {}
        merged[key] = node if node and "_target_" in node else OmegaConf.merge(before, node or {})
    absent = [key for key in ("data", "model") if "_target_" not in merged[key]]
    if absent:
        raise ConfigurationError(f"{absent[0]} is missing; give ckpt=… of a run, or model=… and data=….")
    OmegaConf.set_struct(merged, True)
    return merged


def _saved(ckpt: str) -> DictConfig:
    """The configuration of the run that wrote a checkpoint, beside it or in the folder above."""
    path = Path(ckpt)
    if not path.is_file():
        raise ConfigurationError(f"ckpt expects a checkpoint file, but {path} does not exist.")
    saved = saved_config(path)
    if saved is None:
        raise ConfigurationError(f"ckpt={path} has no config.yaml beside it; give model=… and data=… as well.")
    return OmegaConf.create(saved)


def _network(cfg: DictConfig, data: ImageData) -> torch.nn.Module:
    """The network with the checkpoint's weights; without a checkpoint, as its configuration made it."""
    network = build_network(cfg, data)
    if cfg.ckpt is not None:
        load_weights(Classifier(network, data.classes, torch.optim.SGD), cfg.ckpt)
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


def _audit(cfg: DictConfig, data: ImageData, auditor: Auditor, out: Path) -> list[Suspicion]:
    """Audit class by class; the ranking is written even when the work is interrupted."""
    dataset = (data.train_set if cfg.split == "train" else data.val_set).without_augmentation()
    subsets = reading.choose(dataset.labels, cfg.samples_per_class, cfg.seed)
    names = dict(enumerate(data.classes))
    pages = AuditPages(out, dataset.paths, names, f"{cfg.split} images · {auditor.description}")
    found: list[Suspicion] = []
    try:
        with progress(sum(map(len, subsets.values()))) as say:
            for label, indices in subsets.items():
                text = f"class {names[label]}"
                say(text, 0)
                images, index = reading.read(dataset, indices)
                try:
                    control = auditor.control_of(images) if cfg.control else None
                    audit = auditor.audit(images, index, label, names[label], control, partial(say, text))
                except ValueError as error:
                    CONSOLE.print(f"[yellow]not ranked:[/] class {names[label]!r}: {error}")
                    continue
                found.append(judge(audit))
                pages.add(audit, dataset.denormalise(images), found[-1])
    finally:
        data.report_unreadable()
        if found:
            pages.finish(ranked(found))
    if not found:
        raise ValueError("no class could be audited; the reasons are above.")
    return ranked(found)
