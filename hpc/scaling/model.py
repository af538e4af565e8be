"""A model of a time step on many ranks: work, memory, messages. Pure arithmetic on what was measured; no MPI.

    T(P) = sum over what a step does, times how often:   work(n) + messages

work(n) = fixed + rate(n) n, by a rank's rows, cells or coarse unknowns n. `rate` follows the sizes measured, so what
fits in a cache is quicker; `fixed` is what a call costs however small. A message of b bytes takes L + o + b / B:

    ghosts      L + q o + b / B             q neighbours at once, b bytes in all
    reduction   h (L + o + b / B)           h = ceil(log2 P) rounds, or, for long ones, where that is less,
                2 h (L + o) + 2 b / B       halved and gathered again (Rabenseifner 2004)
    gathering   h (L + o) + b / B           doubled each round (Bruck 1997)

The slowest rank decides, at each part of the step anew: parts are divided by reductions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Result = dict[str, Any]

ENTRY_BYTES = 40
"""A replicated level keeps of each entry of its matrix: two values, three indices and the sliced copy [B]."""
COARSENING = 25.0
"""Unknowns of a level to those of the next, about."""
HIERARCHIES = 2
"""Of the potential and of the heat."""


@dataclass(frozen=True)
class Law:
    """Seconds of one call by size."""

    fixed: float
    sizes: tuple[float, ...]
    rates: tuple[float, ...]

    @classmethod
    def fit(cls, points: Sequence[tuple[float, float]]) -> Law:
        """Go through all (size, seconds): the two smallest tell the fixed part, each point its rate."""
        points = sorted((n, t) for n, t in points if n > 0)
        if not points:
            return cls(0.0, (1.0,), (0.0,))
        fixed = 0.0
        if len(points) > 1:
            (n0, t0), (n1, t1) = points[:2]
            fixed = min(max(0.0, t0 - n0 * (t1 - t0) / (n1 - n0)), t0)
        return cls(fixed, tuple(n for n, _ in points), tuple((t - fixed) / n for n, t in points))

    def __call__(self, n: float, slowdown: float = 1.0) -> float:
        """Return the seconds for size n; `slowdown` is of memory and leaves the fixed part alone."""
        if n <= 0:
            return 0.0
        return self.fixed + slowdown * n * float(np.interp(math.log(n), np.log(self.sizes), self.rates))


@dataclass(frozen=True)
class Network:
    """What a message costs."""

    name: str
    latency: float
    """L [s]"""
    overhead: float
    """o, of the processor for each message [s]."""
    bandwidth: float
    """B of one rank while all its neighbours on the node send too [B/s]."""

    def exchange(self, neighbours: float, n_bytes: float) -> float:
        """Return the seconds of one update of ghosts."""
        return self.latency + neighbours * self.overhead + n_bytes / self.bandwidth if neighbours > 0 else 0.0

    def reduce(self, n_bytes: float, ranks: int) -> float:
        """Return the seconds of one reduction to all ranks."""
        rounds = math.ceil(math.log2(ranks)) if ranks > 1 else 0
        hop = self.latency + self.overhead
        short = rounds * (hop + n_bytes / self.bandwidth)
        return min(short, 2 * rounds * hop + 2 * n_bytes / self.bandwidth)

    def gather(self, n_bytes: float, ranks: int) -> float:
        """Return the seconds until every rank has all ranks' parts of `n_bytes`."""
        rounds = math.ceil(math.log2(ranks)) if ranks > 1 else 0
        return rounds * (self.latency + self.overhead) + n_bytes / self.bandwidth if ranks > 1 else 0.0


NETWORKS = (
    Network("InfiniBand, assumed", 2e-6, 0.5e-6, 1e9),
    Network("Ethernet, assumed", 30e-6, 3e-6, 0.1e9),
)


@dataclass(frozen=True)
class Share:
    """What the fullest of P ranks holds."""

    ranks: int
    rows: float
    cells: float
    ghosts: float
    neighbours: float
    level_1: float
    """Unknowns of the V-cycle's first coarse level: every rank holds all of it and works on a P-th."""
    looked_at: float
    """Cells in which the lesion is measured."""


@dataclass(frozen=True)
class Numbers:
    """How often a step does what."""

    cycles: float
    cycled_iterations: float
    cycled_solves: float
    diagonal_iterations: float
    diagonal_solves: float
    other_reductions: float
    dealt_levels: float
    """Levels below the fine one whose rows are dealt to ranks: all but the last, which is inverted."""

    @classmethod
    def of(cls, run: Result, other_reductions: float) -> Numbers:
        """Take them from a probe."""
        names = ("cycles", "cycled_iterations", "cycled_solves", "diagonal_iterations", "diagonal_solves")
        dealt = max(len(run["potential_levels"]) - 2, 0)
        return cls(*(float(run.get(name, 0.0)) for name in names), other_reductions, dealt)

    @property
    def exchanges(self) -> float:
        """Updates of ghosts a step."""
        cycled = 4.0 * self.cycles + self.cycled_iterations + self.cycled_solves
        return cycled + self.diagonal_iterations + 2.0 * self.diagonal_solves

    @property
    def gathers(self) -> float:
        """Gatherings of a coarse level's rows a step: four products a level and V-cycle."""
        return 4.0 * self.dealt_levels * self.cycles

    @property
    def reductions(self) -> float:
        """Short reductions a step; each V-cycle has a long one besides."""
        solves = self.cycles + 2.0 * self.cycled_iterations + self.diagonal_iterations + self.diagonal_solves
        return solves + self.other_reductions


