"""Checks of structures that are labels of an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.geometry_tables import AxisymmetricDomain, Label
from rfablate.case.tables.label_reader import label_image
from rfablate.errors import CaseError, Fault

FEWEST = 10
"""Number of voxels below which a label is probably an error of the segmentation."""


def is_readable(shape: Label) -> bool:
    """Return whether the image can be read and contains all values of the label."""
    try:
        counts = label_image(shape).counts
    except CaseError:
        return False
    return all(value in counts for value in shape.values)


def label_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield faults: images that cannot be read, values that no voxel has, and keys that labels do not support."""
    reported: set[str] = set()
    for placed in parts.structures:
        shape = placed.shape
        if not isinstance(shape, Label):
            continue
        if isinstance(parts.domain, AxisymmetricDomain):
            yield Fault(placed.where, "found a label of an image", "a body of revolution", "solve in 3-D")
        if shape.flow is not None:
            expected = "no flow, because a surface of voxels has no smooth area"
            yield Fault(f"{placed.where}.flow", "found a table", expected, "use held_degC, or a tube")
        try:
            counts = label_image(shape).counts
        except CaseError as error:
            if shape.file not in reported:
                yield from error.faults
            reported.add(shape.file)
            continue
        missing = [value for value in shape.values if value not in counts]
        if missing:
            have = ", ".join(str(value) for value in list(counts)[:20])
            yield Fault(f"{placed.where}.values", f"found {missing[0]}, which no voxel has", f"one of {have}")


def label_warnings(parts: CheckableCase) -> Iterator[str]:
    """Yield warnings about labels of a few voxels."""
    labels = [placed for placed in parts.structures if isinstance(placed.shape, Label)]
    if not labels:
        return
    from rfablate.case.tables.label_shapes import label_voxels  # loads SciPy

    for placed in labels:
        assert isinstance(placed.shape, Label)
        if (count := label_voxels(placed.shape)) < FEWEST:
            what = f"label of {Path(placed.shape.file).name} has {count} voxel{'s' if count > 1 else ''}"
            yield f"{placed.where}: the {what}: probably an error of the segmentation"
