"""A run's lesions and temperatures as an image on the grid of a label image, for display over the CT. Root only.

A voxel has the value at its centre: the field is linear inside a cell, and a lesion is where its level is positive in
tissue. Voxels outside the mesh are outside all lesions and have body temperature.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray, IntArray
from rfablate.case.tables.label_image import LabelImage
from rfablate.case.tables.label_reader import image_error, image_suffix, itk, own_coordinates, read_label_image
from rfablate.errors import CaseError, Fault
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, RunData
from rfablate.results.run_view import metal_regions, rule_levels

_COLOURS = ("0.9 0.2 0.1", "1 0.6 0.1", "0.6 0.2 0.7", "0.2 0.5 0.9", "0.3 0.7 0.3")


def image_of(run: RunData, like: Path | None) -> tuple[Path, str]:
    """Return the image whose grid is used, and its coordinates: that of the run's case, or `like`.

    Raises:
        CaseError: there is neither.
    """
    labels = [each for each in run.case.get("structures", ()) if each.get("kind") == "label"]
    coordinates = str(labels[0]["coordinates"]) if labels else None
    if like is not None:
        return like, coordinates or own_coordinates(like)
    if coordinates is None:
        found = "found no label image in the run's case"
        raise CaseError([Fault(str(run.directory), found, "an image whose grid is used", "--like IMAGE")], "export")
    return Path(labels[0]["file"]), coordinates


def refuse_half_plane(fields: FieldsReader, run: RunData) -> None:
    """Raise CaseError where the run is axisymmetric."""
    if fields.axisymmetric:
        hint = "--set domain.kind=cylinder makes the same case 3-D"
        raise CaseError([Fault(str(run.directory), "found an axisymmetric run", "a 3-D run", hint)], "export")


def export_labels(run: RunData, file: Path, like: Path | None = None, rule: str | None = None) -> dict[str, int]:
    """Write the lesions as labels on an image's grid; return the label of each rule.

    Labels count the case's rules from 1. A voxel in several lesions has the label of the smallest. `rule`: only the
    lesion of this rule, as label 1.

    Raises:
        CaseError: no image, no such rule, an axisymmetric run, or the file cannot be written.
    """
    grid_file, coordinates = image_of(run, like)
    image = read_label_image(grid_file, coordinates)
    with FieldsReader(run.directory / FIELDS) as fields:
        refuse_half_plane(fields, run)
        levels = chosen_levels(run, fields, rule)
        tags = [tag for tag, name in fields.region_names.items() if name in metal_regions(run)]
        tissue = ~np.isin(fields.region, tags)
        reached = tissue & np.any([(each >= 0.0)[fields.cells].any(axis=1) for each in levels.values()], axis=0)
        points, cells = fields.points_mm * 1e-3, fields.cells[reached]
    inside: dict[str, tuple[tuple[slice, ...], npt.NDArray[np.bool_]]] = {}
    if len(cells):
        block, sampled, known = _sample(image, points, cells, levels)
        inside = {name: (block, known & (sampled[name] >= 0.0)) for name in levels}
    numbers = {name: n for n, name in enumerate(levels, 1)}
    labels = np.zeros(image.labels.shape, dtype=np.uint8)
    for name in sorted(inside, key=lambda each: -int(inside[each][1].sum())):
        block, mask = inside[name]
        labels[block][mask] = numbers[name]
    _write(file, labels, grid_file, _segments(numbers) if file.name.lower().endswith(".seg.nrrd") else {})
    return numbers


def export_temperature(run: RunData, file: Path, like: Path | None = None, at_s: float | None = None) -> float | None:
    """Write temperatures [degC] on an image's grid: the maximum over time, or at the output time nearest to `at_s`.

    Returns:
        The time [s] that was written; None for the maximum.

    Raises:
        CaseError: no image, an axisymmetric run, or the file cannot be written.
    """
    grid_file, coordinates = image_of(run, like)
    image = read_label_image(grid_file, coordinates)
    with FieldsReader(run.directory / FIELDS) as fields:
        refuse_half_plane(fields, run)
        frame = -1 if at_s is None else int(np.argmin(np.abs(fields.times_s - at_s)))
        T = fields.point_data("peak_temperature_degC" if at_s is None else "temperature_degC", frame)
        points, cells = fields.points_mm * 1e-3, fields.cells
        time = None if at_s is None else float(fields.times_s[frame])
    body = float(run.case.get("body", {}).get("temperature_degC", 37.0))
    values = np.full(image.labels.shape, body, dtype=np.float32)
    block, sampled, known = _sample(image, points, cells, {"T": T})
    values[block] = np.where(known, sampled["T"], body)
    _write(file, values, grid_file, {})
    return time


def chosen_levels(run: RunData, fields: FieldsReader, rule: str | None) -> dict[str, FloatArray]:
    """Return the level of each rule in the case's order, or of `rule` alone; raises CaseError where it is unknown."""
    levels = rule_levels(run, fields)
    asked = run.case.get("lesion", {}).get("rules", list(levels))
    levels = {name: levels[name] for name in asked if name in levels}
    if rule is None:
        return levels
    if rule not in levels:
        raise CaseError([Fault("--rule", f'found "{rule}"', f"one of the run's: {', '.join(levels)}")], "export")
    return {rule: levels[rule]}


