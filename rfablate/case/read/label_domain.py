"""A segmentation as the domain: `domain.kind = "labels"` becomes a box and a structure of kind "label" for each label.

The box contains the first image, or the crop box, and the margin. Structures have the order of the images, so that a
label of a later image has priority; the case's own structures follow. The case file of a run contains box and
structures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from rfablate.arrays import FloatArray
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.tables.geometry_tables import LabelEntry, LabelsDomain
from rfablate.case.tables.label_image import LabelImage
from rfablate.case.tables.label_reader import own_coordinates, read_label_image, read_label_names
from rfablate.errors import CaseError, Fault

_OF_THE_STRUCTURE = ("name", "tissue", "role", "limit_degC", "required_fraction", "held_degC")
_DIGITS = 4
"""Keys of the box [mm]."""


def list_labels(data: dict[str, Any]) -> None:
    """Make [domain.labels.NAME] tables a list, each with its name."""
    domain = data.get("domain")
    labels = domain.get("labels") if isinstance(domain, dict) else None
    if (
        isinstance(domain, dict)
        and isinstance(labels, dict)
        and all(isinstance(each, dict) for each in labels.values())
    ):
        domain["labels"] = [{"name": name, **table} for name, table in labels.items()]


def expand_labels(data: dict[str, Any], base_dir: Path) -> list[Fault]:
    """Replace a domain of labels by a box and structures; return the faults. With faults, `data` is unchanged."""
    domain = data.get("domain")
    if not isinstance(domain, dict) or domain.get("kind") != "labels":
        return []
    try:
        spec = LabelsDomain.model_validate(domain)
    except ValidationError:
        return []  # reported with the faults of the other tables
    faults = list(_file_faults(spec, base_dir))
    if faults:
        return faults
    files = [str((base_dir / file).resolve()) for file in _files(spec)]
    coordinates = spec.coordinates or own_coordinates(files[0])
    try:
        images = {file: read_label_image(file, coordinates) for file in files}
        names = read_label_names(base_dir / spec.label_names) if spec.label_names is not None else {}
    except CaseError as error:
        return list(error.faults)
    found, faults = _values(spec, images, names)
    box = _box(spec, images[files[0]])
    faults += _box_faults(spec, images[files[0]])
    faults = faults or list(_unlisted(spec, images, found, names, box))
    if faults:
        return faults
    written = {entry["name"]: entry for entry in domain["labels"]}
    structures = [
        {
            **{key: written[entry.name][key] for key in _OF_THE_STRUCTURE if key in written[entry.name]},
            **{"kind": "label", "file": file, "values": list(values), "coordinates": coordinates},
        }
        for file in files
        for entry, at, values in found
        if at == file
    ]
    size, centre = (box[1] - box[0]) * 1e3, 0.5 * box.sum(axis=0) * 1e3
    data["domain"] = {
        "kind": "box",
        "size_mm": [round(float(x), _DIGITS) for x in size],
        "centre_mm": [round(float(x), _DIGITS) for x in centre],
        "tissue": spec.tissue,
    }
    own = data.get("structures", [])
    if isinstance(own, dict) and _changes_labels(own, structures):
        structures, own = [{**each, **own.get(str(each["name"]), {})} for each in structures], []
    data["structures"] = [*structures, *own] if isinstance(own, list) else own
    return []


def _changes_labels(own: Mapping[str, Any], structures: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether --set structures.NAME.KEY=VALUE has made `structures` in a case without such tables."""
    names = {each["name"] for each in structures}
    return all(name in names and isinstance(table, dict) for name, table in own.items())


def _files(spec: LabelsDomain) -> tuple[str, ...]:
    return spec.images if spec.image is None else (spec.image,)


def _file_faults(spec: LabelsDomain, base_dir: Path) -> Iterator[Fault]:
    if (spec.image is None) == (not spec.images):
        found = "missing key" if spec.image is None else 'found with "images"'
        yield Fault("domain.image", found, 'image = "FILE", or images = [FILES]')
        return
    for number, name in enumerate(_files(spec)):
        file = base_dir / name
        if not file.is_file():
            near = did_you_mean(file.name, [each.name for each in file.parent.glob("*")])
            where = "domain.image" if spec.image is not None else f"domain.images[{number}]"
            yield Fault(where, f'found "{name}", no such file', "a label image (.nii.gz, .nrrd, .mha)", near)
    if len(set(_files(spec))) < len(_files(spec)):
        yield Fault("domain.images", "found the same file twice", "each image once")
    if spec.coordinates is None and len({own_coordinates(each) for each in _files(spec)}) > 1:
        found = "missing key with images in formats with different coordinates (NIfTI: RAS, others: LPS)"
        yield Fault("domain.coordinates", found, 'the coordinate system of the case\'s points, "RAS" or "LPS"')
    if not spec.labels:
        yield Fault("domain.labels", "found []", "at least one [[domain.labels]] table")


_Found = list[tuple[LabelEntry, str, tuple[int, ...]]]


