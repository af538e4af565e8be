"""Surfaces and temperatures over time for the interactive scene, computed by PyVista in `picture_process`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.report import figure_style as style
from rfablate.report.scene_packing import ScenePacker, SceneSurface
from rfablate.results.exact_shapes import depth_mm, placed_shapes
from rfablate.results.field_slices import outline
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, RunData, load_run
from rfablate.results.run_view import Cannula, heating_end, path_until, read_cannulas, rule_levels
from rfablate.results.wording import rule_label

POINTS = 48
"""Points along each edge of the grid on which fields are sampled [1]."""
FRAMES = 16
"""Largest number of frames shown [1]."""
LARGEST_BYTES = 4_200_000
"""Size above which a scene is packed with fewer frames, so that the page stays below 8 MB [B]."""
ISOTHERMS_degC = (45.0, 50.0, 60.0)
TRIANGLES = 8000
"""Largest number of triangles of the surface of a mesh region [1]."""
Placed = tuple[str, str, str, float, SceneSurface]
"""Name, role, colour, opacity and surface of a structure."""
VERDICT_COLOUR = "#e8873a"
AROUND = 1.5
"""Edge of the box in which structures are shown over that of the sampled box [1]."""
SLEEVE = 1.03
"""Drawn over true diameter of an applicator [1]: structures have a hole of the true diameter, which would flicker."""


@dataclass(frozen=True)
class Samples:
    """Fields on a regular grid; arrays over the grid have x as the fastest index.

    low: first corner of the grid [mm]. spacing: distance of its points [mm]. times_s: time of each frame [s].
    frames_in_file: number of frames of the file, shown or not. temperature: frame -> temperature [degC], shape
    (frames, POINTS^3). levels: lesion rule -> level of each frame, positive inside the lesion. inside: whether a point
    lies in the domain.
    """

    low: FloatArray
    spacing: float
    times_s: tuple[float, ...]
    frames_in_file: int
    temperature: FloatArray
    levels: Mapping[str, FloatArray]
    inside: np.ndarray

    @property
    def high(self) -> FloatArray:
        """Last corner of the grid [mm]."""
        return self.low + (POINTS - 1) * self.spacing

    @property
    def box(self) -> tuple[FloatArray, FloatArray]:
        """Corners of the box in which structures are shown [mm]."""
        middle, half = (self.low + self.high) / 2, AROUND * (self.high - self.low) / 2
        return middle - half, middle + half

    def thinned(self, heating_end_s: float | None) -> Samples:
        """Return the samples of about half of the frames."""
        kept = chosen_frames(self.times_s, heating_end_s, max(len(self.times_s) // 2, 3))
        return replace(
            self,
            times_s=tuple(self.times_s[i] for i in kept),
            temperature=self.temperature[kept],
            levels={rule: level[kept] for rule, level in self.levels.items()},
        )


def write_scene(directory: Path, target: Path) -> None:
    """Write the packed scene of a run directory. Root only.

    Raises:
        ValueError, OSError: the fields file cannot be read or has no frame.
    """
    run = load_run(directory)
    cannulas = read_cannulas(run)
    with FieldsReader(directory / FIELDS) as fields:
        samples = _sample(run, fields, cannulas)
        structures = _structures(run, fields, samples)
    packed = _packed(run, cannulas, samples, structures)
    while len(packed) > LARGEST_BYTES and len(samples.times_s) > 2:
        samples = samples.thinned(heating_end(run))
        packed = _packed(run, cannulas, samples, structures)
    target.write_bytes(packed)


def _packed(run: RunData, cannulas: tuple[Cannula, ...], samples: Samples, structures: Sequence[Placed]) -> bytes:
    """Return the packed scene: lesions, isotherms, structures, applicators and the temperature."""
    packer = ScenePacker(samples.low, samples.high)
    for rule, level in samples.levels.items():
        first = rule == next(iter(samples.levels))
        colour = VERDICT_COLOUR if first else style.rule_styles(run.rules())[rule][0]
        surfaces = [_contour(samples, values, 0.0) for values in level]
        packer.add(f"lesion, {rule_label(rule)}", "lesion", colour, 0.5 if first else 0.35, surfaces, shown=first)
    for value, shade in zip(ISOTHERMS_degC, (4, 6, 8), strict=True):
        surfaces = [_contour(samples, values, value) for values in samples.temperature]
        packer.add(f"isotherm {value:g} °C", "isotherm", style.TEMPERATURE_MAP[shade], 0.35, surfaces, shown=False)
    for name, role, colour, opacity, surface in structures:
        packer.add(f"{name} ({role})", "structure", colour, opacity, [surface])
    for label, colour, surface in _applicators(run, cannulas, 1.2 * float(samples.high[0] - samples.low[0])):
        packer.add(label, "applicator", colour, 1.0, [surface])
    packer.add_temperature(samples.temperature, (POINTS,) * 3, samples.spacing)
    axis = cannulas[0].direction if cannulas else np.array([0.0, 0.0, 1.0])
    through = np.mean([c.tip + 0.5 * c.span * c.direction for c in cannulas], axis=0) if cannulas else np.zeros(3)
    return packer.packed(samples.times_s, axis=axis, through=through, frames_in_file=samples.frames_in_file)


def chosen_frames(times_s: Sequence[float], heating_end_s: float | None, most: int = FRAMES) -> list[int]:
    """Return at most `most` evenly spread frames, with the first, the last and the last one of heating."""
    count = len(times_s)
    if count <= most:
        return list(range(count))
    hot = [i for i, time in enumerate(times_s) if heating_end_s is not None and time <= heating_end_s * (1 + 1e-9)]
    spread = np.linspace(0, count - 1, max(most - 1, 2)).round().astype(int).tolist()
    return sorted({*spread, *hot[-1:]})


def _sample(run: RunData, fields: FieldsReader, cannulas: tuple[Cannula, ...]) -> Samples:
    """Return temperature and lesion levels on a grid around lesion and active tips."""
    import pyvista as pv

    if not len(fields.times_s):
        raise ValueError("the file has a mesh but no frame")
    frames = chosen_frames(fields.times_s.tolist(), heating_end(run))
    heat = [fields.point_data("temperature_degC", frame) for frame in frames]
    levels = [rule_levels(run, fields, frame) for frame in frames]
    hot = np.max(heat, axis=0) > ISOTHERMS_degC[0]
    dead = np.any([level > 0 for level in levels[-1].values()], axis=0) if levels[-1] else hot
    axis = _axis(fields, cannulas)
    low, high = _window(fields.points_mm[hot | dead], axis, cannulas)
    spacing = float(high[0] - low[0]) / (POINTS - 1)
    line = np.arange(POINTS) * spacing
    z, y, x = np.meshgrid(low[2] + line, low[1] + line, low[0] + line, indexing="ij")
    points = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    if axis is not None:
        radius = np.hypot(points[:, 0] - axis[0], points[:, 1] - axis[1])
        points = np.column_stack([radius, np.zeros(len(points)), points[:, 2]])
    kind = pv.CellType.TETRA if fields.cells.shape[1] == 4 else pv.CellType.TRIANGLE
    mesh = pv.UnstructuredGrid({kind: fields.cells}, fields.points_mm)
    columns = [*heat, *(level[rule] for rule in levels[0] for level in levels)]
    mesh.point_data["all"] = np.column_stack(columns).astype(np.float32)
    probe: Any = pv.PolyData(points).sample(mesh)
    inside = np.asarray(probe["vtkValidPointMask"], dtype=bool)
    values = np.asarray(probe["all"], dtype=np.float64).T
    count = len(frames)
    temperature = np.where(inside, values[:count], np.nan)
    found = {
        rule: np.where(inside, values[(1 + i) * count : (2 + i) * count], -1.0) for i, rule in enumerate(levels[0])
    }
    times = tuple(float(fields.times_s[frame]) for frame in frames)
    return Samples(low, spacing, times, len(fields.times_s), temperature, found, inside)


def _axis(fields: FieldsReader, cannulas: tuple[Cannula, ...]) -> FloatArray | None:
    """Return x and y of the axis of an axisymmetric run [mm], on which its applicators lie; None in 3-D."""
    if not fields.axisymmetric:
        return None
    return cannulas[0].tip[:2] if cannulas else np.zeros(2)


def _window(
    points: FloatArray, axis: FloatArray | None, cannulas: tuple[Cannula, ...]
) -> tuple[FloatArray, FloatArray]:
    """Return the corners of a cube around hot or dead nodes and the active tips [mm]."""
    parts = [points]
    if axis is not None and len(points):
        reach = float(np.max(points[:, 0]))
        ends = points[:, 2].min(), points[:, 2].max()
        parts = [np.array([[*(axis - reach), ends[0]], [*(axis + reach), ends[1]]])]
    parts += [np.array([c.tip, c.tip + c.span * c.direction]) for c in cannulas]
    every = np.concatenate(parts)
    every = every if len(every) else np.array([[-8.0] * 3, [8.0] * 3])
    low, high = every.min(axis=0), every.max(axis=0)
    half = max(0.57 * float(np.max(high - low)), cannulas[0].active_tip if cannulas else 0.0)
    return (low + high) / 2 - half, (low + high) / 2 + half


def _contour(samples: Samples, values: FloatArray, level: float) -> SceneSurface:
    """Return the surface on which sampled values equal `level`."""
    import pyvista as pv

    values = np.where(samples.inside, values, level - 1.0)
    if not (values > level).any():
        return SceneSurface()
    box = pv.ImageData(dimensions=(POINTS,) * 3, spacing=(samples.spacing,) * 3, origin=tuple(samples.low))
    box.point_data["value"] = values
    return _surface(box.contour([level], scalars="value"))


def _surface(mesh: Any) -> SceneSurface:
    """Return a PyVista surface as points and triangles."""
    if not mesh.n_points or not mesh.n_cells:
        return SceneSurface()
    mesh.clear_data()
    triangles = mesh.triangulate()
    return SceneSurface(np.asarray(triangles.points, dtype=float), triangles.faces.reshape(-1, 4)[:, 1:])


def _structures(run: RunData, fields: FieldsReader, samples: Samples) -> list[Placed]:
    """Return name, role, colour, opacity and surface of each structure, clipped to the box around the lesion."""
    import pyvista as pv

    colours, shapes = style.structure_colours(run), placed_shapes(run)
    found: list[Placed] = []
    axis = _axis(fields, read_cannulas(run))
    for tag, name in fields.region_names.items():
        if name not in colours:
            continue
        if name in shapes:
            mesh = _placed(shapes, name, samples)
        elif fields.axisymmetric:
            mesh = _revolved(outline(fields.points_mm[:, [0, 2]], fields.cells, fields.region == tag))
            mesh = mesh.translate([*axis, 0.0]) if axis is not None else mesh
        else:
            cells = fields.cells[fields.region == tag]
            mesh = pv.UnstructuredGrid({pv.CellType.TETRA: cells}, fields.points_mm).extract_surface(algorithm=None)
        bounds = np.column_stack(samples.box).ravel().tolist()
        if mesh.n_points:
            mesh = mesh.clip_box(bounds, invert=False).extract_surface(algorithm=None)
        surface = _surface(mesh)
        if len(surface.triangles) > TRIANGLES:
            joined = pv.PolyData.from_regular_faces(np.asarray(surface.points, dtype=float), surface.triangles).clean()
            whole = pv.PolyData(joined.points, faces=joined.faces)  # without lines left over from slivers
            surface = _surface(whole.decimate(1 - TRIANGLES / whole.n_cells))
        if len(surface.triangles):
            role = style.role(run, name)
            judged = role in ("target", "protect")
            wide = np.sort(np.ptp(surface.points, axis=0))[1] > 0.8 * float(samples.box[1][0] - samples.box[0][0])
            opacity = 0.45 if judged else 0.07 if wide else 0.16
            found.append((name, {"protect": "protected"}.get(role, role), colours[name], opacity, surface))
    return found


def _placed(shapes: Any, name: str, samples: Samples) -> Any:
    """Return the surface of the exact shape of a structure within the box around the lesion."""
    import pyvista as pv

    from rfablate.case.geometry.shapes import bounding_box

    shape = bounding_box(shapes[name]) * 1e3
    slack = 0.01 * (samples.high - samples.low)
    low, high = np.maximum(shape[0] - slack, samples.box[0]), np.minimum(shape[1] + slack, samples.box[1])
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


def _applicators(
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
    return _surface(tube.triangulate().compute_normals(split_vertices=True, feature_angle=50.0))
