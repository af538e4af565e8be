"""Mesh generation for applicators and structures with Gmsh, in 3-D and in the (r, z) half plane. Root only.

Boolean fragments cut all bodies into pieces with shared faces. A piece belongs to the last body that contains it;
applicators come last. In 3-D the pieces of one region are then merged (`mesh.merge_pieces`). If the boolean operations
or the mesh generation fail at the structures' surfaces (for example for bodies that touch), the mesh conforms to the
applicator only, and each cell belongs to the structure that contains its centroid; a note in the log reports this.
Labels of an image, surfaces of triangles and objects without a solid are not cut out: they are assigned to cells after
meshing (`mesh.label_cells`), and in 3-D the nodes between them move onto their surfaces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import gmsh
import numpy as np
import numpy.typing as npt

from rfablate.case.geometry.applicator_axes import ApplicatorFrame, applicator_frame
from rfablate.case.geometry.applicator_parts import bare_length, sharp_edges, tines_of
from rfablate.case.geometry.element_sizes import Sizes, choose_sizes
from rfablate.case.geometry.half_plane import HalfPlane, half_plane_of
from rfablate.case.geometry.shapes import contains
from rfablate.case.tables.geometry_tables import Applicator
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.mesh.element_quality import quality_text
from rfablate.mesh.fragment_bodies import extent, fragment_bodies, object_outlines, structure_surfaces
from rfablate.mesh.gmsh_session import gmsh_session, mesh_arrays
from rfablate.mesh.label_cells import Numbered, assign_labels
from rfablate.mesh.label_sizes import label_sizes
from rfablate.mesh.label_smoothing import smooth_interfaces, stepped_labels, tet_quality
from rfablate.mesh.merge_pieces import merge_pieces
from rfablate.mesh.mesh_data import MeshData, NumberedMesh
from rfablate.mesh.mesh_header import Conformity
from rfablate.mesh.name_regions import named_mesh
from rfablate.mesh.size_field import Needle, add_grid, add_guides, set_background
from rfablate.mesh.structure_report import with_exact_volumes

COARSE_THRESHOLD = 0.2
"""Quality below which elements of a coarse mesh are optimised: half the time. With Gmsh's 0.3 a run's mesh is better:
the conductance of a needle with two electrodes was 0.15 % farther from that in the half plane with 0.2."""


@dataclass(frozen=True)
class _Algorithm:
    """Gmsh's algorithm numbers for surface and volume meshes."""

    name: str
    surface: int
    volume: int
    merged: bool = False
    """Whether the pieces of a region are merged before meshing."""


_ALGORITHMS = {
    3: (
        _Algorithm("HXT", 6, 10, merged=True),
        _Algorithm("HXT on Delaunay surfaces", 5, 10, merged=True),
        _Algorithm("Delaunay", 6, 1, merged=True),
        _Algorithm("Delaunay of all pieces", 6, 1),
        _Algorithm("Delaunay on MeshAdapt surfaces", 1, 1),
    ),
    2: (_Algorithm("frontal Delaunay", 6, 1), _Algorithm("Delaunay", 5, 1)),
}
"""Algorithms in the order of the attempts. Each needs a new geometry, because Gmsh cannot retry a failed one."""


@dataclass(frozen=True)
class _Attempt:
    """One attempt to mesh a case."""

    dim: int
    """3, or 2 for the half plane."""
    algorithm: _Algorithm
    conforming: bool
    """Whether the mesh conforms to the surfaces of structures other than labels."""
    failures: tuple[str, ...]
    """The attempts before it, with their reasons."""


def generate_mesh(case: Case, geometry: Path | None = None) -> MeshData:
    """Return the mesh of a case with a box, cylinder or axisymmetric domain.

    Args:
        case: the case.
        geometry: file in which the fragmented 3-D bodies are stored for, or read by, the coarser mesh of the error
            bar; None for neither.

    Raises:
        MeshError: all attempts failed; the message lists the attempts, the sizes and the reasons from Gmsh.
    """
    sizes = choose_sizes(case.domain, case.mesh, case.applicators, case.structures)
    dim = 2 if case.domain.kind == "axisymmetric" else 3
    wanted = case.mesh.interfaces
    answers: list[str] = []
    for interfaces in ["conforming", "cells"] if wanted == "auto" else [wanted]:
        for algorithm in _ALGORITHMS[dim]:
            try:
                attempt = _Attempt(dim, algorithm, interfaces == "conforming", tuple(answers))
                return _attempt(case, sizes, attempt, geometry)
            except Exception as error:  # Gmsh raises plain Exception
                if isinstance(error, MeshError) and interfaces == "cells":
                    raise
                answers.append(
                    f"{interfaces} interfaces, {algorithm.name}: {str(error).strip() or 'no reason reported'}"
                )
    raise MeshError(
        f"Gmsh failed to mesh with {sizes.tip * 1e3:.3g} mm at the tip and {sizes.far * 1e3:.3g} mm far from it "
        f"({'; '.join(answers)}); separate structures that touch, or change mesh.size_tip_mm"
    )