def _values(
    spec: LabelsDomain, images: Mapping[str, LabelImage], names: Mapping[str, tuple[int, ...]]
) -> tuple[_Found, list[Fault]]:
    """Return each entry with its image and values, and the faults of entries without values or with values in use."""
    found: _Found = []
    faults: list[Fault] = []
    taken: dict[tuple[str, int], str] = {}
    for number, entry in enumerate(spec.labels):
        where = f'domain.labels[{number}] "{entry.name}"'
        file, values, fault = _of_entry(where, entry, images, names)
        if fault is not None:
            faults.append(fault)
            continue
        for value in values:
            if (file, value) in taken:
                faults.append(
                    Fault(
                        f"{where}.label",
                        f"found {value}, already in use by {taken[file, value]}",
                        "a label that no other entry has",
                    )
                )
            taken.setdefault((file, value), where)
        found.append((entry, file, values))
    return found, faults


def _of_entry(
    where: str, entry: LabelEntry, images: Mapping[str, LabelImage], names: Mapping[str, tuple[int, ...]]
) -> tuple[str, tuple[int, ...], Fault | None]:
    files = [file for file in images if entry.image is None or Path(file).name == Path(entry.image).name]
    if not files:
        have = ", ".join(Path(file).name for file in images)
        return "", (), Fault(f"{where}.image", f'found "{entry.image}"', f"one of domain.images: {have}")
    if entry.label is None or entry.segment is not None:
        segment = entry.segment or entry.name
        named = {file: values for file in files if (values := {**images[file].segments, **names}.get(segment))}
        if not named:
            known = sorted({name for file in files for name in images[file].segments} | set(names))
            expected = (
                f"a segment of the image: {', '.join(known)}" if known else "label: the image has no segment names"
            )
            key = "segment" if entry.segment is not None else "label"
            text = f'found "{segment}"' if entry.segment is not None else "missing key"
            return "", (), Fault(f"{where}.{key}", text, expected, did_you_mean(segment, known))
        files, values = list(named), next(iter(named.values()))
    else:
        values = entry.label if isinstance(entry.label, tuple) else (entry.label,)
    having = [file for file in files if all(value in images[file].counts for value in values)]
    shown = ", ".join(str(value) for value in values)
    if len(having) == 1:
        return having[0], values, None
    if not having:
        have = "; ".join(f"{_list(images[file].counts)} ({Path(file).name})" for file in files)
        return "", (), Fault(f"{where}.label", f"found {shown}, which no voxel has", f"one of {have}")
    several = ", ".join(Path(file).name for file in having)
    return "", (), Fault(f"{where}.image", f"missing key: {several} all contain {shown}", "one of these images")


def _list(counts: Mapping[int, int]) -> str:
    shown = [str(value) for value in list(counts)[:20]]
    return ", ".join(shown) + (", ..." if len(counts) > 20 else "")


def _box(spec: LabelsDomain, image: LabelImage) -> FloatArray:
    box = image.corners() if spec.crop is None else np.sort(np.array(spec.crop), axis=0)
    return np.asarray(box + np.array([[-spec.margin], [spec.margin]]))


def _box_faults(spec: LabelsDomain, image: LabelImage) -> Iterator[Fault]:
    if spec.crop is None:
        return
    crop, whole = np.sort(np.array(spec.crop), axis=0), image.corners()
    if np.any(crop[1] - crop[0] <= 0.0):
        yield Fault("domain.crop_mm", "found corners of an empty box", "two opposite corners of a box")
    elif np.any(crop[1] <= whole[0]) or np.any(crop[0] >= whole[1]):
        spans = ", ".join(f"{x} {a:g} to {b:g}" for x, a, b in zip("xyz", *np.round(whole * 1e3, 3), strict=True))
        found = f"found a box wholly outside the image ({spans} mm)"
        yield Fault(
            "domain.crop_mm",
            found,
            "a box that overlaps the image",
            "check the sign of x and y: RAS and LPS have opposite signs",
        )


def _unlisted(
    spec: LabelsDomain,
    images: Mapping[str, LabelImage],
    found: _Found,
    names: Mapping[str, tuple[int, ...]],
    box: FloatArray,
) -> Iterator[Fault]:
    """Yield each value within the box that the case does not list, with its volume."""
    for file, image in images.items():
        listed = {value for _, at, values in found if at == file for value in values} | set(spec.ignore)
        called = {value: name for name, values in (image.segments | dict(names)).items() for value in values}
        for value in image.counts:
            if value in listed:
                continue
            start, mask = image.block((value,))
            points = image.world(start + np.argwhere(mask))
            count = int(((points >= box[0]) & (points <= box[1])).all(axis=1).sum())
            if count:
                name = f' ("{called[value]}")' if value in called else ""
                text = f"label {value}{name} of {Path(file).name} is not listed: {count} voxels"
                hint = f"add it, or ignore = [{value}] to make it {spec.tissue}"
                yield Fault("domain.labels", f"{text}, {count * image.voxel * 1e9:.4g} mm3", "each label once", hint)
