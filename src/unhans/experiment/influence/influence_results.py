"""What becomes of the scores: tables, pictures, a page, the list of images to clean, and what loggers get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.attribution import RGB, picture
from unhans.data import UnreadableImageError
from unhans.experiment.influence.influence_gallery import chosen_queries, gradients_figure, influence_gallery
from unhans.experiment.influence.influence_samples import InfluenceSamples
from unhans.experiment.influence.influence_scores import ClassScores
from unhans.influence import GradientClusters, GradientCosine, QueryInfluence, Training, mean_influence, query_influence
from unhans.lrp.tracing import logits_of
from unhans.report.html import write_influence_page
from unhans.report.loggers import log_once, logger_keys
from unhans.report.tables import SPLITS, SUSPECT_COLUMNS, Row, Rows
from unhans.report.tables.models import (
    InfluenceGroup,
    gradient_rows,
    gradient_table,
    influence_groups,
    influence_table,
    query_rows,
    top_rows,
)
from unhans.report.text.models import KNOWN_FROM, carriers_sentence, gradients_sentence, list_sentence, measure_sentence
from unhans.store import file_stem, replacing, write_csv, write_figure
from unhans.terminal import CONSOLE

PAGE, TOP = "influence.html", "top.csv"
MOST_PRINTED = 20  # groups of queries in the terminal's table
MOST_LOGGED = 20  # pictures, of several sizes, so each under a key of its own
CLEANING_COLUMNS = (*SUSPECT_COLUMNS, "influence", "carries")
GREY = 0.8  # of the picture of an image that cannot be read any more


@dataclass(frozen=True)
class InfluenceResults:
    """All that was found.

    Attributes:
        samples: the images.
        cosine: how gradients were compared.
        scores: of every class.
        clusters: by label, of classes whose carriers are known.
        counts: every k.
    """

    samples: InfluenceSamples
    cosine: GradientCosine
    scores: Sequence[ClassScores]
    clusters: Mapping[int, Sequence[GradientClusters]]
    counts: Sequence[int]

    def conclude(self, examples: int, most: int | None, logger: Logger | None) -> dict[str, float]:
        """Print and write everything; return the numbers that a sweep may optimise.

        Args:
            examples: queries in a class's gallery, at most.
            most: images of a class in the list of those to clean; None is as many as are known to carry its artifact.
            logger: gets the numbers, the tables and the pictures.
        """
        subject = self.samples.subject
        training = self.samples.ranked(self.scores[0].training)
        queries = {one.label: self._judged(one, training) for one in self.scores}
        every = [each for found in queries.values() for each in found]
        groups = influence_groups(every, self.names)
        known = {self.names[label]: found for label, found in self.clusters.items()}
        listed = {label: rows for label in queries if (rows := self._to_clean(label, training, most))}
        sentences = self._sentences(queries, known, listed)
        self._tell(groups, known, sentences)
        tables = self._tables(every, training, known, [row for rows in listed.values() for row in rows])
        for name, rows in tables.items():
            write_csv(subject.out / name, *rows)
        self._save_scores(training)
        pictures = self._pictures(queries, training, examples)
        downloads = {name: subject.out / name for name in tables if name != TOP}
        title = "Which training images taught the network what it does"
        write_influence_page(subject.out / PAGE, title, sentences, groups, known, pictures, downloads)
        CONSOLE.print(f"The page with all of it is [bold]{escape(str(subject.out / PAGE))}[/]")
        numbers = self._numbers(groups, known)
        if logger:
            logged = {f"influence/{Path(name).stem}": rows for name, rows in tables.items() if name != TOP}
            figures = {f"influence/{name}": path for name, path in list(pictures.items())[:MOST_LOGGED]}
            log_once([logger], {f"influence/{key}": value for key, value in numbers.items()}, figures, logged)
        return numbers

    @cached_property
    def names(self) -> dict[int, str]:
        """A name for every class that no other one has."""
        return logger_keys(self.samples.subject.classes)

    def _judged(self, one: ClassScores, training: Training) -> list[QueryInfluence]:
        images, carriers = self.samples.images, self.samples.carriers
        return [
            query_influence(
                index, one.label, int(predicted), images.split[index] == 0,
                carriers is not None and bool(carriers[index]), row, training, self.counts,
            )
            for index, predicted, row in zip(one.queries.tolist(), one.predicted, one.scores, strict=True)
        ]  # fmt: skip

    def _sentences(
        self,
        queries: Mapping[int, Sequence[QueryInfluence]],
        known: Mapping[str, Sequence[GradientClusters]],
        listed: Mapping[int, Sequence[Row]],
    ) -> list[str]:
        names, cosine = self.names, self.cosine
        carried = [carriers_sentence(names[label], own) for label, own in queries.items() if own[0].precision]
        return [
            measure_sentence(cosine.layers, cosine.of, cosine.normalise),
            KNOWN_FROM[self.samples.source],
            *carried,
            *(gradients_sentence(name, found) for name, found in known.items()),
            *(list_sentence(names[label], len(rows), sum(row[-1] for row in rows)) for label, rows in listed.items()),
        ]

    def _tell(
        self,
        groups: Sequence[InfluenceGroup],
        known: Mapping[str, Sequence[GradientClusters]],
        sentences: Sequence[str],
    ) -> None:
        CONSOLE.print(influence_table(groups[:MOST_PRINTED]))
        if len(groups) > MOST_PRINTED:
            CONSOLE.print(f"and {len(groups) - MOST_PRINTED} more rows; all queries are in influence.csv.")
        for name, found in known.items():
            CONSOLE.print(gradient_table(name, found))
        for sentence in sentences[1:]:
            CONSOLE.print(escape(sentence))

    def _tables(
        self,
        every: Sequence[QueryInfluence],
        training: Training,
        known: Mapping[str, Sequence[GradientClusters]],
        listed: Sequence[Row],
    ) -> dict[str, Rows]:
        images, classes = self.samples.images, self.samples.subject.data.classes
        tables = {
            "influence.csv": query_rows(every, classes, images.paths, images.own_index),
            TOP: top_rows(every, training, classes, images.paths, min(self.counts)),
        }
        tables |= {"gradient_clusters.csv": gradient_rows(known)} if known else {}
        return tables | ({"cleaning_list.csv": Rows(CLEANING_COLUMNS, listed)} if listed else {})

    def _to_clean(self, label: int, training: Training, most: int | None) -> list[Row]:
        """Return the training images of a class that influence its artifact's carriers most, as suspects.csv does."""
        images, carriers = self.samples.images, self.samples.carriers
        (one,) = (scores for scores in self.scores if scores.label == label)
        own = training.carriers_of(label)
        if carriers is None or own is None or not carriers[one.queries].any():
            return []
        chosen = carriers[one.queries]
        mean = mean_influence(one.scores[chosen], one.queries[chosen], training.index)
        members = np.flatnonzero((training.labels == label) & ~np.isnan(mean))
        first = members[np.argsort(-mean[members], kind="stable")][: most or int(own.sum())]
        index = training.index[first]
        return [
            (
                images.paths[i], i, SPLITS[0], images.classes[label], "influence", None,
                images.classes[predicted], rank, float(mean[row]), bool(own[row]),
            )
            for i, row, (predicted, rank) in zip(index.tolist(), first, self._predictions(index), strict=True)
        ]  # fmt: skip

    def _predictions(self, index: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Return the predicted class of images, and the rank of the true label, counted from 1."""
        found = []
        for batch, labels in self.samples.read(index, []):
            with torch.no_grad():
                logits = logits_of(self.samples.subject.network(batch))
            ranks = 1 + (logits > logits.gather(1, labels[:, None])).sum(1)
            found += zip(logits.argmax(1).tolist(), ranks.tolist(), strict=True)
        return found

    def _save_scores(self, training: Training) -> None:
        """Write the scores of all queries as one file, by which several models can be compared."""
        images = self.samples.images
        queries = np.concatenate([one.queries for one in self.scores])
        with replacing(self.samples.subject.out / "scores.npz") as part, part.open("wb") as file:
            np.savez(
                file, scores=np.concatenate([one.scores for one in self.scores]), query_index=images.own_index[queries],
                query_split=images.split[queries], query_label=images.labels[queries], training_index=training.index,
                training_label=training.labels, query_predicted=np.concatenate([one.predicted for one in self.scores]),
            )  # fmt: skip

    def _pictures(
        self, queries: Mapping[int, Sequence[QueryInfluence]], training: Training, examples: int
    ) -> dict[str, Path]:
        """Draw the clusters of gradients and a gallery of each class; return the files by their heading."""
        subject, folder = self.samples.subject, self.samples.subject.out / "influence"
        said = measure_sentence(self.cosine.layers, self.cosine.of, self.cosine.normalise)
        files = {}
        if self.clusters:
            known = {self.names[label]: found for label, found in self.clusters.items()}
            files["Clusters of gradients and carriers"] = folder / "gradient_clusters.png"
            write_figure(files["Clusters of gradients and carriers"], gradients_figure(known, said), dpi=150)
        first = sorted(queries.items(), key=lambda each: not self.samples.is_known(each[0]))
        for label, found in first if examples else ():
            path = folder / f"{file_stem(label, subject.classes[label])}.jpg"
            framed = "" if self.samples.carriers is None else " Framed in red: known to carry an artifact."
            shown = chosen_queries(found, examples)
            figure = influence_gallery(shown, training, self._picture, subject.data.classes, said + framed)
            write_figure(path, figure, dpi=150)
            files[f"Class {self.names[label]}"] = path
        return files

    def _picture(self, index: int) -> RGB:
        images = self.samples.images
        try:
            return picture(images.parts[images.split[index]].plain(int(images.own_index[index])))
        except UnreadableImageError:
            return np.full((8, 8, 3), int(255 * GREY), np.uint8)

    def _numbers(
        self, groups: Sequence[InfluenceGroup], known: Mapping[str, Sequence[GradientClusters]]
    ) -> dict[str, float]:
        k = min(self.counts)
        numbers = {f"same_class/{group.name}/{group.kind}": group.agreement[k] for group in groups}
        numbers |= {f"precision/{group.name}/{group.kind}": group.precision[k] for group in groups if group.precision}
        return numbers | {f"adjusted_rand/{name}": found[-1].adjusted_rand for name, found in known.items()}
