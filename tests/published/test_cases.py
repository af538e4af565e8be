"""Every shipped case runs on a draft mesh, closes its energy balance and gives the verdicts of its README.

The numbers of the READMEs, at the accuracy of the case: tests/published/test_case_numbers.py. `cases/needle_benchmark`
has an independent reference: see tests/physics/test_needle.py.
"""

from __future__ import annotations

import csv
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.checks.all_checks import case_warnings
from rfablate.case.geometry.applicator_parts import in_metal
from rfablate.case.geometry.shapes import bounding_box, contains
from rfablate.case.read.case_file import load_case
from rfablate.simulation.run import run
from tests.shipped import CASES, NAMES, QUICK, load_shipped

ANSWERS = {
    "trigeminal": {"gasserian_ganglion": "reached", "motor_root": "safe"},
    "pancreas_coeliac": {"tumour": "reached", "coeliac_plexus": "partly reached"},
    "vertebral_metastasis": {"metastasis": "reached", "spinal_cord": "safe"},
    "medial_branch": {"medial_branch": "reached", "spinal_nerve": "safe"},
    "bipolar_si_joint": {"lateral_branch": "reached", "sacral_nerve": "safe"},
    "sacral_palisade": {"cranial_branch": "reached", "caudal_branch": "reached", "sacral_nerve": "safe"},
    "own_surface": {"tumour": "reached", "bile_duct": "safe"},
    "own_mesh": {"nodule": "partly reached"},
    "patient_vertebra": {"metastasis": "reached", "spinal_cord": "safe", "right_root": "safe"},
    "patient_pancreas": {"tumour": "reached", "coeliac_plexus": "safe"},
    "liver_four_arm": {},
    "cooled_genicular": {},
    "liver_cool_tip": {},
    "liver_roll_off": {},
    "bipolar_needle": {},
    "ex_vivo_gauge": {},
    "needle_benchmark": {},
    "pulsed_drg": {"dorsal_root_ganglion": "safe"},
    "repeat_rhizotomy": {"gasserian_ganglion": "reached", "motor_root": "safe"},
    "track_withdrawal": {"track": "partly reached"},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_case_has_no_fault_and_a_readme(name: str, tmp_path: Path) -> None:
    """The README names the sources of the input values, and its targets and protected structures."""
    case = load_shipped(CASES / name / "case.toml", tmp_path)
    assert case_warnings(case) == []
    text = (CASES / name / "README.md").read_text(encoding="utf-8")
    assert "source" in text.lower()
    for structure in case.structures:
        if structure.role != "anatomy":
            assert structure.name.split("_")[-1] in text.lower()


@pytest.mark.parametrize("name", NAMES)
def test_a_case_runs_and_closes_its_energy_balance(name: str, summary_of: Any) -> None:
    """No run of a shipped case ends early, and its energy balance closes."""
    summary = summary_of(name)
    assert summary["status"] == "completed"
    assert summary["energy"]["residual_percent"] < 1.0
    assert summary["lesion"][next(iter(summary["lesion"]))]["volume_mm3"] > 1.0


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("needle_benchmark", "own_mesh")])
def test_every_structure_takes_its_own_room_in_the_mesh(name: str, summary_of: Any, tmp_path: Path) -> None:
    """Mesh volumes agree with volumes from point counts in the shapes.

    A coarse tube is a hexagonal prism with 17 % less volume.
    """
    case, summary = load_shipped(CASES / name / "case.toml", tmp_path), summary_of(name)
    lower, upper = bounding_box(case.domain)
    for number, shape in enumerate(case.structures):
        box = np.clip(bounding_box(shape), lower, upper)
        points = np.random.default_rng(0).uniform(*box, (200_000, 3))
        own = contains(shape, points) & contains(case.domain, points)
        for applicator in case.applicators:
            own &= ~in_metal(applicator, points)
        for later in case.structures[number + 1 :]:
            own &= ~contains(later, points)
        volume = float(np.prod(box[1] - box[0]) * own.mean()) * 1e9
        assert summary["structures"][shape.name]["volume_mm3"] == pytest.approx(volume, rel=0.25), shape.name


