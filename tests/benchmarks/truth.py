"""How often the audit finds what was planted, and how often it finds what was not: recall and false proofs by truth.

    uv run tests/benchmarks/truth.py --out FOLDER     every kind of artifact once, ten minutes on two cores
    uv run tests/benchmarks/truth.py --out FOLDER --subset square --data photographs cifar
    uv run tests/benchmarks/truth.py --out FOLDER --subset full --baselines --markdown report.md

Small networks are trained on images of which a share of one class carries an artifact, drawn by painters that share no
code with the product. Whether a network adopted it is measured by pasting the truth. The audit (`planted/adapter.py`)
is told nothing. Networks and finished cases are kept in the folder: a second call goes on, `--name` tells audits of
different code apart. Constants of the product may be set on the kinds of `planted.painters.SETTING` only
(`--half setting`). Real images are looked for in UNHANS_TEST_DATA, as the tests do.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path

from planted import outcome, tables
from planted.cases import SUBSETS, Case
from planted.outcome import Line
from planted.painters import half_of
from planted.pictures import SOURCES, data_folder
from planted.training import kept_in
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

COLUMNS = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
WIDE = 170  # columns, where nobody looks at a terminal

Work = Callable[[Case], Line]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not done yet, then print the tables."""
    options = parsed(arguments)
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    cases = chosen(options, console)
    folder = kept_in(options.out)
    files = {"audit": folder / f"audits-{options.name}.jsonl", "baselines": folder / "baselines.jsonl"}
    works: dict[str, Work] = {"audit": partial(outcome.audited, out=options.out)}
    if options.baselines:
        works["baselines"] = partial(outcome.proposed, out=options.out)
    if not options.report:
        for name, work in works.items():
            run(name, work, cases, files[name], options.jobs, console)
    keys = {case.key for case in cases}
    lines = [[line for key, line in outcome.read_lines(file).items() if key in keys] for file in files.values()]
    found = tables.report(*lines)
    for table in found:
        table.show(console)
    if options.markdown:
        options.markdown.write_text("\n\n".join(table.markdown() for table in found) + "\n")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where networks and finished cases are kept")
    parser.add_argument("--subset", choices=SUBSETS, default="quick")
    parser.add_argument("--data", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--half", choices=("setting", "reporting"), help="kinds of this half only, no clean runs")
    parser.add_argument("--kinds", nargs="+", help="cases with these kinds only")
    parser.add_argument("--coverages", nargs="+", type=float, help="cases with these coverages only")
    parser.add_argument("--network", choices=("small_cnn", "squeezenet"), help="cases with this network only")
    parser.add_argument("--classes", type=int, help="audit so many classes of each network, the planted one among them")
    parser.add_argument("--most", type=int, help="so many cases at most")
    parser.add_argument("--name", default="today", help="of the audit's code")
    parser.add_argument("--baselines", action="store_true", help="let other methods propose as well")
    parser.add_argument("--report", action="store_true", help="only print what is finished")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--markdown", type=Path, help="write the tables here as well")
    return parser.parse_args(arguments)


def chosen(options: argparse.Namespace, console: Console) -> list[Case]:
    """Return the cases to run; data sets that are absent are named and left out."""
    absent = [name for name in options.data if not SOURCES[name].present(data_folder())]
    for name in absent:
        console.print(f"{name}: skipped, there is no {data_folder() / SOURCES[name].folder}")
    cases = SUBSETS[options.subset]([name for name in options.data if name not in absent])
    if options.half:
        cases = [case for case in cases if case.kinds and half_of(case.kinds[0]) == options.half]
    if options.kinds:
        cases = [case for case in cases if set(case.kinds) & set(options.kinds)]
    if options.coverages:
        cases = [case for case in cases if case.coverage in options.coverages]
    if options.network:
        cases = [case for case in cases if case.network == options.network]
    if options.classes is not None:
        cases = [replace(case, audited=options.classes) for case in cases]
    return cases[: options.most]


def run(name: str, work: Work, cases: Sequence[Case], file: Path, jobs: int, console: Console) -> None:
    """Do what is not in the file yet; every finished case is a line of it."""
    done = outcome.read_lines(file)
    left = [case for case in cases if case.key not in done]
    with Progress(*COLUMNS, console=console) as progress:
        task = progress.add_task(name, total=len(cases), completed=len(cases) - len(left))
        for line in finished(work, left, jobs):
            outcome.append(file, line)
            progress.update(task, advance=1, description=f"{name}: {line['key']}")


def finished(work: Work, cases: Sequence[Case], jobs: int) -> Iterator[Line]:
    """Give the lines of cases as they are done; with several processes in any order."""
    if jobs == 1:
        yield from map(work, cases)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(work, case) for case in cases]):
            yield future.result()


if __name__ == "__main__":
    main()