def _attempt(case: Case, sizes: Sizes, attempt: _Attempt, geometry: Path | None) -> MeshData:
    conforming, dim = attempt.conforming, attempt.dim
    needles = [_needle(case, applicator, dim) for applicator in case.applicators]
    with gmsh_session(), TemporaryDirectory() as folder:
        pieces = fragment_bodies(case, dim, conforming=conforming, geometry=geometry)
        guides = [add_guides(needle, sizes, dim) for needle in needles]
        outlines = object_outlines(case, sizes)
        gmsh.model.occ.synchronize()
        if attempt.algorithm.merged:
            pieces = merge_pieces(pieces)
        grid = label_sizes(case, sizes, needles)
        others = [] if grid is None else [add_grid(grid, Path(folder) / "sizes")]
        guided = list(zip(needles, guides, strict=True))
        set_background(guided, structure_surfaces(case, pieces, dim) | outlines, sizes, others)
        gmsh.option.setNumber("Mesh.Algorithm", attempt.algorithm.surface)
        gmsh.option.setNumber("Mesh.Algorithm3D", attempt.algorithm.volume)
        if case.mesh.scale > 1.0:
            gmsh.option.setNumber("Mesh.OptimizeThreshold", COARSE_THRESHOLD)
        gmsh.model.mesh.generate(dim)
        points, cells, entity = mesh_arrays(dim)
    body_of = np.zeros(max(pieces) + 1, dtype=np.int32)
    body_of[list(pieces)] = list(pieces.values())
    mesh = NumberedMesh(points, cells, body_of[entity], first_device=len(case.structures) + 2)
    remarks: tuple[str, ...] = ()
    by = [(n + 2, shape) for n, shape in enumerate(case.structures) if not (conforming and shape.conforms(dim))]
    if grid is not None:
        mesh, remarks = _take_labels(case, mesh, by)
    elif by:
        mesh = replace(mesh, region=_label_cells(mesh, by, half_plane_of(case)))
        names = ", ".join(shape.name for _, shape in by)
        remarks = (f"{names}: each cell belongs to the structure at its centroid",) if conforming else ()
    mesh, volumes, notes = with_exact_volumes(case, mesh, conforming=conforming)
    remarks = (*remarks, *volumes)
    conformity = Conformity(
        shapes=conforming or not any(each.conforms(dim) for each in case.structures),
        labels=case.mesh.interfaces != "cells" if grid is not None else not (by and conforming),
    )
    if not conformity.shapes:
        notes += [f"failed attempt: {failure}" for failure in attempt.failures]
        notes.append(
            "structure surfaces follow the cells (each cell belongs to the structure that contains its centroid)"
        )
    return replace(named_mesh(case, mesh), notes=tuple(notes), remarks=remarks, conformity=conformity)


def _needle(case: Case, applicator: Applicator, dim: int) -> Needle:
    frame = applicator_frame(applicator)
    if dim == 2:  # the mesh plane is (r, z)
        tip, axis = (np.array([0.0, each[2], 0.0]) for each in (frame.tip, frame.axis))
        frame = ApplicatorFrame(tip, axis, u=np.array([1.0, 0.0, 0.0]), v=np.zeros(3))
    length = min(applicator.shaft_length or np.inf, extent(case))
    edges, bare = sharp_edges(applicator), bare_length(applicator)
    return Needle(frame, applicator.outer_diameter / 2, bare, length, edges, tines_of(applicator))


def _take_labels(case: Case, mesh: NumberedMesh, by: Numbered) -> tuple[NumberedMesh, tuple[str, ...]]:
    """Return the mesh with the structures `by`, at whose surfaces it is not cut.

    Also lines for the log.
    """
    points, cells = mesh.points, mesh.cells
    region = assign_labels(points, cells, mesh.region, mesh.region < mesh.first_device, by)
    text = "interfaces follow the cells"
    if case.mesh.interfaces != "cells":
        labels = {number: shape for number, shape in by if shape.sampled}
        points = smooth_interfaces(replace(mesh, region=region), labels)
        kept = stepped_labels(replace(mesh, region=region), points, labels)
        quality = tet_quality(points[cells])
        text = f"interfaces are smoothed, worst cell of quality {quality.min():.2f}; {quality_text(quality)}"
        text += f"; the surfaces of {', '.join(kept)} keep the steps of the cells" if kept else ""
    remarks = (f"cells are assigned to the structure with the largest part of their volume; {text}",)
    return replace(mesh, points=points, region=region), remarks


def _label_cells(mesh: NumberedMesh, by: Numbered, plane: HalfPlane | None) -> npt.NDArray[np.int32]:
    """Return the region of each cell: in tissue the last of the structures that contain its centroid."""
    centroids = mesh.points[mesh.cells].mean(axis=1)
    centroids = centroids if plane is None else plane.to_space(centroids)
    region, tissue = mesh.region.copy(), mesh.region < mesh.first_device
    for number, shape in by:
        region[tissue & (region < number) & contains(shape, centroids)] = number
    return region
