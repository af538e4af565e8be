"""Generates docs/api.md, docs/summary_schema.md and docs/key_reference.md from the code; a test compares them.

python -m docs.reference_pages
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import rfablate
from docs.key_pages import key_page
from rfablate.results import device_results, summary_models
from rfablate.results.quantities import DOSE_VOLUME, ENERGY, JOINING, LESION, STRUCTURE, Quantity

HERE = Path(__file__).parent

API_HEAD = """# Python API

Every public name of `import rfablate as rfa`. Modules are imported on first use; without DOLFINx everything except
`run` and `resume` works. [Python](python.md) has examples.

Attributes of the tables (`Case`, domains, structures, applicators, generators) are shown under their names in Python.
Their arguments are the keys of the [case file](case_file.md), shown as `alias` where they differ:
`rfa.Sphere(radius_mm=3, ...)` has the attribute `radius` [m].
"""
GROUPS = {
    "Running and reading": "load_case run resume watch WatchedRun open_run RunResult Fields",
    "Studies, searches, comparisons": "run_study find compare write_comparison StudyResult",
    "Evidence": "converge Convergence ConvergedNumber Estimate verify Verification CheckResult Measurement"
    " validate Validation ExperimentResult ComparedNumber Agreement write_credibility CredibilityDocument EvidenceGap",
    "Case files": "new_case NewCase explain schema",
    "Results": "RunSummary LesionMeasures StructureResult EnergyBalance",
    "The case": "Case Axisymmetric Cylinder Box UserMesh Applicator",
    "Label images": "export",
    "Structures": "Sphere Ellipsoid Tube CylinderStructure BoxStructure Slab HalfSpace Surface ObjectStructure",
    "Generators": "TemperatureControl ConstantPower ConstantVoltage ConstantCurrent Staged Pulsed Replay"
    " SurfaceTemperature",
    "Tissues and extensions": "Tissue library_tissue tissues_of Arrhenius Extensions",
    "Errors": "RfablateError CaseError MeshError SolveError StepError Interrupted",
}

SCHEMA_HEAD = """# summary.json, key by key

