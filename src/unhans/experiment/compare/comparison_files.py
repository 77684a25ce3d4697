"""Everything that a comparison of models leaves in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import ORIENTATIONS
from unhans.attribution import with_difference
from unhans.comparison import ModelComparison, ModelEffect, disagreements, sum_onto
from unhans.experiment.compare.difference_groups import (
    DifferenceGroup,
    groups_table,
    scaled_maps,
    told_groups,
)
from unhans.experiment.compare.model_spectra import clusters_of, spectra_of
from unhans.faithfulness import complexity, estimate_mean
from unhans.report.figures import Look, Method, panel_figure
from unhans.report.figures.models import (
    class_disagreement_figure,
    cluster_figure,
    eigenvalue_figure,
    matrix_figure,
    spectra_figure,
)
from unhans.report.html import write_comparison_report
from unhans.report.tables.models import comparison_tables, complexity_rows, eigenvalue_rows
from unhans.report.text import shorten
from unhans.spray import SpRAy
from unhans.stats import Estimate, Rate
from unhans.store import file_stem, write_csv, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGES = 20  # classes that are drawn, those about which the models disagree most
CLUSTERED = 3  # classes whose clusters are drawn, likewise
READ_AT_ONCE = 64  # images
MOST_DIFFERENCES = 3  # from the first model, below the maps of all
MEAN_OF = 100  # images of a class, for its mean image

Images = Callable[[NDArray[np.int64]], NDArray[np.float32]]  # indices in the data set → images (n, 3, H, W) in [0, 1]


@dataclass(frozen=True)
class ComparisonFiles:
    """The pictures (paths) that were written, the overview first."""

    pictures: Sequence[Path]


def write_comparison(
    found: ModelComparison,
    subtitle: str,
    out: Path,
    spray: SpRAy,
    images: Images,
    groups: Sequence[DifferenceGroup],
    examples: int,
    isolated: Sequence[Path] = (),
    formats: NDArray[np.str_] | None = None,
) -> ComparisonFiles:
    """Write tables, figures, the clusters of difference maps and the report; return the pictures.

    Args:
        found: the comparison.
        subtitle: data and attribution.
        out: the folder.
        spray: how heatmaps are clustered.
        images: from indices in the data set to the images that are shown.
        groups: of difference maps.
        examples: images of each class that are drawn.
        isolated: pictures of artifacts that were isolated from these groups.
        formats: of the compared images (n,), "landscape", "portrait" or "square" before they were made square; None
            where that is not known. Mean maps are drawn for each of the first two as well.
    """
    tables = comparison_tables(found) | {"complexity": complexity_rows(_complexities(found))}
    if groups:
        tables["difference_clusters"] = groups_table(groups)
    overview = [out / "matrices.png", out / "classes.png"]
    write_figure(overview[0], matrix_figure(found, subtitle), dpi=150)
    write_figure(overview[1], class_disagreement_figure(found, subtitle=subtitle), dpi=150)
    pixels, striking = _pixels(found, images), _striking_classes(found)
    spectra = spectra_of(found, striking, pixels, spray)
    if spectra:
        tables["eigenvalues"] = eigenvalue_rows(spectra)
        drawn = {
            "spectra": spectra_figure(spectra, "Spectra of the images and of each model", subtitle),
            "eigenvalues": eigenvalue_figure(spectra, "λ₁ to λ₅ of the images and of each model", subtitle),
        }
        for name, figure in drawn.items():
            overview.append(out / f"{name}.png")
            write_figure(overview[-1], figure, dpi=150)
    for name, rows in tables.items():
        write_csv(out / f"{name}.csv", *rows)
    clustered = _write_clusters(found, [label for label in striking if found.names[label] in spectra][:CLUSTERED],
                                pixels, spray, images, subtitle, out)  # fmt: skip
    pages = [*_write_before_after(found, subtitle, out), *clustered]
    pages += _write_pages(found, subtitle, out, images, examples, formats)
    downloads = {f"{name}.csv": out / f"{name}.csv" for name in tables}
    told = told_groups(found, groups)
    write_comparison_report(out / "report.html", found, subtitle, [*overview, *isolated], pages, told, downloads)
    return ComparisonFiles([*overview, *isolated, *pages])


def _write_clusters(
    found: ModelComparison, labels: Sequence[int], pixels: NDArray[np.floating], spray: SpRAy, images: Images,
    subtitle: str, out: Path,
) -> list[Path]:  # fmt: skip
    """Draw the clusters of the images of classes, and of every model's heatmaps of them."""
    written = []
    for label in labels:
        name, shown = found.names[label], images(found.index[found.rows_of(label)])
        title = f"Class {name}: clusters of the images and of each model"
        written.append(out / "clusters" / f"{file_stem(label, name)}.png")
        write_figure(written[-1], cluster_figure(clusters_of(found, label, pixels, spray), shown, title, subtitle))
    return written


def _complexities(found: ModelComparison) -> dict[tuple[str, str], tuple[Rate, dict[str, Estimate]]]:
    """By model and class its accuracy, and the mean of every measure of complexity, on the maps' common grid."""
    told = {}
    for name, view in found.views.items():
        measured = {key: np.asarray(each, np.float64) for key, each in vars(complexity(view.heatmaps)).items()}
        right = view.predicted == found.labels
        for label in np.unique(found.labels).tolist():
            own = found.labels == label
            means = {key: estimate_mean(each[own]) for key, each in measured.items()}
            told[name, found.names[label]] = Rate(int(right[own].sum()), int(own.sum())), means
    return told


