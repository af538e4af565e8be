"""Table of the label images of a case, as printed by `rfablate check`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rfablate.case.tables.geometry_tables import Label
from rfablate.case.tables.label_reader import label_image
from rfablate.case.tables.schema import Case

LABEL_HEAD = ("label", "name", "voxels", "volume mm3", "thickness mm", "x mm", "y mm", "z mm", "structure")


def image_texts(case: Case) -> Iterator[str]:
    """Yield one line per label image: size, voxel size, coordinate system, and values that the case does not use."""
    used: dict[str, list[Label]] = {}
    for each in case.structures:
        if isinstance(each, Label):
            used.setdefault(each.file, []).append(each)
    for file, labels in used.items():
        image = label_image(labels[0])
        size = " x ".join(str(n) for n in image.labels.shape)
        voxel = " x ".join(f"{step * 1e3:.4g}" for step in image.spacing)
        listed = {value for each in labels for value in each.values}
        left = [str(value) for value in image.counts if value not in listed]
        others = f"; not used: {', '.join(left[:20])}" if left else ""
        yield f"{Path(file).name}: {size} voxels of {voxel} mm, {labels[0].coordinates} coordinates{others}"


def label_rows(case: Case) -> list[list[str]]:
    """Return a row of the table for each label."""
    from rfablate.case.tables.label_shapes import label_corners, label_thickness, label_volume, label_voxels

    rows = []
    for each in case.structures:
        if not isinstance(each, Label):
            continue
        low, high = np.round(label_corners(each) * 1e3, 2)
        limit = f", at most {each.limit:g} degC" if each.limit is not None else ""
        share = f", {100 * each.required_fraction:g} % covered" if each.role == "target" else ""
        rows.append(
            [
                ", ".join(str(value) for value in each.values),
                each.name,
                str(label_voxels(each)),
                f"{label_volume(each) * 1e9:.5g}",
                f"{label_thickness(each) * 1e3:.3g}",
                *(f"{a:g} to {b:g}" for a, b in zip(low, high, strict=True)),
                f"{each.tissue}, {each.role}{share}{limit}",
            ]
        )
    return rows
