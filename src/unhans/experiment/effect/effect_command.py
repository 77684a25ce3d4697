"""The analysis `effect`: from the groups of a survey to artifacts whose effect is measured and told, class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.artifacts import Patch, Placement
from unhans.effects import FIRST, Effect, Plan, decide
from unhans.experiment.cases import TestedCase, save_verdict
from unhans.experiment.effect.effect_options import (
    check_options,
    read_artifact,
    read_hand_placed,
    read_mask,
    read_members,
)
from unhans.experiment.effect.effect_test import EffectTest, read_groups
from unhans.experiment.run import Subject
from unhans.experiment.survey import (
    ClassResult,
    Parallel,
    Survey,
    analysis_key,
    audit_survey,
    maps_key,
    remarks,
    survey_of,
    weights_of,
    write_overview,
)
from unhans.isolation import SearchKind
from unhans.report import progress
from unhans.report.files import FIGURES, case_record
from unhans.report.loggers import log_once, logger_keys
from unhans.report.tables import (
    ClassState,
    Rows,
    carrier_rows,
    case_rows,
    class_states,
    effect_rows,
    effect_tables,
    ranking_table,
    state_rows,
    states_table,
)
from unhans.report.text import truth_sentence
from unhans.spray import SpRAy, Suspicion
from unhans.store import export_json, write_csv
from unhans.terminal import CONSOLE

MOST_SHOWN = 10  # cases whose trials and grounds go to the terminal; of more only the proven ones


def measure_effects(
    subject: Subject,
    spray: SpRAy,
    classes: Sequence[str] | None = None,
    artifact: str | None = None,
    places: str | None = None,
    placement: Placement = "top_left",
    size: float | None = None,
    mask: str | None = None,
    members: str | None = None,
    kind: SearchKind = "auto",
    samples: PositiveInt = 500,
    fills: Sequence[str] = ("telea",),
    candidates: PositiveInt = 3,
    tests: PositiveInt = 2,
    elsewhere: NonNegativeInt = 500,
    most: PositiveInt | None = None,
    control: bool = True,
    parallel: Parallel | None = None,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Isolate what the groups of every class share, put it on other images, remove it, and give verdicts.

    The survey comes first, in the same folder; where it is finished, as in the folder of analysis=spray, nothing of it
    is done again. Nor is a class that was tested before. One false-discovery rate holds over all tests of a run
    (`unhans.effects.decide`), so verdicts are final when every class is tested.

    Args:
        subject: the network and its data.
        spray: how heatmaps are clustered.
        classes: names of the classes to look at; None is all.
        artifact: an RGBA picture to test on the one class that is named, in place of a survey and an isolated layer.
        places: a table of the images that it goes on, where, how large and how turned, in place of `placement` and
            `samples`; see `read_places`.
        placement, size: where that picture goes, and its share of the image; None keeps its own pixels.
        mask: a picture, white where the artifact of the one class that is named lies.
        members: a table such as suspects.csv: its samples of the one class that is named take the place of its groups.
        kind: what to look for: auto, fixed (always at one place), free (at changing places) or global.
        samples: of other classes to put it on, at most: validation samples, then training samples.
        fills: how the artifact is removed from samples that carry it.
        candidates: groups of a class from which something is isolated, at most.
        tests: artifacts of a class that are tested, at most.
        elsewhere: images of other classes in which each tested artifact is looked for, at most, evenly over the classes
            and from both splits; 0: in none.
        most: how many classes to test, those that stand out most first; None is all.
        control: run SpRAy on the raw images as well.
        parallel: where classes are clustered.
        logger: gets the tables and figures.
    """
    check_options(
        subject, classes, kind, fills, {"artifact": artifact, "places": places, "mask": mask, "members": members}
    )
    side, seed = subject.data.image_size, subject.seed
    given, told = _given(subject, classes, artifact, places, placement, size)
    region = None if mask is None else read_mask(mask, side)
    listed = frozenset() if members is None else read_members(subject, members, classes)
    plan = Plan(candidates, tests, samples, tuple(fills), kind, region, seed)
    test = EffectTest(subject, plan, given, listed, elsewhere)
    with subject.closing(logger):
        if given is not None:
            for sentence in told:
                CONSOLE.print(escape(sentence))
            done, states = _of_given(test, classes)
        else:
            subject.hold()
            survey = survey_of(subject, spray, classes, control=control)
            done, states = _of_survey(test, most, survey, parallel or Parallel(), logger)
        conclude(subject.out, done, states, test.most_samples, logger, subject.rows)
    return numbers_of(done)


