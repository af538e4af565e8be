"""The coarse levels of a V-cycle on many ranks: their storage, and the cost of one V-cycle. Pure arithmetic.

| storage | work of a rank | messages of a V-cycle |
|---|---|---|
| replicated | smoothing of 1/P of the rows, all transfers | one long reduction; four gathers a level |
| distributed | its rows | six exchanges: four products, sums of the right-hand side, the solution |
| PETSc | its rows on P / f ranks | the last two; two with the f - 1 ranks that give rows away; those of PETSc |
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfablate.linalg.coarse_limits import Storage, fewer_ranks, storage

if TYPE_CHECKING:
    from hpc.scaling.model import Network, Share, Work

PETSC_COARSENING = 60.0
"""Approximate ratio of the unknowns of a level of GAMG to those of the next: 12,290 unknowns had one level below."""
COARSENING = 25.0
"""Approximate ratio of the unknowns of a replicated level to those of the next."""


@dataclass(frozen=True)
class PetscCounts:
    """Messages of PETSc in one V-cycle, of the rank with the most, counted on some ranks."""

    exchanges: float = 0.0
    neighbours: float = 0.0
    """Mean number of messages of an exchange."""
    n_bytes: float = 0.0
    """Mean bytes of an exchange."""
    unknowns: float = 1.0
    """Unknowns of the level for which the messages were counted."""
    ratio: float = 15.0
    """Unknowns of a distributed level over those of the next."""


@dataclass(frozen=True)
class LevelShare:
    """A coarse level and the share of the rank with the most."""

    kind: Storage
    total: float
    rows: float
    ghosts: float
    neighbours: float


@dataclass(frozen=True)
class CoarseCost:
    """Time of the coarse levels in one V-cycle [s]."""

    divided: float = 0.0
    replicated: float = 0.0
    exchange: float = 0.0
    reduce: float = 0.0
    gather: float = 0.0

    def plus(self, other: CoarseCost) -> CoarseCost:
        """Return the sum."""
        return CoarseCost(
            self.divided + other.divided,
            self.replicated + other.replicated,
            self.exchange + other.exchange,
            self.reduce + other.reduce,
            self.gather + other.gather,
        )


def coarse_levels(share: Share, ratio: float) -> list[LevelShare]:
    """Return the distributed levels, and the first that is replicated or solved by PETSc."""
    total, ghosts = share.level_1, share.level_1_ghosts
    found = []
    while True:
        kind = storage(total, share.ranks, share.how)
        found.append(LevelShare(kind, total, total / share.ranks, ghosts, share.level_1_neighbours))
        if kind != "distributed":
            return found
        total, ghosts = total / ratio, ghosts / ratio ** (2.0 / 3.0)


@dataclass(frozen=True)
class CoarseModel:
    """The cost of coarse levels on a machine."""

    work: Work
    network: Network
    counts: PetscCounts
    replicated_levels: float
    """Replicated levels whose rows are distributed, where the first coarse level is replicated."""
    slowdown: float = 1.0

    def cost(self, share: Share) -> CoarseCost:
        """Return the cost of all coarse levels in one V-cycle."""
        cost, levels = CoarseCost(), coarse_levels(share, self.counts.ratio)
        for level in levels:
            if level.kind == "replicated":
                cost = cost.plus(self._replicated(level, share.ranks, max(self.replicated_levels - len(levels) + 1, 0)))
            elif level.kind == "distributed":
                divided = self.work.dealt(level.rows, self.slowdown) + self.work.replicated(level.rows, self.slowdown)
                exchange = 6.0 * self.network.exchange(level.neighbours, 4.0 * level.ghosts)
                cost = cost.plus(CoarseCost(divided, exchange=exchange))
            else:
                cost = cost.plus(self._petsc(level, share.ranks))
        return cost

    def _replicated(self, level: LevelShare, ranks: int, levels: float) -> CoarseCost:
        sizes = [4.0 * level.total / COARSENING**k for k in range(round(levels))]
        return CoarseCost(
            self.work.dealt(level.rows, self.slowdown),
            self.work.replicated(level.total, self.slowdown),
            reduce=self.network.reduce(4.0 * level.total, ranks),
            gather=4.0 * sum(self.network.gather(size, ranks) for size in sizes),
        )

    def _petsc(self, level: LevelShare, ranks: int) -> CoarseCost:
        fewer, counts = fewer_ranks(level.total, ranks), self.counts
        active = -(-ranks // fewer)
        rows = level.total / active
        moved = 2.0 * self.network.exchange(fewer - 1, 8.0 * rows) if fewer > 1 else 0.0
        levels = 1 + max(0, math.ceil(math.log(level.total / counts.unknowns) / math.log(PETSC_COARSENING)))
        inner = levels * counts.exchanges * self.network.exchange(min(counts.neighbours, active - 1), counts.n_bytes)
        own = 2.0 * self.network.exchange(level.neighbours, 4.0 * level.ghosts)
        return CoarseCost(self.work.petsc(rows, self.slowdown), exchange=own + moved + inner)
