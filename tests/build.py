"""Meshes, cases and small drivers that several tests share; most are those of `rfablate verify`."""

from __future__ import annotations

from collections.abc import Sequence

from rfablate.evidence.closed_forms import BLOOD, OMEGA, R0, RHO, SIGMA, T_A, VOLTAGE, C, K
from rfablate.evidence.verification_problems import (
    BODY,
    HEATED,
    TISSUE,
    UNLIMITED,
    Table,
    at_points,
    constant_power,
    constant_voltage,
    fixed_step,
    frames,
    largest,
    last_frame,
    mesh_case,
    norm_L2,
    on_mesh,
    on_rays,
    problem_on,
    set_cells,
    steady,
    with_roles,
    with_source,
)
from rfablate.evidence.verification_results import observed_orders

__all__ = [
    "BLOOD", "BODY", "HEATED", "OMEGA", "R0", "RHO", "SIGMA", "TISSUE", "T_A", "UNLIMITED", "VOLTAGE", "C", "K",
    "Table", "at_points", "constant_power", "constant_voltage", "fixed_step", "frames", "largest", "last_frame",
    "mesh_case", "norm_L2", "on_mesh", "on_rays", "orders", "problem_on", "set_cells", "steady", "with_roles",
    "with_source",
]  # fmt: skip


def orders(sizes: Sequence[float], errors: Sequence[float]) -> list[float]:
    """Return the observed order between each two successive sizes, and print it (`pytest -rP` shows it)."""
    found = observed_orders(sizes, errors)
    print("errors", *(f"{e:.3g}" for e in errors), " orders", *(f"{o:.2f}" for o in found))
    return found
