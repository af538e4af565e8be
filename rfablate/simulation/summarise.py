"""The rows of history.csv and the entries of summary.json: SI results in the clinic's units. Pure."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import Tine, bare_length, device_materials, tines_of
from rfablate.case.read.case_file import dump_case
from rfablate.case.tables.geometry_tables import Applicator
from rfablate.case.tables.schema import Case
from rfablate.lesion.continuity import Continuity
from rfablate.lesion.measure import MeasuredLesion
from rfablate.lesion.observer import FinalStructure, StepMeasures
from rfablate.mesh._compat import DOLFINX_VERSION
from rfablate.mesh.build import gmsh_version
from rfablate.physics.generator import GuardState
from rfablate.physics.tissue import Tissue
from rfablate.problem.extensions import NO_EXTENSIONS, Extensions
from rfablate.results.quantities import COVERED_WITH_MARGIN, HISTOGRAM_KEYS, LESION
from rfablate.solve.energy_balance import EnergyLedger
from rfablate.solve.state import Frame
from rfablate.version import __version__

MM = 1e3
MM3 = 1e9


def history_row(frame: Frame, seen: StepMeasures) -> dict[str, float | None]:
    """Return one row of history.csv; voltage, current, impedance are those of the channel that has output alone."""
    on = frame.voltage > 0.0 and frame.conductance > 0.0 and frame.alone
    row: dict[str, float | None] = {
        "time_s": frame.t,
        "dt_s": frame.dt,
        "voltage_V": frame.voltage if frame.alone else None,
        "current_A": frame.voltage * frame.conductance if frame.alone else None,
        "power_W": frame.power,
        "impedance_ohm": 1.0 / frame.conductance if on else None,
        "sensor_degC": frame.sensor,
        "setpoint_degC": frame.setpoint,
        "max_degC": frame.max_T,
    }
    for name, lesion in seen.lesions.items():
        row[f"{name}_volume_mm3"] = lesion.volume * MM3
        row[f"{name}_width_mm"] = lesion.width * MM
        row[f"{name}_length_mm"] = lesion.length * MM
    for name in seen.covered:
        row[f"{name}_max_degC"] = seen.max_T[name]
        row[f"{name}_covered_fraction"] = seen.covered[name]
    return row


def lesion_entry(lesion: MeasuredLesion) -> dict[str, float]:
    """Return one rule's entry of summary.json: the quantities LESION, in their units."""
    scale = {"mm": MM, "mm3": MM3, "": 1.0}
    return {each.key: getattr(lesion, each.key.removesuffix(f"_{each.unit}")) * scale[each.unit] for each in LESION}


def bridge_entry(crossing: Continuity) -> dict[str, float | None]:
    """Return the part of a rule's entry of summary.json on the lines between several applicators."""
    margin = crossing.margin
    return {"bridge_level": crossing.level, "bridge_margin_mm": None if margin is None else margin * MM}


def structure_entry(result: FinalStructure, rule: str) -> dict[str, Any]:
    """Return one structure's entry of summary.json."""
    spec = result.spec

    def mm(length: float | None) -> float | None:
        return None if length is None else length * MM

    return {
        "kind": getattr(spec, "kind", "region"),
        "tissue": spec.tissue,
        "role": spec.role,
        "rule": rule,
        "volume_mm3": result.volume * MM3,
        "required_fraction": spec.required_fraction,
        "covered_fraction": result.covered,
        "max_degC": result.max_T,
        "hottest_point_mm": [x * MM for x in result.hottest_point],
        **dict(zip(COVERED_WITH_MARGIN, result.covered_margins or (None, None), strict=True)),
        "min_margin_mm": mm(result.margin),
        "min_margin_point_mm": None if result.margin_point is None else [x * MM for x in result.margin_point],
        "time_to_cover_s": result.time_to_cover,
        "length_mm": mm(result.length),
        "coagulated_length_mm": mm(result.coagulated_length),
        "limit": None if spec.limit is None else {"max_degC": spec.limit},
        "limit_margin_mm": mm(result.limit_margin),
        "verdict": result.verdict,
        "dose_volume": {HISTOGRAM_KEYS[kind]: asdict(each) for kind, each in result.histograms.items()},
    }


def energy_entry(ledger: EnergyLedger) -> dict[str, float]:
    """Return the energy ledger of summary.json [J]."""
    return {
        "joule_J": ledger.joule,
        "stored_J": ledger.stored,
        "perfused_J": ledger.perfused,
        "boundary_J": ledger.boundary,
        "latent_J": ledger.latent,
        "metabolic_J": ledger.metabolic,
        "residual_J": ledger.residual,
        "residual_percent": 100.0 * ledger.residual_fraction,
    }


