"""From several models and the same images to what can be said about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import Layered
from unhans.comparison import (
    Choice,
    EffectDifference,
    ModelComparison,
    ModelEffect,
    ModelView,
    Pair,
    PredictionAgreement,
    Recommendation,
    accuracy_of,
    detection,
    disagreements,
    equally_accurate,
    judge_kinds,
    judge_pairs,
    pairs_of,
    prediction_agreement,
    recommend,
)
from unhans.data import carriers_of, draw_per_class, labels_of, names_of, paths_of
from unhans.effects import LENDERS, Case, Trial, decide, draw_evenly, prove
from unhans.effects.interventions import examples_of, pasted
from unhans.experiment.compare.compared_artifacts import ComparedArtifact
from unhans.experiment.compare.compared_model import (
    Asked,
    ComparedModel,
    SampleSet,
    Viewing,
    all_resized,
    common_grid,
    see_through,
    view_of,
)
from unhans.experiment.compare.model_settings import check_twins, differing, twins_of
from unhans.harness import planted_in
from unhans.stats import Area, Interval, mean_difference

SHOWN = 3  # images before and after an artifact is put on them


def sample_set(
    models: Sequence[ComparedModel],
    classes: Sequence[str] | None = None,
    per_class: int | None = None,
    masked: int = 0,
    queries: int = 0,
    training: int | None = None,
    seed: int = 0,
    fewest: int = 2,
) -> tuple[SampleSet, list[str]]:
    """Choose the images that all models are asked about, and tell which classes are left out.

    Args:
        models: at least `fewest`; the first one's data set says what the images' labels are called.
        classes: names of the classes to look at; None is all that every model has.
        per_class: images of each, at most; None is all.
        masked: of them images for which masks are made.
        queries: of them images for which training images are ranked.
        training: training images of each class that are ranked, at most; None is all.
        seed: of the draw.
        fewest: models.

    Raises:
        ValueError: fewer models, names that occur twice, data sets of different images, or no class in common.
    """
    _check(models, fewest)
    labels = labels_of(models[0].dataset)
    names = names_of(models[0].dataset, labels)
    seen = np.any([np.zeros(len(labels), bool), *(each.seen for each in models if each.seen is not None)], axis=0)
    common = [name for name in names.values() if all(name in each.classes for each in models)]
    everything = dict.fromkeys([*names.values(), *(str(name) for each in models for name in each.classes)])
    left_out = [name for name in everything if name not in common]
    wanted = common if classes is None else [str(name) for name in classes]
    unknown = [name for name in wanted if name not in common]
    if unknown or not common:
        raise ValueError(
            f"a comparison expects classes that the data and all models have ({', '.join(common) or 'there are none'})"
            + (f", got {unknown[0]!r}" if unknown else "")
        )
    place = {label: common.index(name) for label, name in names.items() if name in wanted}
    unseen = np.where(seen, -1, labels)
    drawn = {label: rows for label, rows in draw_per_class(unseen, per_class, seed).items() if label in place}
    if not drawn:
        raise ValueError(f"each of the {len(labels)} images was among the training images of one of the models")
    index = np.concatenate(list(drawn.values()))
    known = np.concatenate([np.full(len(rows), place[label]) for label, rows in drawn.items()])
    chosen = np.concatenate([_some(len(rows), masked, seed) for rows in drawn.values()])
    names = [*common, *left_out]
    if not queries:
        return SampleSet(names, len(common), index, known, chosen, seen=int(seen.sum())), left_out
    asked = np.concatenate([_some(len(rows), queries, seed + 1) for rows in drawn.values()])
    ranked, labels = _training(models, common, training, seed)
    return SampleSet(names, len(common), index, known, chosen, asked, ranked, labels, int(seen.sum())), left_out


def _training(
    models: Sequence[ComparedModel], common: Sequence[str], most: int | None, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training images of the common classes, and their classes; raises ValueError where a model has none."""
    without = [each.name for each in models if each.training is None]
    if without:
        raise ValueError(f"influence expects the training images of every model, got none for {without[0]!r}")
    data = models[0].training
    labels = labels_of(data)
    names = names_of(data, labels)
    drawn = {
        common.index(names[label]): rows
        for label, rows in draw_per_class(labels, most, seed).items()
        if names[label] in common
    }
    return np.concatenate(list(drawn.values())), np.repeat(list(drawn), [len(rows) for rows in drawn.values()])


