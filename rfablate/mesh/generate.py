"""Mesh generation for applicators and structures with Gmsh, in 3-D and in the (r, z) half plane. Root only.

Boolean fragments cut all bodies into pieces with shared faces. A piece belongs to the last body that contains it;
applicators come last. If the boolean operations or the mesh generation fail at the structures' surfaces (for example
for bodies that touch), the mesh conforms to the applicator only, and each cell belongs to the structure that contains
its centroid; a note in the log reports this. Labels of an image and objects without a solid have no such surfaces:
they are assigned to cells after meshing (`mesh.label_cells`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import gmsh
import numpy as np
import numpy.typing as npt

from rfablate.arrays import IntArray
from rfablate.case.geometry.applicator_axes import ApplicatorFrame, applicator_frame
from rfablate.case.geometry.applicator_parts import (
    bare_length,
    device_parts,
    electrode_roles,
    electrode_surface,
    tines_of,
)
from rfablate.case.geometry.element_sizes import Sizes, choose_sizes
from rfablate.case.geometry.half_plane import HalfPlane, half_plane_of
from rfablate.case.geometry.shapes import contains
from rfablate.case.tables.geometry_tables import Applicator, BoxDomain, Label, MeshDomain, ObjectStructure
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.mesh import occ_shapes as occ
from rfablate.mesh import occ_shapes_rz as occ_rz
from rfablate.mesh.facets import boundary_facets, facets_between
from rfablate.mesh.gmsh_session import gmsh_session, mesh_arrays
from rfablate.mesh.label_cells import Numbered, assign_labels, label_volumes, volume_texts
from rfablate.mesh.label_sizes import label_sizes
from rfablate.mesh.label_smoothing import smooth_interfaces, tet_quality
from rfablate.mesh.mesh_data import FOLLOW_CELLS, MeshData
from rfablate.mesh.size_field import Interfaces, Needle, add_grid, add_guides, set_background
from rfablate.mesh.stored_geometry import keep, take

COARSE_THRESHOLD = 0.2
"""Quality below which elements of a coarse mesh are optimised (Gmsh: 0.3): halves the time, the worst ones stay."""
MOST_POINTS = 5000
"""Largest number of points that set the sizes at the surface of an object."""
DOMAIN = 1
"""Region number of the background tissue; the structures follow in case order, then the applicators."""


@dataclass(frozen=True)
class _Algorithm:
    """Gmsh's algorithm numbers for surface and volume meshes."""

    name: str
    surface: int
    volume: int


_ALGORITHMS = {
    3: (_Algorithm("HXT", 6, 10), _Algorithm("Delaunay", 6, 1), _Algorithm("Delaunay on MeshAdapt surfaces", 1, 1)),
    2: (_Algorithm("frontal Delaunay", 6, 1), _Algorithm("Delaunay", 5, 1)),
}
"""Algorithms in the order of the attempts. Each needs a new geometry, because Gmsh cannot retry a failed one."""


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
                return _attempt(
                    case,
                    sizes,
                    dim,
                    conforming=interfaces == "conforming",
                    algorithm=algorithm,
                    failures=answers,
                    geometry=geometry,
                )
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


def _attempt(
    case: Case,
    sizes: Sizes,
    dim: int,
    *,
    conforming: bool,
    algorithm: _Algorithm,
    failures: Sequence[str],
    geometry: Path | None,
) -> MeshData:
    device = [part for applicator in case.applicators for part in device_parts(applicator)]
    device_tags = [len(case.structures) + 2 + n for n in range(len(device))]
    needles = [_needle(case, applicator, dim) for applicator in case.applicators]
    with gmsh_session(), TemporaryDirectory() as folder:
        pieces = _pieces(case, dim, conforming=conforming, geometry=geometry)
        guides = [add_guides(needle, sizes, dim) for needle in needles]
        objects = _object_points(case, sizes, dim)
        gmsh.model.occ.synchronize()
        grid = label_sizes(case, sizes, needles)
        others = [] if grid is None else [add_grid(grid, Path(folder) / "sizes")]
        set_background(needles, guides, _interfaces(case, pieces, dim) | objects, sizes, others)
        gmsh.option.setNumber("Mesh.Algorithm", algorithm.surface)
        gmsh.option.setNumber("Mesh.Algorithm3D", algorithm.volume)
        if case.mesh.scale > 1.0:
            gmsh.option.setNumber("Mesh.OptimizeThreshold", COARSE_THRESHOLD)
        gmsh.model.mesh.generate(dim)
        points, cells, entity = mesh_arrays(dim)
    body_of = np.zeros(max(pieces) + 1, dtype=np.int32)
    body_of[list(pieces)] = list(pieces.values())
    region = body_of[entity]
    notes: list[str] = []
    remarks: tuple[str, ...] = ()
    by = [(n + 2, shape) for n, shape in enumerate(case.structures) if not (conforming and shape.conforms(dim))]
    if grid is not None:
        points, region, remarks, notes = _take_labels(case, points, cells, region, device_tags[0], by=by)
    elif by and (conforming and dim == 3):
        region = assign_labels(points, cells, region, region < device_tags[0], by)
        remarks = (
            f"surfaces of {_names(by)} {FOLLOW_CELLS} (each cell belongs to the structure with its largest part)",
        )
    elif by:
        region = _label_cells(by, points[cells].mean(axis=1), region, region < device_tags[0], half_plane_of(case))
        if conforming:
            remarks = (f"surfaces of {_names(by)} {FOLLOW_CELLS} (each cell belongs to the structure at its centroid)",)
    if not conforming and any(not isinstance(each, Label) for each in case.structures):
        notes += [f"failed attempt: {failure}" for failure in failures]
        notes.append(
            f"structure surfaces {FOLLOW_CELLS} (each cell belongs to the structure that contains its centroid)"
        )
    bare_tags: dict[str, list[int]] = {}
    for tag, part in zip(device_tags, device, strict=True):
        if part.electrode:
            bare_tags.setdefault(part.electrode, []).append(tag)
    tissue = region < device_tags[0]
    bare = {name: facets_between(cells, np.isin(region, tags), tissue) for name, tags in bare_tags.items()}
    outer = boundary_facets(cells)
    if dim == 2:
        outer = outer[(points[outer][:, :, 0] > 1e-9).any(axis=1)]
    names = {DOMAIN: "domain", **{number + 2: shape.name for number, shape in enumerate(case.structures)}}
    first: dict[str, int] = {}
    for tag, part in zip(device_tags, device, strict=True):
        region[region == tag] = first.setdefault(part.region, tag)
    names.update({tag: name for name, tag in first.items()})
    data = MeshData(points, cells, region, names, _roles(case, bare, outer), dim == 2, tuple(notes), remarks)
    hollow = [tag for tag, part in zip(device_tags, device, strict=True) if part.kind == "lumen"]
    return _without_lumen(data, hollow[0]) if case.applicators[0].coolant else data


