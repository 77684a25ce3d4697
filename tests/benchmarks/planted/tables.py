"""The tables of the report: shares with Wilson's 95 % intervals, on a terminal or in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from rich.console import Console
from rich.table import Table as RichTable

from planted.outcome import Line

Z = 1.959963984540054  # two-sided 95 % point of the normal distribution
MATCHES = 0.5  # F1 from which a candidate is that artifact's
GROUPS: dict[str, Callable[[Line], str]] = {
    "half": lambda line: f"{line['half']} half",
    "place": lambda line: {"fixed": "fixed place", "free": "free places", "whole": "whole image"}[line["group"]],
    "coverage": lambda line: f"coverage {line['coverage']:.2f}",
    "data": lambda line: f"{line['data']}, {line['network']}",
    "kind": lambda line: f"{line['kinds'][0]} ({line['half'][0]})",
}


@dataclass(frozen=True)
class Table:
    """A table of text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        return "\n".join([f"### {self.title}", "", *("| " + " | ".join(line) + " |" for line in lines)])

    def show(self, console: Console) -> None:
        """Print the table."""
        table = RichTable(*self.header, title=self.title, title_justify="left")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share; of a mean of n numbers in [0, 1] it is at least as wide as needed."""
    p = successes / n
    centre, half = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return max(0.0, (centre - half) / (1 + Z**2 / n)), min(1.0, (centre + half) / (1 + Z**2 / n))


def share(values: Iterable[float | bool]) -> str:
    """Return successes of n with the share's interval, or a mean of numbers in [0, 1] with its interval."""
    listed = list(values)
    if not listed:
        return "–"
    low, high = wilson(sum(listed), len(listed))
    counted = all(isinstance(value, bool) for value in listed)
    count = f"{sum(listed)}/{len(listed)}" if counted else f"{mean(listed):.2f}"
    return f"{count} [{_short(low)}, {_short(high)}]"


def report(audits: Sequence[Line], methods: Sequence[Line]) -> list[Table]:
    """Return every table that there is something to say in."""
    tables = [planted(audits), unplanted(audits), candidates(audits, methods), pairs(audits), single(audits)]
    return [table for table in tables if table.rows]


def planted(lines: Sequence[Line]) -> Table:
    """What became of the planted classes, one artifact each."""
    header = (
        "",
        "cases",
        "adopted",
        "ranked 1st",
        "proven",
        "or in features",
        "proven, not adopted",
        "precision",
        "recall",
        "CPU-s a class",
    )
    chosen = [line for line in lines if len(line["kinds"]) == 1 and not line["everywhere"]]
    rows = [_planted_row("all", chosen)] if chosen else []
    for name, group in GROUPS.items():
        rows += [_planted_row(value, part) for value, part in _grouped(chosen, group, name == "half")]
    title = "Planted classes: of the adopted artifacts, how many are ranked first and proven, and the carriers found"
    return Table(title, header, rows)


def unplanted(lines: Sequence[Line]) -> Table:
    """How often something is proven of classes that have nothing of their own."""
    parts = {
        "clean runs": [(line, line["results"]) for line in lines if not line["kinds"]],
        "other classes of planted runs": [
            (line, [each for each in line["results"] if each["label"] != line["target"]])
            for line in lines
            if line["target"] >= 0
        ],
        "all classes carry it alike": [(line, line["results"]) for line in lines if line["everywhere"]],
    }
    every = [pair for pairs_ in parts.values() for pair in pairs_]
    parts |= {f"all, {name}": [pair for pair in every if pair[0]["data"] == name] for name in _names(lines, "data")}
    parts["all"] = every
    rows = []
    for name, found in parts.items():
        results = [each for _, some in found for each in some]
        if results:
            proven = [each["verdict"] == "proven" for each in results]
            shown = share([each.get("in_features", False) for each in results])
            rows.append([name, str(len(results)), share(proven), *_verdicts(results), shown])
    header = ("", "classes", "proven", "not used", "open", "not isolated", "of them shown in features")
    return Table("Clean classes: false proofs", header, rows)


def candidates(audits: Sequence[Line], methods: Sequence[Line]) -> Table:
    """The audit's candidates beside those of other methods, on the adopted artifacts."""
    found: dict[str, list[tuple[int, list[Line], str]]] = {}
    known = {line["key"] for line in audits}
    for line in audits:
        if _adopted(line):
            result = _target(line)
            found.setdefault("this audit", []).append((result["position"], result["candidates"], line["kinds"][0]))
    for line in methods:
        for name, each in line["methods"].items():
            if _adopted(line) and line["key"] in known:
                found.setdefault(name, []).append((each["position"], each["candidates"], line["kinds"][0]))
    rows = [[name, str(len(some)), *_candidate_columns(some)] for name, some in found.items()]
    header = ("method", "adopted", "ranked 1st", "precision of 1st", "recall of 1st", "1st matches", "any matches")
    title = f"Candidates for adopted artifacts; to match is F1 ≥ {MATCHES} with the carriers, more of them than in all"
    return Table(title, header, rows)


