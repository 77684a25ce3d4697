"""How much of the relevance lies outside the objects of a class, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from unhans.faithfulness import AccuracyRelation, ContextState, ContextSummary, CoOccurrence
from unhans.report.text.number_format import percent, range_written, shorten
from unhans.stats import Estimate, Interval

STATE_HEADINGS = {
    ContextState.MEASURED: "measured",
    ContextState.NONE_INSIDE: "μ infinite",
    ContextState.NONE_OUTSIDE: "μ zero",
    ContextState.NO_RELEVANCE: "no positive relevance",
    ContextState.COVERED: "covered",
    ContextState.UNSEEN: "cut off",
    ContextState.NO_OBJECT: "no object",
}
CONTEXT_READING = (
    "μ: mean positive relevance per pixel outside the objects of the class, over that inside; 1 where both are alike, "
    "above 1 where the surroundings count for more. Median over images with its 95 % bootstrap interval. Inside: share "
    "of the positive relevance that lies in the objects; by chance: the share of the pixels that they have."
)
CONTEXT_LIMITS = (
    "What μ cannot tell: a low μ does not clear a class. An artifact that lies on the object, such as a watermark "
    "across it, counts as inside; and one outside that is small, or on few images, such as a padded border, hardly "
    "moves a median of ratios. A high μ does not convict a class either: boats are on water. Look for groups with "
    "analysis=spray and test them with analysis=effect."
)
ACCURACY_READING = "Each dot is a class; line: least squares with its 95 % interval."
FEW = 3  # classes, or pairs, that a sentence names


def mu_said(log_mu: float) -> str:
    """Write μ from its logarithm, such as "0.42" or "∞"."""
    if math.isnan(log_mu):
        return "–"
    if math.isinf(log_mu):
        return "∞" if log_mu > 0 else "0"
    value = math.exp(log_mu)
    return (
        f"{value:.1g}"
        if value < 0.001
        else f"{value:.3f}"
        if value < 0.1
        else f"{value:.2f}"
        if value < 10
        else f"{value:,.0f}"
    )


def mu_range(interval: Interval) -> str:
    """Write the interval of μ from that of its logarithm."""
    return range_written(interval, mu_said)


def context_setting(names: Sequence[str], images: int, split: str, classes: int, method: str, file: str) -> str:
    """Say what was measured: the models, images and classes, the attribution, and where the objects are from."""
    models = f"{len(names)} models, {', '.join(names)}, on " if len(names) > 1 else ""
    of = f"{images} {split} images of {classes} class{'es' * (classes != 1)}"
    return f"{models}{of} · {method} · objects of {file}"


def context_cost(images: int, models: int, left: int) -> str:
    """Say how many images are to be explained."""
    asked = f"{images} images" + (f" and {models} models" if models > 1 else "")
    done = images * models - left
    if not left:
        return f"{asked}; all of them are explained already."
    return f"{asked}; {left} heatmaps to make" + (f", {done} are there already." if done else ".")


def counts_sentence(counts: Mapping[ContextState, int], most: float) -> str:
    """Say how many images were left out or counted apart, and why."""
    said = {
        ContextState.NO_OBJECT: "without an object of their class",
        ContextState.COVERED: f"with objects on more than {percent(most, 0)} of the image",
        ContextState.UNSEEN: "with objects only where the network does not see them",
        ContextState.NO_RELEVANCE: "without positive relevance",
        ContextState.NONE_INSIDE: "without positive relevance inside (μ infinite)",
        ContextState.NONE_OUTSIDE: "without positive relevance outside (μ zero)",
    }
    parts = [f"{counts[state]} {words}" for state, words in said.items() if counts[state]]
    total = sum(counts.values())
    if not parts:
        return f"All {total} images have a μ."
    return f"Of {total} images {counts[ContextState.MEASURED]} have a μ; counted apart: {', '.join(parts)}."


def annotation_sentences(beyond: int, rescaled: int, without: Sequence[str]) -> list[str]:
    """Say what had to be done about boxes, and which classes have none."""
    found = []
    if beyond:
        how = "boxes reach beyond their image and are" if beyond > 1 else "box reaches beyond its image and is"
        found.append(f"{beyond} {how} cut at its edge.")
    if rescaled:
        found.append(
            f"{rescaled} image{'s have' if rescaled > 1 else ' has'} another size than the boxes’ file says; the boxes "
            "are scaled, which is right only where the image was not cropped."
        )
    if without:
        found.append(f"No drawn image of {_listed(without)} has an object of its class.")
    return found


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = [shorten(name, 40) for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more classes" if len(names) > most else "")


def model_sentence(model: str, summary: ContextSummary, classes: Mapping[str, ContextSummary], several: bool) -> str:
    """Say how much context a model uses, and for which classes most and least."""
    one = summary.median
    if not one.n:
        return _of(model, several, "no image has a μ.")
    share = f"{percent(summary.inside.mean, 0)} {range_written(summary.inside.interval, lambda end: percent(end, 0))}"
    known = sorted((each for each in classes.items() if each[1].median.n), key=lambda each: -each[1].median.value)
    text = (
        f"median μ {mu_said(one.value)} {mu_range(one.interval)} over {one.n} images; {share} of the positive "
        f"relevance lies inside the objects, which have {percent(summary.area, 0)} of the pixels."
    )
    if len(known) > 1:
        few = min(FEW, len(known) // 2)
        text += f" Most context: {_classes(known[:few])}; least: {_classes(known[::-1][:few])}."
    return _of(model, several, text)


def _of(model: str, several: bool, text: str) -> str:
    """Open a sentence with the model it is about, where there are several."""
    return f"{model}: {text}" if several else text[0].upper() + text[1:]


def _classes(known: Sequence[tuple[str, ContextSummary]]) -> str:
    return ", ".join(
        f"{shorten(name, 40)} {mu_said(one.median.value)} {mu_range(one.median.interval)}" for name, one in known
    )


def accuracy_sentence(model: str, found: AccuracyRelation, several: bool) -> str:
    """Say whether classes with more context are recognised worse or better."""
    one = found.correlation
    if math.isnan(one.rho) or one.interval == (-1, 1):
        text = "context cannot be held against accuracy: too few classes, or all have the same accuracy."
        return _of(model, several, text)
    low, high = one.interval
    said = "falls as μ rises" if high < 0 else "rises with μ" if low > 0 else "is not told to go with μ"
    rho = f"{one.rho:+.2f} {range_written(one.interval, lambda end: f'{end:+.2f}')}".replace("-", "−")
    text = f"the accuracy of the {one.n} classes {said} (Spearman’s ρ {rho})"
    if not found.least.n:
        return _of(model, several, f"{text}.")
    thirds = " and ".join(
        f"{mu_said(each.mean)} {mu_range(each.interval)} in the third with the {word} accuracy"
        for each, word in ((found.least, "lowest"), (found.most, "highest"))
    )
    return _of(model, several, f"{text}; geometric mean of the classes’ μ {thirds}.")


def difference_sentence(first: str, other: str, found: Estimate) -> str:
    """Say which of two models uses more context on the same images."""
    if not found.n:
        return f"{other} and {first} have no image in common that has a μ in both."
    low, high = found.interval
    said = "more context than" if low > 0 else "less context than" if high < 0 else "about as much context as"
    unsure = "" if low > 0 or high < 0 else ", which may be chance"
    return (
        f"{other} uses {said} {first}: its μ is {mu_said(found.mean)} {mu_range(found.interval)} times as large on the "
        f"same {found.n} images{unsure}."
    )


def together_sentence(found: CoOccurrence) -> str:
    """Say which classes are shown together most."""
    pairs = [(i, j) for i in range(len(found.names)) for j in range(len(found.names)) if i != j]
    top = sorted(pairs, key=lambda pair: (-found.shares[pair], -found.counts[pair]))[:FEW]
    said = ", ".join(
        f"{shorten(found.names[j], 40)} on {found.counts[i, j]} of {found.counts[i, i]} images with "
        f"{shorten(found.names[i], 40)}"
        for i, j in top
        if found.counts[i, j]
    )
    return f"Shown together: {said}. What is shown beside a class may be what its context is."
