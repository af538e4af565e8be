"""The kinds of structures whose shape is in a file: labels of an image, and surfaces of triangles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.tables.structure_base import Bodies, SolidBuilder, StructureTable
from rfablate.case.tables.units import Angles, LabelValue, PointMm, in_mm
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

    @property
    def sampled(self) -> bool:
        """See `StructureTable`; voxels are no solid."""
        return True

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


class Surface(StructureTable):
    """The body inside a closed surface of triangles from a file."""

    kind: Literal["surface"] = "surface"
    """Selects the body inside a closed surface of triangles."""
    file: str = Field(examples=["tumour.stl"])
    """Surface file: STL, PLY, OBJ or VTP. A relative path starts from the case file's folder."""
    length_unit: Literal["m", "cm", "mm", "um"] = Field(examples=["mm"])
    """Unit of the coordinates in the file."""
    repair: bool = False
    """Whether faults of the surface are repaired: corners merged, flat and repeated triangles removed, holes closed,
    triangles turned outwards. The default is to reject such a surface."""
    rotate: Angles = Field(default=(0.0, 0.0, 0.0), alias="rotate_deg")
    """Rotation about the x, then the y, then the z axis through the origin of the file [degrees], before the
    translation. (0, 0, 180) converts LPS to RAS coordinates and back."""
    translate: PointMm = Field(default=(0.0, 0.0, 0.0), alias="translate_mm")
    """Translation along x, y, z [mm]."""

    place_key: ClassVar[str] = "translate_mm"

    # `surface_shapes` loads SciPy and the reader of surfaces: only cases with surfaces use them.

    @property
    def sampled(self) -> bool:
        """See `StructureTable`; triangles are no solid."""
        return True

    def contains(self, points: FloatArray) -> BoolArray:
        """See `StructureTable`."""
        from rfablate.case.tables import surface_shapes

        return surface_shapes.surface_contains(self, points)

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`; exact near the surface."""
        from rfablate.case.tables import surface_shapes

        return surface_shapes.surface_distance_of(self, points)

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        from rfablate.case.tables import surface_shapes

        return surface_shapes.placed_surface(self).bounds

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        from rfablate.case.tables import surface_shapes

        return surface_shapes.surface_samples(self, spread)

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """Raise an error: the mesh does not conform to triangles; `mesh.label_cells` assigns the body to cells."""
        raise MeshError(f"structure '{self.name}' is a surface of triangles, which cannot be meshed as a solid")

    def thinnest(self) -> float:
        """See `StructureTable`; a fifth of the surface may be thinner."""
        from rfablate.case.tables import surface_shapes

        return surface_shapes.surface_thickness(self)

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`; none, because the checks of surfaces compare the size with the unit."""
        yield from ()

    def text(self) -> str:
        """See `StructureTable`."""
        moved = f", rotated by {self.rotate} degrees" if any(self.rotate) else ""
        moved += f", translated by {in_mm(*self.translate)}" if any(self.translate) else ""
        return f"surface {Path(self.file).name}{moved}"