The file contains one JSON object. `rfablate.RunSummary` is its typed form (`rfa.open_run(DIRECTORY).summary`). `null`
means that the number does not exist. `schema_version` is {version}; it increases when a key is renamed, removed or
changes its meaning. Later versions may add keys. [Files of a run](file_formats.md) describes the entries of special
cases.
"""


def api_page() -> str:
    """Return the page of the public names."""
    named = [name for names in GROUPS.values() for name in names.split()]
    assert sorted(named) == sorted(rfablate._PUBLIC), set(named) ^ set(rfablate._PUBLIC)
    parts = [API_HEAD]
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [f"::: {_place(name)}\n    options:\n      heading: rfa.{name}\n" for name in names.split()]
    return "\n".join(parts)


def _place(name: str) -> str:
    """Return the module that defines a public name, which can differ from the one that exports it."""
    found = getattr(rfablate, name)
    return f"{found.__module__}.{found.__qualname__}"


def schema_page() -> str:
    """Return the page of summary.json."""
    parts = [SCHEMA_HEAD.format(version=summary_models.SCHEMA_VERSION)]
    parts.append(_section("Top level", summary_models.RunSummary, ()))
    parts.append(_section("lesion.RULE", summary_models.LesionMeasures, (*LESION, *JOINING)))
    parts.append(_section("structures.NAME", summary_models.StructureResult, STRUCTURE))
    parts.append(_section("structures.NAME.dose_volume.KEY", summary_models.DoseVolumeHistogram, ()))
    parts.append("\n".join(["| key | unit | meaning |", "|---|---|---|", *_histogram_rows(), ""]))
    parts.append(_section("energy", summary_models.EnergyBalance, ENERGY))
    parts.append(_section("electric", device_results.Electric, ()))
    parts.append(_section("electric.events", device_results.DeviceEvent, ()))
    parts.append(_section("channels.NAME", device_results.ChannelResult, ()))
    parts.append(_section("pulses", device_results.PulseResult, ()))
    parts.append(_section("replay", device_results.ReplayResult, ()))
    parts.append(_section("replay.misfit.COLUMN", device_results.ColumnMisfit, ()))
    parts.append(_section("repeat", summary_models.RepeatResult, ()))
    parts.append(_section("repeat.volume_mm3.RULE", summary_models.RepeatVolume, ()))
    parts.append(_section("case", summary_models.CaseKind, ()))
    parts.append(_section("applicators", summary_models.ApplicatorResult, ()))
    parts.append(_section("numerics", summary_models.Numerics, ()))
    parts.append(_section("provenance", summary_models.Provenance, ()))
    parts.append(_section("provenance.resumed", summary_models.Resumed, ()))
    parts.append(_section("checks", summary_models.ResultCheck, ()))
    return "\n".join(parts)


def _histogram_rows() -> list[str]:
    return [f"| `{each.key}` | {each.unit} | {each.definition} |" for each in DOSE_VOLUME]


def _section(title: str, model: Any, quantities: tuple[Quantity, ...]) -> str:
    told = {each.key: each for each in quantities}
    rows = list(_rows(model, told))
    doc = " ".join((model.__doc__ or "").split())
    return "\n".join([f"## {title}\n", f"{doc}\n", "| key | type | unit | meaning |", "|---|---|---|---|", *rows, ""])


_MEANING = {
    "title": "Title of the case.",
    "status": "`completed`: the treatment was simulated to its end; `failed`: a solver error ended it. `stopped` is "
    "reserved.",
    "reason": "Why the run ended.",
    "simulated_s": "Simulated time.",
    "lesion": "By lesion rule, see below.",
    "structures": "By name, see below.",
    "energy": "The energy balance, see below.",
    "electric": "Output of the generator at the end of heating, see below.",
    "case": "Kind of the domain, see below.",
    "channels": "By name of the channel, as `electric`; empty for a case without channels.",
    "applicators": "Position and size of each applicator, see below.",
    "pulses": "Extremes of a pulsed treatment, see below; null for others.",
    "replay": "Comparison with the device log of a replayed treatment, see below; null for others.",
    "repeat": "The prior treatment of a case with `start_from`, see below; null for others.",
    "observed": "The results at the times of `output.observe_at_s`: `time_s`, and `lesion`, `structures`, `energy` and "
    "`electric` as below.",
    "numerics": "Size and cost of the computation, see below.",
    "warnings": "Warnings about the results.",
    "checks": "Checks of the results that found something, see below; their texts are also in `warnings`.",
    "check": "`model_range`, `covered_by_range`, `generator_limit`, `domain_boundary`, `lesion_resolution`, "
    "`energy_balance`, `error_bar`.",
    "subject": "Lesion rule or structure; empty for the whole run.",
    "value": "Value found.",
    "limit": "Value that separates the finding from none; in a structure, `max_degC` of a protected structure.",
    "unit": "Unit of both values.",
    "text": "The warning.",
    "within_error_bar": "Whether the verdict could change within its error bar; null without verdict or error bar.",
    "timing_s": "Wall time by stage.",
    "provenance": "Versions, machine and start of the run, see below.",
    "schema_version": "Version of this schema.",
    "kind": "Kind of the structure, or `region` of a user's mesh.",
    "tissue": "Its tissue.",
    "role": "Its role in the case.",
    "rule": "Lesion rule of its verdict.",
    "hottest_point_mm": "Position of its maximum temperature.",
    "min_margin_point_mm": "Point of the structure with this margin.",
    "dose_volume": "Dose-volume histograms by quantity, see below.",
    "thresholds": "Increasing thresholds, in the unit of the histogram's key.",
    "fractions": "Fraction of the volume at or above each threshold.",
    "verdict": "`reached`, `partly reached`, `missed`; `safe`, `limit exceeded`; empty for anatomy.",
    "voltage_V": "RMS voltage.",
    "current_A": "RMS current.",
    "power_W": "Power.",
    "impedance_ohm": "Impedance.",
    "peak_power_W": "Maximum power of the run.",
    "limited_s": "Time at a limit of the generator.",
    "sharing": "How the channels share the generator; null for a case without channels.",
    "dwell_s": "Time that each channel has the output where the channels take turns.",
    "events": "Times at which the device switched automatically, see below.",
    "time_s": "Time of the event.",
    "what": "What the device did and why; begins with the name of the channel where there are several.",
    "sensor_degC": "Sensor reading at the last step with output.",
    "on_s": "Time with output.",
    "energy_J": "Energy delivered.",
    "resolved": "Whether the time steps resolve each pulse; otherwise the spike is estimated.",
    "duty": "Pulse width times pulse rate.",
    "last_pulse_V": "RMS voltage within the last pulse.",
    "peak_field_V_per_m": "Largest field within a pulse, in V/m.",
    "spike_K": "Largest rise of a node's temperature within a pulse.",
    "hottest_with_spike_degC": "Maximum temperature with the spike.",
    "capped_percent": "Part of the time with pulses in which the temperature limit reduced the voltage, in %.",
    "driven_by": "Column that drives the run, which is not compared.",
    "rows": "Rows of the device log.",
    "misfit": "Difference of model minus measurement by column, see below.",
    "rms": "Root mean square over time, in the unit of the column.",
    "largest": "Largest difference, in the unit of the column.",
    "largest_at_s": "Its time.",
    "start_from": "Run directory of the prior treatment.",
    "cooled": "Whether the tissue had cooled to body temperature.",
    "same_mesh": "Whether both runs have the same mesh.",
    "volume_mm3": "Volumes by lesion rule, see below.",
    "before": "Volume at the start of this treatment, in mm3.",
    "after": "Volume at its end, in mm3.",
    "added": "Their difference, in mm3.",
    "in_its_own_run": "Volume before this treatment on the mesh of the prior run, in mm3.",
    "name": "Its name.",
    "model": "Its model in the library; null without one.",
    "tip_mm": "Position of its tip.",
    "direction": "Unit vector along its shaft.",
    "active_tip_mm": "Length of its active tip.",
    "outer_diameter_mm": "Its outer diameter.",
    "potentials_extrapolated": "Potentials that needed no solve.",
    "resumed": "Resumptions of the run, see below.",
    "at": "Date and time, ISO 8601, UTC.",
    "from_s": "Simulated time of the checkpoint.",
    "domain_kind": "`domain.kind` of the case.",
    "axisymmetric": "Whether the case is solved in the (r, z) half plane.",
    "nodes": "Nodes of the mesh.",
    "cells": "Cells of the mesh.",
    "smallest_edge_mm": "Shortest edge of the mesh.",
    "interfaces": "`conforming`: surfaces of structures are surfaces of the mesh; `cells`: some are those of cells.",
    "steps": "Accepted time steps.",
    "rejects": "Rejected time steps.",
    "heat_iterations": "Iterations of the solver for the temperature.",
    "potential_iterations": "Iterations of the solver for the potential.",
    "ranks": "MPI ranks.",
    "error_bar": "Error bars by `RULE.key` and `STRUCTURE.key`.",
    "rfablate": "Version of rfablate.",
    "dolfinx": "Version of DOLFINx.",
    "gmsh": "Version of Gmsh.",
    "python": "Version of Python.",
    "started": "Start of the run, ISO 8601, UTC.",
    "case_sha256": "SHA-256 of the case.",
    "peak_MiB": "Peak memory in MiB, summed over ranks.",
    "extensions": "Types of the Python objects of the user by the part that they replace.",
}
"""Meanings of the keys that are not a `Quantity`."""
_UNITS = {"s": "s", "mm": "mm", "V": "V", "A": "A", "W": "W", "ohm": "ohm", "J": "J", "K": "K", "degC": "degC"}


def _rows(model: Any, told: dict[str, Quantity]) -> Iterator[str]:
    for key, field in model.model_fields.items():
        if field.exclude:
            continue
        quantity = told.get(key)
        unit = quantity.unit if quantity is not None else _UNITS.get(key.rsplit("_", 1)[-1], "") if "_" in key else ""
        meaning = quantity.definition if quantity is not None else _MEANING[key]
        yield f"| `{key}` | {_type(field.annotation)} | {unit} | {meaning} |"


def _type(annotation: Any) -> str:
    """Return a type in JSON terms."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(each) for each in inner)
    if origin is Literal:
        return "text"
    if origin is tuple:
        return "list"
    if origin is dict or isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return "object"
    return {float: "number", int: "integer", str: "text", bool: "boolean", type(None): "null"}.get(annotation, "any")


if __name__ == "__main__":
    (HERE / "api.md").write_text(api_page(), encoding="utf-8")
    (HERE / "summary_schema.md").write_text(schema_page(), encoding="utf-8")
    (HERE / "key_reference.md").write_text(key_page(), encoding="utf-8")
