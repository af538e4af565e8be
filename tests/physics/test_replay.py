"""Replay of a log: a logged and replayed model run is reproduced; different tissue gives a misfit.

| what                                                              | allowed                      |
|-------------------------------------------------------------------|------------------------------|
| the log of a run, replayed by voltage, current or power: RMS      | 1 % of the largest value     |
| the same by temperature, with the voltage resolved by the steps   | 5 %                          |
| the same in tissue that conducts 10 % less: impedance             | 1 / 0.9 of the log's, 2 %    |
| measured columns are in history.csv and in the figures            | the log's own values         |
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from mpi4py import MPI

from meshes.sphere import Ball, write_sphere
from rfablate.evidence.closed_forms import SIGMA
from rfablate.evidence.verification_problems import UNLIMITED, MeshSource, mesh_case
from rfablate.report.time_histories import history_figure
from rfablate.results.run_reader import load_run
from rfablate.simulation.run import run

COLUMNS = {
    "time_s": "time_s",
    "voltage_V": "voltage_V",
    "current_A": "current_A",
    "power_W": "power_W",
    "sensor_degC": "temperature_degC",
    "impedance_ohm": "impedance_ohm",
}
TREATMENT = {"kind": "temperature", "target_degC": 60.0, "ramp_s": 4.0, "hold_s": 8.0, **UNLIMITED}
RANGES = {"voltage_V": 11.0, "current_A": 0.024, "power_W": 0.25, "temperature_degC": 30.0, "impedance_ohm": 450.0}
"""Reference values of the percentages."""


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mesh") / "coarse.msh"
    write_sphere(path, Ball(electrode=0.5, outer=20.0, size=0.1, growth=0.25))
    return path


def _treat(mesh: Path, folder: Path, generator: dict[str, Any], sigma: float = SIGMA) -> dict[str, Any]:
    case = mesh_case(
        generator,
        tissue={"sigma_S_per_m": sigma, "sigma_slope_per_K": 0.015},
        mesh=MeshSource(mesh),
        applicator={"tip_mm": [0.0, 0.0, 0.5], "sensor_offset_mm": 0.0},
        output={"report": False, "error_bar": False},
    )
    return run(case, folder, MPI.COMM_SELF).summary.tree()


@pytest.fixture(scope="module")
def log(coarse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The history of a model run in the format of a device log."""
    folder = tmp_path_factory.mktemp("measured")
    _treat(coarse, folder / "run", TREATMENT)
    with (folder / "run" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS.values())
        for number, row in enumerate(rows):
            shown = rows[1] if number == 0 else row  # a log has no row without output
            writer.writerow([row["time_s"], *(shown[name] for name in list(COLUMNS)[1:4])] + [row["sensor_degC"]] + [
                shown["impedance_ohm"]
            ])  # fmt: skip
    return folder / "log.csv"


@pytest.mark.parametrize("drive", ["voltage", "current", "power", "temperature"])
def test_a_modelled_treatment_is_met_again(coarse: Path, log: Path, tmp_path: Path, drive: str) -> None:
    replay = {"kind": "replay", "file": str(log), "drive": drive, **UNLIMITED}
    found = _treat(coarse, tmp_path / "run", replay)["replay"]
    print(drive, {name: f"{each['rms']:.3g}" for name, each in found["misfit"].items()})
    assert found["driven_by"].startswith(drive) and found["driven_by"] not in found["misfit"]
    assert len(found["misfit"]) == 4
    for name, each in found["misfit"].items():
        assert each["rms"] < (0.05 if drive == "temperature" else 0.01) * RANGES[name], name
        assert abs(each["largest"]) >= each["rms"]


def test_tissue_that_conducts_less_shows_as_a_misfit(coarse: Path, log: Path, tmp_path: Path) -> None:
    """With replay by power the temperatures agree, and the impedance differs in proportion to sigma."""
    replay = {"kind": "replay", "file": str(log), "drive": "power", **UNLIMITED}
    summary = _treat(coarse, tmp_path / "run", replay, sigma=0.9 * SIGMA)
    misfit = summary["replay"]["misfit"]
    measured = summary["electric"]["impedance_ohm"] - misfit["impedance_ohm"]["rms"]
    print({name: f"{each['rms']:.3g}" for name, each in misfit.items()}, f"{measured:.1f} ohm measured")
    assert misfit["temperature_degC"]["rms"] < 0.3
    assert misfit["impedance_ohm"]["rms"] == pytest.approx(measured * (1.0 / 0.9 - 1.0), rel=0.1)


def test_the_measured_columns_stand_beside_the_models(coarse: Path, log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _treat(coarse, folder, {"kind": "replay", "file": str(log), "cooldown_s": 1.0, **UNLIMITED})
    history = load_run(folder).history
    with log.open(newline="") as file:
        rows = {round(float(row["time_s"]), 6): row for row in csv.DictReader(file)}
    compared = 0
    for t, value in zip(history["time_s"], history["measured_temperature_degC"], strict=True):
        if round(t, 6) in rows:
            compared += 1
            assert value == pytest.approx(float(rows[round(t, 6)]["temperature_degC"]), rel=1e-6)
    assert compared == len(rows)
    figure = history_figure(load_run(folder))
    assert figure.count("measured") >= 4 and "Current (A)" in figure
