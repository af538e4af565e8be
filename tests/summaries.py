"""Complete summaries for tests that need only some of their numbers. Imports nothing: a stub of the solver uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LESION = dict.fromkeys(
    ("width_mm", "width_min_mm", "length_mm", "depth_distal_mm", "depth_proximal_mm", "effective_radius_mm",
     "roundness", "volume_mm3"), 0.0,
)  # fmt: skip
STRUCTURE = {
    "kind": "tube", "tissue": "nerve", "role": "protect", "rule": "isotherm_50C", "volume_mm3": 1.0,
    "required_fraction": 1.0, "covered_fraction": 0.0, "max_degC": 37.0, "hottest_point_mm": [0.0, 0.0, 0.0],
    "min_margin_mm": None, "time_to_cover_s": None, "length_mm": None, "coagulated_length_mm": None, "limit": None,
    "verdict": "safe",
}  # fmt: skip
ELECTRIC = dict.fromkeys(("voltage_V", "current_A", "power_W", "impedance_ohm", "peak_power_W"))
ENERGY = dict.fromkeys(
    ("joule_J", "stored_J", "perfused_J", "boundary_J", "latent_J", "metabolic_J", "residual_J", "residual_percent"),
    0.0,
)
NUMERICS = {
    "nodes": 100, "cells": 400, "smallest_edge_mm": 0.1, "interfaces": "conforming", "steps": 10, "rejects": 0,
    "heat_iterations": 50, "potential_iterations": 20, "ranks": 1, "error_bar": {},
}  # fmt: skip
PROVENANCE = {
    "rfablate": "0.1.0", "dolfinx": "0.9.0", "gmsh": "4.11.1", "python": "3.11.2", "ranks": 1,
    "started": "2026-01-01T00:00:00+00:00", "case_sha256": "", "peak_MiB": 100.0,
}  # fmt: skip


def complete(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary, or an entry of `observed`, with every number that a run has; those given stay."""
    return {
        **summary,
        "lesion": {rule: LESION | numbers for rule, numbers in summary.get("lesion", {}).items()},
        "structures": {name: STRUCTURE | numbers for name, numbers in summary.get("structures", {}).items()},
        "electric": ELECTRIC | summary.get("electric", {}),
        "energy": ENERGY | summary.get("energy", {}),
    }


def complete_run(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the summary of a run with everything that summary.json has; what is given stays."""
    return {
        "title": "Test", "status": "completed", "reason": "the end", "simulated_s": 60.0, "warnings": [],
        "case": {"domain_kind": "cylinder", "axisymmetric": False},
        **complete(summary),
        "channels": {name: ELECTRIC | numbers for name, numbers in summary.get("channels", {}).items()},
        "numerics": NUMERICS | summary.get("numerics", {}),
        "provenance": PROVENANCE | summary.get("provenance", {}),
    }  # fmt: skip