@dataclass(frozen=True)
class Work:
    """The laws of a step's parts on one rank."""

    assemble: Law
    rest: Law
    measure: Law
    judge: Law
    damage: Law
    diagonal: Law
    conjugate: Law
    fine: Law
    dealt: Law
    """The products of the coarse levels, by the rows of the first that a rank works on."""
    replicated: Law
    """What every rank does of the coarse levels as a whole, by the first one's rows."""

    @classmethod
    def fit(cls, runs: Sequence[Result]) -> Work:
        """Take them from probes on one rank."""

        def law(size: str, seconds: str, number: str | None = None, less: str | None = None) -> Law:
            points = []
            for run in runs:
                times = run.get(number, 0.0) if number else 1.0
                if times > 0.0:
                    points.append((_size(run, size), (run.get(seconds, 0.0) - run.get(less or "", 0.0)) / times))
            return Law.fit(points)

        return cls(
            assemble=law("cells", "assemble_s"),
            rest=Law.fit([(run["cells"], max(_rest(run), 0.0)) for run in runs]),
            measure=law("looked_at", "measure_s"),
            judge=law("nodes", "judge_s"),
            damage=law("nodes", "damage_s"),
            diagonal=law("nodes", "diagonal_s", "diagonal_iterations"),
            conjugate=law("nodes", "cycled_s", "cycled_iterations", less="cycle_s"),
            fine=law("nodes", "cycle_s", "cycles", less="coarse_s"),
            dealt=law("level_1", "dealt_s", "coarses"),
            replicated=law("level_1", "coarse_s", "coarses", less="dealt_s"),
        )


def _size(run: Result, name: str) -> float:
    return float(run["potential_levels"][1] if name == "level_1" else run[name])


def _rest(run: Result) -> float:
    """Return the seconds of a step outside the parts that have a law of their own."""
    parts = ("assemble_s", "measure_s", "judge_s", "damage_s", "diagonal_s", "cycled_s")
    return float(run["step_s"] - sum(run.get(part, 0.0) for part in parts))


@dataclass(frozen=True)
class Forecast:
    """Seconds of a step on P ranks, by what they go to."""

    ranks: int
    divided: float
    """Work that more ranks share, border cells that are computed twice included."""
    replicated: float
    """Work on the V-cycle's coarse levels that every rank does as a whole."""
    exchange: float
    reduce: float
    gather: float

    @property
    def total(self) -> float:
        """[s]"""
        return self.divided + self.replicated + self.exchange + self.reduce + self.gather


def foretell(work: Work, numbers: Numbers, share: Share, network: Network, slowdown: float = 1.0) -> Forecast:
    """Return a step on the ranks of `share`; `slowdown` is how much slower memory is than where `work` was measured."""
    divided = (
        work.assemble(share.cells, slowdown)
        + work.rest(share.cells, slowdown)
        + work.measure(share.looked_at, slowdown)
        + work.judge(share.rows, slowdown)
        + work.damage(share.rows, slowdown)
        + numbers.diagonal_iterations * work.diagonal(share.rows, slowdown)
        + numbers.cycled_iterations * work.conjugate(share.rows, slowdown)
        + numbers.cycles * work.fine(share.rows, slowdown)
        + numbers.cycles * work.dealt(share.level_1 / share.ranks, slowdown)
    )
    single, double, two = (width * share.ghosts for width in (4, 8, 16))
    q, ranks = share.neighbours, share.ranks
    exchange = (
        4.0 * numbers.cycles * network.exchange(q, single)
        + (numbers.cycled_iterations + numbers.cycled_solves) * network.exchange(q, double)
        + (numbers.diagonal_iterations + 2.0 * numbers.diagonal_solves) * network.exchange(q, two)
    )
    reduce = numbers.cycles * network.reduce(4 * share.level_1, ranks) + numbers.reductions * network.reduce(32, ranks)
    sizes = [4 * share.level_1 / COARSENING**level for level in range(round(numbers.dealt_levels))]
    gather = 4.0 * numbers.cycles * sum(network.gather(size, ranks) for size in sizes)
    replicated = numbers.cycles * work.replicated(share.level_1, slowdown)
    return Forecast(ranks, divided, replicated, exchange, reduce, gather)


@dataclass(frozen=True)
class Memory:
    """Peak memory of a rank [B]: what a process needs empty, by cell, and by replicated unknown."""

    empty: float
    cell: float
    unknown: float

    @classmethod
    def fit(cls, runs: Sequence[Result]) -> Memory:
        """Take it from probes on one rank: a line through the smallest and the largest mesh."""
        runs = sorted(runs, key=lambda run: run["cells"])
        first, last = runs[0], runs[-1]
        entries = last["level_1_entries"] / max(last["potential_levels"][1], 1)
        unknown = HIERARCHIES * ENTRY_BYTES * entries
        peaks = [run["share"]["peak_MiB"][0] * 2**20 - unknown * run["potential_levels"][1] for run in (first, last)]
        cell = (peaks[1] - peaks[0]) / max(last["cells"] - first["cells"], 1)
        return cls(peaks[0] - cell * first["cells"], cell, unknown)

    def __call__(self, share: Share) -> float:
        """Return the bytes of the fullest rank, reading the mesh on rank 0 left out."""
        return self.empty + self.cell * share.cells + self.unknown * share.level_1