@pytest.mark.parametrize("name", NAMES)
def test_a_case_gives_the_answer_of_its_readme(name: str, summary_of: Any) -> None:
    """The verdicts on targets and protected structures."""
    structures = summary_of(name)["structures"]
    verdicts = {key: entry["verdict"] for key, entry in structures.items() if entry["role"] != "anatomy"}
    assert verdicts == ANSWERS[name]


def test_a_repeat_adds_to_what_the_first_treatment_left(summary_of: Any) -> None:
    """With the tip moved by 3 mm the lesions overlap, and the first lesion remains."""
    for rule, volume in summary_of("repeat_rhizotomy")["repeat"]["volume_mm3"].items():
        assert 0.2 * volume["before"] < volume["added"] < 1.5 * volume["before"], rule
        assert volume["before"] == pytest.approx(volume["in_its_own_run"], rel=0.15, abs=3.0), rule


def test_the_withdrawn_tip_leaves_one_lesion_along_the_track(summary_of: Any) -> None:
    """After 30 mm of withdrawal with a 20 mm tip the lesion extends at least 30 mm ahead of the last tip."""
    lesion = summary_of("track_withdrawal")["lesion"]["isotherm_50C"]
    assert lesion["length_mm"] > 50.0 and lesion["depth_distal_mm"] > 30.0


def test_boiling_rolls_the_impedance_off_again_and_again(summary_of: Any) -> None:
    """Each pause lasts 15 s; the dried tissue rewets, so that the output continues for some seconds afterwards."""
    summary = summary_of("liver_roll_off")
    times = [event["time_s"] for event in summary["electric"]["events"]]
    assert all("paused for 15 s" in event["what"] for event in summary["electric"]["events"])
    assert len(times) > 10 and times[0] < 60.0
    on = np.diff(times) - 15.0
    assert np.all(on > 0.0) and np.median(on) > 2.0
    assert summary["energy"]["latent_J"] > 100.0
    assert summary["numerics"]["steps"] < 20.0 * 720.0, "a twentieth of a second on the mean, not the shortest step"


def test_the_aortas_flow_keeps_the_plexus_cooler(summary_of: Any, tmp_path: Path) -> None:
    """A wall at blood temperature cools the plexus in front of it; without flow the plexus is hotter."""
    case = load_case(CASES / "pancreas_coeliac", QUICK)
    still = tuple(s.model_copy(update={"held": None}) if s.name == "aorta" else s for s in case.structures)
    without = run(case.model_copy(update={"structures": still}), tmp_path / "still", MPI.COMM_SELF).summary.tree()
    plexus, flowing = (run["structures"]["coeliac_plexus"] for run in (without, summary_of("pancreas_coeliac")))
    assert plexus["max_degC"] > flowing["max_degC"] + 1.0
    assert plexus["covered_fraction"] > flowing["covered_fraction"]


def test_the_gauge_study_is_made_of_sound_cases() -> None:
    """Every variant of its tables is a valid case, for both gauges."""
    study = runpy.run_path(str(CASES / "ex_vivo_gauge" / "gauges.py"))
    for gauge in ("22", "16"):
        own = [f"applicators.0.model=cannula-{gauge}g-10mm-blunt"]
        for changes in (*study["variants"](gauge).values(), *study["bevels"](gauge).values()):
            load_case(CASES / "ex_vivo_gauge", [*own, *changes])


def test_the_gauge_question_is_made_of_sound_cases_and_its_page_has_its_table() -> None:
    """Every candidate is a valid case at each gauge; gauge_question.csv and the page have the same rows."""
    folder = CASES / "ex_vivo_gauge"
    study = runpy.run_path(str(folder / "gauge_question.py"))
    for each in study["candidates"]():
        for gauge in ("22", "16"):
            load_case(folder, [*study["QUICK"], study["model"](0, gauge), *each.common, *each.own.get(gauge, ())])
        if each.bipolar:
            load_case(folder, [*study["QUICK"], *study["pair"](each, "18", 12.0)])
    with (folder / "gauge_question.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == study["COLUMNS"]
    assert [row[1] for row in rows[1:]] == [each.name for each in study["candidates"]()]
    page = (CASES.parent / "docs" / "gauge_question.md").read_text(encoding="utf-8")
    for row in rows[1:]:
        assert f"| {' | '.join(cell or '-' for cell in row)} |" in page
