"""Predicts strong and weak scaling to 1,024 ranks from one file of measurements (`python -m hpc.scaling measure`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from hpc.scaling.coarse_model import PetscCounts, coarse_levels
from hpc.scaling.launch import table
from hpc.scaling.model import NETWORKS, Forecast, Memory, Network, Numbers, Result, Share, Work, predict
from rfablate.linalg.coarse_limits import CoarseLevels

RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
TARGETS = (("strong", 10e6, 512), ("weak", 50e3 * 1024, 1024))
"""Kind of scaling, nodes and ranks of the predictions of `targets`."""


def other_reductions(counted: Sequence[Result]) -> float:
    """Return the short reductions per step outside the solves: all counted reductions minus those of the solves."""
    run = max(counted, key=lambda each: each["ranks"])
    solves = Numbers.of(run, 0.0)
    return max(0.0, run["counts"]["allreduce"]["calls"] - solves.cycles - solves.reductions)


def growth_of_cycles(counted: Sequence[Result]) -> float:
    """Return the fraction by which the V-cycles grow for each doubling of the ranks, as counted; at least zero."""
    points = [(math.log2(run["ranks"]), run["cycles"]) for run in counted if run.get("cycles")]
    if len({doublings for doublings, _ in points}) < 2:
        return 0.0
    slope, start = np.polyfit(*zip(*points, strict=True), 1)
    return max(0.0, float(slope / start))


def on_ranks(numbers: Numbers, ranks: int, growth: float) -> Numbers:
    """Return the counts of a step on P ranks."""
    factor = 1.0 + growth * math.log2(ranks)
    return replace(numbers, cycles=factor * numbers.cycles, cycled_iterations=factor * numbers.cycled_iterations)


def strong_share(part: Result, looked_at: float) -> Share:
    """Return the largest share of a partition from `parts`; the whole lesion may lie on one rank."""
    cells = float(part["cells"])
    sizes = (float(part[name]) for name in ("rows", "cells", "ghosts", "neighbours", "level_1"))
    return Share(
        part["parts"], *sizes, looked_at=min(looked_at, cells),
        level_1_ghosts=part.get("level_1_ghosts", 0.0), level_1_neighbours=part.get("level_1_neighbours", 0.0),
    )  # fmt: skip


def weak_share(part: Result, ranks: int, looked_at: float) -> Share:
    """Return the largest share of P ranks of the size of `part`; `looked_at` counts the lesion cells of its mesh."""
    factor = ranks / part["parts"]
    share = strong_share(part, looked_at * factor)
    if ranks == 1:
        share = replace(share, ghosts=0.0, neighbours=0.0)
    return replace(share, ranks=ranks, level_1=share.level_1 * factor)


def forecasts(measured: Result, network: Network, slowdown: float) -> dict[str, list[tuple[Share, Forecast]]]:
    """Return shares and predictions for each rank count, strong and weak."""
    runs, parts, counted = measured["growth"], measured["parts"], measured["count"]
    work = Work.fit(runs, measured.get("distributed", ()))
    whole = _whole(measured)
    numbers = _numbers(measured)
    growth = growth_of_cycles(counted)
    strong = [strong_share(part, whole["looked_at"]) for part in parts["shares"]]
    reference = next(part for part in parts["shares"] if part["parts"] == measured["weak_parts"])
    weak = [weak_share(reference, ranks, whole["looked_at"]) for ranks in RANKS]

    def each(shares: list[Share]) -> list[tuple[Share, Forecast]]:
        return [(s, predict(work, on_ranks(numbers, s.ranks, growth), s, network, slowdown)) for s in shares]

    return {"strong": each(strong), "weak": each(weak)}


def _whole(measured: Result) -> Result:
    """Return the run on one rank with the mesh whose parts are given."""
    found: Result = next(run for run in measured["growth"] if run["mesh"] == measured["parts"]["mesh"])
    return found


def _numbers(measured: Result) -> Numbers:
    """Return the counts of a step, with those of PETSc where they were counted."""
    numbers = Numbers.of(_whole(measured), other_reductions(measured["count"]))
    return replace(numbers, petsc=petsc_counts(measured.get("distributed", ())))


def petsc_counts(runs: Sequence[Result]) -> PetscCounts:
    """Return the messages of PETSc in a V-cycle, from counted runs with distributed coarse levels.

    The messages are those of the run with the most ranks, the ratio of levels that of the run with the most ranks in
    which the first coarse level is smoothed by the kernels of the fine one.
    """
    counts = PetscCounts()
    for run in sorted(runs, key=lambda each: int(each["ranks"])):
        levels, sent = run["potential_levels"], run["counts"].get("persistent", {"calls": 0.0})
        if len(levels) > 2:
            counts = replace(counts, ratio=levels[1] / levels[2])
        if sent["calls"] > 0.0:
            each = sent["messages"] / sent["calls"], sent["bytes"] / sent["calls"]
            counts = PetscCounts(sent["calls"] / run["cycles"], *each, levels[-1], counts.ratio)
    return counts


@dataclass(frozen=True)
class Target:
    """A prediction for a number of nodes that no machine here can hold."""

    kind: str
    nodes: float
    share: Share
    one: Forecast
    """Strong: one rank with all nodes. Weak: one rank with as many nodes as each rank."""
    many: Forecast

    @property
    def efficiency(self) -> float:
        """Parallel efficiency."""
        return self.one.total / self.many.total / (self.many.ranks if self.kind == "strong" else 1)


def targets(measured: Result, network: Network, slowdown: float, how: CoarseLevels = "auto") -> list[Target]:
    """Return the predictions of `TARGETS`; each takes the partition whose parts have the most similar size."""
    parts, whole = measured["parts"], _whole(measured)
    work = Work.fit(measured["growth"], measured.get("distributed", ()))
    numbers, growth = _numbers(measured), growth_of_cycles(measured["count"])
    cells, found = whole["cells"] / whole["nodes"], []
    for kind, nodes, ranks in TARGETS:
        part = min(parts["shares"], key=lambda each: abs(np.log(parts["nodes"] / each["parts"] / (nodes / ranks))))
        share = replace(weak_share(part, ranks, whole["looked_at"]), how=how)
        n = parts["nodes"] * ranks / part["parts"] if kind == "strong" else parts["nodes"] / part["parts"]
        level_1 = share.level_1 if kind == "strong" else share.level_1 / ranks
        alone = Share(1, n, cells * n, 0.0, 0.0, level_1, looked_at=min(share.looked_at, cells * n))
        one = predict(work, numbers, alone, network, slowdown)
        many = predict(work, on_ranks(numbers, ranks, growth), share, network, slowdown)
        found.append(Target(kind, parts["nodes"] * ranks / part["parts"], share, one, many))
    return found


def show_targets(measured: Result, slowdown: float) -> str:
    """Return a table of the predictions of `TARGETS`, with coarse levels as chosen and replicated."""
    heads = ["scaling", "nodes", "ranks", "network", "coarse levels", "ms per step", "divided", "replicated"]
    rows: list[list[object]] = [[*heads, "exchange", "reduce", "gather", "efficiency"]]
    choices: tuple[CoarseLevels, ...] = ("replicated", "auto")
    for network in NETWORKS:
        for how in choices:
            for each in targets(measured, network, slowdown, how):
                f = each.many
                ms = [f"{1e3 * t:.2f}" for t in (f.total, f.divided, f.replicated, f.exchange, f.reduce, f.gather)]
                kinds = [level.kind for level in coarse_levels(each.share, _numbers(measured).petsc.ratio)]
                head = [each.kind, f"{each.nodes:.3g}", f.ranks, network.name, ", ".join(kinds)]
                rows.append([*head, *ms, f"{each.efficiency:.0%}"])
    return table(rows)


def show(kind: str, pairs: Sequence[tuple[Share, Forecast]], memory: Memory) -> str:
    """Return a table of predictions."""
    heads = [
        "ranks",
        "rows per rank",
        "ghosts",
        "level 1",
        "ms per step",
        "divided",
        "replicated",
        "exchange",
        "reduce",
        "gather",
    ]
    heads += ["speed-up" if kind == "strong" else "efficiency", "MiB per rank"]
    rows: list[list[object]] = [heads]
    first = pairs[0][1]
    for share, f in pairs:
        seconds = (f.total, f.divided, f.replicated, f.exchange, f.reduce, f.gather)
        ms = [f"{1e3 * value:.2f}" for value in seconds]
        size = [f"{share.rows:.0f}", f"{share.ghosts:.0f}", f"{share.level_1:.0f}"]
        rows.append([f.ranks, *size, *ms, f"{first.total / f.total:.3g}", f"{memory(share) / 2**20:.0f}"])
    return table(rows)


def coarse_level_limit(pairs: Sequence[tuple[Share, Forecast]]) -> str:
    """Return a sentence: the rank count beyond which the coarse levels dominate."""
    heavy = [f.ranks for _, f in pairs if f.replicated + f.gather > f.divided]
    if not heavy:
        return "Replicated work and gathers of the coarse levels never take longer than the divided work."
    return (
        f"From {heavy[0]} ranks on, replicated work and gathers of the coarse levels take longer than the divided work."
    )


def validate(measured: Result) -> list[list[object]]:
    """Return the rows of a table: step times measured on some ranks, and the predictions of the model."""
    rows: list[list[object]] = [["mesh", "ranks", "ms per step", "predicted", "deviation"]]
    work, rates = Work.fit(measured["growth"]), measured["rates"]
    pair = rates[-1]
    here = Network("this machine's memory", 1e-6 * pair["latency_us"], 0.3e-6, 1e9 * pair["bandwidth_GB_per_s"])
    slowdown = max(1.0, rates[0]["triad_GB_per_s"] / pair["triad_GB_per_s"])
    for run in measured["pairs"]:
        share = Share(
            run["ranks"], *(max(run["share"][name]) for name in ("rows", "cells", "ghosts", "neighbours")),
            level_1=run["potential_levels"][1], looked_at=run["looked_at_most"],
        )  # fmt: skip
        factor = slowdown if run["ranks"] > 1 else 1.0
        f = predict(work, Numbers.of(run, other_reductions(measured["count"])), share, here, factor)
        seconds = run["step_s"]
        rows.append(
            [run["mesh"], run["ranks"], f"{1e3 * seconds:.1f}", f"{1e3 * f.total:.1f}", f"{f.total / seconds - 1:+.0%}"]
        )
    return rows


def report(measured: Result, slowdown: float = 1.0) -> tuple[str, dict[str, Any]]:
    """Return the text of all tables, and the predictions as plain data."""
    memory = Memory.fit(measured["growth"])
    text, data = (
        ["Measured on several ranks of this machine, and predicted by the model:", table(validate(measured))],
        {},
    )
    for network in NETWORKS:
        found = forecasts(measured, network, slowdown)
        data[network.name] = {kind: [asdict(f) for _, f in pairs] for kind, pairs in found.items()}
        for kind, pairs in found.items():
            what = f"{pairs[0][0].rows:.0f} nodes" if kind == "strong" else f"{pairs[0][0].rows:.0f} nodes per rank"
            head = f"{kind.capitalize()} scaling, {what}; {network.name}: {1e6 * network.latency:g} us"
            text += ["", f"{head}, {1e-9 * network.bandwidth:g} GB/s per rank", "", show(kind, pairs, memory)]
            text += ["", coarse_level_limit(pairs)]
    text += ["", "Targets:", "", show_targets(measured, slowdown)]
    return "\n".join(text), data
