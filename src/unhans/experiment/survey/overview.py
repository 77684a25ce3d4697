"""What is said about all classes together: the ranking, the lists of samples and clusters, the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytorch_lightning.loggers import Logger

from unhans.experiment.cases import TestedCase, earlier_cases
from unhans.experiment.survey.survey import ClassResult, Survey, load_result
from unhans.experiment.survey.worker import STRIP
from unhans.report.figures import ranking_figure, separability_figure
from unhans.report.html import write_report
from unhans.report.loggers import log_once, logger_keys
from unhans.report.tables import (
    SUSPECT_COLUMNS,
    ClassState,
    ranked_clusters,
    ranking_rows,
    separability_rows,
)
from unhans.spray import Suspicion, rank_classes
from unhans.store import write_csv, write_figure
from unhans.store.virelay import write_project

FEW = 50  # samples of a class below which its neighbour graph says little
MOST_PAGES = 20  # class pages of suspicious classes that go to a logger


def ranking_of(findings: Sequence[ClassResult]) -> list[Suspicion]:
    """Return the classes that could be ranked, the most suspicious first."""
    return rank_classes(finding.suspicion for finding in findings if finding.suspicion is not None)


def write_overview(
    survey: Survey,
    findings: Sequence[ClassResult],
    cases: Mapping[int, Sequence[TestedCase]] | None = None,
    states: Sequence[ClassState] = (),
) -> list[Suspicion]:
    """Write everything that is about all finished classes; return the ranking.

    Args:
        findings: of all finished classes.
        cases: artifacts of classes by label, of each the one first that the report names. Those of other classes that
            an earlier run left in the folder are kept, if they are about the same heatmaps and clusters.
        states: what became of every class.
    """
    ranking, by_label = ranking_of(findings), {finding.label: finding for finding in findings}
    ordered = [by_label[entry.label] for entry in ranking]
    others = [entry for entry in ranking if entry.label not in (cases or {})]
    told, out = {**earlier_proofs(survey, others)[0], **(cases or {})}, survey.out
    proven = {label for label, tested in told.items() if any(one.case.proven for one in tested)}
    listed = {entry.label for entry in ranking if entry.suspicious or entry.label in proven}
    clusters = ranked_clusters((row for finding in ordered for row in finding.clusters), ranking)
    write_csv(out / "ranking.csv", *ranking_rows(ranking))
    write_figure(out / "ranking.png", ranking_figure(ranking, survey.subtitle))
    write_csv(out / "separability.csv", *separability_rows(ranking))
    write_figure(out / "separability.png", separability_figure(ranking, survey.subtitle))
    suspects = [row for one in ordered if one.label in listed for row in one.suspects]
    write_csv(out / "suspects.csv", SUSPECT_COLUMNS, suspects)
    write_csv(out / "clusters.csv", *clusters)
    write_project(
        out,
        name=out.resolve().name,
        model=type(survey.network).__name__,
        classes=survey.names,
        done=[entry.label for entry in ranking],
        method=survey.attribution.description,
        strategy="true_label" if survey.target == "label" else "predicted_label",
    )
    write_report(
        out / "report.html",
        parts=[survey.files(entry.label).report for entry in ranking],
        ranking=ranking,
        title=f"Is {type(survey.network).__name__} right for the right reasons?",
        subtitle=survey.subtitle,
        downloads={name: out / name for name in ("ranking.csv", "suspects.csv", "clusters.csv", "separability.csv")},
        cases=((label, (one.section for one in tested)) for label, tested in told.items()),
        states=states,
        picture=out / "separability.png",
    )
    return ranking


def earlier_proofs(survey: Survey, ranking: Sequence[Suspicion]) -> tuple[dict[int, list[TestedCase]], int]:
    """Return the artifacts that earlier runs left, by label, and how many are about other heatmaps or clusters."""
    kept, left = {}, 0
    for entry in ranking if (survey.out / "artifacts").is_dir() else ():
        saved = load_result(survey.files(entry.label))
        cases, stale = earlier_cases(survey.out, entry.label, entry.name, {} if saved is None else saved.key)
        left += stale
        if cases:
            kept[entry.label] = cases
    return kept, left


def remarks(survey: Survey, ranking: Sequence[Suspicion], tested_next: bool = False) -> Iterator[str]:
    """Say what a reader of the ranking should know besides: classes that are too small, and those that it lacks.

    Args:
        ranking: of its classes.
        tested_next: artifacts are tested after this, so that earlier ones need no remark.
    """
    small = sum(entry.n < FEW for entry in ranking)
    if small:
        yield (
            f"{small} of {len(ranking)} classes have fewer than {FEW} samples: a neighbour graph of so few says "
            "little, whether it finds a class suspicious or not."
        )
    stale = earlier_proofs(survey, ranking)[1]
    if stale and not tested_next:
        yield (
            f"{stale} of the artifacts in {survey.out / 'artifacts'} did not come from these heatmaps and clusters; "
            "the report leaves them out until they are tested again (analysis=effect)."
        )
    ours = {survey.files(entry.label).folder for entry in ranking}
    others = [path.parent for path in survey.out.glob("classes/*/finding.json") if path.parent not in ours]
    if others:
        yield f"{len(others)} more classes lie in {survey.out}, which the ranking and the report leave out."


def log_overview(logger: Logger, survey: Survey, findings: Sequence[ClassResult], ranking: Sequence[Suspicion]) -> None:
    """Send the ranking, the striking cluster of every class with thumbnails, and pages of suspicious classes."""
    strips = {finding.label: survey.files(finding.label).folder / STRIP for finding in findings if finding.suspicion}
    keys = logger_keys({entry.label: entry.name for entry in ranking})
    scalars = {f"audit/{keys[one.label]}/{name}": value for one in ranking for name, value in one.numbers().items()}
    shown = (entry.label for entry in ranking[:MOST_PAGES] if entry.suspicious)
    pages = {f"audit/{keys[label]}/page": survey.files(label).page for label in shown}
    columns, rows = ranking_rows(ranking)
    table = (
        (*columns, "striking cluster"),
        [(*row, strips[entry.label]) for row, entry in zip(rows, ranking, strict=True)],
    )
    clusters = ranked_clusters((row for one in findings for row in one.clusters), ranking)
    log_once(
        [logger],
        scalars | {"audit/suspicious": float(sum(entry.suspicious for entry in ranking))},
        {name: survey.out / f"{name.split('/')[1]}.png" for name in ("audit/ranking", "audit/separability")} | pages,
        {"audit/ranking_table": table, "audit/clusters": clusters},
    )