def pairs(lines: Sequence[Line]) -> Table:
    """Two artifacts in one class: how many are found, each by a proven candidate of its own."""
    rows = []
    for line in lines:
        if len(line["kinds"]) != 2:
            continue
        result = _target(line)
        adopted = [each["kind"] for each in line["adoption"] if each["adopted"]]
        right = [kind for kind in adopted if any(_matches(each, kind) for each in result["candidates"])]
        proven = result["verdict"] == "proven"
        rows.append([line["key"], ", ".join(adopted) or "–", result["verdict"], ", ".join(right) if proven else "–"])
    return Table("Two artifacts in one class", ("case", "adopted", "verdict", "proven, with its carriers"), rows)


def single(lines: Sequence[Line]) -> Table:
    """Every case with one artifact."""
    header = ("case", "accuracy", "Δp of the truth", "position", "verdict", "kind", "Δp found", "precision", "recall")
    rows = []
    for line in lines:
        if len(line["kinds"]) != 1 or line["everywhere"]:
            continue
        result, truth = _target(line), line["adoption"][0]
        first = _first(line)
        numbers = [f"{first[name]:.2f}" if first else "–" for name in ("precision", "recall")]
        interval = f"[{truth['low']:+.2f}, {truth['high']:+.2f}]"
        rows.append([
            line["key"], f"{line['accuracy']:.2f}", f"{truth['effect']:+.2f} {interval}",
            str(result["position"]), result["verdict"], result["kind"] or "–",
            "–" if result["effect"] is None else f"{result['effect']:+.2f}", *numbers,
        ])  # fmt: skip
    return Table("Every case", header, rows)


def _planted_row(name: str, lines: Sequence[Line]) -> list[str]:
    adopted = [line for line in lines if _adopted(line)]
    results = [_target(line) for line in adopted]
    firsts = [first for line in adopted if (first := _first(line))]
    recall = [first["recall"] for first in firsts] + [0.0] * (len(results) - len(firsts))
    others = [_target(line) for line in lines if not _adopted(line)]
    seconds = [each["seconds"] for line in lines for each in line["results"]]
    return [
        name,
        str(len(lines)),
        str(len(adopted)),
        share([each["position"] == 1 for each in results]),
        share([each["verdict"] == "proven" for each in results]),
        str(sum(each.get("in_features", False) for each in results)),
        f"{sum(each['verdict'] == 'proven' for each in others)}/{len(others)}",
        share([first["precision"] for first in firsts]),
        share(recall),
        f"{mean(seconds):.1f}",
    ]


def _candidate_columns(found: Sequence[tuple[int, list[Line], str]]) -> list[str]:
    firsts = [some[0][kind] for _, some, kind in found if some]
    return [
        share([position == 1 for position, _, _ in found]),
        share([first["precision"] for first in firsts]),
        share([first["recall"] for first in firsts] + [0.0] * (len(found) - len(firsts))),
        share([bool(some) and _matches(some[0], kind) for _, some, kind in found]),
        share([any(_matches(each, kind) for each in some) for _, some, kind in found]),
    ]


def _matches(candidate: Line, kind: str) -> bool:
    """Whether a candidate is that artifact's, and says more than that many samples carry it."""
    found = candidate[kind]
    total = found["precision"] + found["recall"]
    f1 = 2 * found["precision"] * found["recall"] / total if total else 0.0
    return f1 >= MATCHES and found["precision"] > found["base"]


def _adopted(line: Line) -> bool:
    return len(line["kinds"]) == 1 and not line["everywhere"] and line["adoption"][0]["adopted"]


def _target(line: Line) -> Line:
    return next(each for each in line["results"] if each["label"] == line["target"])


def _first(line: Line) -> Line | None:
    """How well the planted class's first candidate fits the carriers; None without a candidate."""
    found = _target(line)["candidates"]
    return found[0][line["kinds"][0]] if found else None


def _verdicts(results: Sequence[Line]) -> list[str]:
    return [str(sum(each["verdict"] == name for each in results)) for name in ("not used", "open", "not tested")]


def _grouped(lines: Sequence[Line], group: Callable[[Line], str], by_name: bool) -> list[tuple[str, list[Line]]]:
    values = dict.fromkeys(map(group, lines))
    ordered = sorted(values) if by_name or all(value.startswith("coverage") for value in values) else list(values)
    return [(value, [line for line in lines if group(line) == value]) for value in ordered]


def _names(lines: Sequence[Line], key: str) -> list[str]:
    return list(dict.fromkeys(line[key] for line in lines))


def _short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0") if value < 1 else "1"