def _given(
    subject: Subject,
    classes: Sequence[str] | None,
    artifact: str | None,
    places: str | None,
    placement: Placement,
    size: float | None,
) -> tuple[Patch | None, list[str]]:
    """The picture to test, if one is given, and what has to be said of its places."""
    if artifact is None:
        return None, []
    target = str((classes or ("",))[0])
    if places is not None:
        return read_hand_placed(artifact, places, subject, target, placement, size)
    return read_artifact(artifact, target, placement, size, subject.data.image_size, subject.seed), []


def _of_given(test: EffectTest, classes: Sequence[str]) -> tuple[list[TestedCase], list[ClassState]]:
    """Test the user's picture on the class that is named."""
    subject = test.subject
    (label,) = subject.subsets(classes)
    key = test.key(label, {"model": weights_of(subject.network)})
    subject.begin()
    with progress(1) as say:
        done = settle_verdicts([replace(test, say=say).test_given(label, key)], {})
    return done, states_of([], done, [])


def _of_survey(
    test: EffectTest, most: int | None, survey: Survey, parallel: Parallel, logger: Logger | None
) -> tuple[list[TestedCase], list[ClassState]]:
    """Survey the classes, then test what their groups share, the classes that stand out most first."""
    results: list[ClassResult] = []
    ranking = audit_survey(survey, parallel, logger, results)
    CONSOLE.print(ranking_table(ranking))
    for remark in remarks(survey, ranking, tested_next=True):
        CONSOLE.print(escape(remark))
    done = settle_verdicts(_tested(test, most, survey, ranking), {entry.label: entry for entry in ranking})
    states = states_of(ranking, done, results)
    write_overview(survey, results, by_class(done), states)
    return done, states


def _tested(test: EffectTest, most: int | None, survey: Survey, ranking: Sequence[Suspicion]) -> list[TestedCase]:
    """Return the cases of all classes that are to be tested, and of those that were, in the order of the ranking.

    What was tested before counts as a test of this run, also where `most` would leave it out now.
    """
    weights = weights_of(survey.network)
    chosen = {entry.label for entry in ranking[:most]}
    done: list[TestedCase] = []
    with progress(len(chosen)) as say:
        test = replace(test, say=say)
        for entry in ranking:
            key = test.key(entry.label, analysis_key(survey, maps_key(survey, entry.label, weights)))
            cases = test.finished(entry.label, key)
            if not cases and entry.label in chosen:
                groups = 1 if test.listed else test.plan.candidates
                found = read_groups(survey, entry, groups, test.subject, test.listed)
                cases = test.test_groups(*found, key)
            done += cases
            say(f"testing class {entry.name}", int(entry.label in chosen))
    return done


def settle_verdicts(done: Sequence[TestedCase], suspicions: Mapping[int, Suspicion]) -> list[TestedCase]:
    """Return all cases with the verdicts that hold among all of them, which their files say from now on.

    Args:
        done: the cases.
        suspicions: by label, of the classes scored against each other.
    """
    cases = [replace(one.case, suspicion=suspicions.get(one.case.label, one.case.suspicion)) for one in done]
    return [save_verdict(one, case) for one, case in zip(done, decide(cases), strict=True)]


def states_of(
    ranking: Sequence[Suspicion], done: Sequence[TestedCase], findings: Sequence[ClassResult]
) -> list[ClassState]:
    """Return what became of every class; without a ranking, of those that were tested."""
    cases = [one.case for one in done]
    return class_states(
        list(dict.fromkeys((entry.label, entry.name) for entry in (ranking or cases))),
        cases,
        {one.label: one.seconds for one in findings},
        {one.case.label: one.seconds for one in done},
        {one.label: (one.name, one.refused) for one in findings if one.refused},
    )


