"""Do heatmaps become better with training, and does a planted mark draw relevance as it gains effect?

    uv run python tests/benchmarks/heatmap_training.py digits
    uv run python tests/benchmarks/heatmap_training.py cifar --data FOLDER
    uv run python tests/benchmarks/heatmap_training.py decoy

`digits` and `cifar` train the small network with `HeatmapQuality`; FOLDER holds cifar10/test.zip, four fifths of which
are trained on. `decoy` trains it on digits with the watermark of the demonstration at several coverages.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytorch_lightning as pl
import torch
from faithfulness_cifar import images
from hydra import compose, initialize_config_module
from torch.utils.data import DataLoader, TensorDataset
from unhans.callbacks import ArtifactMonitor, HeatmapQuality, RegionRelevance

from unhans.experiment.run import Classifier, build, build_classifier, build_data
from unhans.faithfulness.training import followed
from unhans.models import SmallCNN
from unhans.report.text.quality import correlation_said
from unhans.stats import rank_correlation

COVERAGES = (0.0, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
NOTHING = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")


def fit(module: pl.LightningModule, callbacks: list[pl.Callback], epochs: int, *data: object) -> None:
    """Train on one core or more, and write nothing that stays."""
    with TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            max_epochs=epochs, accelerator="cpu", callbacks=callbacks, default_root_dir=folder, num_sanity_val_steps=0,
            limit_val_batches=0, **dict.fromkeys(NOTHING, False),
        )  # fmt: skip
        trainer.fit(module, *data)


def qualities(images: int, dataset: object) -> list[HeatmapQuality]:
    """Return callbacks for the logit, the probability, and the logit with larger regions and other replacements."""
    options = {"samples": images, "dataset": dataset, "accuracy_samples": 500, "on_error": "raise", "repeats": 1}
    return [
        HeatmapQuality(**options, name="logit"),
        HeatmapQuality(**options, of="probability", name="probability"),
        HeatmapQuality(**options, region=4, steps=12, per_step=1, name="logit, 4×4"),
        HeatmapQuality(**options, replace="blur", name="logit, blurred"),
        HeatmapQuality(**options, replace="mean", name="logit, mean colour"),
    ]


def tell(title: str, callbacks: list[HeatmapQuality]) -> None:
    """Print the course of every measure, and its rank correlations."""
    for each in callbacks:
        p = each.perturbation
        for name in ("minus_random", "better_than_random"):
            course = " ".join(f"{point.values[name].mean:.2f}" for point in each.points)
            found = followed(each.points, name)
            said = " | ".join(correlation_said(one) for one in found.values())
            last = each.points[-1].values[name]
            ends = f"[{last.interval[0]:.2f}, {last.interval[1]:.2f}]"
            print(
                f"| {title} | {each.name} {p.region} px × {p.steps * p.per_step}, {name} | {course} {ends} | {said} |"
            )
    accuracy = " ".join(f"{point.values['accuracy'].mean:.2f}" for point in callbacks[0].points)
    print(f"| {title} | accuracy | {accuracy} | | |", flush=True)


def configured(*overrides: str) -> object:
    """Return the configuration of `train.py` with these overrides."""
    with initialize_config_module("unhans.conf", version_base="1.3"):
        return compose("train", [*overrides, "out=unused"])


def digits(epochs: int, seeds: int) -> None:
    """Digits without an artifact."""
    for seed in range(seeds):
        pl.seed_everything(seed, verbose=False)
        cfg = configured("artifact=none", f"seed={seed}", f"trainer.max_epochs={epochs}")
        data = build_data(cfg)
        callbacks = qualities(40, data.val_set)
        fit_on(build_classifier(cfg, data), callbacks, epochs, data)
        tell(f"digits, seed {seed}", callbacks)


def fit_on(classifier: Classifier, callbacks: list[pl.Callback], epochs: int, data: pl.LightningDataModule) -> None:
    """Train on a data module; validation is left to the callbacks."""
    fit(classifier, callbacks, epochs, data.train_dataloader())


def cifar(folder: Path, epochs: int, per_class: int) -> None:
    """A fifth of CIFAR-10's test images is validated on, the others are trained on."""
    pl.seed_everything(0, verbose=False)
    pixels, labels = images(folder, per_class)
    held = torch.arange(len(labels)) % 5 == 0
    train, val = (TensorDataset(pixels[part], labels[part]) for part in (~held, held))
    val.targets, train.targets = labels[held].tolist(), labels[~held].tolist()
    cfg = configured("artifact=none")
    module = Classifier(SmallCNN(10, 32), [str(i) for i in range(10)], build(cfg.optimizer), None)
    module.training_step = lambda batch: torch.nn.functional.cross_entropy(module.model(batch[0]), batch[1])
    callbacks = qualities(60, val)
    fit(module, callbacks, epochs, DataLoader(train, 64, shuffle=True))
    tell("CIFAR-10", callbacks)


def decoy(epochs: int, seeds: int) -> None:
    """A watermark on the threes at several coverages: its effect on other digits, and the relevance on it."""
    shares: dict[str, list[float]] = {"effect": [], "positive": [], "net": []}
    for seed in range(seeds):
        for coverage in COVERAGES:
            pl.seed_everything(seed, verbose=False)
            planted = [f"artifact.coverage={coverage}", "artifact.val_coverage=1", f"seed={seed}"]
            cfg = configured(*planted, f"trainer.max_epochs={epochs}")
            data = build_data(cfg)
            shared = {"on_error": "raise", "dataset": data.val_set}
            inside = RegionRelevance(["planted"], classes=["3"], samples_per_class=40, **shared)
            monitor = ArtifactMonitor(samples=100, **shared)
            fit_on(build_classifier(cfg, data), [inside, monitor], epochs, data)
            effects = [effect.probability for effect in next(iter(monitor.added.values()))]
            courses = {
                kind: [point.values[f"share/planted/{kind}"].mean for point in inside.points[1:]]
                for kind in ("positive", "net")
            }
            for name, course in ({"effect": effects} | courses).items():
                shares[name].append(course[-1])
            ends = " ".join(correlation_said(rank_correlation(effects, each)) for each in courses.values())
            row = " ".join(f"{np.mean(each):.3f}" for each in (effects[-1:], *(c[-1:] for c in courses.values())))
            print(f"| seed {seed} | {coverage} | {row} | over {epochs} epochs, positive then net: {ends} |", flush=True)
    for kind in ("positive", "net"):
        print(kind, correlation_said(rank_correlation(shares["effect"], shares[kind])), len(shares[kind]))


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("digits", "cifar", "decoy"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--per-class", type=int, default=400)
    options = parser.parse_args()
    if options.what == "cifar":
        cifar(options.data, options.epochs, options.per_class)
    elif options.what == "digits":
        digits(options.epochs, options.seeds)
    else:
        decoy(options.epochs, options.seeds)


if __name__ == "__main__":
    main()
