"""Recursive coordinate bisection of nodes that are distributed over ranks.

Each bisection halves the cost along the direction of largest variance. All groups of one depth are divided at once. The
cut of a group is the place of a node in the order of (coordinate, input number), found digit by digit: a histogram over
one byte of this key is summed over ranks, and only the nodes of the byte in which the cut lies go on to the next byte.
The parts do not depend on the distribution of the nodes, except by the rounding of variances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from rfablate.arrays import BoolArray, FloatArray, IntArray
from rfablate.mesh.row_blocks import Blocks

BYTE = 256
Key = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class _Groups:
    """Sets of parts that are not divided yet."""

    first: IntArray
    """First part of each group."""
    size: IntArray
    """Number of its parts."""

    @property
    def low(self) -> IntArray:
        """Number of parts of the lower half."""
        return self.size // 2

    def halves(self) -> _Groups:
        """Return the halves of all groups, some of them without parts."""
        first = np.stack([self.first, self.first + self.low], axis=1)
        return _Groups(first.ravel(), np.stack([self.low, self.size - self.low], axis=1).ravel())


def bisect(points: FloatArray, cost: FloatArray, n_parts: int, comm: MPI.Comm = MPI.COMM_SELF) -> npt.NDArray[np.int32]:
    """Return the part of each point of this rank, with at least one point in each part. Collective.

    Args:
        points: coordinates [m], shape (n, 3), of consecutive input numbers, in the order of the ranks.
        cost: cost of each point, a multiple of 1/2, so that sums are exact.
        n_parts: number of parts, at most the number of points of all ranks.
        comm: the ranks that have the points.
    """
    blocks = Blocks.of_lengths(comm, len(points))
    number, total = np.arange(blocks.first, blocks.end, dtype=np.uint64), blocks.total
    groups, group = _Groups(np.array([0]), np.array([n_parts])), np.zeros(len(points), dtype=np.int64)
    while groups.size.max() > 1:
        axis = _widest(points, group, len(groups.size), comm)
        key = _ordered(points[np.arange(len(points)), axis[group]])
        places: list[tuple[Key, int]] = [(key, shift) for shift in range(56, -1, -8)]
        places += [(number, shift) for shift in range(8 * ((total.bit_length() - 1) // 8), -1, -8)]
        below = _below_cut(places, cost, group, groups, comm)
        halves = groups.halves()
        used = halves.size > 0
        group = (np.cumsum(used) - 1)[2 * group + ~below]
        groups = _Groups(halves.first[used], halves.size[used])
    return np.asarray(groups.first[group], dtype=np.int32)


def _widest(points: FloatArray, group: IntArray, n: int, comm: MPI.Comm) -> IntArray:
    """Return the axis of largest variance of each group: in a graded mesh, the extent does not show where nodes are."""
    sums = np.stack([np.bincount(group, w, n) for w in (None, *points.T, *(points**2).T)]).astype(np.float64)
    comm.Allreduce(MPI.IN_PLACE, sums)
    count = np.maximum(sums[0], 1.0)
    return np.argmax(sums[4:] / count - (sums[1:4] / count) ** 2, axis=0)


def _ordered(values: FloatArray) -> Key:
    """Return integers in the same order as the values."""
    bits = (values + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    sign = np.uint64(1) << np.uint64(63)
    return np.where(bits & sign, ~bits, bits | sign)


def _below_cut(
    places: list[tuple[Key, int]],
    cost: FloatArray,
    group: IntArray,
    groups: _Groups,
    comm: MPI.Comm,
) -> BoolArray:
    """Return which nodes belong to the lower half of their group; `places` are the bytes of their keys. Collective."""
    n = len(groups.size)
    below = np.zeros(len(group), dtype=bool)
    left = np.arange(len(group))
    before = np.zeros((2, n))
    """Count and cost of the nodes that are below the cut for certain."""
    whole: Any = None
    for values, shift in places:
        digit = ((values[left] >> np.uint64(shift)) & np.uint64(BYTE - 1)).astype(np.int64)
        place = BYTE * group[left] + digit
        bins = np.stack([np.bincount(place, w, BYTE * n) for w in (None, cost[left])]).astype(np.float64)
        comm.Allreduce(MPI.IN_PLACE, bins)
        upto = before[:, :, None] + np.cumsum(bins.reshape(2, n, BYTE), axis=2)
        if whole is None:
            whole = upto[:, :, -1]
        fits = _fits(upto, whole, groups)
        chosen = fits.sum(axis=1)
        below[left[digit < chosen[group[left]]]] = True
        has = chosen > 0
        before[:, has] = upto[:, has, chosen[has] - 1]
        left = left[digit == chosen[group[left]]]
    return below


def _fits(upto: FloatArray, whole: FloatArray, groups: _Groups) -> BoolArray:
    """Return whether the first nodes of a group, with this count and cost, belong to its lower half."""
    count, cost = upto
    low, size = groups.low[:, None], groups.size[:, None]
    target = whole[1][:, None] * low / size
    # at least one node for each part on both sides
    return np.asarray(((cost < target) | (count <= low)) & (count <= whole[0][:, None] - (size - low)))
