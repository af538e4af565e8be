"""The content of a mesh file before tags are mapped to regions and surfaces. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class TaggedSimplices:
    """Simplices of one dimension with their tags; a simplex with several tags occurs once per tag."""

    simplices: IntArray
    tags: IntArray


@dataclass(frozen=True)
class RawMesh:
    """The content of a mesh file, in its own length unit."""

    points: FloatArray
    cells: TaggedSimplices
    facets: TaggedSimplices
    names: dict[tuple[int, str], int]
    """Tag of each (dimension, physical name)."""
