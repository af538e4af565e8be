"""Titles of axes and labels of their values as a reader of the figures knows them: 22 G instead of 0.718 mm.

Directory names keep `axis_name` and `label_of`, so that a study resumes in the directories that it has.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

from rfablate.case.messages.schema_guide import split_unit
from rfablate.physics.library import applicator_model, applicator_names
from rfablate.study.study_plan import axis_name, label_of
from rfablate.study.study_tables import StudyAxis

MODEL = re.compile(r"(?:(?P<kind>[a-z]+)-)?(?P<gauge>\d+)g-(?P<tip>[\d.]+)mm(?P<more>(?:-[a-z]+)*)")
SAME_DIAMETER_MM = 5e-4


def axis_title(axis: StudyAxis, axes: Sequence[StudyAxis] = ()) -> str:
    """Return the title of an axis without its unit; with the object that it belongs to where `axes` need it."""
    name = axis_name(axis)
    if axis.name is None and [axis_name(each) for each in axes].count(name) > 1:
        name = " ".join([*axis.key.split(".")[1:-1][-1:], name])
    return name.replace("_", " ")


def axis_unit(axis: StudyAxis) -> str:
    """Return the unit of the values of an axis; '' where they have none."""
    return split_unit(axis.key.rsplit(".", 1)[-1])[1].replace("degC", "°C")


def value_labels(axis: StudyAxis, values: Sequence[Any]) -> tuple[str, ...]:
    """Return the label of each value: that of the study, else the gauge, else the value in words."""
    if axis.labels is not None:
        return tuple(label_of(axis, value) for value in values)
    gauges = gauge_labels(axis, values)
    return gauges if gauges is not None else tuple(_words(axis, value) for value in values)


def gauge_labels(axis: StudyAxis, values: Sequence[Any]) -> tuple[str, ...] | None:
    """Return the gauges of an axis of outer diameters; None where a value is no gauge of the library."""
    if not axis.key.endswith("outer_diameter_mm"):
        return None
    found = [next((g for d, g in _gauges().items() if _near(value, d)), None) for value in values]
    return None if None in found else tuple(f"{gauge} G" for gauge in found)


def model_label(name: str) -> str:
    """Return an applicator model in words, such as `22 G, 5 mm, blunt` for cannula-22g-5mm-blunt."""
    found = MODEL.fullmatch(name)
    if found is None:
        return name
    kind = "" if found["kind"] in (None, "cannula") else f"{found['kind']} "
    return ", ".join([f"{kind}{found['gauge']} G", f"{found['tip']} mm", *found["more"].split("-")[1:]])


def _words(axis: StudyAxis, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return model_label(value) if axis.key.endswith(".model") else value
    return label_of(axis, value)


def _near(value: Any, diameter: float) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and abs(value - diameter) <= SAME_DIAMETER_MM


@functools.cache
def _gauges() -> dict[float, str]:
    """Return the gauge of each outer diameter [mm] of the library's cannulae."""
    found = {name: MODEL.fullmatch(name) for name in applicator_names() if name.startswith("cannula-")}
    return {applicator_model(name)["outer_diameter_mm"]: each["gauge"] for name, each in found.items() if each}
