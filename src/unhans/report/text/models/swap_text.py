"""What is said of networks that are tested on images prepared otherwise than those of their training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from unhans.comparison import SwapCell, SwapCost, SwapStudy
from unhans.report.text.number_format import cost_estimate, percent, points, shorten

SWAP_READING = (
    "Accuracy with its 95 % interval (Wilson's; of several seeds also what other seeds would change). Change: accuracy "
    "here minus that on the variant of the training, paired where the images are the same (Newcombe 1998)."
)
FOLDS_READING = (
    "Folds: shares of all images, each tested by the network that was not trained on it. Their interval holds what the "
    "folds differ by (Student's t with the variance of Nadeau & Bengio 2003, as their training sets share images), "
    "and is nowhere narrower than that of as many images."
)
CONFUSION_READING = (
    "Rows: labels; columns: predictions, in percent of the images of the label (unwritten: below 0.5). Framed: the "
    "variant of the training."
)
LABELS_READING = "Images that were asked about, and those that the networks were trained on."
ONE_OFF = "one off at most"


def swap_headline(study: SwapStudy) -> str:
    """Say how many swaps cost accuracy beyond chance."""
    swaps = study.single
    if not swaps:
        return "No network was trained on any of these variants, so nothing is swapped"
    proven = sum(cell.cost.proven for cell in swaps)
    verb = "costs" if proven == 1 else "cost"
    return f"{proven} of {len(swaps)} swaps of the preprocessing {verb} accuracy beyond chance"


def rows_name(names: Sequence[str], folds: bool) -> str:
    """Name a row of several networks."""
    return f"{len(names)} folds: {', '.join(names)}" if folds else f"mean of {', '.join(names)}"


def swap_setting(
    networks: int, images: Mapping[str, int], split: str, crops: int, seen: int, absent: int, folds: int = 1
) -> str:
    """Say what was asked, and which images were left out.

    Args:
        networks: how many.
        images: of every variant.
        split: of which they are.
        crops: of an image.
        folds: of a cross-validation.
        seen, absent: images that were left out, as a network was trained on them, or as a variant lacks them.
    """
    counts = sorted(set(images.values()))
    each = f"{' or '.join(map(str, counts))} {split} images each"
    text = f"{networks} network{'s' * (networks != 1)}, {len(images)} variants, {each}."
    if folds > 1:
        text += f" Each network is asked about the images of its own fold alone, of {folds} folds."
    if crops > 1:
        text += f" Probabilities are means over {crops} crops."
    if seen:
        text += f" {seen} more images are left out, as a network was trained on them."
    if absent:
        text += f" {absent} more are left out, as not every variant has them."
    return text


def swap_cost(networks: int, variants: int, images: int, missing: int, seconds: float) -> str:
    """Say how many images pass a network, and how long that takes.

    Args:
        networks, variants: how many.
        images: that pass in all, each as often as it passes a network, its crops one by one.
        missing: of these, what is not in the folder yet.
        seconds: that one takes.
    """
    text = f"{networks} network{'s' * (networks != 1)} × {variants} variants: {images:,} images pass a network"
    if not missing:
        return f"{text}; the answers to all of them are there already."
    left = "" if missing == images else f", {images - missing:,} answers are there already"
    return f"{text}{left}{cost_estimate(missing, seconds)}."


def swap_sentences(study: SwapStudy) -> Iterator[str]:
    """Say what each swap costs, what was tested on what, and what the numbers rest on."""
    for cell in study.swaps:
        yield swap_sentence(study, cell)
    for row in study.rows:
        if row.trained is None:
            yield (
                f"{row.name} was trained on none of these variants, so it has accuracies but no cost of a swap; "
                "analysis.trained names its variant."
            )
    apart = [name for name, one in study.images.items() if not one.paired]
    if apart:
        yield f"Other images than those of the first variant, so not paired: {', '.join(apart)}."
    unread = {name: n for name, n in study.unread.items() if n}
    if unread:
        yield "Could not be read: " + ", ".join(f"{n} images of {name}" for name, n in unread.items()) + "."
    if any(row.fold_ratio is not None for row in study.rows):
        yield FOLDS_READING
    if study.single:
        yield (
            "Intervals of a single network tell what other images would change, not what another seed would. "
            "p: McNemar's exact test, adjusted for all swaps (Benjamini & Hochberg)."
        )


def swap_sentence(study: SwapStudy, cell: SwapCell) -> str:
    """Say what one swap costs, and in which class most."""
    own = study.cell(cell.row.name, str(cell.row.trained))
    text = (
        f"{cell.row.name}, trained on {cell.row.trained}, tested on {cell.tested}: {percent(own.accuracy.mean)} → "
        f"{percent(cell.accuracy.mean)}, {cost_said(cell.cost)}"
    )
    if cell.cost.only_own is not None:
        text += f"; images that are right only under its own variant: {cell.cost.only_own}"
        text += f", only here: {cell.cost.only_other}"
    if cell.one_off is not None and own.one_off is not None and cell.one_off_cost is not None:
        text += (
            f"; {ONE_OFF}: {percent(own.one_off.mean)} → {percent(cell.one_off.mean)}, {cost_said(cell.one_off_cost)}"
        )
    worst = _worst_class(own, cell)
    return text + (f"; most in class {shorten(worst[0], 40)}, by {100 * worst[1]:.1f} points." if worst else ".")


def cost_said(cost: SwapCost) -> str:
    """Write what becomes of the share, such as "−3.1 points [−5.0, −1.2], p = 0.004"."""
    low, high = cost.difference.interval
    p = "" if cost.p is None else f", p {'< 0.001' if cost.p < 0.001 else f'= {cost.p:.3f}'}"
    return points(-cost.difference.mean, (-high, -low)) + p


def _worst_class(own: SwapCell, cell: SwapCell) -> tuple[str, float] | None:
    """The class that loses most, where some class loses anything."""
    losses = {name: own.by_class[name].mean - one.mean for name, one in cell.by_class.items() if name in own.by_class}
    name = max(losses, key=lambda each: losses[each], default=None)
    return None if name is None or losses[name] <= 0 or len(losses) < 2 else (name, losses[name])
