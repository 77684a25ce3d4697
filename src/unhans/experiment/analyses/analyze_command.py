"""Analysing a trained model after the fact."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from unhans.experiment.compare import compared_models
from unhans.experiment.decoys import decoy_runs
from unhans.experiment.faithfulness import epoch_checkpoints, permuted_labels
from unhans.experiment.repair import accelerator_of, fine_tuning_of
from unhans.experiment.run import RunFolder, Subject, build, build_data, check, trained_network, with_run
from unhans.experiment.swap import swap_networks
from unhans.terminal import CONSOLE, ConfigurationError, no_file

SPLITS = ("train", "val", "union")  # union: both, each sample marked
SHARED = ("data", "artifact", "model")  # what a checkpoint's run and its analysis have in common
TRAINING = ("optimizer", "scheduler", "trainer")  # besides, where the analysis trains
SEVERAL = {
    "models": compared_models,
    "networks": compared_models,
    "runs": decoy_runs,
    "tested": swap_networks,
    "checkpoints": epoch_checkpoints,
    "relabelled": permuted_labels,
}  # how an analysis gets them
# expected in ckpts=; with 0 ckpt= does as well
FEWEST = {"models": 2, "networks": 0, "runs": 1, "tested": 0, "checkpoints": 0}
EXPECTED = {0: "ckpt=…, or ckpts=[a,b,…]", 1: "ckpts=[a,b,…]", 2: "two or more checkpoints, ckpts=[a,b,…]"}
FOR_SEVERAL = ("audit_classes", "measure_effects", "draw_heatmaps", "conserve")  # of images with several classes
SAME_FOLDER = {
    "audit_classes": ("measure_stability",),
    "measure_effects": ("audit_classes", "clean_data", "measure_stability"),
    "clean_data": ("audit_classes", "measure_effects"),
    "measure_stability": ("audit_classes", "measure_effects", "clean_data"),
}  # analyses that go on with what others left in the folder
NUMBER = re.compile(r"(\d+)|(\D+)")  # the parts of a name
LAST = "checkpoints/last.ckpt"  # in the folder of a run


def analyze(cfg: DictConfig) -> dict[str, float]:
    """Run the chosen analysis on a trained model; return the numbers that a sweep may optimise."""
    began = time.perf_counter()
    cfgs = _completed(cfg)
    cfg = cfgs[0]
    check(cfg)
    if cfg.split not in SPLITS:
        raise ConfigurationError(f"split expects one of {', '.join(SPLITS)}, got {cfg.split!r}.")
    check_counts(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    out = Path(cfg.out)
    check_folder(out, cfg.analysis._target_)
    run = build(cfg.analysis)
    with RunFolder(cfg, out) as folder:
        numbers = run(**_needs(cfgs, folder))
    page = next(iter([*out.glob("report.html"), *sorted(out.glob("*.html"))]), None)
    hint = f"; begin with {page.name}" if page else ""
    CONSOLE.print(f"Done in {time.perf_counter() - began:.0f} s. Pages and tables are in [bold]{out}[/]{hint}")
    return numbers


def _needs(cfgs: Sequence[DictConfig], folder: RunFolder) -> dict[str, Any]:
    """What the analysis takes."""
    cfg = cfgs[0]
    if not _takes(cfg, "subject"):
        data = build_data(cfg)
        folder.begin()
        return {"data": data, "out": folder.out, "seed": cfg.seed}
    tuning = {"tuning": fine_tuning_of(cfg, accelerator_of(_device(cfg.device)))} if _takes(cfg, "tuning") else {}
    subject = _subject(cfg, folder)
    if subject.data.several and cfg.analysis._target_.rpartition(".")[2] not in FOR_SEVERAL:
        raise ConfigurationError(
            "the images of these data may show several classes; analysis=spray, effect, heatmaps and conservation take "
            "them, the others count accuracies of one class an image."
        )
    several = {name: load(cfgs, subject) for name, load in SEVERAL.items() if _takes(cfg, name)}
    return {"subject": subject} | tuning | several


def check_counts(cfg: DictConfig) -> None:
    """Refuse what is no number of images: samples_per_class and batch_size; null is all images of a class.

    Raises:
        ConfigurationError: with the first of them.
    """
    for key, otherwise in (("samples_per_class", "null or "), ("batch_size", "")):
        value = cfg[key]
        if (value is None and otherwise) or (type(value) is int and value > 0):
            continue
        raise ConfigurationError(f"{key} expects {otherwise}a number of images, 1 or more, got {value!r}.")


def check_folder(out: Path, analysis: str) -> None:
    """Refuse a folder that cannot take an analysis: a file, or that of another command, whose configuration stays.

    Args:
        out: the folder.
        analysis: the `_target_` of the analysis.
    """
    for path in (out, *out.parents):
        if path.exists() and not path.is_dir():
            raise ConfigurationError(f"out expects a folder, but {path} is a file.")
    if (out / "checkpoints").is_dir():
        raise ConfigurationError(f"out={out} is the folder of a training run; give the analysis one of its own.")
    if not (out / "config.yaml").is_file():
        return
    earlier = OmegaConf.select(OmegaConf.load(out / "config.yaml"), "analysis._target_") or analysis
    there, now = (target.rpartition(".")[2] for target in (earlier, analysis))
    if there not in (now, *SAME_FOLDER.get(now, ())):
        raise ConfigurationError(
            f"out={out} is the folder of another analysis ({there}); give this one a folder of its own."
        )


def _takes(cfg: DictConfig, what: str) -> bool:
    """Tell whether the analysis is about a subject, a network, or data alone; and whether it trains ("tuning")."""
    return what in inspect.signature(get_object(cfg.analysis._target_)).parameters


def _subject(cfg: DictConfig, folder: RunFolder) -> Subject:
    """Load the data and the network."""
    data, device = build_data(cfg), _device(cfg.device)
    return Subject(
        network=trained_network(cfg, data).to(device),
        data=data,
        split=cfg.split,
        samples_per_class=cfg.samples_per_class,
        attribution=build(cfg.attribution),
        batch_size=cfg.batch_size,
        device=device,
        seed=cfg.seed,
        out=folder.out,
        hold=folder.hold,
        begin=folder.begin,
    )


def _completed(cfg: DictConfig) -> list[DictConfig]:
    """Return the configuration completed by that of each checkpoint's run; what is given here goes first."""
    fewest = next((least for name, least in FEWEST.items() if _takes(cfg, name)), None)
    if not fewest and (fewest is None or cfg.ckpts is None):
        if cfg.ckpts is not None:
            raise ConfigurationError(f"this analysis takes one checkpoint, ckpt=…; got ckpts={cfg.ckpts}.")
        return [_with_run(cfg)]
    if cfg.ckpt is not None and cfg.ckpts is not None:
        raise ConfigurationError(f"give either ckpt= or ckpts=, got ckpt={cfg.ckpt} and ckpts={cfg.ckpts}.")
    in_folder = epochs_in if _takes(cfg, "checkpoints") else sweep_checkpoints
    ckpts = in_folder(cfg.ckpts) if isinstance(cfg.ckpts, str) else list(cfg.ckpts or ())
    if len(ckpts) < max(fewest, 1):
        given = f"ckpts={cfg.ckpts}" if cfg.ckpts is not None else f"ckpt={cfg.ckpt}" if cfg.ckpt else "none"
        raise ConfigurationError(f"this analysis takes {EXPECTED[fewest]}, or ckpts=FOLDER of their runs; got {given}.")
    if absent := [ckpt for ckpt in ckpts if not Path(ckpt).is_file()]:
        raise ConfigurationError(no_file("ckpts", "checkpoint files", absent[0]))
    return [_with_run(OmegaConf.merge(cfg, {"ckpt": ckpt})) for ckpt in ckpts]