def events_entry(channel_states: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return times and reasons of the switches of the device, from the state of each channel by its name."""
    guards = [(name, state) for name, state in channel_states.items() if isinstance(state, GuardState)]
    found = [(t, f"{name}: {reason}" if name else reason) for name, state in guards for t, reason in state.events]
    return [{"time_s": t, "what": said} for t, said in sorted(found, key=lambda event: event[0])]


def tissue_entry(tissue: Tissue) -> dict[str, Any]:
    """Return one tissue's constants and where they come from."""
    return {
        "density_kg_per_m3": tissue.density,
        "heat_capacity_J_per_kgK": tissue.heat_capacity,
        "k_W_per_mK": tissue.k,
        "k_slope_per_K": tissue.k_slope,
        "k_law": str(tissue.k_law),
        "sigma_S_per_m": tissue.sigma,
        "sigma_slope_per_K": tissue.sigma_slope,
        "sigma_law": str(tissue.sigma_law),
        "perfusion_per_s": tissue.perfusion,
        "perfusion_rise": tissue.perfusion_rise,
        "metabolic_heat_W_per_m3": tissue.metabolic_heat,
        "water_fraction": tissue.water_fraction,
        "damage_set": tissue.damage_set,
        "source": tissue.source,
        "checked": tissue.checked,
    }


def case_entries(case: Case, tissues: Mapping[str, Tissue]) -> dict[str, Any]:
    """Return the part of summary.json that describes the case."""
    mesh = case.domain.kind == "mesh"
    return {
        "title": case.title,
        "case": {
            "domain_kind": case.domain.kind,
            "axisymmetric": bool(getattr(case.domain, "axisymmetric", False))
            if mesh
            else case.domain.kind == "axisymmetric",
        },
        "applicators": [
            {
                "name": a.name,
                "model": a.model,
                "tip_mm": [x * MM for x in a.tip],
                "direction": list(a.direction),
                "active_tip_mm": a.active_tip * MM,
                "outer_diameter_mm": a.outer_diameter * MM,
                "tip_shape": a.tip_shape,
                "bevel_angle_deg": a.bevel_angle,
                "regions": sorted(set(device_materials(a))),
                "tines": [_tine(tine) for tine in tines_of(a)],
                "path_mm": _path(a),
            }
            for a in case.applicators
        ],
        "tissues": {t.name: tissue_entry(t) for t in tissues.values()},
    }


def case_hash(case: Case, extensions: Extensions = NO_EXTENSIONS) -> str:
    """Return the hash of everything that defines a run: its case, and the types of objects passed beside it."""
    names = extensions.names()
    return hashlib.sha256(f"{dump_case(case)}{names if names else ''}".encode()).hexdigest()


def _path(applicator: Applicator) -> list[list[float]]:
    """Return points [mm] of the centre line from a curved tip to where the shaft is straight and insulated; or none."""
    frame = applicator_frame(applicator)
    if frame.arc is None:
        return []
    points = frame.centre_line(np.linspace(0.0, max(frame.arc.length, bare_length(applicator)), 33)) * MM
    return [[float(x) for x in point] for point in np.round(points, 4)]


def _tine(tine: Tine) -> dict[str, Any]:
    """Return the data for the drawing of a tine."""
    points = tine.at(np.linspace(0.0, tine.length, 33)) * MM
    return {"diameter_mm": 2.0 * tine.radius * MM, "path_mm": np.round(points, 4).tolist()}


def provenance(case: Case, ranks: int, started: str) -> dict[str, Any]:
    """Return versions, sizes and the hash of the case."""
    return {
        "rfablate": __version__,
        "dolfinx": DOLFINX_VERSION,
        "gmsh": gmsh_version(),
        "python": platform.python_version(),
        "ranks": ranks,
        "host_cores": os.cpu_count(),
        "started": started,
        "case_sha256": case_hash(case),
    }


def warnings_of(notes: Sequence[str], channel_states: Mapping[str, Any]) -> list[str]:
    """Return the notes on the mesh, and a warning for each channel that has switched itself off."""
    found = list(notes)
    for name, state in channel_states.items():
        if isinstance(state, GuardState) and state.off:
            t, reason = state.events[-1]
            what = f"channel {name}" if name else "the generator"
            found.append(f"{what} switched itself {reason}, at {t:.3f} s: no heat from then on")
    return found
