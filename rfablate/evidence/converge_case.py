"""Convergence study of a case: three meshes, three time tolerances, two domain sizes.

The base run is the case itself. Meshes are COARSENING and COARSENING^2 times coarser; their sizes count by the number
of nodes, h = nodes^(-1/d), because meshes of a generator are not exactly similar. The time series uses the coarsest
mesh and the domain series the second, where a run costs less; these errors depend little on the mesh. In time, the
tolerated local error is 4 and 16 times larger and sizes count by the number of steps. The larger domain is WIDER times
as large; the potential and the temperature of a small source fall off like 1/R or faster, so the error of the
base domain is at most 1 / (1 - 1/WIDER) times the change.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfablate.case.tables.geometry_tables import AxisymmetricDomain, BoxDomain, CylinderDomain, MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.evidence.grid_convergence import NO_ORDER, Estimate, estimate_error
from rfablate.files import write_text
from rfablate.results.flatten import flatten
from rfablate.results.summary_models import RunSummary, read_summary

if TYPE_CHECKING:
    from mpi4py import MPI

COARSENING = math.sqrt(2.0)
"""Ratio of element sizes between successive meshes."""
LOOSENING = 4.0
"""Ratio of the tolerated local error between successive time series."""
WIDER = 1.5
"""Size of the larger domain relative to the case's."""
REPORTED = ("lesion.", "structures.", "electric.")
"""Sections of the summary whose numbers are reported."""
INPUTS = ("required_fraction", "limited_s", "limit.max_degC")
"""Keys of these sections that are inputs or depend on single steps."""


@dataclass(frozen=True)
class Level:
    """A run of the study: its changes of the case."""

    name: str
    mesh: float = 1.0
    """Factor on every element size."""
    time: float = 1.0
    """Factor on the tolerated local error."""
    domain: float = 1.0
    """Factor on the size of the domain."""

    def apply(self, case: Case) -> Case:
        """Return the case of this level, without report and error bar."""
        mesh = case.mesh.model_copy(update={"scale": case.mesh.scale * self.mesh})
        time = case.time.model_copy(
            update={
                "tolerance": case.time.tolerance * self.time,
                "step": case.time.step * math.sqrt(self.time),
            }
        )
        output = case.output.model_copy(update={"report": False, "error_bar": self.name == BASE.name})
        changed = {"mesh": mesh, "time": time, "output": output, "domain": _wider(case.domain, self.domain)}
        return case.model_copy(update=changed)


BASE = Level("base")
MESH = (BASE, Level("mesh-2", COARSENING), Level("mesh-3", COARSENING**2))
TIME = (MESH[2], Level("time-2", COARSENING**2, LOOSENING), Level("time-3", COARSENING**2, LOOSENING**2))
DOMAIN = (MESH[1], Level("domain-2", COARSENING, 1.0, WIDER))


@dataclass(frozen=True)
class ConvergedNumber:
    """A number of the base run with its numerical uncertainty, in the unit of its key."""

    key: str
    """Path in summary.json, with the unit."""
    value: float
    mesh: Estimate
    time: Estimate
    domain: float | None
    """Uncertainty by the size of the domain; None where the case cannot have a larger one."""
    error_bar: float | None
    """Error bar of the base run's own summary."""

    @property
    def uncertainty(self) -> float:
        """Sum of the uncertainties by mesh, time and domain."""
        return self.mesh.uncertainty + self.time.uncertainty + (self.domain or 0.0)

    @property
    def mesh_error(self) -> float | None:
        """Distance of the value from Richardson's limit of the mesh series; None without a limit."""
        return None if self.mesh.limit is None else abs(self.value - self.mesh.limit)


@dataclass(frozen=True)
class Convergence:
    """Result of a convergence study."""

    title: str
    runs: Mapping[str, Mapping[str, float]]
    """Nodes, steps and wall time of each run."""
    numbers: tuple[ConvergedNumber, ...]
    verdicts: Mapping[str, tuple[str, ...]]
    """Different verdicts of a structure among the runs, base first; empty if all runs agree."""


def levels_of(case: Case) -> list[Level]:
    """Return the runs of the study, the most expensive one first.

    Raises:
        CaseError: the mesh comes from a file and cannot be made coarser.
    """
    if isinstance(case.domain, MeshDomain):
        hint = "use a case with a generated mesh, or run meshes of three sizes separately and compare them"
        raise CaseError([Fault("domain.kind", '"mesh"', "a geometry that can be meshed at three sizes", hint)])
    return [*MESH, *TIME[1:], *(DOMAIN[1:] if _can_widen(case) else ())]


