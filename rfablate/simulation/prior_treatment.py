"""A repeat treatment: temperature and damage of a prior run, transferred to this run's mesh.

On the same mesh, values are copied node by node. On another mesh they are interpolated in the quantity that is nearly
linear inside a cell and whose level defines the lesion (`physics.damage.Rule.level`):

    T and peak temperature   linear               Omega, CEM43           their logarithms
    dead fraction            its logit            alive among not dead   linear

A point inside the prior run's metal, or outside its mesh, takes the value of the nearest tissue node there. Both cases
use the same coordinates. Cooled tissue is at this case's body temperature and its steam has condensed. Healing and
delayed cell death between the treatments are not modelled.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray, RowArray
from rfablate.case.geometry.applicator_parts import device_materials
from rfablate.case.geometry.half_plane import HalfPlane, half_plane_of
from rfablate.case.read.case_file import parse_case, read_case_file
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.isolation import ReaderCrashed, isolated
from rfablate.lesion.observer import Observer
from rfablate.mesh.domain import Domain
from rfablate.mesh.gather import mesh_rows, on_root_with, scatter_many
from rfablate.mesh.mesh_transfer import transfer_weights
from rfablate.physics.boiling import HOT
from rfablate.physics.damage import logit
from rfablate.problem.materials import region_tissues
from rfablate.problem.problem import Problem
from rfablate.results.checkpoint import Checkpoint, mesh_digest, newest_checkpoint
from rfablate.results.fields_reader import FieldsReader, refuse_crashing
from rfablate.results.summary_models import read_summary
from rfablate.solve.state import State, first_frame, initial_state

log = logging.getLogger("rfablate")

FIELDS = ("T", "peak", "omega", "cem43", "alive", "dead", "vapour")
"""Arrays of a State that describe the tissue."""
MM3 = 1e9
RESOLVED = 0.1
"""Relative change of the prior lesion's volume on this mesh above which a warning is given."""
TINY = 1e-300
"""Damage below this has no logarithm."""


@dataclass(frozen=True)
class Prior:
    """The treatment that a run starts from."""

    run: str
    """Its run directory."""
    cooled: bool
    same_mesh: bool
    own: Mapping[str, float]
    """Volume of each rule's lesion in its own summary [mm3]."""
    cannula_volume: Mapping[str, float]
    """Volume of its cannula inside each of these lesions [mm3]; it counts as tissue once the cannula is withdrawn."""
    before: Mapping[str, float] = field(default_factory=dict)
    """Volume of each rule's lesion at the start of this run, on its mesh [m3]."""

    def entry(self, after: Mapping[str, float]) -> dict[str, Any]:
        """Return the repeat's entry of summary.json; `after` is the volume of each rule's lesion at the end [m3]."""
        volumes = {}
        for rule, at_start in self.before.items():
            added = after[rule] * MM3 - at_start * MM3
            volumes[rule] = {"before": at_start * MM3, "after": after[rule] * MM3, "added": added}
            if rule in self.own:
                volumes[rule]["in_its_own_run"] = self.own[rule]
        return {"start_from": self.run, "cooled": self.cooled, "same_mesh": self.same_mesh, "volume_mm3": volumes}

    def warnings(self, after: Mapping[str, float]) -> list[str]:
        """Return a warning for each rule whose prior lesion this run's mesh does not resolve."""
        found = []
        for rule, own in self.own.items():
            before = self.before[rule] * MM3 if rule in self.before else own
            if abs(before - own) > RESOLVED * max(own, 10.0) + self.cannula_volume[rule]:
                found.append(
                    f"{rule}: the volume of the prior lesion is {before:.1f} mm3 on this mesh and {own:.1f} mm3 in its "
                    "own run; try a smaller mesh.size_far_mm"
                )
        return found


@dataclass(frozen=True)
class _PriorFields:
    """Fields of the prior run on this run's mesh, in the order of its input nodes. Rank 0 only."""

    fields: dict[str, FloatArray]
    prior: Prior


