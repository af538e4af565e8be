"""Verification of an installation: the solver against closed forms, balances and symmetries. Collective.

CHECKS lists every check in the order of the table. To add one, write a function that returns measurements and add it.
Limits of error are set here and in the check modules before a run; they do not depend on the result.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.errors import CaseError, Fault, Interrupted, RfablateError
from rfablate.evidence import closed_form_checks as closed
from rfablate.evidence import simulation_checks as simulated
from rfablate.evidence.library_versions import library_versions
from rfablate.evidence.manufactured_problem import check_manufactured
from rfablate.evidence.simulation_checks import CheckRuns, Simulate
from rfablate.evidence.verification_results import CheckResult, Measurement, Verification
from rfablate.evidence.verification_table import verification_markdown
from rfablate.files import write_text
from rfablate.log import setup_log
from rfablate.mesh.root_tasks import from_root, on_root

if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass(frozen=True)
class Setting:
    """Settings that a check may depend on."""

    comm: MPI.Comm
    directory: Path
    """Directory of the results; the runs of some checks are in `runs`."""
    simulate: Simulate
    quick: bool = False
    """Fewer directions, shorter runs and coarser meshes in the checks of whole simulations."""

    @property
    def runs(self) -> CheckRuns:
        """The runs of a check."""
        return CheckRuns(self.directory / "runs", self.simulate)


@dataclass(frozen=True)
class Check:
    """A check: its name, its problem, and the function that measures it. Collective."""

    id: str
    problem: str
    measure: Callable[[Setting], list[Measurement]]
    meshed: bool = False
    """Whether it requires Gmsh."""


CHECKS = (
    Check(
        "A0 A1",
        "sphere at constant voltage: resistance, steady Joule heat; axisymmetric",
        lambda on: closed.check_joule_spheres(on.comm, "axisymmetric", perfused=False),
    ),
    Check("A0 A1 3-D", "the same in 3-D", lambda on: closed.check_joule_spheres(on.comm, "3-D", perfused=False)),
    Check("A1b", "the same, sphere held at 80 degC; axisymmetric", lambda on: closed.check_held_sphere(on.comm)),
    Check(
        "A2",
        "steady Joule heat with perfusion; axisymmetric",
        lambda on: closed.check_joule_spheres(on.comm, "axisymmetric", perfused=True),
    ),
    Check("A2 3-D", "the same in 3-D", lambda on: closed.check_joule_spheres(on.comm, "3-D", perfused=True)),
    Check(
        "A3",
        "surface of a sphere steps to 80 degC, perfusion; axisymmetric",
        lambda on: closed.check_stepped_sphere(on.comm),
    ),
    Check(
        "A4",
        "surface of a half space steps to 80 degC, perfusion; axisymmetric",
        lambda on: closed.check_stepped_half_space(on.comm),
    ),
    Check(
        "A5",
        "cylinder held at 80 degC, steady, perfusion; axisymmetric",
        lambda on: closed.check_held_cylinder(on.comm),
    ),
    Check(
        "A6", "point source of 1 W from t = 0, perfusion; axisymmetric", lambda on: closed.check_point_source(on.comm)
    ),
    Check("A7", "boiling front (Stefan problem); axisymmetric", lambda on: closed.check_boiling_front(on.comm)),
    Check(
        "coupled",
        "manufactured solution of the coupled nonlinear problem; axisymmetric",
        lambda on: check_manufactured(on.comm, "axisymmetric"),
    ),
    Check("coupled 3-D", "the same in 3-D", lambda on: check_manufactured(on.comm, "3-D", levels=3 if on.quick else 4)),
    Check(
        "energy",
        "energy balance of a run with temperature control and perfusion",
        lambda on: simulated.check_energy(on.comm),
    ),
    Check(
        "rotation",
        "lesion of a rotated cannula against a straight one; 3-D",
        lambda on: simulated.check_rotation(on.runs, quick=on.quick),
        meshed=True,
    ),
    Check(
        "dimension",
        "lesion of a cannula in 3-D against axisymmetric",
        lambda on: simulated.check_dimension(on.runs, quick=on.quick),
        meshed=True,
    ),
    Check(
        "reciprocity",
        "conductances between two electrodes; 3-D",
        lambda on: simulated.check_reciprocity(on.comm),
        meshed=True,
    ),
    Check(
        "damage",
        "time to damage at constant temperature",
        lambda on: simulated.check_constant_temperature_damage(on.comm),
    ),
    Check(
        "damage in a run",
        "damage after 61.4 s at 50 degC for several time steps",
        lambda on: simulated.check_damage_in_a_run(on.comm),
    ),
    Check(
        "step splitting",
        "damage of one time step against seven",
        lambda on: simulated.check_step_splitting(on.comm),
    ),
)
"""All checks, in the order of the table."""


def verify_installation(
    setting: Setting, checks: tuple[Check, ...] = CHECKS, report: Callable[[CheckResult], None] | None = None
) -> Verification:
    """Run all checks and write verification.json and verification.md. Collective.

    Args:
        setting: ranks, directory and extent of the checks.
        checks: the checks to run.
        report: called with each result on rank 0.

    A check that cannot be run fails, with the reason.

    Raises:
        CaseError: the directory cannot be created.
        Interrupted: a signal stopped a run of a check.
    """
    comm, directory = setting.comm, setting.directory
    begun, started = time.perf_counter(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    on_root(comm, lambda: _make_directory(directory))
    setup_log(comm.rank, directory / "verification.log", quiet=True)
    results = []
    for check in checks:
        results.append(make_check(check, setting))
        if report is not None and comm.rank == 0:
            report(results[-1])
    versions = from_root(comm, library_versions)
    seconds = comm.bcast(time.perf_counter() - begun)
    found = Verification(tuple(results), setting.quick, comm.size, seconds, versions, comm.bcast(started))
    on_root(comm, lambda: _write(found, directory))
    return found


def make_check(check: Check, setting: Setting) -> CheckResult:
    """Return the result of a check, the same on every rank; an error of the program is a failure. Collective.

    Raises:
        Interrupted: a signal stopped a run of the check.
    """
    begun, comm = time.perf_counter(), setting.comm
    measured, fault = [], ""
    if check.meshed and not from_root(comm, lambda: find_spec("gmsh") is not None):
        fault = "Gmsh is missing; `rfablate doctor` shows how to install it"
    else:
        try:
            measured = check.measure(setting)
        except Interrupted:
            raise
        except RfablateError as error:  # raised on all ranks together
            fault = str(error)
    result = CheckResult(check.id, check.problem, tuple(measured), time.perf_counter() - begun, fault)
    return from_root(comm, lambda: result)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaseError([Fault(str(directory), error.strerror or str(error), "a writable folder")], "verify") from None


def _write(found: Verification, directory: Path) -> None:
    write_text(directory / "verification.json", json.dumps(found.to_dict(), indent=1) + "\n")
    write_text(directory / "verification.md", verification_markdown(found))