def converge_case(case: Case, directory: Path, comm: MPI.Comm, run: Callable[[Case, Path], object]) -> Convergence:
    """Run the study in `directory`, one run directory per level, and return its result. Collective.

    Complete runs in the directory are not repeated.

    Args:
        case: the case.
        directory: directory of the study.
        comm: all ranks.
        run: runs a case in a directory, replacing an older run there. Collective.

    Raises:
        CaseError: the case cannot be studied, or the directory holds runs of another case.
        MeshError, SolveError, StepError, Interrupted: as a run.
    """
    from rfablate.mesh.root_tasks import from_root
    from rfablate.results.run_directory import end_reason

    levels = levels_of(case)
    for level in levels:
        place, changed = directory / level.name, level.apply(case)
        if not from_root(comm, lambda: end_reason(place) if _same_case(place, changed) else None):  # noqa: B023
            run(changed, place)
        comm.barrier()
    return from_root(comm, lambda: collect_convergence(case, directory, levels))


def collect_convergence(case: Case, directory: Path, levels: list[Level]) -> Convergence:
    """Return the result of finished runs and write convergence.json. Root only."""
    summaries = {level.name: read_summary(directory / level.name) for level in levels}
    flat = {name: flatten(summary) for name, summary in summaries.items()}
    dimension = 2 if summaries[BASE.name].case.axisymmetric else 3
    nodes = {name: each.numerics.nodes for name, each in summaries.items()}
    steps = {name: each.numerics.steps for name, each in summaries.items()}
    h = [nodes[level.name] ** (-1.0 / dimension) for level in MESH]
    dt = [1.0 / steps[level.name] for level in TIME]
    numbers = []
    for key, value in flat[BASE.name].items():
        if not _is_reported(key) or any(not isinstance(each.get(key), int | float) for each in flat.values()):
            continue
        by_mesh = estimate_error(h, [float(flat[level.name][key]) for level in MESH])
        by_time = _by_time(dt, [float(flat[level.name][key]) for level in TIME])
        by_domain = None
        if DOMAIN[1].name in flat:
            by_domain = abs(flat[DOMAIN[1].name][key] - flat[DOMAIN[0].name][key]) / (1.0 - 1.0 / WIDER)
        numbers.append(
            ConvergedNumber(key, float(value), by_mesh, by_time, by_domain, flat[BASE.name].get(f"{key}.bar"))
        )
    runs = {
        name: {"nodes": nodes[name], "steps": steps[name], "wall_s": summary.timing_s["total"]}
        for name, summary in summaries.items()
    }
    found = Convergence(case.title, runs, tuple(numbers), _verdicts(summaries))
    write_text(directory / "convergence.json", json.dumps(asdict(found), indent=1) + "\n")
    return found


def _by_time(dt: list[float], results: list[float]) -> Estimate:
    """Return the error by time steps; where the number of steps does not fall with the tolerance, a bound."""
    if dt[0] < dt[1] < dt[2]:
        return estimate_error(dt, results, formal=3.0)
    return Estimate(NO_ORDER * (max(results) - min(results)), None, None)


def _is_reported(key: str) -> bool:
    return key.startswith(REPORTED) and not key.endswith((".bar", "verdict", *INPUTS))


def _verdicts(summaries: Mapping[str, RunSummary]) -> dict[str, tuple[str, ...]]:
    """Return the verdicts of each structure on which the runs do not agree."""
    names = summaries[BASE.name].structures
    found = {name: tuple(dict.fromkeys(s.structures[name].verdict for s in summaries.values())) for name in names}
    return {name: verdicts for name, verdicts in found.items() if len(verdicts) > 1}


def _same_case(place: Path, case: Case) -> bool:
    from rfablate.case.read.case_file import dump_case

    file = place / "case.toml"
    return file.is_file() and file.read_text(encoding="utf-8") == dump_case(case)


def _can_widen(case: Case) -> bool:
    return isinstance(case.domain, AxisymmetricDomain | CylinderDomain | BoxDomain)


def _wider(domain: Any, factor: float) -> Any:
    """Return a domain `factor` times as large about its centre."""
    if factor == 1.0:
        return domain
    if isinstance(domain, BoxDomain):
        return domain.model_copy(update={"size": tuple(factor * each for each in domain.size)})
    return domain.model_copy(update={"radius": factor * domain.radius, "height": factor * domain.height})