def _without_lumen(data: MeshData, lumen: int) -> MeshData:
    """Return the mesh without the lumen and facets of it alone; the wall becomes the surface `coolant`."""
    kept = data.region != lumen
    used, packed = np.unique(data.cells[kept], return_inverse=True)
    number = np.full(len(data.points), -1, dtype=np.int64)
    number[used] = np.arange(len(used))
    surfaces = {**data.surfaces, "coolant": facets_between(data.cells, kept, ~kept)}
    surfaces = {name: number[facets] for name, facets in surfaces.items()}
    surfaces = {name: facets[(facets >= 0).all(axis=1)] for name, facets in surfaces.items()}
    names = {tag: name for tag, name in data.region_names.items() if tag != lumen}
    cells = packed.reshape(-1, data.cells.shape[1]).astype(np.int64)
    return replace(
        data, points=data.points[used], cells=cells, region=data.region[kept], region_names=names, surfaces=surfaces
    )


def _roles(case: Case, bare: dict[str, IntArray], outer: IntArray) -> dict[str, IntArray]:
    """Return the facets of each role; `bare` contains the bare facets of each electrode."""
    of_role: dict[str, list[IntArray]] = {"active": [], "return": [outer] if case.boundary.electric == "return" else []}
    for name, role in electrode_roles(case.applicators).items():
        of_role[role].append(bare[name])
    surfaces = {role: np.concatenate(facets) for role, facets in of_role.items() if facets}
    surfaces["outer"] = outer
    if len(bare) > 1:
        surfaces.update({electrode_surface(name): facets for name, facets in bare.items()})
    if case.boundary.thermal == "fixed_temperature":
        surfaces["body_temperature"] = outer
    return surfaces


def _extent(case: Case) -> float:
    """Return the diagonal of the domain [m]."""
    domain = case.domain
    assert not isinstance(domain, MeshDomain)
    size = domain.size if isinstance(domain, BoxDomain) else (2 * domain.radius, domain.height)
    return float(np.linalg.norm(size))


def _needle(case: Case, applicator: Applicator, dim: int) -> Needle:
    frame = applicator_frame(applicator)
    if dim == 2:  # the mesh plane is (r, z)
        tip, axis = (np.array([0.0, each[2], 0.0]) for each in (frame.tip, frame.axis))
        frame = ApplicatorFrame(tip, axis, u=np.array([1.0, 0.0, 0.0]), v=np.zeros(3))
    length = min(applicator.shaft_length or np.inf, _extent(case))
    # the current density is singular at the edges of the insulation and of a blunt tip
    edges = [0.0, applicator.active_tip] if applicator.tip_shape == "blunt" else [applicator.active_tip]
    bare = bare_length(applicator)
    if applicator.ring is not None:
        edges += [bare - applicator.ring.length, bare]
    return Needle(frame, applicator.outer_diameter / 2, bare, length, edges, tines_of(applicator))


