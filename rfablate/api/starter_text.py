"""Texts of new cases that list what is in a label image, in a user's mesh or in surface files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rfablate.api.anatomy_guess import Guess, guess, key_name
from rfablate.arrays import FloatArray
from rfablate.errors import MeshError

_LIMIT = 45
"""Limit of nerve and spinal cord in the examples [degC] (Dupuy 2000)."""
_MOST_LABELS = 90
"""Number of labels that become structures; smaller ones of more are ignored."""
_MODELS = {2.0: "cannula-22g-2mm", 5.0: "cannula-20g-5mm", 10.0: "cannula-17g-10mm"}
"""Models by the length of their active tip [mm]."""
_TIPS_IN_DOMAIN = 5.0
"""Smallest ratio of the domain's extent to the active tip."""


def case_from_labels(path: Path, image: Path) -> str:
    """Return a case with all labels of an image; raises CaseError if it cannot be read."""
    from rfablate.case.tables.label_reader import own_coordinates, read_label_image

    coordinates = own_coordinates(image)
    labels = read_label_image(image, coordinates)
    names = {value: name for name, values in labels.segments.items() for value in values}
    order = sorted(labels.counts, key=lambda value: -labels.counts[value])
    kept, ignored = sorted(order[:_MOST_LABELS]), sorted(order[_MOST_LABELS:])
    parts, taken = [], {"domain", "cannula"}
    guesses: dict[int, Guess] = {}
    for value in kept:
        name = key_name(names.get(value, f"label_{value}"), taken)
        taken.add(name)
        guesses[value] = guess(names.get(value, ""), "muscle")
        volume = labels.counts[value] * labels.voxel * 1e9
        first, inside = labels.block((value,), 1)
        centre = labels.world(first + np.argwhere(inside).mean(axis=0))[0] * 1e3
        facts = f"{labels.counts[value]} voxels, {volume:.4g} mm3, around {_list(np.round(centre, 1))} mm"
        head = ["[[domain.labels]]", f"label = {value} # {facts}"]
        parts.append("\n".join([*head, f'name = "{name}"', *_material(guesses[value])]))
    targets = [value for value in kept if guesses[value].role == "target"] or order[:1]
    start, mask = labels.block((targets[0],), 1)
    tip = labels.world(start + _deepest(mask))[0] * 1e3
    box = labels.corners() * 1e3
    extent = float(np.ptp(box, axis=0).min())
    model, margin = _model(max(extent, 40.0)), max(0.0, 0.5 * (40.0 - extent))
    ignore = [f"ignore = {ignored} # the smallest labels become the tissue outside"] if ignored else []
    domain = [
        "[domain]",
        'kind = "labels"',
        f"image = {_relative(image, path)}",
        f'coordinates = "{coordinates}" # of all points below: x to the {"right" if coordinates == "RAS" else "left"}',
        'tissue = "muscle" # outside all labels',
        f"margin_mm = {margin:.4g} # of this tissue around the image; crop_mm = [[x, y, z], [x, y, z]] uses a part",
        *ignore,
    ]
    entry = tip + np.array([0.0, 0.0, 60.0])
    applicator = [
        "[[applicators]]",
        f'model = "{model}"',
        f"target_mm = {_list(tip)} # CHANGE: the tip, here deep in label {targets[0]}",
        f"entry_mm = {_list(entry)} # CHANGE: a point on the shaft, for example on the skin",
    ]
    return _case(path, "a label image", ["\n".join(domain), *parts, "\n".join(applicator)])


def case_from_surfaces(path: Path, files: Sequence[Path]) -> str:
    """Return a case with a structure for each surface file; raises CaseError if one cannot be read."""
    from rfablate.case.tables.surface_soundness import repaired, soundness
    from rfablate.case.tables.triangle_surface import UNITS, read_triangles

    surfaces = [read_triangles(file) for file in files]
    longest = max(float(np.ptp(each.bounds, axis=0).max()) for each in surfaces)
    unit = next((u for u in ("mm", "m", "cm", "um") if 2e-3 <= longest * UNITS[u] <= 0.4), "mm")
    parts, boxes, taken = [], [], {"domain", "cannula"}
    roles = [guess(file.stem, "muscle") for file in files]
    target = next((n for n, each in enumerate(roles) if each.role == "target"), 0)
    order = sorted(range(len(files)), key=lambda n: -abs(surfaces[n].volume))
    for n in order:
        name = key_name(files[n].stem, taken)
        taken.add(name)
        scaled = surfaces[n].scaled(UNITS[unit] * 1e3)
        boxes.append(scaled.bounds)
        faults = soundness(scaled)
        mended = bool(faults) and not soundness(repaired(scaled)[0])
        lines = ["[[structures]]", f'name = "{name}"', 'kind = "surface"', f"file = {_relative(files[n], path)}"]
        lines.append(f'length_unit = "{unit}" # {" x ".join(f"{x:.4g}" for x in np.ptp(scaled.bounds, axis=0))} mm')
        lines += [f"repair = true # {faults[0].found}"] if mended else []
        parts.append("\n".join([*lines, *_material(roles[n])]))
    own = surfaces[target].scaled(UNITS[unit] * 1e3)
    middle = own.bounds.mean(axis=0)
    low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
    radius = float(np.ceil(max(30.0, 0.75 * float(np.ptp([low, high], axis=0).max()) + 10.0)))
    model = _model(_TIPS_IN_DOMAIN * float(np.ptp(own.bounds, axis=0).min()), most=2.0 * radius)
    length = next(tip for tip, each in _MODELS.items() if each == model)
    domain = [
        "[domain]",
        'kind = "cylinder"',
        f"radius_mm = {radius:g}",
        f"height_mm = {2 * radius:g}",
        f"centre_mm = {_list(0.5 * (low + high))} # the middle of the surfaces",
        'tissue = "muscle" # around all structures',
    ]
    applicator = [
        "[[applicators]]",
        f'model = "{model}"',
        f"tip_mm = {_list(middle - [0.0, 0.0, 0.5 * length])} # CHANGE: here the active tip is in the middle of "
        f"{files[target].name}",
        "direction = [0, 0, 1] # CHANGE: from the tip along the shaft",
    ]
    return _case(path, "surfaces", ["\n".join(domain), *parts, "\n".join(applicator)])