def with_prior_treatment(case: Case, problem: Problem) -> tuple[Problem, State, Prior | None]:
    """Return the problem, its state at t = 0 and the prior treatment, None without one. Collective.

    Raises:
        CaseError: the run that the case starts from cannot be read.
    """
    if case.start_from is None:
        return problem, initial_state(problem), None
    domain = problem.domain
    read = on_root_with(domain.comm, mesh_rows(domain), lambda mesh: _read(case, domain, mesh))
    prior: Prior = domain.comm.bcast(read.prior if read is not None else None)
    found = scatter_many(domain, read.fields if read is not None else None)
    if not case.cooled:
        problem = replace(problem, initial=np.where(problem.fixed, problem.fixed_value, found["T"]))
    state = initial_state(problem)
    state.peak = np.maximum(found["peak"], state.T)
    state.omega, state.cem43 = found["omega"], found["cem43"]
    state.alive, state.dead = found["alive"], found["dead"]
    if problem.solvers.vapour is not None and not case.cooled:
        state.vapour = found["vapour"]
        problem.solvers.vapour.set_initial(state.vapour)
        state.hot = bool(domain.nodes.max_of(float(state.T.max(initial=-np.inf)))[0] >= HOT)
    how = "cooled to body temperature" if case.cooled else "at the temperature of its end"
    where = "node by node, on the same mesh" if prior.same_mesh else "interpolated onto another mesh"
    log.info("repeat treatment after %s, %s; damage transferred %s", prior.run, how, where)
    return problem, state, prior


def with_volumes_at_start(prior: Prior, problem: Problem, state: State, observer: Observer) -> Prior:
    """Return a prior treatment with the volume of each rule's lesion at t = 0 on this mesh. Collective."""
    lesions = observer.measure(first_frame(problem, state))
    return replace(prior, before={name: lesion.volume for name, lesion in lesions.items()})


def _read(case: Case, domain: Domain, mesh: Mapping[str, RowArray]) -> _PriorFields:
    """Read the prior run and transfer its fields to this mesh. Root only."""
    assert case.start_from is not None
    folder = Path(case.start_from)
    checkpoint, problems = _isolated_checkpoint(folder)
    if checkpoint is None:
        raise _unreadable(folder, "; ".join(problems) or "no checkpoint.h5 in it")
    try:
        state = checkpoint.memory["state"]
        old = {name: np.asarray(checkpoint.arrays[state[name]["array"]][:]) for name in FIELDS}
        same = checkpoint.memory["mesh"] == mesh_digest(**mesh, names=domain.region_names)
        if not same:
            old = interpolate(old, _weights(folder, axisymmetric=domain.axisymmetric, points=mesh["points"][:]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder, f"{type(error).__name__}: {error}") from None
    return _PriorFields(old, Prior(str(folder), case.cooled, bool(same), *_own_lesions(folder)))


def _own_lesions(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return each rule's volume, and that of the cannula inside it [mm3], from the summary of a run."""
    try:
        summary = read_summary(folder)
    except CaseError as error:
        raise _unreadable(folder, f"summary.json: {error.faults[0].found}") from None
    if not summary.applicators:
        raise _unreadable(folder, "its summary.json has no applicator")
    cannula = summary.applicators[0]
    across = np.pi / 4.0 * cannula.outer_diameter_mm**2
    own = {rule: lesion.volume_mm3 for rule, lesion in summary.lesion.items()}
    depth = {rule: lesion.depth_proximal_mm for rule, lesion in summary.lesion.items()}
    return own, {rule: across * max(0.0, cannula.active_tip_mm + depth[rule]) if own[rule] else 0.0 for rule in own}


def _unreadable(folder: Path, what: str) -> CaseError:
    hint = "run the prior case again with this version"
    return CaseError([Fault("start_from", f"found {folder}, {what}", "a finished run that can be read", hint)])


def _isolated_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return `newest_checkpoint` of a run, read in a child process: the run may be that of another person."""
    import h5py  # noqa: F401  (once, in this process)

    try:
        return isolated(lambda: newest_checkpoint(folder))
    except ReaderCrashed as error:
        return None, [f"{folder}: the checkpoint cannot be read: {error}"]


def interpolate(old: Mapping[str, FloatArray], weights: Any) -> dict[str, FloatArray]:
    """Return the nodal fields of a State at other points, each interpolated as in the table above."""
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


def _weights(folder: Path, *, axisymmetric: bool, points: FloatArray) -> Any:
    """Return the interpolation weights from the prior run's tissue to the points of the new mesh [m]."""
    old = parse_case(read_case_file(folder / "case.toml"), folder, str(folder), check=False)
    refuse_crashing(folder / "fields.vtkhdf")
    with FieldsReader(folder / "fields.vtkhdf") as file:
        x, cells = file.points_mm * 1e-3, file.cells
        names, region, flat = file.region_names, file.region, file.axisymmetric
    if axisymmetric and not flat:
        raise _unreadable(folder, "solved in 3-D; this case is axisymmetric and the prior lesion need not be")
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
