"""A model of a time step on many ranks: work, memory, messages. Pure arithmetic on measured rates; no MPI.

    T(P) = sum over the parts of a step, times their count:   work(n) + messages

work(n) = fixed + rate(n) n, with n the rows, cells or coarse unknowns of a rank. `rate` follows the measured sizes,
because data that fit in a cache are processed faster; `fixed` is the cost of a call independent of its size. A message
of b bytes takes L + o + b / B:

    ghosts      L + q o + b / B             q neighbours at once, b bytes in total
    reduction   h (L + o + b / B)           h = ceil(log2 P) rounds, or, for long ones, if shorter,
                2 h (L + o) + 2 b / B       reduce-scatter and allgather (Rabenseifner 2004)
    gather      h (L + o) + b / B           doubling in each round (Bruck 1997)

The slowest rank determines each part of a step, because reductions separate the parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpc.scaling.coarse_model import CoarseModel, PetscCounts, coarse_levels
from rfablate.linalg.coarse_limits import CoarseLevels

Result = dict[str, Any]

ENTRY_BYTES = 40
"""Bytes of a replicated level per matrix entry: two values, three indices and the sliced copy [B]."""
HIERARCHIES = 2
"""Number of multigrid hierarchies: potential and heat."""


@dataclass(frozen=True)
class Law:
    """Time of one call by size."""

    fixed: float
    sizes: tuple[float, ...]
    rates: tuple[float, ...]

    @classmethod
    def fit(cls, points: Sequence[tuple[float, float]]) -> Law:
        """Interpolate all (size, seconds): the two smallest sizes determine the fixed part, each point its rate."""
        points = sorted((n, t) for n, t in points if n > 0)
        if not points:
            return cls(0.0, (1.0,), (0.0,))
        fixed = 0.0
        if len(points) > 1:
            (n0, t0), (n1, t1) = points[:2]
            fixed = min(max(0.0, t0 - n0 * (t1 - t0) / (n1 - n0)), t0)
        return cls(fixed, tuple(n for n, _ in points), tuple((t - fixed) / n for n, t in points))

    def __call__(self, n: float, slowdown: float = 1.0) -> float:
        """Return the time for size n [s]; `slowdown` applies to the memory-bound part, not to the fixed part."""
        if n <= 0:
            return 0.0
        return self.fixed + slowdown * n * float(np.interp(math.log(n), np.log(self.sizes), self.rates))


@dataclass(frozen=True)
class Network:
    """Cost of a message."""

    name: str
    latency: float
    """Latency L [s]."""
    overhead: float
    """Processor overhead o of each message [s]."""
    bandwidth: float
    """Bandwidth B of one rank while all its neighbours on the node send too [B/s]."""

    def exchange(self, neighbours: float, n_bytes: float) -> float:
        """Return the time of one ghost update [s]."""
        return self.latency + neighbours * self.overhead + n_bytes / self.bandwidth if neighbours > 0 else 0.0

    def reduce(self, n_bytes: float, ranks: int) -> float:
        """Return the time of one reduction to all ranks [s]."""
        rounds = math.ceil(math.log2(ranks)) if ranks > 1 else 0
        hop = self.latency + self.overhead
        short = rounds * (hop + n_bytes / self.bandwidth)
        return min(short, 2 * rounds * hop + 2 * n_bytes / self.bandwidth)

    def gather(self, n_bytes: float, ranks: int) -> float:
        """Return the time of an allgather of `n_bytes` [s]."""
        rounds = math.ceil(math.log2(ranks)) if ranks > 1 else 0
        return rounds * (self.latency + self.overhead) + n_bytes / self.bandwidth if ranks > 1 else 0.0


NETWORKS = (
    Network("InfiniBand, assumed", 2e-6, 0.5e-6, 1e9),
    Network("Ethernet, assumed", 30e-6, 3e-6, 0.1e9),
)


@dataclass(frozen=True)
class Share:
    """Share of the rank with the most data out of P ranks."""

    ranks: int
    rows: float
    cells: float
    ghosts: float
    neighbours: float
    level_1: float
    """Unknowns of the first coarse level on all ranks."""
    looked_at: float
    """Cells in which the lesion is measured."""
    level_1_ghosts: float = 0.0
    level_1_neighbours: float = 0.0
    how: CoarseLevels = "auto"
    """Storage of the coarse levels."""


@dataclass(frozen=True)
class Numbers:
    """Counts of the operations of a step."""

    cycles: float
    cycled_iterations: float
    cycled_solves: float
    diagonal_iterations: float
    diagonal_solves: float
    other_reductions: float
    dealt_levels: float
    """Replicated levels whose rows are distributed over ranks: all except the last, which is inverted."""
    distributed_levels: float = 0.0
    petsc_levels: float = 0.0
    petsc: PetscCounts = PetscCounts()
    """Messages of PETSc, where it solves a coarse level."""

    @classmethod
    def of(cls, run: Result, other_reductions: float) -> Numbers:
        """Take the counts from a probe."""
        names = ("cycles", "cycled_iterations", "cycled_solves", "diagonal_iterations", "diagonal_solves")
        storage = run.get("storage", ["replicated"] * (len(run["potential_levels"]) - 1))
        levels = max(storage.count("replicated") - 1, 0), storage.count("distributed"), storage.count("petsc")
        return cls(*(float(run.get(name, 0.0)) for name in names), other_reductions, *levels)

    @property
    def exchanges(self) -> float:
        """Exchanges of ghosts per step, without those of PETSc."""
        coarse = 6.0 * self.distributed_levels + 2.0 * self.petsc_levels
        cycled = (4.0 + coarse) * self.cycles + self.cycled_iterations + self.cycled_solves
        return cycled + self.diagonal_iterations + 2.0 * self.diagonal_solves

    @property
    def gathers(self) -> float:
        """Gathers of the rows of replicated levels per step: four products per level and V-cycle."""
        return 4.0 * self.dealt_levels * self.cycles

    @property
    def reductions(self) -> float:
        """Short reductions per step; each V-cycle adds a long one."""
        solves = self.cycles + self.cycled_iterations + self.diagonal_iterations + self.diagonal_solves
        return solves + self.other_reductions


@dataclass(frozen=True)
class Work:
    """Cost functions of the parts of a step on one rank."""

    assemble: Law
    rest: Law
    measure: Law
    judge: Law
    damage: Law
    diagonal: Law
    conjugate: Law
    fine: Law
    dealt: Law
    """Matrix products of the coarse levels, by the rows of the first level that a rank computes."""
    replicated: Law
    """Work on the coarse levels that every rank repeats, by the rows of the first level."""
    petsc: Law
    """PETSc on a coarse level, by its rows."""

    @classmethod
    def fit(cls, runs: Sequence[Result], distributed: Sequence[Result] = ()) -> Work:
        """Fit the cost functions to probes on one rank; `distributed` are those with distributed coarse levels."""
        distributed = [run for run in distributed if run["ranks"] == 1 and run.get("petscs")]

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
            petsc=Law.fit([(run["potential_levels"][-1], run["petsc_s"] / run["petscs"]) for run in distributed]),
        )


def _size(run: Result, name: str) -> float:
    return float(run["potential_levels"][1] if name == "level_1" else run[name])


def _rest(run: Result) -> float:
    """Return the time of a step outside the parts with their own cost function [s]."""
    parts = ("assemble_s", "measure_s", "judge_s", "damage_s", "diagonal_s", "cycled_s")
    return float(run["step_s"] - sum(run.get(part, 0.0) for part in parts))


@dataclass(frozen=True)
class Forecast:
    """Time of a step on P ranks, by cause [s]."""

    ranks: int
    divided: float
    """Work divided among the ranks, including border cells that are computed twice."""
    replicated: float
    """Work on the V-cycle's coarse levels that every rank repeats."""
    exchange: float
    reduce: float
    gather: float

    @property
    def total(self) -> float:
        """Total time [s]."""
        return self.divided + self.replicated + self.exchange + self.reduce + self.gather