def _pieces(case: Case, dim: int, *, conforming: bool, geometry: Path | None) -> dict[int, int]:
    """Return the region number of each piece; a mesh coarser than the usual one is made from the kept bodies.

    The bodies that Gmsh reads give another mesh than those it has cut, so a coarse mesh is always made from read ones.
    """
    if dim == 2 or not conforming:
        return _fragment(case, dim, conforming=conforming)
    if case.mesh.scale <= 1.0:
        pieces = _fragment(case, dim, conforming=conforming)
        if geometry is not None:
            with suppress(OSError):  # a full or read-only cache costs time, nothing else
                keep(geometry, pieces)
        return pieces
    kept = take(geometry) if geometry is not None else None
    if kept is not None:
        return kept
    with TemporaryDirectory(prefix="rfablate-geometry-") as folder:
        own = Path(folder) / "bodies.brep"
        keep(own, _fragment(case, dim, conforming=conforming))
        gmsh.clear()
        gmsh.model.add("rfablate")
        kept = take(own)
    if kept is None:
        raise MeshError("Gmsh could not read back the bodies that it had written")
    return kept


def _fragment(case: Case, dim: int, *, conforming: bool) -> dict[int, int]:
    """Build and fragment the bodies; return the region number of each remaining piece."""
    shapes = occ if dim == 3 else occ_rz
    reach = 2.0 * _extent(case)
    bodies = [shapes.add_domain(case.domain)]
    numbers = [DOMAIN]
    if conforming:
        for number, shape in enumerate(case.structures):
            if shape.conforms(dim):
                bodies.append(shapes.add_structure(shape, reach))
                numbers.append(number + 2)
    for applicator in case.applicators:
        made = shapes.add_applicator(applicator, applicator.shaft_length or reach)
        for part in device_parts(applicator):
            bodies.append(made[part.kind])
            numbers.append(max(numbers[-1], len(case.structures) + 1) + 1)
    flat = [entity for body in bodies for entity in body]
    number_of = [number for number, body in zip(numbers, bodies, strict=True) for _ in body]
    everything, cut = gmsh.model.occ.fragment(flat[:1], flat[1:])
    inside = {tag for d, tag in cut[0] if d == dim}
    pieces: dict[int, int] = {}
    for number, parts in zip(number_of, cut, strict=True):
        pieces.update({tag: number for d, tag in parts if d == dim and tag in inside})
    gmsh.model.occ.remove([(d, tag) for d, tag in everything if tag not in pieces], recursive=True)
    gmsh.model.occ.synchronize()
    return pieces


def _interfaces(case: Case, pieces: dict[int, int], dim: int) -> Interfaces:
    """Return the surfaces (curves in the half plane) that bound each structure."""
    interfaces = {}
    for number, shape in enumerate(case.structures):
        own = [(dim, tag) for tag, body in pieces.items() if body == number + 2]
        tags = [tag for _, tag in gmsh.model.getBoundary(own, oriented=False)] if own else []
        interfaces[shape.name] = ("SurfacesList" if dim == 3 else "CurvesList", tags)
    return interfaces


def _object_points(case: Case, sizes: Sizes, dim: int) -> Interfaces:
    """Add points on the surfaces of the objects that have no solid; call before `synchronize`."""
    plane, found = half_plane_of(case), {}
    for shape in case.structures:
        if isinstance(shape, ObjectStructure) and not shape.conforms(dim):
            points = shape.surface_points(sizes.structure[shape.name], MOST_POINTS, plane=dim == 2)
            points = points if plane is None else plane.from_space(points)
            found[shape.name] = ("PointsList", [gmsh.model.occ.addPoint(*point) for point in points])
    return found


def _take_labels(
    case: Case,
    points: npt.NDArray[np.float64],
    cells: IntArray,
    region: npt.NDArray[np.int32],
    first_device: int,
    *,
    by: Numbered,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32], tuple[str, ...], list[str]]:
    """Return nodes and regions with the structures `by`, to whose surfaces the mesh does not conform.

    Also lines for the log, and warnings.
    """
    region = assign_labels(points, cells, region, region < first_device, by)
    text = f"interfaces {FOLLOW_CELLS}"
    if case.mesh.interfaces != "cells":
        labels = {number: shape for number, shape in by if isinstance(shape, Label)}
        points = smooth_interfaces(points, cells, region, labels, first_device)
        text = f"interfaces are smoothed, worst cell of quality {tet_quality(points[cells]).min():.2f}"
    corners = points[cells]
    volume = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 6.0
    volumes, warnings = volume_texts(label_volumes(case, region, volume, 2))
    return (
        points,
        region,
        (f"cells are assigned to the label with the largest part of their volume; {text}", volumes),
        warnings,
    )


def _label_cells(
    by: Numbered,
    centroids: npt.NDArray[np.float64],
    region: npt.NDArray[np.int32],
    tissue: npt.NDArray[np.bool_],
    plane: HalfPlane | None,
) -> npt.NDArray[np.int32]:
    """Return the region of each cell of `tissue`: the last of the structures that contain its centroid."""
    centroids = centroids if plane is None else plane.to_space(centroids)
    region = region.copy()
    for number, shape in by:
        region[tissue & (region < number) & contains(shape, centroids)] = number
    return region


def _names(by: Numbered) -> str:
    return ", ".join(shape.name for _, shape in by)
