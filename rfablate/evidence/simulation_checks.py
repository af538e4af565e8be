"""Checks of whole simulations: energy, rotation, dimension, reciprocity, damage. Functions are collective.

Cases with a cannula are meshed by Gmsh, as a user's cases are; the other problems use structured meshes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.schema import Case
from rfablate.evidence.closed_forms import OMEGA, R0
from rfablate.evidence.structured_meshes import geometric, rectangle, shell_half_plane
from rfablate.evidence.verification_problems import (
    TISSUE,
    UNLIMITED,
    Table,
    constant_power,
    fixed_step,
    largest,
    last_frame,
    mesh_case,
    on_mesh,
    problem_on,
)
from rfablate.evidence.verification_results import Measurement, worst
from rfablate.mesh.build import build_domain
from rfablate.physics import damage
from rfablate.physics.library import damage_set
from rfablate.problem.problem import build_problem
from rfablate.results.summary_models import RunSummary

NONLINEAR = {"sigma_S_per_m": 0.4, "sigma_slope_per_K": 0.015, "k_slope_per_K": 0.002}
SIZES = ("width_mm", "length_mm", "effective_radius_mm")
"""Lesion numbers that are compared."""
RULES = ("isotherm_50C", "isotherm_60C")
ROTATED = ((0.36, 0.48, 0.8), (-0.6, 0.5, -0.3), (0.1, 0.9, 0.2))
"""Directions of the cannula, not along an edge of the domain; normalised in use."""


def check_energy(comm: MPI.Comm) -> list[Measurement]:
    """Joule heat = stored + perfused + boundary in 40 s of temperature control and cooling; residual at most 1 %."""
    domain = on_mesh(
        comm,
        lambda: shell_half_plane(geometric(R0, 20e-3, 40, 60.0), 24),
        active="inner",
        returned="outer",
        body_temperature="outer",
    )
    generator = {"kind": "temperature", "target_degC": 70.0, "ramp_s": 5.0, "hold_s": 25.0, "cooldown_s": 10.0}
    case = mesh_case(
        {**generator, **UNLIMITED},
        tissue={**NONLINEAR, "perfusion_per_s": 3.0 * OMEGA},
        damage={"perfusion_stops": True},
        time={"tolerance_K": 0.05},
    )
    ledger = last_frame(problem_on(case, domain)).ledger
    found = ledger.stored + ledger.perfused + ledger.boundary
    return [Measurement("stored + perfused + boundary", "J", found, ledger.joule, 0.01 * ledger.joule)]


# --- a cannula, rotated and in two dimensions -----------------------------------------------------


def cannula_case(kind: str, direction: Sequence[float], *, scale: float, hold: float) -> Case:
    """Return temperature control of an 18 G cannula with a 5 mm tip in the middle of a domain. Not collective."""
    axis = np.array(direction) / np.linalg.norm(direction)
    size: Table = {"size_mm": [40, 40, 40]} if kind == "box" else {"radius_mm": 20, "height_mm": 40}
    return parse_case(
        {
            "domain": {"kind": kind, "tissue": "sample", **size},
            "tissues": {"sample": {**TISSUE, **NONLINEAR}},
            "applicators": [
                {
                    "outer_diameter_mm": 1.27,
                    "active_tip_mm": 5,
                    "tip_shape": "blunt",
                    "tip_mm": (-2.5 * axis).tolist(),
                    "direction": axis.tolist(),
                    "sensor_offset_mm": 1.0,
                }
            ],
            "generator": {"kind": "temperature", "target_degC": 80, "ramp_s": 5, "hold_s": hold},
            "damage": {"perfusion_stops": False},
            "lesion": {"rules": list(RULES)},
            "mesh": {"scale": scale},
            "output": {"report": False, "error_bar": False},
        }
    )


Simulate = Callable[[Case, Path], RunSummary]
"""Runs a case in a directory, which may hold an older run, and returns its summary on every rank. Collective."""


@dataclass(frozen=True)
class CheckRuns:
    """The runs of a check."""

    place: Path
    """Directory of the run directories."""
    simulate: Simulate

    def sizes(self, case: Case, name: str) -> dict[str, float]:
        """Return the lesion numbers of a run in the directory `name`. Collective."""
        lesion = self.simulate(case, self.place / name).lesion
        return {f"{rule} {key}": float(getattr(lesion[rule], key)) for rule in RULES for key in SIZES}


def compare_sizes(computed: Mapping[str, float], expected: Mapping[str, float], allowed: float) -> list[Measurement]:
    """Return one measurement per lesion number; `allowed` is a fraction of the expected value. Not collective."""
    return [
        Measurement(key.removesuffix("_mm").replace("_", " "), "mm", computed[key], value, allowed * value)
        for key, value in expected.items()
    ]


def check_rotation(runs: CheckRuns, *, quick: bool) -> list[Measurement]:
    """The lesion of a rotated cannula in a box in 3-D is that of the straight one; the worst number of each direction.

    0.5 % allowed. The mesher makes another mesh for each direction.
    """
    scale, hold = (0.8, 5.0) if quick else (0.7, 20.0)
    straight = runs.sizes(cannula_case("box", (0.0, 0.0, 1.0), scale=scale, hold=hold), "straight")
    found = []
    for number, direction in enumerate(ROTATED[:1] if quick else ROTATED):
        turned = cannula_case("box", direction, scale=scale, hold=hold)
        sizes = runs.sizes(turned, f"rotated-{number + 1}")
        found.append(worst(compare_sizes(sizes, straight, 0.005)))
    return found


def check_dimension(runs: CheckRuns, *, quick: bool) -> list[Measurement]:
    """The lesion of a cannula in 3-D is that in the axisymmetric form; every number, 1 % allowed."""
    scale, hold = (0.5, 5.0) if quick else (0.45, 20.0)
    flat = runs.sizes(cannula_case("axisymmetric", (0.0, 0.0, 1.0), scale=0.3, hold=hold), "axisymmetric")
    solid = runs.sizes(cannula_case("cylinder", (0.0, 0.0, 1.0), scale=scale, hold=hold), "cylinder")
    return compare_sizes(solid, flat, 0.01)


# --- electrodes -----------------------------------------------------------------------------------


def check_reciprocity(comm: MPI.Comm) -> list[Measurement]:
    """G_kl = G_lk for two unlike electrodes beside a bone in 3-D; 1e-8 of the largest conductance allowed."""
    cannula = {"outer_diameter_mm": 1.27, "active_tip_mm": 5, "shaft_length_mm": 15}
    case = parse_case(
        {
            "domain": {"kind": "box", "size_mm": [50, 40, 40], "tissue": "muscle"},
            "structures": [
                {
                    **{"name": "bone", "kind": "half_space", "point_mm": [0, -3, 0], "normal": [0.3, -1, 0]},
                    "tissue": "cancellous_bone",
                }
            ],
            "applicators": [
                {**cannula, "name": "a", "tip_mm": [-5, 0, 0]},
                {**cannula, "name": "b", "tip_mm": [5, 0, 0], "active_tip_mm": 8, "outer_diameter_mm": 0.9},
            ],
            "generator": {"kind": "voltage", "voltage_V": 10, "duration_s": 0.1},
            "mesh": {"accuracy": "draft"},
        }
    )
    problem = build_problem(case, build_domain(case, comm))
    assert problem.solvers.electric is not None
    problem.solvers.assemble(problem.initial)
    problem.solvers.electric.solve(problem.solvers.coefficients)
    G = 1e3 * problem.solvers.electric.conductances()
    return [Measurement("G_ab against G_ba", "mS", float(G[0, 1]), float(G[1, 0]), 1e-8 * float(np.abs(G).max()))]


# --- damage ---------------------------------------------------------------------------------------


def _liver() -> damage.Arrhenius:
    A, Ea, _ = damage_set("liver")
    return damage.Arrhenius(A, Ea)


def check_constant_temperature_damage(comm: MPI.Comm) -> list[Measurement]:
    """Times to Omega = 1 and to CEM43 = 240 min at constant temperature; half a unit of the last digit allowed.

    Liver set of Jacques: 61.4 s at 50 degC. CEM43 by its definition (Sapareto and Dewey 1984): 240 min x 0.5^(T - 43).
    """
    del comm
    found = [Measurement("Omega = 1 at 50 degC, liver", "s", 1.0 / _at(_liver().rate, 50.0), 61.4, 0.05)]
    for T, seconds, limit in ((55.0, 3.52, 0.005), (50.0, 112.5, 0.05)):
        time = 240.0 / _at(damage.cem43_rate, T)
        found.append(Measurement(f"CEM43 = 240 min at {T:g} degC", "s", time, seconds, limit))
    return found


def _at(rate: Any, T: float) -> float:
    return float(rate(np.array(T)))


def check_damage_in_a_run(comm: MPI.Comm) -> list[Measurement]:
    """Omega and CEM43 of tissue kept at 50 degC for 61.4 s by the time loop, with fixed and adaptive steps."""
    line = np.linspace(0.0, 2e-3, 3)
    domain = on_mesh(
        comm, lambda: rectangle(line, line), active="low_z", returned="high_z", body_temperature=("low_z", "high_z")
    )
    rates = {"Omega": (_at(_liver().rate, 50.0), "1"), "CEM43": (_at(damage.cem43_rate, 50.0), "min")}
    found = []
    for steps, time in {"1 s steps": fixed_step(1.0), "7 s steps": fixed_step(7.0), "adaptive steps": {}}.items():
        case = mesh_case(
            constant_power(1e-9, 61.4),
            body={"temperature_degC": 50.0, "blood_temperature_degC": 50.0},
            tissue={"damage_set": "liver"},
            time=time,
        )
        frame = last_frame(problem_on(case, domain))
        for name, nodal in (("Omega", frame.omega), ("CEM43", frame.cem43)):
            rate, unit = rates[name]
            found.append(Measurement(f"{name}, {steps}", unit, largest(domain, nodal), 61.4 * rate, 1e-6 * 61.4 * rate))
    return [worst(found[0::2]), worst(found[1::2])]


def check_step_splitting(comm: MPI.Comm) -> list[Measurement]:
    """Damage of one 30 s step against seven unequal steps, 1e-10 of it allowed.

    Heating from 45 to 60 degC with 1/T linear in time: ln(rate) of the Arrhenius law is then linear, the form for which
    `integrate_rate` is exact. CEM43 needs T linear in time.
    """
    del comm
    fractions = np.array([0.0, 0.02, 0.1, 0.13, 0.4, 0.55, 0.9, 1.0])
    kelvin = 1.0 / (1.0 / 318.15 + fractions * (1.0 / 333.15 - 1.0 / 318.15))
    curves = {
        "Omega": (_liver().rate(kelvin - 273.15), "1"),
        "CEM43": (damage.cem43_rate(45.0 + 15.0 * fractions), "min"),
    }
    found = []
    for name, (rate, unit) in curves.items():
        dt = 30.0 * np.diff(fractions)
        split = sum(float(damage.integrate_rate(a, b, h)) for a, b, h in zip(rate[:-1], rate[1:], dt, strict=True))
        whole = float(damage.integrate_rate(rate[0], rate[-1], 30.0))
        found.append(Measurement(f"{name}, 7 steps against 1", unit, split, whole, 1e-10 * whole))
    return found
