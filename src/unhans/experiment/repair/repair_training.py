"""`train.py` with a repair chosen, as by experiment=unhans: from one command to the comparison."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from unhans.data import ImageData
from unhans.experiment.repair.fine_tuning import FineTuning, fine_tuning_of
from unhans.experiment.repair.initial_network import Fresh, Given, Start, Trained
from unhans.experiment.run import CONSOLE, Subject, build, build_data, build_network, check, with_run
from unhans.models import load_network
from unhans.repair import POST_HOC
from unhans.store import replacing

OF_THE_RUN = ("data", "artifact", "model", "optimizer")  # the schedule fits this command's trainer


def train_and_repair(cfg: DictConfig) -> dict[str, float]:
    """Repair the network of a checkpoint or, without one, a network that starts from the model's own weights.

    Fine-tuning starts from pretrained weights as they are. Where the weights are random, or a method corrects without
    training, the network is first trained on the data as they are, in `out/start`.
    """
    began = time.perf_counter()
    cfg = with_run(cfg, OF_THE_RUN)
    check(cfg)
    run, tuning, device = build(cfg.repair), fine_tuning_of(cfg), device_of(cfg.trainer.accelerator)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data, out = build_data(cfg), Path(cfg.out)
    start = _start(cfg, data, tuning, device)
    subject = Subject(
        network=_network(cfg, data).to(device),
        data=data,
        split="train",
        samples_per_class=None,
        attribution=build(cfg.attribution),
        batch_size=data.batch_size,
        device=device,
        seed=cfg.seed,
        out=out,
        begin=partial(_write_config, cfg, out),
    )
    numbers = run(subject=subject, tuning=tuning, start=start)
    CONSOLE.print(f"Done in {time.perf_counter() - began:.0f} s. Everything is in [bold]{out}[/]")
    return numbers


def device_of(accelerator: str) -> torch.device:
    """Return the device that Lightning's accelerator of that name trains on."""
    wanted = accelerator not in ("cpu", "tpu", "mps") and torch.cuda.is_available()
    return torch.device("cuda" if wanted else accelerator if accelerator == "mps" else "cpu")


def _start(cfg: DictConfig, data: ImageData, tuning: FineTuning, device: torch.device) -> Start:
    """The network that repairs begin with."""
    if cfg.ckpt is not None:
        return Given(_network(cfg, data).to(device))
    fresh = Fresh(partial(build_network, cfg, data), device)
    if cfg.model.get("weights") is not None and not set(cfg.repair.methods) & set(POST_HOC):
        return fresh
    return Trained(fresh, data, tuning, cfg.seed, Path(cfg.out))


def _network(cfg: DictConfig, data: ImageData) -> nn.Module:
    """The network with the checkpoint's weights; without a checkpoint, as its configuration makes it."""
    network = build_network(cfg, data)
    if cfg.ckpt is not None:
        network = load_network(network, data.classes, cfg.ckpt)
    return network.eval()


def _write_config(cfg: DictConfig, out: Path) -> None:
    with replacing(out / "config.yaml") as part:
        part.write_text(OmegaConf.to_yaml(cfg, resolve=True))