def conclude(
    out: Path,
    done: Sequence[TestedCase],
    states: Sequence[ClassState],
    samples: int,
    logger: Logger | None = None,
    splits: Mapping[str, NDArray[np.int64]] | None = None,
) -> None:
    """Print the tables and write effects.csv, carriers.csv, effects.json and classes.csv; log them with the figures.

    Args:
        out: the run's folder.
        done: all tested artifacts, with the verdicts that hold among all.
        states: what became of every class.
        samples: of other classes, as many as were asked for.
        logger: gets the numbers, the tables and the figures.
        splits: by name the indices of every split.
    """
    cases = [one.case for one in done]
    trials = effect_rows(cases, splits)
    shown = [one for one in done if len(done) <= MOST_SHOWN or one.case.proven]
    said = [truth_sentence(one.truth) if one.truth else "" for one in shown]
    for table in effect_tables([one.case for one in shown], said):
        CONSOLE.print(table)
    CONSOLE.print(states_table(states))
    if sentence := _fewer(done, samples):
        CONSOLE.print(escape(sentence))
    write_csv(out / "classes.csv", *state_rows(states))
    write_csv(out / "effects.csv", *trials)
    write_csv(out / "carriers.csv", *carrier_rows(cases))
    export_json(out / "effects.json", [_record(one) for one in done])
    if logger and states:
        _log(logger, done, states, trials)


def by_class(done: Sequence[TestedCase]) -> dict[int, list[TestedCase]]:
    """Return the cases of every class by label, proven ones first: the first is what the report names."""
    found: dict[int, list[TestedCase]] = {}
    for one in sorted(done, key=lambda each: not each.case.proven):
        found.setdefault(one.case.label, []).append(one)
    return found


def numbers_of(done: Sequence[TestedCase]) -> dict[str, float]:
    """Return what a sweep may optimise: how many cases there are, how many are proven, and each class's effect."""
    numbers = {"cases": float(len(done)), "proven": float(sum(one.case.proven for one in done))}
    first, keys = sorted(done, key=lambda each: not each.case.proven), _keys(done)
    for one in reversed(first):  # of a class what is proven, or does most, stays
        if one.case.proof is not None:
            key = f"effect/{keys[one.case.label]}"
            numbers |= _numbers(key, one.case.proof.added[0].effect) | {f"{key}/proven": float(one.case.proven)}
    return numbers


def _keys(done: Sequence[TestedCase]) -> dict[Any, str]:
    """What every class is called in the keys of numbers and figures, by label."""
    return logger_keys({one.case.label: one.case.name for one in done})


def _fewer(done: Sequence[TestedCase], samples: int) -> str:
    """Say where an artifact was pasted on fewer samples than were asked for."""
    names: dict[int, list[str]] = {}  # of the classes, by the number of samples
    for one in done:
        proof = one.case.proof
        n = samples if proof is None else proof.added[0].effect.n
        ended = proof is not None and proof.verdict.name == "not used" and n == FIRST  # the first look said enough
        if n < samples and not ended:
            names.setdefault(n, []).append(repr(one.case.name))
    if not names:
        return ""
    found = [f"{n} samples of other classes for {_some(names[n])}" for n in sorted(names)]
    return f"There are {'; '.join(found)}, fewer than the {samples} asked for (analysis.samples): all were used."


def _some(names: Sequence[str]) -> str:
    """The names, each once, or the first of many."""
    each = list(dict.fromkeys(names))
    more = f" and {len(each) - MOST_SHOWN} more classes" if len(each) > MOST_SHOWN else ""
    return ", ".join(each[:MOST_SHOWN]) + more


def _numbers(prefix: str, effect: Effect) -> dict[str, float]:
    low, high = effect.probability_interval
    numbers = {"delta_p": effect.probability, "delta_p_low": low, "delta_p_high": high, "flipped": effect.share}
    numbers |= {"delta_rank": effect.rank, "delta_logit": effect.logit}
    return {f"{prefix}/{name}": value for name, value in numbers.items()}


def _record(one: TestedCase) -> dict[str, Any]:
    truth = one.truth and asdict(one.truth) | {"sentence": truth_sentence(one.truth)}
    return case_record(one.case) | {"planted": truth}


def _log(logger: Logger, done: Sequence[TestedCase], states: Sequence[ClassState], trials: Rows) -> None:
    """Send the numbers, the tables and the figures of every case."""
    cases = [one.case for one in done]
    names = {"layer picture": "layer", "examples": "examples"}
    pictures = {column: [one.pictures.get(name) for one in done] for column, name in names.items()}
    figures: dict[str, list[Path]] = {}
    keys = _keys(done)
    for one in done:
        paths = [one.pictures[name] for name in FIGURES if name in one.pictures]
        figures.setdefault(f"effect/{keys[one.case.label]}", []).extend(paths)
    tables = {
        "effect/cases": case_rows(cases, pictures),
        "effect/trials": trials,
        "effect/carriers": carrier_rows(cases),
        "effect/classes": state_rows(states),
    }
    log_once([logger], numbers_of(done), {key: paths for key, paths in figures.items() if paths}, tables)
