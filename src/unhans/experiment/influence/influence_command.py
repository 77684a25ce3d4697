"""The analysis `influence`: which training images taught the network what it does with validation images."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.experiment.influence.influence_results import InfluenceResults
from unhans.experiment.influence.influence_samples import influence_samples
from unhans.experiment.influence.influence_scores import InfluenceRun
from unhans.experiment.run import Subject
from unhans.influence import GradientClusters, GradientCosine, SampleGradients, Scalar, last_stages
from unhans.report import progress
from unhans.spray import SpRAy
from unhans.store import sweep
from unhans.terminal import CONSOLE, ConfigurationError

COUNTS = (50, 100, 150)  # k, unless others are given
TENTH = 10  # of the training images, where they are fewer than the smallest k


def measure_influence(
    subject: Subject,
    spray: SpRAy,
    classes: Sequence[str] | None = None,
    queries: PositiveInt = 10,
    layers: Sequence[str] | None = None,
    of: Scalar = "loss",
    normalise: bool = True,
    memory: PositiveFloat = 2e9,
    k: Sequence[PositiveInt] | None = None,
    suspects: str | None = None,
    effects: str | None = None,
    most: PositiveInt | None = None,
    examples: NonNegativeInt = 4,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Rank the training images by their influence on validation images, the cosine of gradients (Charpiat et al. 2019).

    Training images are read without augmentation, with their planted artifact. Where carriers of an artifact are known,
    because the data plant it or by `suspects` or `effects`, the rankings are held against them; training images that
    carry it are queries as well, and those that taught it are listed. The gradients of such a class are clustered.
    A class whose scores are in the folder is not computed again.

    Args:
        subject: the network and its data; `samples_per_class` bounds the training images that are ranked, and `split`
            tells whose gradients are clustered.
        spray: how gradients are clustered; metric, pooling and projection are not used.
        classes: names of the classes that queries are drawn from; None is all.
        queries: validation images of a class, at most, each of those with and without the artifact; as many of its
            training images that carry it.
        layers: modules whose gradients count; None takes the last ones, see `unhans.influence.last_stages`.
        of: the scalar: cross-entropy "loss" of the label, logit of the "label" or of the "predicted" class.
        normalise: divide by the lengths of the gradients.
        memory: bytes that gradients of queries may take; where they need more, training images are read again.
        k: how many of the first training images are looked at; None takes those of 50, 100 and 150 that fit.
        suspects: a table such as suspects.csv, whose samples count as carriers.
        effects: the folder of analysis=effect; images in which its isolated artifact is found count as carriers.
        most: images of a class in cleaning_list.csv; None is as many as are known to carry its artifact.
        examples: queries in the gallery of a class; 0 draws none.
        logger: gets the numbers, the tables and the pictures.
    """
    cosine = GradientCosine(tuple(layers or last_stages(subject.network, memory)), of, normalise, memory)
    SampleGradients(subject.network, cosine.layers, of)  # raises for layers that are not there
    samples = influence_samples(subject, classes, queries, suspects, effects)
    counts = _counts(k, len(samples.training))
    run = InfluenceRun(samples, cosine, spray)
    with subject.closing(logger):
        subject.begin()
        sweep(subject.out)
        missing = run.missing
        CONSOLE.print(escape(_costs(run, missing)))
        with progress(run.count_passes(missing) * len(samples.training)) as say:
            scores = run.scores(missing, say)
        read = len(scores[0].training)
        counts = [each for each in counts if each < read] or _counts(None, read)  # some may be unreadable
        results = InfluenceResults(samples, cosine, scores, _clusters(run), counts)
        return results.conclude(examples, most, logger)


def _counts(wanted: Sequence[int] | None, training: int) -> list[int]:
    """Return every k, ascending; a query may be one of the training images, and is not held to itself."""
    if wanted is None:
        return [k for k in COUNTS if k < training] or [max(1, training // TENTH)]
    if not wanted or max(wanted) >= training:
        raise ConfigurationError(
            f"analysis.k expects numbers below that of the training images, {training}, got {list(wanted)}."
        )
    return sorted(set(wanted))


def _costs(run: InfluenceRun, missing: Sequence[int]) -> str:
    """Say what is computed, and what that takes."""
    samples, network = run.samples, run.samples.subject.network
    every = sum(p.numel() for p in network.parameters())
    asked = sum(len(samples.queries[label]) for label in missing)
    size = 4e-6 * run.parameters
    done = len(samples.queries) - len(missing)
    passes, more = run.count_passes(missing), run.count_cluster_reads()
    clusters = f" To cluster gradients by each layer, {more} images are read." if more else ""
    there = f" {done} of {len(samples.queries)} classes are there already." if done else ""
    return (
        f"Gradients by {', '.join(run.cosine.layers)}: {run.parameters:,} of {every:,} parameters, {size:.3g} MB "
        f"an image, {size * samples.subject.batch_size:.3g} MB a batch. {asked} queries, "
        f"{len(samples.training)} training images, read {passes} time{'s' * (passes != 1)}; "
        f"the scores take {4e-6 * asked * len(samples.training):.2g} MB.{there}{clusters}"
    )


def _clusters(run: InfluenceRun) -> dict[int, list[GradientClusters]]:
    """Cluster the gradients of every class whose carriers are known."""
    labels = [label for label in run.samples.queries if run.samples.is_known(label)]
    found = {}
    with progress(len(labels)) as say:
        for label in labels:
            name = run.samples.subject.data.classes[label]
            say(f"clustering gradients of class {name}", 0)
            try:
                found[label] = run.clusters(label)
            except ValueError as error:  # too few images, or all with the artifact
                CONSOLE.print(escape(f"The gradients of class {name!r} are not clustered: {error}"))
            say(f"clustering gradients of class {name}", 1)
    return found