def _sample(
    image: LabelImage, points: FloatArray, cells: IntArray, nodal: Mapping[str, FloatArray]
) -> tuple[tuple[slice, ...], dict[str, FloatArray], npt.NDArray[np.bool_]]:
    """Return a block of the image, nodal fields at its voxels' centres, and which of these lie in a cell."""
    import pyvista

    used, packed = np.unique(cells, return_inverse=True)
    index = image.index(points[used])
    low = np.clip(np.floor(index.min(axis=0)).astype(int), 0, image.labels.shape)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, image.labels.shape)
    block = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    shape = tuple(int(n) for n in high - low)
    if min(shape) == 0:
        return block, {name: np.zeros(shape) for name in nodal}, np.zeros(shape, dtype=bool)
    mesh = pyvista.UnstructuredGrid({pyvista.CellType.TETRA: packed.reshape(-1, 4)}, index)
    for name, values in nodal.items():
        mesh.point_data[name] = values[used]
    sampled = pyvista.ImageData(dimensions=shape, origin=tuple(low.astype(float))).sample(mesh)
    known = np.asarray(sampled["vtkValidPointMask"]).reshape(shape, order="F") > 0
    return block, {name: np.asarray(sampled[name]).reshape(shape, order="F") for name in nodal}, known


def _segments(numbers: Mapping[str, int]) -> dict[str, str]:
    """Return the keys of segment names in files of 3D Slicer."""
    found: dict[str, str] = {}
    for name, value in numbers.items():
        n = value - 1
        found |= {
            f"Segment{n}_ID": name,
            f"Segment{n}_Name": name,
            f"Segment{n}_LabelValue": str(value),
            f"Segment{n}_Layer": "0",
            f"Segment{n}_Color": _COLOURS[n % len(_COLOURS)],
        }
    return found


def _write(file: Path, values: npt.NDArray[Any], grid: Path, keys: Mapping[str, str]) -> None:
    """Write an image on the grid of another; raises CaseError where it cannot be written."""
    if not image_suffix(file):
        raise image_error(file, f'found "{file.name}"', "a name that ends with .nii.gz, .nrrd or .mha")
    toolkit = itk()
    like = toolkit.ImageFileReader()
    like.SetFileName(str(grid))
    like.ReadImageInformation()
    image = toolkit.GetImageFromArray(np.ascontiguousarray(values.transpose()))
    image.SetOrigin(like.GetOrigin())
    image.SetSpacing(like.GetSpacing())
    image.SetDirection(like.GetDirection())
    for key, value in keys.items():
        image.SetMetaData(key, value)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        toolkit.WriteImage(image, str(file), useCompression=True)
    except (OSError, RuntimeError) as error:
        raise image_error(file, f"cannot be written: {str(error).splitlines()[-1]}", "a writable file") from None


def write_label_names(file: Path, numbers: Mapping[str, int]) -> Path:
    """Write a label description file of ITK-SNAP beside an image of lesions; return its path."""
    lines = ['0 0 0 0 0 0 0 "Clear Label"']
    for name, value in numbers.items():
        red, green, blue = (round(255 * float(part)) for part in _COLOURS[(value - 1) % len(_COLOURS)].split())
        lines.append(f'{value} {red} {green} {blue} 1 1 1 "{name}"')
    path = file.with_name(f"{file.name.removesuffix(image_suffix(file))}_labels.txt")
    path.write_text("\n".join(lines) + "\n", encoding="ascii", errors="replace")
    return path