def predict(work: Work, numbers: Numbers, share: Share, network: Network, slowdown: float = 1.0) -> Forecast:
    """Return a step on the ranks of `share`; `slowdown` is the slowdown of memory relative to `work`."""
    coarse = CoarseModel(work, network, numbers.petsc, numbers.dealt_levels, slowdown).cost(share)
    divided = (
        work.assemble(share.cells, slowdown)
        + work.rest(share.cells, slowdown)
        + work.measure(share.looked_at, slowdown)
        + work.judge(share.rows, slowdown)
        + work.damage(share.rows, slowdown)
        + numbers.diagonal_iterations * work.diagonal(share.rows, slowdown)
        + numbers.cycled_iterations * work.conjugate(share.rows, slowdown)
        + numbers.cycles * work.fine(share.rows, slowdown)
        + numbers.cycles * coarse.divided
    )
    single, double, two = (width * share.ghosts for width in (4, 8, 16))
    q, ranks = share.neighbours, share.ranks
    exchange = (
        4.0 * numbers.cycles * network.exchange(q, single)
        + (numbers.cycled_iterations + numbers.cycled_solves) * network.exchange(q, double)
        + (numbers.diagonal_iterations + 2.0 * numbers.diagonal_solves) * network.exchange(q, two)
        + numbers.cycles * coarse.exchange
    )
    reduce = numbers.cycles * coarse.reduce + numbers.reductions * network.reduce(32, ranks)
    cycled = numbers.cycles
    return Forecast(ranks, divided, cycled * coarse.replicated, exchange, reduce, cycled * coarse.gather)


@dataclass(frozen=True)
class Memory:
    """Peak memory of a rank [B]: an empty process, per cell, and per replicated unknown."""

    empty: float
    cell: float
    unknown: float

    @classmethod
    def fit(cls, runs: Sequence[Result]) -> Memory:
        """Fit to probes on one rank: a line through the smallest and the largest mesh."""
        runs = sorted(runs, key=lambda run: run["cells"])
        first, last = runs[0], runs[-1]
        entries = last["level_1_entries"] / max(last["potential_levels"][1], 1)
        unknown = HIERARCHIES * ENTRY_BYTES * entries
        peaks = [run["share"]["peak_MiB"][0] * 2**20 - unknown * run["potential_levels"][1] for run in (first, last)]
        cell = (peaks[1] - peaks[0]) / max(last["cells"] - first["cells"], 1)
        return cls(peaks[0] - cell * first["cells"], cell, unknown)

    def __call__(self, share: Share) -> float:
        """Return the peak memory of the rank with the most data [B], without reading the mesh on rank 0."""
        levels = coarse_levels(share, PetscCounts().ratio)
        unknowns = sum(level.total if level.kind == "replicated" else level.rows for level in levels)
        return self.empty + self.cell * share.cells + self.unknown * unknowns