def _write_before_after(found: ModelComparison, subtitle: str, out: Path) -> list[Path]:
    """Draw for each artifact the same images with and without it, and every model's heatmaps for its class."""
    of_artifacts: dict[tuple[str, int], list[ModelEffect]] = {}
    for one in found.effects:
        if one.examples:
            of_artifacts.setdefault((one.artifact, one.label), []).append(one)
    written = []
    for number, ((artifact, label), effects) in enumerate(of_artifacts.items()):
        name = found.names[label]
        models = [Method(one.model, np.concatenate([each.heatmaps for each in one.examples])) for one in effects]
        odds = [np.concatenate([each.probabilities for each in one.examples]) for one in effects]
        notes = ["\n".join(f"{shorten(one.model, 12)}: p = {p[i]:.2f}" for one, p in zip(effects, odds, strict=True))
                 for i in range(len(odds[0]))]  # fmt: skip
        images = np.concatenate([each.images.numpy() for each in effects[0].examples])
        title = f"{artifact}: the same images without and with it, in every model"
        said = f"relevance for and probability of {name}; images on which the models’ Δp differ most; {subtitle}"
        written.append(out / "before_after" / f"{file_stem(number, artifact)}.jpg")
        figure = panel_figure(models, ["without", "with it"] * (len(images) // 2), notes, title, subtitle=said,
                              look=Look(joint=True), images=images, heading="Image")  # fmt: skip
        write_figure(written[-1], figure, dpi=150)
    return written


def _striking_classes(found: ModelComparison) -> list[int]:
    """All classes, those first about which some two models disagree most."""
    largest: dict[int, float] = {}
    for one in found.pairs:
        if one.measure == "cosine" and one.label is not None:
            largest[one.label] = max(one.found.median, largest.get(one.label, 0.0))
    return sorted(largest, key=lambda label: -largest[label])


def _pixels(found: ModelComparison, images: Images) -> NDArray[np.float32]:
    """Grey images on the grid of the heatmaps."""
    grid = next(iter(found.views.values())).heatmaps.shape[1:]
    rows = range(0, len(found.index), READ_AT_ONCE)
    parts = [images(found.index[start : start + READ_AT_ONCE]).mean(1) for start in rows]
    return np.concatenate([sum_onto(part, grid) for part in parts])


def _write_pages(
    found: ModelComparison, subtitle: str, out: Path, images: Images, examples: int, formats: NDArray[np.str_] | None
) -> Iterator[Path]:
    """Draw for each class the images about which the models disagree most, and the mean maps."""
    order = _striking_classes(found)[:PAGES]
    spread = np.nanmax([disagreements(found.views, *pair)["cosine"] for pair in found.predictions], axis=0)
    for label in order:
        rows = found.rows_of(label)
        chosen = rows[np.argsort(-np.nan_to_num(spread[rows], nan=-1), kind="stable")][:examples]
        path = out / "heatmaps" / f"{file_stem(label, found.names[label])}.jpg"
        title = f"Class {found.names[label]}: the images about which the models disagree most"
        write_figure(path, _page(found, chosen, images(found.index[chosen]), title, subtitle), dpi=150)
        yield path
    every = np.ones(len(found.index), bool)
    shown = {"mean_maps": every} | {
        f"mean_maps_{each}": formats == each for each in ORIENTATIONS if formats is not None and (formats == each).any()
    }
    for name, chosen in shown.items():
        path = out / f"{name}.jpg"
        which = f"{name.removeprefix('mean_maps_')} images; {subtitle}" if len(chosen) > chosen.sum() else subtitle
        write_figure(path, _means(found, order, chosen, images, which), dpi=150)
        yield path


def _page(
    found: ModelComparison, rows: NDArray[np.int64], images: NDArray[np.float32], title: str, subtitle: str
) -> Figure:
    """Rows of heatmaps, one per model; below each image what every model predicts."""
    models = [Method(name, view.heatmaps[rows]) for name, view in found.views.items()]
    models += _differences(models)
    notes = [
        "\n".join(
            f"{shorten(name, 12)}: {shorten(found.names[view.predicted[row]], 9)}" for name, view in found.views.items()
        )
        for row in rows
    ]
    captions = [Path(found.paths[row]).stem for row in rows]
    return panel_figure(models, captions, notes, title, subtitle=subtitle, images=images, heading="Image")


def _differences(models: Sequence[Method]) -> list[Method]:
    """The signed differences between the maps of the first model and the others, each map divided by Σ|R|."""
    first, *others = [Method(model.name, scaled_maps(model.maps)) for model in models]
    maps = ((other.name, with_difference(first.maps, other.maps)[2]) for other in others[:MOST_DIFFERENCES])
    return [
        Method(f"{first.name} − {name}, each map divided by the sum of its absolute values; own scale", change)
        for name, change in maps
    ]


def _means(
    found: ModelComparison, labels: Sequence[int], chosen: NDArray[np.bool_], images: Images, subtitle: str
) -> Figure:
    """The mean of each class's chosen images (n,), and below it the mean heatmap of every model."""
    of_classes = {label: own[chosen[own]] for label in labels for own in [found.rows_of(label)]}
    labels, rows = zip(*((label, own) for label, own in of_classes.items() if len(own)), strict=True)
    means = [images(found.index[own[:MEAN_OF]]).mean(0) for own in rows]
    models = [
        Method(name, np.stack([scaled_maps(view.heatmaps[own]).mean(0) for own in rows]))
        for name, view in found.views.items()
    ]
    names = [found.names[label] for label in labels]
    title = "Where each model looks on average"
    return panel_figure(models, names, [f"n = {len(own)}" for own in rows], title, subtitle=subtitle, images=means)
