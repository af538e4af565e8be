"""A repeat treatment starts from the tissue state at the end of the first one.

| law                                                                         | allowed                     |
|-----------------------------------------------------------------------------|-----------------------------|
| no power on the same mesh: lesions by thresholds unchanged                | equal                       |
| no power on another mesh: volumes stay                                      | 3 %, as the mesh's own error |
| the same dose in the same place: Omega and CEM43 double, T stays            | 1e-9                        |
| dead tissue carries no blood: the repeat then is larger than the first      |                             |
| two lesions apart: the union has both volumes                               | 3 %                         |
| warm start: the energy balance closes                                       | 1 % of the largest energy   |
| weights give linear fields back, points outside take the nearest node       | 1e-12                       |
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import load_case, parse_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Interrupted
from rfablate.mesh.mesh_transfer import transfer_weights
from rfablate.results.checkpoint import read_checkpoint
from rfablate.simulation.prior_treatment import interpolate
from rfablate.simulation.run import resume, run
from rfablate.simulation.run_options import RunOptions

MESH_ERROR = 0.03
OFF = {"kind": "power", "power_W": 0.0, "duration_s": 5.0}
WARM = {"kind": "temperature", "target_degC": 75.0, "ramp_s": 5.0, "hold_s": 20.0}
RULES = ["isotherm_50C", "arrhenius", "cem43_240", "cell_death_0.01"]


def _case(start: Path | None = None, *, z: float = 0.0, up: int = 1, **tables: Any) -> Case:
    """Return a small axisymmetric case with the tip at z [mm] and the shaft upwards or downwards."""
    begun = {} if start is None else {"start_from": str(start)}
    return parse_case(
        {
            "domain": {"kind": "axisymmetric", "radius_mm": 20, "height_mm": 60, "tissue": "muscle"},
            "applicators": [
                {"model": "cannula-20g-5mm-blunt", "tip_mm": [0, 0, z], "direction": [0, 0, up]},
            ],
            "generator": WARM,
            # at body temperature only Omega changes, by 6e-8 per second
            "damage": {"set": "skin", "perfusion_stops": False},
            "lesion": {"rules": RULES},
            "mesh": {"accuracy": "draft", "size_tip_mm": 0.2, "size_far_mm": 0.6},
            "output": {"report": False, "error_bar": False},
            **begun,
            **tables,
        }
    )


@pytest.fixture(scope="module")
def first(comm: MPI.Comm, shared_tmp: Path) -> Path:
    """The run directory of a first treatment."""
    folder = shared_tmp / f"first-{comm.size}"
    run(_case(), folder, comm)
    return folder


def _kept(folder: Path, name: str) -> Any:
    found = read_checkpoint(folder / "checkpoint.h5")
    return found.arrays[found.memory["state"][name]["array"]]


def _metal_in(lesion: dict[str, float]) -> float:
    """Return the volume of the cannula inside a lesion [mm3], which becomes tissue after withdrawal."""
    inside = 5.0 + lesion["depth_proximal_mm"] if lesion["volume_mm3"] > 0.0 else 0.0
    return float(np.pi * 0.454**2 * inside)


def _lesion(folder: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((folder / "summary.json").read_text())["lesion"]
    return found


def test_without_power_every_number_of_the_lesion_stays(first: Path, comm: MPI.Comm, tmp_path: Path) -> None:
    """On the same mesh; the Arrhenius integral increases only by the rate at body temperature."""
    before = _lesion(first)
    summary = run(_case(first, generator=OFF), tmp_path / "again", comm).summary.tree()
    assert summary["repeat"]["same_mesh"] is True
    for rule in ("isotherm_50C", "cem43_240"):
        assert summary["lesion"][rule] == before[rule]
        volume = summary["repeat"]["volume_mm3"][rule]
        assert volume["before"] == volume["after"] == volume["in_its_own_run"] and volume["added"] == 0.0
    assert summary["lesion"]["arrhenius"]["volume_mm3"] == pytest.approx(before["arrhenius"]["volume_mm3"], rel=1e-6)


def test_without_power_on_another_mesh_the_volumes_stay_within_the_meshes_error(
    first: Path, comm: MPI.Comm, tmp_path: Path
) -> None:
    """The second cannula comes from the opposite side: the first track becomes tissue, the second is metal."""
    before = _lesion(first)
    case = _case(first, z=12.0, generator=OFF)
    volumes = run(case, tmp_path / "again", comm).summary.tree()["repeat"]["volume_mm3"]
    for rule, volume in volumes.items():
        own = before[rule]["volume_mm3"] + _metal_in(before[rule])
        assert volume["before"] == pytest.approx(own, rel=MESH_ERROR, abs=0.1), rule
        assert volume["added"] == pytest.approx(0.0, abs=1e-3 * volume["before"]), rule


def test_the_same_dose_in_the_same_place_doubles_the_damage(first: Path, comm: MPI.Comm, tmp_path: Path) -> None:
    run(_case(first), tmp_path / "again", comm)
    if comm.rank == 0:
        assert _kept(tmp_path / "again", "T") == pytest.approx(_kept(first, "T"), abs=1e-9)
        assert _kept(tmp_path / "again", "peak") == pytest.approx(_kept(first, "peak"), abs=1e-9)
        for name in ("omega", "cem43"):
            assert _kept(tmp_path / "again", name) == pytest.approx(2.0 * _kept(first, name), rel=1e-9, abs=1e-12)


def test_dead_tissue_carries_no_blood_and_the_repeat_reaches_farther(comm: MPI.Comm, tmp_path: Path) -> None:
    tables: dict[str, Any] = {
        "damage": {"set": "skin"},
        "domain": {"kind": "axisymmetric", "radius_mm": 20, "height_mm": 60, "tissue": "liver"},
    }
    run(_case(**tables), tmp_path / "first", comm)
    summary = run(_case(tmp_path / "first", **tables), tmp_path / "again", comm).summary.tree()
    assert summary["repeat"]["volume_mm3"]["isotherm_50C"]["added"] > 1.0


def test_two_lesions_apart_add_up(comm: MPI.Comm, tmp_path: Path) -> None:
    """Tips 20 mm apart with the shafts pointing apart: neither cannula lies in the lesion of the other."""
    upper = run(_case(z=10.0), tmp_path / "upper", comm).summary.tree()["lesion"]
    alone = run(_case(z=-10.0, up=-1), tmp_path / "lower", comm).summary.tree()["lesion"]
    summary = run(_case(tmp_path / "upper", z=-10.0, up=-1), tmp_path / "both", comm).summary.tree()
    for rule, volume in summary["repeat"]["volume_mm3"].items():
        own = volume["in_its_own_run"] + _metal_in(upper[rule])
        assert volume["before"] == pytest.approx(own, rel=MESH_ERROR, abs=0.1), rule
        assert volume["added"] == pytest.approx(alone[rule]["volume_mm3"], rel=MESH_ERROR, abs=0.1), rule
        assert summary["lesion"][rule]["volume_mm3"] == volume["after"]
    # extents are relative to the second cannula: the first lesion lies ahead of its tip
    assert summary["lesion"]["isotherm_50C"]["depth_distal_mm"] > 20.0


def test_warmth_carried_over_is_no_heat_from_nowhere(first: Path, comm: MPI.Comm, tmp_path: Path) -> None:
    """Without power, the heat lost by the warm tissue equals that removed by blood and boundary."""
    case = _case(first, cooled=False, generator={**OFF, "duration_s": 20.0})
    summary = run(case, tmp_path / "again", comm).summary.tree()
    energy = summary["energy"]
    assert energy["stored_J"] < -0.1 and energy["joule_J"] == 0.0
    assert energy["residual_percent"] < 1.0
    cold = run(_case(first, z=2.0), tmp_path / "cold", comm).summary.tree()
    warm = run(_case(first, z=2.0, cooled=False), tmp_path / "warm", comm).summary.tree()
    assert warm["lesion"]["cem43_240"]["volume_mm3"] > cold["lesion"]["cem43_240"]["volume_mm3"]


def test_steam_carried_over_gives_its_heat_back(comm: MPI.Comm, tmp_path: Path) -> None:
    """Water that the first treatment boiled condenses in the second, without power, and the energy balance closes."""
    tables: dict[str, Any] = {"tissues": {"muscle": {"water_fraction": 0.7}}}
    hot = {"kind": "power", "power_W": 6.0, "duration_s": 10.0}
    wet = run(_case(generator=hot, **tables), tmp_path / "first", comm).summary.tree()
    assert wet["energy"]["latent_J"] > 0.1
    again = _case(tmp_path / "first", cooled=False, generator={**OFF, "duration_s": 10.0}, **tables)
    energy = run(again, tmp_path / "again", comm).summary.tree()["energy"]
    assert -wet["energy"]["latent_J"] <= energy["latent_J"] < -0.1 * wet["energy"]["latent_J"]
    assert energy["residual_percent"] < 1.0


def test_a_repeat_that_was_stopped_goes_on_with_the_same_numbers(
    first: Path, comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rfablate.simulation.run as module

    case = _case(first, z=2.0, cooled=False)
    whole = run(case, tmp_path / "whole", comm).summary.tree()
    real = module.Checkpointer.after_step

    def stops(self: Any, state: Any, wish: Any) -> bool:
        if state.t > 8.0:
            self.write(state)
            return True
        return bool(real(self, state, wish))

    with monkeypatch.context() as patch:
        patch.setattr(module.Checkpointer, "after_step", stops)
        with pytest.raises(Interrupted):
            run(case, tmp_path / "broken", comm)
    summary = resume(load_case(tmp_path / "broken"), tmp_path / "broken", comm).summary.tree()
    for key in ("repeat", "lesion", "energy"):
        assert summary[key] == whole[key]


def test_a_run_never_overwrites_the_one_it_starts_from(first: Path, comm: MPI.Comm) -> None:
    with pytest.raises(CaseError, match="other than that of the run in start_from"):
        run(_case(first), first, comm, RunOptions(overwrite=True))
    assert (first / "checkpoint.h5").is_file()


def test_a_damaged_checkpoint_is_a_fault_of_the_case(first: Path, comm: MPI.Comm, shared_tmp: Path) -> None:
    folder = shared_tmp / f"damaged-{comm.size}"
    if comm.rank == 0:
        shutil.copytree(first, folder)
        (folder / "checkpoint.h5").write_bytes((first / "checkpoint.h5").read_bytes()[:-1])
    comm.Barrier()
    with pytest.raises(CaseError, match="start_from.*checkpoint.h5 cannot be used"):
        run(_case(folder), shared_tmp / f"again-{comm.size}", comm)


def test_weights_give_linear_fields_back(comm: MPI.Comm) -> None:
    """The six tetrahedra of a cube (Kuhn), and points inside and around it."""
    if comm.rank:
        return
    n = 6
    grid = np.stack(np.meshgrid(*[np.linspace(0.0, 1.0, n)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    number = np.arange(n**3).reshape(n, n, n)
    cells = []
    for order in ([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]):
        steps = np.cumsum(np.vstack([np.zeros(3, int), np.eye(3, dtype=int)[order]]), axis=0)
        cells.append(np.stack([number[tuple(slice(s, n - 1 + s) for s in step)].ravel() for step in steps], axis=1))
    tetrahedra = np.concatenate(cells)
    points = np.random.default_rng(1).uniform(0.0, 1.0, (500, 3))
    slope = np.array([1.0, -2.0, 0.5])
    weights = transfer_weights(grid, tetrahedra, points)
    assert weights @ (grid @ slope) == pytest.approx(points @ slope, abs=1e-12)
    outside = transfer_weights(grid, tetrahedra, np.array([[1.3, 0.21, 0.61]]))
    assert (outside @ grid)[0] == pytest.approx([1.0, 0.2, 0.6])


def test_fractions_of_cells_stay_fractions() -> None:
    """Interpolated fractions stay between zero and one, and zero damage stays zero."""
    old = {name: np.array([37.0, 90.0]) for name in ("T", "peak")}
    old |= {"omega": np.array([0.0, 1e3]), "cem43": np.array([0.0, 0.0]), "vapour": np.array([0.0, 1.0])}
    old |= {"alive": np.array([0.99, 0.0]), "dead": np.array([0.0, 0.999])}
    new = interpolate(old, np.array([[0.5, 0.5], [1.0, 0.0]]))
    assert ((new["alive"] >= 0.0) & (new["dead"] >= 0.0) & (new["alive"] + new["dead"] <= 1.0)).all()
    assert new["omega"][1] == 0.0 and (new["cem43"] == 0.0).all()
    assert new["alive"][1] == pytest.approx(0.99) and new["dead"][1] == pytest.approx(0.0, abs=1e-11)
