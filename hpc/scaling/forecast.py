"""Predicts strong and weak scaling to 1,024 ranks from one file of measurements (`python -m hpc.scaling measure`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from hpc.scaling.launch import table
from hpc.scaling.model import NETWORKS, Forecast, Memory, Network, Numbers, Result, Share, Work, predict

RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


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
    return Share(part["parts"], *sizes, looked_at=min(looked_at, cells))


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
    work = Work.fit(runs)
    whole = next(run for run in runs if run["mesh"] == parts["mesh"])
    numbers = Numbers.of(whole, other_reductions(counted))
    growth = growth_of_cycles(counted)
    strong = [strong_share(part, whole["looked_at"]) for part in parts["shares"]]
    reference = next(part for part in parts["shares"] if part["parts"] == measured["weak_parts"])
    weak = [weak_share(reference, ranks, whole["looked_at"]) for ranks in RANKS]

    def each(shares: list[Share]) -> list[tuple[Share, Forecast]]:
        return [(s, predict(work, on_ranks(numbers, s.ranks, growth), s, network, slowdown)) for s in shares]

    return {"strong": each(strong), "weak": each(weak)}


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
    return "\n".join(text), data