def _some(n: int, count: int, seed: int) -> NDArray[np.bool_]:
    found = np.zeros(n, dtype=bool)
    found[np.random.default_rng(seed).permutation(n)[:count]] = True
    return found


def _check(models: Sequence[ComparedModel], fewest: int = 2) -> None:
    if len(models) < fewest:
        raise ValueError(f"a comparison expects at least two models, got {len(models)}")
    names = [each.name for each in models]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise ValueError(f"the models of a comparison need names of their own, got {double!r} twice")
    for each in models:
        twice = next((name for name in each.classes if list(each.classes).count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"classes are compared by name, but {each.name!r} has two outputs called {twice!r}")
    sizes = [len(each.dataset) for each in models]  # type: ignore[arg-type]
    for each, size in zip(models, sizes, strict=True):
        if size != sizes[0]:
            raise ValueError(
                f"all models must see the same images, but the data set of {each.name!r} has {size} of them, "
                f"that of {models[0].name!r} {sizes[0]}"
            )
        if _names_of_images(each) != _names_of_images(models[0]):
            raise ValueError(
                f"all models must see the same images in the same order, but the classes or files of {each.name!r} are "
                f"others than those of {models[0].name!r}"
            )


def _names_of_images(model: ComparedModel) -> tuple[list[str], list[str]]:
    """The class of every image by name, and its path."""
    labels = labels_of(model.dataset)
    names = names_of(model.dataset, labels)
    return [names.get(label, "") for label in labels.tolist()], list(paths_of(model.dataset))


def compare_views(
    models: Sequence[ComparedModel],
    samples: SampleSet,
    left_out: Sequence[str],
    how: Viewing,
    *,
    twins: Sequence[Pair] | None = None,
    artifacts: Mapping[str, tuple[Layered, str]] | None = None,
    isolate: Callable[[ModelComparison, Sequence[Asked]], Mapping[str, ComparedArtifact]] | None = None,
    effect_samples: int = 200,
    tolerance: float = 0.0,
) -> tuple[ModelComparison, list[str]]:
    """Ask every model, and compare what they say; also return why stored answers were not taken.

    Args:
        models: at least two.
        samples: see `sample_set`.
        left_out: names of the classes that are not compared.
        how: the models are asked.
        twins: pairs of names; None: those whose settings differ in the seed only.
        artifacts: to be pasted, by name, with the names of their classes; None: the one that the data set plants.
        isolate: gives further artifacts from what the models say; None: none.
        effect_samples: images that each is pasted on, at most; 0 measures no effect.
        tolerance: accuracy that a recommended model may lack.

    Raises:
        ValueError: no image can be read by all models, or twins that are no models.
    """
    twins = (
        twins_of({each.name: each.settings for each in models})
        if twins is None
        else check_twins(twins, [each.name for each in models])
    )
    asked = [Asked(number, each, samples, how) for number, each in enumerate(models)]
    found, reasons = _agreement(asked, left_out, twins)
    if not effect_samples:
        return replace(found, recommendation=_recommended(found, [], [], tolerance)), reasons
    given = planted_artifact(models[0]) if artifacts is None else artifacts
    pasted = {name: ComparedArtifact(*each) for name, each in given.items()}
    if isolate is not None:
        pasted |= isolate(found, asked)
    effects = _effects(asked, pasted, found.clean, found.index, found.labels, effect_samples)
    differences = _differences(effects, how.seed)
    choice = _recommended(found, effects, differences, tolerance)
    return replace(found, effects=effects, differences=differences, recommendation=choice), reasons


def _agreement(
    asked: Sequence[Asked], left_out: Sequence[str], twins: Sequence[Pair]
) -> tuple[ModelComparison, list[str]]:
    """What all models say about the images, without any artifact's effect; and why stored answers were not taken."""
    models, samples, seed = [each.model for each in asked], asked[0].samples, asked[0].how.seed
    views, reasons = _views(asked)
    readable = np.all([~np.isnan(view.probability) for view in views.values()], axis=0)
    if not readable.any():
        raise ValueError(f"none of the {len(readable)} images can be read for all models")
    rows, labels = np.flatnonzero(readable), samples.labels[readable]
    views = _on_common_training({name: view.take(rows) for name, view in views.items()})
    index, dataset = samples.index[rows], models[0].dataset
    carriers = None if planted_in(dataset) is None else carriers_of(dataset)[index]
    clean = np.ones(len(rows), bool) if carriers is None else ~carriers
    plain = {name: view.take(np.flatnonzero(clean)) for name, view in views.items()}
    paths = paths_of(dataset)
    found = ModelComparison(
        models=list(views),
        settings=differing({each.name: each.settings for each in models}),
        names=samples.names,
        common=samples.common,
        left_out=left_out,
        seen=samples.seen,
        paths=[paths[i] for i in index],
        index=index,
        labels=labels,
        carriers=carriers,
        views=views,
        accuracies={name: accuracy_of(view, labels[clean]) for name, view in plain.items()},
        predictions=_predictions(views, labels, seed),
        pairs=judge_pairs(views, labels, twins, {each.name: repr(each.network) for each in models}, seed),
        twins=twins,
        kinds=judge_kinds(views, labels, twins, {each.name: each.settings.get("seed") for each in models}, seed),
        detection=_detection(views, labels, carriers),
        effects=[],
        differences=[],
        recommendation=Recommendation(None, Choice.NOT_TESTED, (), {}),
    )
    return found, reasons


def _predictions(
    views: Mapping[str, ModelView], labels: NDArray[np.int64], seed: int
) -> dict[Pair, PredictionAgreement]:
    return {
        pair: prediction_agreement(*(views[name].predicted for name in pair), labels, seed)
        for pair in pairs_of(list(views))
    }


def _views(asked: Sequence[Asked]) -> tuple[dict[str, ModelView], list[str]]:
    grid = common_grid(asked)
    found, reasons = {}, []
    for one in asked:
        found[one.model.name], why = view_of(one, grid)
        reasons += [f"{one.model.name}: {reason}" for reason in why]
    if not asked[0].samples.masked.any():
        return found, reasons
    masks = {name: view.masks for name, view in found.items()}
    size = min((each.size for each in masks.values()), key=lambda shape: shape[0] * shape[1])
    return {
        one.model.name: replace(
            found[one.model.name],
            masks=all_resized(masks[one.model.name], size),
            through=see_through(one, masks),
        )
        for one in asked
    }, reasons


def _on_common_training(views: Mapping[str, ModelView]) -> dict[str, ModelView]:
    """Views with the scores of those training images that all models could read."""
    scores = [view.influence for view in views.values()]
    if any(each is None for each in scores):
        return dict(views)
    read = np.all([~np.isnan(each).all(0) for each in scores], axis=0)
    return {name: replace(view, influence=view.influence[:, read]) for name, view in views.items()}


def planted_artifact(model: ComparedModel) -> dict[str, ComparedArtifact]:
    """Return the artifact that a model's data set plants, by name; {} where it plants none."""
    planted = planted_in(model.dataset)
    if planted is None:
        return {}
    class_name = names_of(model.dataset, np.array([planted.target]))[planted.target]
    return {planted.name: ComparedArtifact(planted, class_name)}


def _effects(
    asked: Sequence[Asked],
    artifacts: Mapping[str, ComparedArtifact],
    clean: NDArray[np.bool_],
    index: NDArray[np.int64],
    labels: NDArray[np.int64],
    most: int,
) -> list[ModelEffect]:
    """Paste every artifact on the same clean images of other classes, in every model; one family of tests."""
    names = list(asked[0].samples.names)
    tried, cases, shown = [], [], []
    for artifact, (layers, class_name, measured) in artifacts.items():
        label = names.index(class_name) if class_name in names[: asked[0].samples.common] else None
        usable = clean if measured is None else clean & np.isin(index, measured)
        pool = np.flatnonzero((labels != label) & usable)
        if label is None or not len(pool):
            continue
        others = index[draw_evenly(labels, pool, most, asked[0].how.seed)]
        own = index[(labels == label) & clean]
        own = own if len(own) >= LENDERS else own[:0]
        outputs = [one.output(label) for one in asked]
        for one, output in zip(asked, outputs, strict=True):
            one.how.say(f"{one.model.name}: effect of {artifact}", 0)
            given = {"affected": index[:0], "unaffected": own, "samples": most, "others": others}
            proof = prove(one.bench(), layers, output, **given)
            tried.append((one.model.name, artifact, label))
            cases.append(Case(output, class_name, proof=proof))
        chosen = _differ_most([case.proof.added[0] for case in cases[-len(asked) :]])
        for one, output in zip(asked, outputs, strict=True):
            shown.append(examples_of(one.bench(), output, [(i, "largest") for i in chosen], pasted(layers)))
    return [
        ModelEffect(
            model, artifact, label, trial.effect.probability, trial.effect.probability_interval, trial.effect.n,
            case.proof.verdict.name, case.proof.verdict.q_value, trial.differences, trial.indices, examples,
        )
        for (model, artifact, label), case, examples in zip(tried, decide(cases), shown, strict=True)
        for trial in case.proof.added[:1]
    ]  # fmt: skip


def _differ_most(trials: Sequence[Trial]) -> list[int]:
    """The images that all models measured, those first on which their Δp differ most."""
    common = reduce(np.intersect1d, [one.indices for one in trials])
    changes = [one.differences[np.intersect1d(one.indices, common, return_indices=True)[1]] for one in trials]
    return common[np.argsort(-np.ptp(changes, axis=0), kind="stable")[:SHOWN]].tolist()


def _differences(effects: Sequence[ModelEffect], seed: int) -> list[EffectDifference]:
    found = []
    for one, two in combinations(effects, 2):
        if (one.artifact, one.label) == (two.artifact, two.label):
            _, here, there = np.intersect1d(one.index, two.index, assume_unique=True, return_indices=True)
            mean, interval = mean_difference(one.changes[here] - two.changes[there], seed, possible=2.0)
            found.append(EffectDifference(one.model, two.model, one.artifact, one.label, mean, interval, len(here)))
    return found


def _recommended(
    found: ModelComparison,
    effects: Sequence[ModelEffect],
    differences: Sequence[EffectDifference],
    tolerance: float,
) -> Recommendation:
    """Choose by the artifacts that are proven in one of the candidates."""
    names = list(found.views)
    correct = np.stack([(view.predicted == found.labels)[found.clean] for view in found.views.values()])
    candidates = {name for name, one in zip(names, equally_accurate(correct, tolerance), strict=True) if one}
    proven = {(one.artifact, one.label) for one in effects if one.verdict == "proven" and one.model in candidates}
    told: dict[str, dict[str, tuple[float, Interval]]] = {name: {} for name in names}
    for one in effects:
        if (one.artifact, one.label) in proven:
            told[one.model][one.artifact] = one.probability, one.interval
    known = {(one.first, one.second, one.artifact): one.interval for one in differences}

    def paired(first: str, second: str, artifact: str) -> Interval:
        if (first, second, artifact) in known:
            return known[first, second, artifact]
        low, high = known[second, first, artifact]
        return -high, -low

    return recommend(names, correct, told if effects else None, paired, tolerance)


def _detection(
    views: Mapping[str, ModelView], labels: NDArray[np.int64], carriers: NDArray[np.bool_] | None
) -> dict[Pair, dict[str, Area]]:
    """Areas under ROC curves within the class that carries the artifact: other classes look different anyway."""
    if carriers is None or not carriers.any():
        return {}
    own = np.isin(labels, labels[carriers])
    return {
        pair: detection({name: each[own] for name, each in disagreements(views, *pair).items()}, carriers[own])
        for pair in pairs_of(list(views))
    }
