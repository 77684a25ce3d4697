"""The analysis `pairs`: what changes of pictures do that a person made."""

from __future__ import annotations

from pydantic import NonNegativeInt
from pytorch_lightning.loggers import Logger

from unhans.experiment.pairs.pair_files import read_pairs
from unhans.experiment.pairs.pair_results import PairResults
from unhans.experiment.pairs.pair_run import PairRun
from unhans.experiment.run import Subject
from unhans.report import progress
from unhans.store import sweep


def measure_pairs(
    subject: Subject,
    pairs: str | None = None,
    before: str | None = None,
    after: str | None = None,
    control: str | None = None,
    of: str | None = None,
    examples: NonNegativeInt = 12,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Measure what the network makes of pictures before and after a change, as paired differences with intervals.

    Pictures are made ready as the data's own images are.

    Args:
        subject: the network and its data, whose images say how pictures become what the network takes.
        pairs: a table with columns before and after, and, if wanted, class and control; paths count from its folder.
        before, after: two folders with pictures of the same names, in place of a table.
        control: a folder with the same pictures changed as much in another way; some may be missing.
        of: name of the class whose probability is followed, where no column tells; None: the class predicted before.
        examples: pairs that are drawn with heatmaps, large changes first; 0 draws none.
        logger: gets the numbers, the tables and the pictures.

    Raises:
        ValueError, OSError: the pairs cannot be used; see `read_pairs`.
    """
    given = {"before": before, "after": after, "control": control}
    run = PairRun(subject, read_pairs(pairs, given, of, subject.data.classes))
    with subject.closing(logger):
        subject.begin()
        sweep(subject.out)
        with progress(run.count) as say:
            found = run.measure(say)
            say("explaining pairs", 0)
            shown = run.shown(found, examples)
        return PairResults(run, found).conclude(shown, logger)
