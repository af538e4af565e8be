"""Surfaces and temperatures over time for the interactive scene, computed by PyVista in `picture_process`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.report import figure_style as style
from rfablate.report.field_samples import POINTS, SampleGrid, Samples, axis_of, sample, scene_surface
from rfablate.report.scene_packing import SceneObject, ScenePacker, SceneSurface
from rfablate.results.exact_shapes import depth_mm, placed_shapes
from rfablate.results.field_slices import outline
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, RunData, load_run
from rfablate.results.run_view import Cannula, heating_end, path_until, read_cannulas
from rfablate.results.wording import rule_label

LARGEST_BYTES = 4_200_000
"""Size above which a scene is packed with fewer frames, so that the page stays below 8 MB [B]."""
ISOTHERMS_degC = (45.0, 50.0, 60.0)
TRIANGLES = 8000
"""Largest number of triangles of the surface of a mesh region [1]."""
Placed = tuple[str, str, str, float, SceneSurface]
"""Name, role, colour, opacity and surface of a structure."""
VERDICT_COLOUR = "#e8873a"
SLEEVE = 1.03
"""Drawn over true diameter of an applicator [1]: structures have a hole of the true diameter, which would flicker."""


def write_scene(directory: Path, target: Path) -> None:
    """Write the packed scene of a run directory. Root only.

    Raises:
        ValueError, OSError: the fields file cannot be read or has no frame.
    """
    run = load_run(directory)
    cannulas = read_cannulas(run)
    with FieldsReader(directory / FIELDS) as fields:
        samples = sample(run, fields)
        structures = structure_surfaces(run, fields, samples.grid)
    packed = _packed(run, cannulas, samples, structures)
    while len(packed) > LARGEST_BYTES and len(samples.times_s) > 2:
        samples = samples.thinned(heating_end(run))
        packed = _packed(run, cannulas, samples, structures)
    target.write_bytes(packed)


def _packed(run: RunData, cannulas: tuple[Cannula, ...], samples: Samples, structures: Sequence[Placed]) -> bytes:
    """Return the packed scene: lesions, isotherms, structures, applicators and the temperature."""
    grid, values = samples.grid, samples.values
    packer = ScenePacker(grid.low, grid.high)
    for rule, level in values.levels.items():
        first = rule == next(iter(values.levels))
        colour = VERDICT_COLOUR if first else style.rule_styles(run.rules())[rule][0]
        surfaces = [grid.contour(each, 0.0, values.inside) for each in level]
        lesion = SceneObject(f"lesion, {rule_label(rule)}", "lesion", colour, 0.5 if first else 0.35, shown=first)
        packer.add(lesion, surfaces)
    for value, shade in zip(ISOTHERMS_degC, (4, 6, 8), strict=True):
        surfaces = [grid.contour(each, value, values.inside) for each in values.temperature]
        colour = style.TEMPERATURE_MAP[shade]
        packer.add(SceneObject(f"isotherm {value:g} °C", "isotherm", colour, 0.35, shown=False), surfaces)
    for name, role, colour, opacity, surface in structures:
        packer.add(SceneObject(f"{name} ({role})", "structure", colour, opacity), [surface])
    for label, colour, surface in applicator_surfaces(run, cannulas, shaft_mm(grid)):
        packer.add(SceneObject(label, "applicator", colour, opacity=1.0), [surface])
    packer.add_field(values.temperature, (POINTS,) * 3, grid.spacing)
    axis, through = view_axis(cannulas)
    return packer.packed(samples.times_s, axis=axis, through=through, frames_in_file=samples.frames_in_file)


def view_axis(cannulas: Sequence[Cannula]) -> tuple[FloatArray, FloatArray]:
    """Return the upward direction of the view and the point through which the first slice passes [mm]."""
    if not cannulas:
        return np.array([0.0, 0.0, 1.0]), np.zeros(3)
    return cannulas[0].direction, np.mean([c.tip + 0.5 * c.span * c.direction for c in cannulas], axis=0)


def shaft_mm(grid: SampleGrid) -> float:
    """Return the drawn length of a shaft [mm], which leaves the view."""
    return 1.2 * float(grid.high[0] - grid.low[0])


def structure_surfaces(run: RunData, fields: FieldsReader, grid: SampleGrid) -> list[Placed]:
    """Return name, role, colour, opacity and surface of each structure, clipped to the box around the lesion."""
    import pyvista as pv

    colours, shapes = style.structure_colours(run), placed_shapes(run)
    found: list[Placed] = []
    axis = axis_of(fields, read_cannulas(run))
    for tag, name in fields.region_names.items():
        if name not in colours:
            continue
        if name in shapes:
            mesh = _placed(shapes, name, grid)
        elif fields.axisymmetric:
            mesh = _revolved(outline(fields.points_mm[:, [0, 2]], fields.cells, fields.region == tag))
            mesh = mesh.translate([*axis, 0.0]) if axis is not None else mesh
        else:
            cells = fields.cells[fields.region == tag]
            mesh = pv.UnstructuredGrid({pv.CellType.TETRA: cells}, fields.points_mm).extract_surface(algorithm=None)
        bounds = np.column_stack(grid.box).ravel().tolist()
        if mesh.n_points:
            mesh = mesh.clip_box(bounds, invert=False).extract_surface(algorithm=None)
        surface = scene_surface(mesh)
        if len(surface.triangles) > TRIANGLES:
            joined = pv.PolyData.from_regular_faces(np.asarray(surface.points, dtype=float), surface.triangles).clean()
            whole = pv.PolyData(joined.points, faces=joined.faces)  # without lines left over from slivers
            surface = scene_surface(whole.decimate(1 - TRIANGLES / whole.n_cells))
        if len(surface.triangles):
            role = style.role(run, name)
            judged = role in ("target", "protect")
            wide = np.sort(np.ptp(surface.points, axis=0))[1] > 0.8 * float(grid.box[1][0] - grid.box[0][0])
            opacity = 0.45 if judged else 0.07 if wide else 0.16
            found.append((name, {"protect": "protected"}.get(role, role), colours[name], opacity, surface))
    return found


def _placed(shapes: Any, name: str, grid: SampleGrid) -> Any:
    """Return the surface of the exact shape of a structure within the box around the lesion."""
    import pyvista as pv

    from rfablate.case.geometry.shapes import bounding_box

    shape = bounding_box(shapes[name]) * 1e3
    slack = 0.01 * (grid.high - grid.low)
    low, high = np.maximum(shape[0] - slack, grid.box[0]), np.minimum(shape[1] + slack, grid.box[1])
    if np.any(high <= low):
        return pv.PolyData()
    box = pv.ImageData(
        dimensions=(POINTS,) * 3, spacing=tuple((high - low) / (POINTS - 1)), origin=tuple(low)
    )  # fmt: skip
    box.point_data["depth"] = depth_mm(shapes, name, np.asarray(box.points, dtype=np.float64))
    return box.contour([0.0], scalars="depth")


def _revolved(lines: Sequence[FloatArray]) -> Any:
    """Return the surface of revolution of polylines (r, z) about the z axis."""
    import pyvista as pv

    surface = pv.PolyData()
    for line in lines:
        points = np.column_stack([line[:, 0], np.zeros(len(line)), line[:, 1]])
        surface = surface + pv.lines_from_points(points).extrude_rotate(resolution=72, capping=False)
    return surface


def applicator_surfaces(
    run: RunData, cannulas: tuple[Cannula, ...], reach: float
) -> list[tuple[str, str, SceneSurface]]:  # fmt: skip
    """Return label, colour and surface of active tips, insulated shafts and ring electrodes."""
    rings = run.rings()
    active, shafts, sleeves = [], [], []
    for cannula in cannulas:
        path = cannula.path if len(cannula.path) else cannula.tip + np.outer([0, cannula.active_tip], cannula.direction)
        bare = path_until(path, cannula.active_tip)
        shaft = np.vstack([bare[-1:], path[len(bare) :], path[-1] + reach * cannula.shaft])
        active.append(_tube(bare, SLEEVE * cannula.diameter))
        active += [_tube(tine, diameter) for tine, diameter in cannula.tines]
        shafts.append(_tube(shaft, SLEEVE * cannula.diameter))
        if cannula.name in rings:
            ends = np.array(rings[cannula.name])
            sleeves.append(_tube(cannula.tip + np.outer(ends, cannula.direction), 1.06 * cannula.diameter))
    groups = (
        ("active tip", style.METAL_ACTIVE, active),
        ("insulated shaft", style.METAL_SHAFT, shafts),
        ("ring electrode", style.RING, sleeves),
    )
    return [(label, colour, SceneSurface.joined(parts)) for label, colour, parts in groups if parts]


def _tube(path: FloatArray, diameter: float) -> SceneSurface:
    import pyvista as pv

    tube = pv.lines_from_points(np.asarray(path, dtype=float)).tube(radius=diameter / 2, n_sides=32, capping=True)
    return scene_surface(tube.triangulate().compute_normals(split_vertices=True, feature_angle=50.0))
