"""A second treatment of the same tissue: what an earlier run left behind, carried over onto this run's mesh.

On the same mesh, values are taken node by node as they are. On another one they are interpolated in the quantity that
is nearly linear inside a cell and that the lesion rules cut it by (`physics.damage.Rule.level`):

    T and peak temperature   linear               Omega, CEM43           their logarithms
    dead fraction            its logit            alive among not dead   linear

A point that lay in the old run's metal, or outside its mesh, takes the nearest old tissue node. Both cases share one
system of coordinates. Cooled tissue is at this case's body temperature and its steam has condensed; what healing or
death the hours between the treatments bring is not modelled.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.case.geometry.applicator_parts import device_materials
from rfablate.case.geometry.half_plane import HalfPlane, half_plane_of
from rfablate.case.read.case_file import parse_case, read_case_file
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.lesion.observer import Observer
from rfablate.mesh.domain import Domain
from rfablate.mesh.gather import gather_cells, gather_mesh, scatter_many
from rfablate.mesh.mesh_transfer import transfer_weights
from rfablate.mesh.root_tasks import on_root
from rfablate.physics.boiling import HOT
from rfablate.physics.damage import logit
from rfablate.problem.materials import region_tissues
from rfablate.problem.problem import Problem
from rfablate.results.checkpoint import mesh_digest, newest_checkpoint
from rfablate.results.fields_reader import FieldsReader
from rfablate.solve.state import State, first_frame, initial_state

log = logging.getLogger("rfablate")

FloatArray = npt.NDArray[np.float64]
FIELDS = ("T", "peak", "omega", "cem43", "alive", "dead", "vapour")
"""Arrays of a State that describe the tissue."""
MM3 = 1e9
COARSE = 0.1
"""Change in an earlier lesion's volume that is told, beyond the room of the cannula."""
TINY = 1e-300
"""Damage below this has no logarithm."""


@dataclass(frozen=True)
class Earlier:
    """The treatment that a run starts from, as the repeat's summary tells it."""

    run: str
    cooled: bool
    same_mesh: bool
    own: Mapping[str, float]
    """Volume of each of its rules as its own summary has it [mm3]."""
    room: Mapping[str, float]
    """Volume of its cannula inside each of these lesions [mm3]: tissue that counts once the cannula is drawn back."""

    def entry(self, before: Mapping[str, float], lesion: Mapping[str, Any]) -> dict[str, Any]:
        """Return the repeat's entry of summary.json from volumes at the start [m3] and the lesions at the end."""
        volumes = {}
        for rule, at_start in before.items():
            after = lesion[rule]["volume_mm3"]
            volumes[rule] = {"before": at_start * MM3, "after": after, "added": after - at_start * MM3}
            if rule in self.own:
                volumes[rule]["in_its_own_run"] = self.own[rule]
        return {
            "start_from": self.run,
            "cooled": self.cooled,
            "same_mesh": self.same_mesh,
            "volume_mm3": volumes,
        }

    def warnings(self, entry: Mapping[str, Any]) -> list[str]:
        """Return a warning for each rule whose earlier lesion the repeat's mesh does not resolve."""
        found = []
        for rule, own in self.own.items():
            before = entry["volume_mm3"].get(rule, {}).get("before", own)
            if abs(before - own) > COARSE * max(own, 10.0) + self.room[rule]:
                found.append(
                    f"{rule}: the earlier lesion has {before:.1f} mm3 on this mesh, {own:.1f} in its own run; "
                    "try a smaller mesh.size_far_mm"
                )
        return found


@dataclass(frozen=True)
class _Left:
    """What rank 0 read: the fields on this run's mesh in the order of its input nodes, and whose they are."""

    fields: dict[str, FloatArray]
    earlier: Earlier


def begin(case: Case, problem: Problem) -> tuple[Problem, State, Earlier | None]:
    """Return the problem, its state at t = 0 and the treatment that it starts from, None without. Collective.

    Raises:
        CaseError: the run that the case starts from cannot be read.
    """
    if case.start_from is None:
        return problem, initial_state(problem), None
    domain = problem.domain
    mesh, region = gather_mesh(domain), gather_cells(domain, domain.region)
    left = on_root(domain.comm, lambda: _read(case, domain, mesh, region))
    earlier: Earlier = domain.comm.bcast(left.earlier if left is not None else None)
    found = scatter_many(domain, left.fields if left is not None else None)
    if not case.cooled:
        problem = replace(problem, initial=np.where(problem.fixed, problem.fixed_value, found["T"]))
    state = initial_state(problem)
    state.peak = np.maximum(found["peak"], state.T)
    state.omega, state.cem43 = found["omega"], found["cem43"]
    state.alive, state.dead = found["alive"], found["dead"]
    if problem.vapour is not None and not case.cooled:
        state.vapour = found["vapour"]
        problem.vapour.begin(state.vapour)
        state.hot = bool(domain.nodes.max_of(float(state.T.max(initial=-np.inf)))[0] >= HOT)
    how = "cooled to body temperature" if case.cooled else "as warm as it was left"
    where = "node by node, on the same mesh" if earlier.same_mesh else "interpolated onto another mesh"
    log.info("starting from %s, %s; damage carried over %s", earlier.run, how, where)
    return problem, state, earlier