def sweep_checkpoints(folder: str) -> list[str]:
    """Return the last checkpoint of every run in a folder, such as that of a sweep, in the order of their numbers.

    Raises:
        ConfigurationError: there is none.
    """
    found = [path.parent.parent.name for path in Path(folder).glob(f"*/{LAST}")]
    if not found:
        expected = f"a list, or a folder of runs with */{LAST}"
        raise ConfigurationError(f"ckpts expects {expected}, but {_not_found(folder)}")
    return [str(Path(folder) / name / LAST) for name in sorted(found, key=_numbered)]


def epochs_in(folder: str) -> list[str]:
    """Return all checkpoints in a folder, or in that of its run, in the order of their numbers.

    Raises:
        ConfigurationError: there is none.
    """
    found = [path for at in (folder, Path(folder) / "checkpoints") for path in Path(at).glob("*.ckpt")]
    if not found:
        expected = "a list, or a folder with *.ckpt of one training"
        raise ConfigurationError(f"ckpts expects {expected}, but {_not_found(folder)}")
    return [str(path) for path in sorted(found, key=lambda path: _numbered(path.stem))]


def _not_found(folder: str) -> str:
    """Why a folder gives no checkpoints."""
    if Path(folder).is_file():
        return f"{folder} is a file; a list of one is ckpts=[{folder}]."
    return f"{folder} has none." if Path(folder).is_dir() else f"{folder} does not exist."


def _numbered(name: str) -> list[tuple[bool, int, str]]:
    """The parts of a name, by which its numbers are in order."""
    return [(not digits, int(digits or 0), text) for digits, text in NUMBER.findall(name)]


def _with_run(cfg: DictConfig) -> DictConfig:
    trains, ckpt = _takes(cfg, "tuning") or bool(cfg.analysis.get("permuted_epochs")), cfg.ckpt
    cfg = with_run(cfg, (*SHARED, *(TRAINING if trains else ())))
    cfg.ckpt = ckpt  # of several it is not in the command's own line
    needed = ("data", *(("model",) if _takes(cfg, "subject") else ()), *(("optimizer", "trainer") if trains else ()))
    absent = [key for key in needed if "_target_" not in cfg[key]]
    if absent:
        besides = "" if absent[0] in SHARED else f", and {absent[0]}=…"
        of_run = "ckpt=… of a run" + (", ckpts=[a,b,…] of several" if any(_takes(cfg, name) for name in FEWEST) else "")
        raise ConfigurationError(f"{absent[0]} is missing; give {of_run}, or model=… and data=…{besides}.")
    return cfg


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
