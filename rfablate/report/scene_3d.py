"""The 3-D picture of lesion, structures and cannula, rendered by VTK in a separate process (`picture_process`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.tables.shape_math import perpendicular_axes
from rfablate.report.surface_look import Look
from rfablate.results.field_slices import isolines, outline

if TYPE_CHECKING:
    from rfablate.report.vtk_canvas import Canvas

PIXELS = (1524, 1066)
"""Size of the picture, twice that on the page, for smooth edges: multisampling does not work with depth peeling."""
BOX_POINTS = 56
"""Points along each edge of the grid for the surfaces of exact shapes [1]."""
LESION = "#e8873a"
"""Colour of the lesion."""


@dataclass(frozen=True)
class Picture:
    """A picture as a data URL, its width [mm] and the structures shown; or the reason why there is no picture."""

    url: str = ""
    width_mm: float = 0.0
    shown: tuple[str, ...] = ()
    reason: str = ""

    @property
    def scale_mm(self) -> int:
        """Length of a suitable scale bar [mm]."""
        return next(n for n in (1, 2, 5, 10, 20, 50, 100) if n >= 0.08 * self.width_mm or n == 100)


def draw(directory: Path, target: Path, frame: int = -1) -> Picture:
    """Render the scene of a run directory to a PNG file; return its width and the structures shown.

    Args:
        directory: run directory.
        target: PNG file.
        frame: frame of the fields whose lesion is shown; the window is that of the last frame.
    """
    from rfablate.report import figure_style as style
    from rfablate.report.vtk_canvas import Canvas
    from rfablate.results.exact_shapes import placed_shapes
    from rfablate.results.fields_reader import FieldsReader
    from rfablate.results.run_reader import FIELDS, load_run
    from rfablate.results.run_view import read_cannulas, rule_levels

    run = load_run(directory)
    with FieldsReader(directory / FIELDS) as fields:
        last = next(iter(rule_levels(run, fields).values()), None)
        mesh = _grid(fields, last)
        level = last if frame == -1 else next(iter(rule_levels(run, fields, frame).values()), None)
        names, flat = dict(fields.region_names), fields.axisymmetric
    cannulas = read_cannulas(run)
    metal = [tag for tag, name in names.items() if any(name in c.regions for c in cannulas)]
    tissue = mesh.extract_cells(~np.isin(mesh.cell_data["region"], metal))
    lesion = _lesion(tissue, flat=flat)
    middle, size = _window(lesion, cannulas)
    if level is not None and level is not last:
        tissue.point_data["level"] = level[tissue.point_data["vtkOriginalPointIds"]]
        lesion = _lesion(tissue, flat=flat)
    canvas = Canvas(PIXELS)
    shown = []
    colours, shapes = style.structure_colours(run), placed_shapes(run)
    for tag, name in names.items():
        if name not in colours:
            continue
        if name in shapes:
            surface = _placed_surface(shapes, name, middle, 1.15 * size)
        else:
            surface = _surface(mesh, tag, flat=flat, middle=middle, half=1.15 * size)
        if surface.n_points:
            role = run.table("structures")[name].get("role")
            opacity = 0.45 if role in ("target", "protect") else 0.16
            if role not in ("target", "protect") and np.sort(np.ptp(surface.points, axis=0))[1] > 2 * size:
                opacity = 0.07  # a half space or a slab would hide the rest
            _add(canvas, surface, colours[name], opacity, 0.15)
            shown.append(name)
    if lesion.n_points:
        _add(canvas, lesion, LESION, 0.5, 0.25)
    for cannula in cannulas:
        _add_cannula(canvas, cannula, 2.2 * size)
        if cannula.name in run.rings():
            _add_ring(canvas, cannula, *run.rings()[cannula.name])
    return Picture(width_mm=_write_picture(canvas, cannulas, middle, size, target), shown=tuple(shown))


def _grid(fields: Any, level: Any) -> Any:
    """Return the mesh as a PyVista grid with its regions and the level of the verdict rule."""
    import pyvista as pv

    kind = pv.CellType.TETRA if fields.cells.shape[1] == 4 else pv.CellType.TRIANGLE
    mesh = pv.UnstructuredGrid({kind: fields.cells}, fields.points_mm)
    mesh.cell_data["region"] = fields.region
    if level is not None:
        mesh.point_data["level"] = level
    return mesh


def _lesion(tissue: Any, *, flat: bool) -> Any:
    """Return the surface on which the level of the verdict rule is zero; no surface without a rule."""
    import pyvista as pv

    if "level" not in tissue.point_data:
        return pv.PolyData()
    return _turned_level(tissue) if flat else tissue.contour([0.0], scalars="level")


def _window(lesion: Any, cannulas: Any) -> tuple[Any, float]:
    """Return the centre of the picture and half its height [mm]."""
    first = cannulas[0] if cannulas else None
    middle = first.tip + 0.5 * first.span * first.direction if first else np.zeros(3)
    size = 1.6 * first.active_tip if first else 8.0
    if lesion.n_points:
        low, high = lesion.points.min(axis=0), lesion.points.max(axis=0)
        middle, size = (low + high) / 2, 1.05 * float(np.max(high - low))
    return middle, max(size, first.active_tip if first else 0.0)


def _surface(mesh: Any, tag: int, *, flat: bool, middle: Any, half: float) -> Any:
    """Return the surface of a region, clipped to a box around the centre of the picture."""
    region = mesh.cell_data["region"]
    if flat:
        cells = mesh.cells_dict[5]
        surface = _turned(outline(mesh.points[:, [0, 2]], cells, region == tag))
    else:
        surface = mesh.extract_cells(region == tag).extract_surface(algorithm=None)
    bounds = np.column_stack([middle - half, middle + half]).ravel().tolist()
    return surface.clip_box(bounds, invert=False).extract_surface(algorithm=None) if surface.n_points else surface


def _turned_level(tissue: Any) -> Any:
    """Return the surface of revolution of the lesion outline in the half plane."""
    cells, level = tissue.cells_dict[5], np.asarray(tissue.point_data["level"])
    return _turned(isolines(tissue.points[:, [0, 2]], cells, level, 0.0))


def _placed_surface(shapes: Any, name: str, middle: Any, half: float) -> Any:
    """Return the surface of the exact shape of a structure, within a box around the centre of the picture."""
    import pyvista as pv

    from rfablate.case.geometry.shapes import bounding_box
    from rfablate.results.exact_shapes import depth_mm

    shape = bounding_box(shapes[name]) * 1e3
    slack = 0.02 * half
    low, high = np.maximum(shape[0] - slack, middle - half), np.minimum(shape[1] + slack, middle + half)
    if np.any(high <= low):
        return pv.PolyData()
    spacing = (high - low) / (BOX_POINTS - 1)
    box = pv.ImageData(dimensions=(BOX_POINTS,) * 3, spacing=tuple(spacing), origin=tuple(low))
    box.point_data["depth"] = depth_mm(shapes, name, np.asarray(box.points, dtype=np.float64))
    return box.contour([0.0], scalars="depth")


def _turned(lines: Sequence[FloatArray]) -> Any:
    """Return the surface of revolution of polylines (r, z) about the z axis."""
    import pyvista as pv

    surface = pv.PolyData()
    for line in lines:
        points = np.column_stack([line[:, 0], np.zeros(len(line)), line[:, 1]])
        surface = surface + pv.lines_from_points(points).extrude_rotate(resolution=120, capping=False)
    return surface


def _add(canvas: Canvas, surface: Any, colour: str, opacity: float, specular: float) -> None:
    smooth = surface.clean().compute_normals(
        auto_orient_normals=False, consistent_normals=True, split_vertices=True, feature_angle=50.0
    )
    canvas.add(smooth, Look(colour, opacity, specular, ambient=0.25))


def _add_cannula(canvas: Canvas, cannula: Any, reach: float) -> None:
    import pyvista as pv

    from rfablate.report import figure_style as style
    from rfablate.results.run_view import path_until

    if len(cannula.path):
        bare = path_until(cannula.path, cannula.active_tip)
        shaft = np.vstack([bare[-1:], cannula.path[len(bare) :], cannula.path[-1] + max(reach, 1.0) * cannula.shaft])
        for path, colour in ((bare, style.METAL_ACTIVE), (shaft, style.METAL_SHAFT)):
            curve = pv.lines_from_points(np.asarray(path, dtype=float)).tube(
                radius=cannula.diameter / 2, n_sides=48, capping=True
            )
            canvas.add(curve, Look(colour))
        return
    for start, end, colour in (
        (0.0, cannula.active_tip, style.METAL_ACTIVE),
        (cannula.active_tip, max(reach, 2 * cannula.active_tip), style.METAL_SHAFT),
    ):
        centre = cannula.tip + 0.5 * (start + end) * cannula.direction
        rod = pv.Cylinder(
            center=centre,
            direction=cannula.direction,
            radius=cannula.diameter / 2,
            height=end - start,
            resolution=48,
        )
        canvas.add(rod, Look(colour), split=True)
    for path, diameter in cannula.tines:
        tine = pv.Spline(path, 4 * len(path)).tube(radius=diameter / 2, n_sides=24, capping=True)
        canvas.add(tine, Look(style.METAL_ACTIVE))


def _add_ring(canvas: Canvas, cannula: Any, start: float, end: float) -> None:
    """Add a ring electrode: a sleeve that is slightly wider than the shaft, so that it is visible."""
    import pyvista as pv

    from rfablate.report import figure_style as style

    centre = cannula.tip + 0.5 * (start + end) * cannula.direction
    sleeve = pv.Cylinder(
        center=centre, direction=cannula.direction, radius=0.52 * cannula.diameter, height=end - start, resolution=48
    )
    canvas.add(sleeve, Look(style.RING), split=True)


def _write_picture(canvas: Canvas, cannulas: Any, middle: Any, size: float, target: Path) -> float:
    """Write the picture in an oblique side view without perspective; return its width [mm]."""
    up = cannulas[0].direction if cannulas else np.array([0.0, 0.0, 1.0])
    other, opposite = perpendicular_axes(up)
    view = -0.62 * opposite - 0.78 * other + 0.42 * up
    view = view / np.linalg.norm(view)
    canvas.shoot(target, eye=middle + 10 * size * view, middle=middle, up=up, half=size)
    return 2 * size * PIXELS[0] / PIXELS[1]
