"""What a mesh file holds, before its tags are given a meaning. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TaggedSimplices:
    """Simplices of one dimension with their tags; a simplex with several tags appears once per tag."""

    simplices: IntArray
    tags: IntArray


@dataclass(frozen=True)
class RawMesh:
    """The content of a mesh file, in the file's own length unit."""

    points: FloatArray
    cells: TaggedSimplices
    facets: TaggedSimplices
    names: dict[tuple[int, str], int]
    """Tag of each (dimension, physical name)."""
