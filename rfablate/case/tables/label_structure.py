"""A structure that is a label of an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.tables.structure_base import (
    Bodies,
    SolidBuilder,
    StructureTable,
)
from rfablate.case.tables.units import LabelValue
from rfablate.errors import MeshError


class Label(StructureTable):
    """All voxels of a label image that have one of some values; `domain.kind = "labels"` makes these structures."""

    kind: Literal["label"] = "label"
    """Selects voxels of a label image."""
    file: str = Field(examples=["vertebra.nii.gz"])
    """Label image: NIfTI, NRRD or MetaImage. A relative path starts from the case file's folder."""
    values: tuple[LabelValue, ...] = Field(min_length=1, examples=[[3]])
    """Values of the voxels that belong to the structure."""
    coordinates: Literal["RAS", "LPS"] = Field(examples=["RAS"])
    """World coordinates of the case: x to the right and y to anterior ("RAS"), or to left and posterior ("LPS")."""

    place_key: ClassVar[str] = "file"

    # `label_shapes` loads SciPy and the image reader: only cases with labels use them.

    def contains(self, points: FloatArray) -> BoolArray:
        """See `StructureTable`; by voxels, not by the smoothed surface."""
        from rfablate.case.tables import label_shapes

        return label_shapes.label_contains(self, points)

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`; smoothed over about half a voxel."""
        from rfablate.case.tables import label_shapes

        return label_shapes.label_distance(self, points)

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        from rfablate.case.tables import label_shapes

        return label_shapes.label_corners(self)

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        from rfablate.case.tables import label_shapes

        return label_shapes.label_samples(self, spread)

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """Raise an error: voxels have no surface to mesh; `mesh.label_cells` assigns labels to cells."""
        raise MeshError(f"structure '{self.name}' is a label of an image, which cannot be meshed as a solid")

    def thinnest(self) -> float:
        """See `StructureTable`; a fifth of the volume may be thinner."""
        from rfablate.case.tables import label_shapes

        return label_shapes.label_thickness(self)

    def voxel_size(self) -> float:
        """Return the shortest edge of a voxel [m]."""
        from rfablate.case.tables import label_shapes

        return label_shapes.label_spacing(self)

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`; none, because the reader of the image checks its unit."""
        yield from ()

    def text(self) -> str:
        """See `StructureTable`."""
        return f"label {', '.join(str(value) for value in self.values)} of {Path(self.file).name}"