def volumes_at_start(problem: Problem, state: State, observer: Observer) -> dict[str, float]:
    """Return the volume of each rule's lesion at t = 0 [m3]. Collective."""
    return {name: lesion.volume for name, lesion in observer.measure(first_frame(problem, state)).items()}


def _read(case: Case, domain: Domain, mesh: Any, region: Any) -> _Left:
    """Read the run that the case starts from, and carry its fields onto this mesh. Root only."""
    assert case.start_from is not None
    folder = Path(case.start_from)
    checkpoint, told = newest_checkpoint(folder)
    if checkpoint is None:
        raise _unreadable(folder, "; ".join(told) or "no checkpoint.h5 in it")
    try:
        state = checkpoint.memory["state"]
        old = {name: checkpoint.arrays[state[name]["array"]] for name in FIELDS}
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        same = checkpoint.memory["mesh"] == mesh_digest(mesh[0], mesh[1], region, domain.region_names)
        if not same:
            old = interpolate(old, _weights(folder, domain.axisymmetric, mesh[0]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder, f"{type(error).__name__}: {error}") from None
    return _Left(old, Earlier(str(folder), case.cooled, bool(same), *_own_lesions(summary)))


def _own_lesions(summary: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Return each rule's volume, and that of the cannula inside it [mm3], from a run's summary."""
    cannula = summary["applicators"][0]
    across = np.pi / 4.0 * cannula["outer_diameter_mm"] ** 2
    own = {rule: lesion["volume_mm3"] for rule, lesion in summary["lesion"].items()}
    depth = {rule: lesion["depth_proximal_mm"] for rule, lesion in summary["lesion"].items()}
    return own, {rule: across * max(0.0, cannula["active_tip_mm"] + depth[rule]) if own[rule] else 0.0 for rule in own}


def _unreadable(folder: Path, what: str) -> CaseError:
    hint = "run the earlier case again with this version"
    return CaseError([Fault("start_from", f"found {folder}, {what}", "a finished run that can be read", hint)])


def interpolate(old: Mapping[str, FloatArray], weights: Any) -> dict[str, FloatArray]:
    """Return the nodal fields of a State at other points, each in the quantity that is nearly linear in a cell."""
    new = {name: np.asarray(weights @ old[name]) for name in ("T", "peak", "vapour")}
    for name in ("omega", "cem43"):
        value = np.exp(weights @ np.log(np.maximum(old[name], TINY)))
        new[name] = np.where(value > 2.0 * TINY, value, 0.0)
    new["vapour"] = np.clip(new["vapour"], 0.0, 1.0)
    odds = np.exp(weights @ logit(old["dead"]))
    new["dead"] = odds / (1.0 + odds)
    alive = old["alive"] / np.maximum(1.0 - old["dead"], 1e-12)
    new["alive"] = np.clip(weights @ alive, 0.0, 1.0) * (1.0 - new["dead"])
    return new


def _weights(folder: Path, axisymmetric: bool, points: FloatArray) -> Any:
    """Return the weights from the old run's tissue to the points of the new mesh [m]."""
    old = parse_case(read_case_file(folder / "case.toml"), folder, str(folder), check=False)
    with FieldsReader(folder / "fields.vtkhdf") as file:
        x, cells = file.points_mm * 1e-3, file.cells
        names, region, flat = file.region_names, file.region, file.axisymmetric
    if axisymmetric and not flat:
        raise _unreadable(folder, "solved in 3-D: it need not be a body of revolution, as this case is")
    if flat:
        x = x[:, [0, 2, 1]]
        if not axisymmetric:
            points = (half_plane_of(old) or HalfPlane()).from_space(points)
    tissue = [tag for tag, name in names.items() if name not in _device_regions(old)]
    return transfer_weights(x, cells[np.isin(region, tissue)], points)


def _device_regions(case: Case) -> set[str]:
    """Return the regions of a case that are metal or parts of a device."""
    parts = set() if isinstance(case.domain, MeshDomain) else set().union(*map(device_materials, case.applicators))
    return parts | {name for name, tissue in region_tissues(case).items() if tissue.is_metal}
