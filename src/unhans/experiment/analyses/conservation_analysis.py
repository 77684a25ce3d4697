"""The analysis `conservation`: how much relevance reaches the input, and what absorbed the rest."""

from __future__ import annotations

import numpy as np
import torch

from unhans.attribution import Relevance
from unhans.data import read_samples
from unhans.experiment.run import CONSOLE, ConfigurationError, Subject
from unhans.lrp import Conservation
from unhans.report import progress
from unhans.report.figures import conservation_figure, conservation_table, write_conservation
from unhans.store import write_figure


def conserve(subject: Subject, samples: int = 32) -> dict[str, float]:
    """Add up where the relevance of samples for their labels goes; print, write conservation.csv and .png.

    Args:
        subject: the network and its data; the attribution must be LRP.
        samples: how many samples, drawn from all classes.
    """
    if not isinstance(subject.attribution, Relevance):
        name = type(subject.attribution).__name__
        raise ConfigurationError(f"analysis=conservation needs attribution=lrp, got {name}.")
    if subject.attribution.layer is not None:
        layer = subject.attribution.layer
        raise ConfigurationError(f"analysis=conservation follows relevance to the input; attribution.layer={layer!r}.")
    if samples < 1:
        raise ConfigurationError(f"analysis.samples expects 1 or more, got {samples}.")
    subject.begin()
    report = _report(subject, subject.attribution, samples)
    title = f"{subject.attribution.description} · {len(report.logits)} {subject.split} images"
    CONSOLE.print(conservation_table(report, title))
    write_conservation(subject.out / "conservation.csv", report)
    write_figure(subject.out / "conservation.png", conservation_figure(report, title))
    return {"deviation": report.deviation, "magnitude": report.magnitude}


def _report(subject: Subject, attribution: Relevance, samples: int) -> Conservation:
    """The books of all drawn samples, batch by batch."""
    dataset = subject.dataset
    drawn = np.random.default_rng(subject.seed).permutation(len(dataset))[:samples]
    lrp = attribution.lrp(subject.network)
    parts: list[Conservation] = []
    with progress(len(drawn)) as say:
        for start in range(0, len(drawn), subject.batch_size):
            images, index = read_samples(dataset, drawn[start : start + subject.batch_size])
            if len(images):
                labels = torch.as_tensor(dataset.labels[index], device=subject.device)
                parts.append(lrp.conservation(images.to(subject.device), labels))
            say("conservation", min(subject.batch_size, len(drawn) - start))
    subject.data.report_unreadable()
    if not parts:
        raise ValueError("none of the drawn samples could be read.")
    return sum(parts[1:], parts[0])