def case_from_mesh(path: Path, file: Path) -> str:
    """Return a case with the regions and surfaces of a mesh, and with its electrode.

    Raises:
        MeshError: it cannot be read, or has no tagged regions or surfaces.
    """
    from rfablate.api.mesh_content import mesh_content

    content = mesh_content(file)
    taken: set[str] = set()
    parts = []
    for tag, volume in content.regions:
        name = key_name(str(tag), taken, "region")
        taken.add(name)
        head = ["[[domain.regions]]", f"tag = {json.dumps(tag)} # {volume:.4g} mm3", f'name = "{name}"']
        parts.append("\n".join([*head, *_material(guess(str(tag), "muscle"))]))
    for tag, area, roles in content.surfaces:
        name = key_name(str(tag), taken, "surface")
        taken.add(name)
        head = ["[[domain.surfaces]]", f"tag = {json.dumps(tag)} # {area:.4g} mm2", f'name = "{name}"']
        parts.append("\n".join([*head, f"roles = {json.dumps(list(roles))}"]))
    needle = content.needle
    if needle is None:
        raise MeshError(f"{file.name}: the surface taken as electrode is no needle; write the case by hand (docs)")
    domain = [
        "[domain]",
        'kind = "mesh"',
        f"file = {_relative(file, path)}",
        f'length_unit = "{content.unit}" # the mesh is {" x ".join(f"{x:.4g}" for x in content.extent)} mm',
        *(["axisymmetric = true"] if content.axisymmetric else []),
    ]
    applicator = [
        "[[applicators]] # the electrode as the active surface of the mesh shows it",
        f"outer_diameter_mm = {needle.diameter * 1e3:.3g}",
        f"active_tip_mm = {needle.length * 1e3:.4g}",
        f"tip_mm = {_list(needle.tip * 1e3)}",
        f"direction = {_list(needle.axis)} # from the tip along the shaft",
        "sensor_offset_mm = 0 # from the tip along the axis; it must lie in the mesh",
    ]
    return _case(path, "a mesh", ["\n".join(domain), *parts, "\n".join(applicator)])


def _case(path: Path, source: str, parts: Sequence[str]) -> str:
    """Return the whole text, with the protocol after the anatomy."""
    head = f"""title = {json.dumps(path.stem, ensure_ascii=False)}

# A case from {source}. Tissues and roles follow from names where these are known words: check each of them.
#   rfablate check {path}            describes the case
#   rfablate run {path}              runs it
#   rfablate library tissues         lists the tissues; rfablate library applicators lists the applicator models"""
    protocol = """[generator]
kind = "temperature" # or "power", "voltage", "current", "staged", "pulsed", "replay", "surface_temperature"
target_degC = 80
ramp_s = 15
hold_s = 90

[lesion]
rules = ["isotherm_50C", "arrhenius", "cem43_240"]
"""
    return "\n\n".join([head, *parts, protocol])


def _material(found: Guess) -> Iterator[str]:
    """Yield the lines of tissue and role."""
    yield f'tissue = "{found.tissue}"' + ("" if found.known else " # CHECK: the name suggests no tissue")
    if found.role == "target":
        yield 'role = "target" # the report gives its covered fraction'
    elif found.role == "protect":
        yield 'role = "protect" # the run ends with exit code 5 if its temperature exceeds the limit'
        yield f"limit_degC = {_LIMIT}"
    else:
        yield '# role = "target", or role = "protect" with limit_degC = 45'


def _model(extent: float, most: float = np.inf) -> str:
    """Return the model with the longest active tip that fits several times into the extent [mm]."""
    fits = [tip for tip in _MODELS if _TIPS_IN_DOMAIN * tip <= min(extent, most)]
    return _MODELS[max(fits, default=min(_MODELS))]


def _deepest(mask: np.ndarray) -> FloatArray:
    """Return the index of the voxel farthest from the surface of a mask."""
    from scipy import ndimage  # imported late: most cases do not use it

    depth = ndimage.distance_transform_edt(mask)
    return np.asarray(np.argwhere(depth == depth.max())[0], dtype=np.float64)


def _list(values: FloatArray) -> str:
    return "[" + ", ".join(f"{round(float(value), 3) + 0.0:g}" for value in values) + "]"


def _relative(file: Path, case: Path) -> str:
    """Return the path of a file from the folder of the case, in quotes."""
    return json.dumps(Path(os.path.relpath(file.resolve(), case.resolve().parent)).as_posix(), ensure_ascii=False)
