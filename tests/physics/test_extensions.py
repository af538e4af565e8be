"""User objects in place of parts of a case: worked examples and their properties.

| law                                                                    | allowed             |
|------------------------------------------------------------------------|---------------------|
| a generator with a power ramp delivers the integral of its power       | 0.5 %               |
| a law and kinetics that repeat the library's give the library's lesion | 1e-9 of the numbers |
| a rising conductivity changes the impedance; a threshold cuts off      | sign                |
| the types are named in the summary; another object cannot resume       | rejected            |
| a ball as an object with its section gives the numbers of a sphere     | exact               |
| a ball as an object without: volume, and coverage by the lesion        | 3 % ; 0.03          |
| two lobes have the volume of the two balls less their lens             | 3 %; meshed 1 %     |
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rfablate as rfa
from docs.examples.own_damage import ThresholdArrhenius
from docs.examples.own_generator import PowerRamp
from docs.examples.own_structure import MeshedTwoLobes, TwoLobes
from docs.examples.own_tissue_law import Sigmoid
from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.structure_base import Bodies, SectionBuilder
from rfablate.mesh.generate import generate_mesh
from rfablate.physics.laws import Linear
from rfablate.toml import tomllib
from tests.environment import clean_environment
from tests.shipped import CASES

QUICK = {
    "mesh.accuracy": "draft", "generator.hold_s": 10, "generator.ramp_s": 2, "output.report": False,
    "output.error_bar": False, "lesion.rules": ["isotherm_50C", "arrhenius"],
}  # fmt: skip


@pytest.fixture(scope="module")
def case() -> rfa.Case:
    """A quick case of one tissue."""
    return rfa.load_case(CASES / "needle_benchmark").with_changes(QUICK)


@pytest.fixture(scope="module")
def plain(case: rfa.Case, tmp_path_factory: pytest.TempPathFactory) -> rfa.RunResult:
    """The case without extensions."""
    return rfa.run(case, tmp_path_factory.mktemp("plain") / "run", quiet=True)


def test_a_power_ramp_delivers_the_integral_of_its_power(case: rfa.Case, tmp_path: Path) -> None:
    own = rfa.Extensions(generator=PowerRamp(power=1.5, rise=5.0, end=12.0))
    result = rfa.run(case, tmp_path / "run", quiet=True, extensions=own)
    assert result.energy.joule_J == pytest.approx(1.5 * (5.0 / 2 + 7.0), rel=0.005)
    assert result.summary.simulated_s == 12.0
    assert abs(result.energy.residual_percent) < 1.0
    assert result.summary.provenance.extensions == {"generator": "docs.examples.own_generator.PowerRamp"}


@dataclass(frozen=True)
class LikeLinear:
    """The library's linear law, implemented again."""

    slope: float

    def __call__(self, T: np.ndarray) -> np.ndarray:
        """Return 1 + slope (min(T, 100) - 37)."""
        return 1.0 + self.slope * (np.minimum(T, 100.0) - 37.0)


def test_objects_that_repeat_the_library_give_its_lesion(case: rfa.Case, plain: rfa.RunResult, tmp_path: Path) -> None:
    name = case.domain.tissue
    tissue = rfa.tissues_of(case)[name]
    assert isinstance(tissue.sigma_law, Linear)
    own = rfa.Extensions(
        tissues={name: replace(tissue, sigma_law=LikeLinear(tissue.sigma_law.slope))},
        damage={name: ThresholdArrhenius(7.39e39, 2.577e5, threshold=-273.0)},
    )
    result = rfa.run(case, tmp_path / "run", quiet=True, extensions=own)
    for rule, lesion in plain.lesion.items():
        assert lesion.volume_mm3 > 10.0
        assert result.lesion[rule].volume_mm3 == pytest.approx(lesion.volume_mm3, rel=1e-9)
        assert result.lesion[rule].width_mm == pytest.approx(lesion.width_mm, rel=1e-9)


def test_own_laws_and_kinetics_take_effect(case: rfa.Case, plain: rfa.RunResult, tmp_path: Path) -> None:
    name = case.domain.tissue
    tissue = replace(rfa.tissues_of(case)[name], sigma_law=Sigmoid(rise=3.0, middle=50.0, width=5.0))
    own = rfa.Extensions(tissues={name: tissue}, damage={name: ThresholdArrhenius(7.39e39, 2.577e5, threshold=60.0)})
    result = rfa.run(case, tmp_path / "run", quiet=True, extensions=own)
    assert result.summary.electric.impedance_ohm < 0.95 * plain.summary.electric.impedance_ohm
    arrhenius, hot = result.lesion["arrhenius"].volume_mm3, plain.lesion["arrhenius"].volume_mm3
    assert 0.0 < arrhenius < hot


def test_what_the_case_has_not_is_refused(case: rfa.Case, tmp_path: Path) -> None:
    own = rfa.Extensions(tissues={"livr": rfa.library_tissue("liver")}, damage={"bone": rfa.Arrhenius(1.0, 1.0)})
    with pytest.raises(rfa.CaseError) as caught:
        rfa.run(case, tmp_path / "run", quiet=True, extensions=own)
    assert len(caught.value.faults) == 2


def test_a_checkpoint_of_other_objects_is_refused(case: rfa.Case, tmp_path: Path) -> None:
    own = rfa.Extensions(generator=PowerRamp(power=1.0, rise=1.0, end=2.0))
    rfa.run(case, tmp_path / "run", quiet=True, extensions=own)
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(rfa.CaseError, match="its case differs"):
        rfa.resume(tmp_path / "run", quiet=True)
    assert rfa.resume(tmp_path / "run", quiet=True, extensions=own).completed


def test_the_state_of_an_own_generator_survives_an_interruption(
    case: rfa.Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dose counts from the start of the treatment, not from the resumption."""
    from rfablate.simulation.checkpointing import Checkpointer

    case = case.with_changes({"time.stepping": "fixed", "time.step_s": 0.25, "time.order": 1})
    own = rfa.Extensions(generator=PowerRamp(power=2.0, rise=1.0, end=12.0, dose=10.0))
    whole = rfa.run(case, tmp_path / "whole", quiet=True, extensions=own)
    assert whole.energy.joule_J == pytest.approx(10.0, abs=2.0 * 0.25)
    real = Checkpointer.after_step

    def stops(self: Checkpointer, state: Any, request: Any) -> bool:
        if state.t >= 4.0:
            self.write(state)
            return True
        return real(self, state, request)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "after_step", stops)
        with pytest.raises(rfa.Interrupted):
            rfa.run(case, tmp_path / "broken", quiet=True, extensions=own)
    again = rfa.resume(tmp_path / "broken", quiet=True, extensions=own)
    assert again.energy.joule_J == pytest.approx(whole.energy.joule_J, rel=1e-9)


@dataclass(frozen=True)
class OwnBall:
    """A ball on the axis [m]."""

    z: float
    radius: float

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Return the signed distance."""
        return np.linalg.norm(points - [0.0, 0.0, self.z], axis=1) - self.radius

    def bounds(self) -> np.ndarray:
        """Return the corners."""
        return np.array([0.0, 0.0, self.z]) + self.radius * np.array([[-1.0] * 3, [1.0] * 3])

    def thinnest(self) -> float:
        """Return the diameter."""
        return 2.0 * self.radius


class MeshedBall(OwnBall):
    """A ball with its half section."""

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """Make the disk."""
        return build.disk(self.z, self.radius)


TARGET = {"kind": "object", "name": "ball", "tissue": "liver_tumour", "role": "target", "required_fraction": 0.3}


def with_structure(case: rfa.Case, *structures: dict[str, Any]) -> rfa.Case:
    """Return the case with these structures."""
    return parse_case({**read_back(case), "structures": list(structures)})


def read_back(case: rfa.Case) -> dict[str, Any]:
    """Return the tables of a case as its file has them."""
    return tomllib.loads(case.to_toml())


@pytest.fixture(scope="module")
def sphere(case: rfa.Case, tmp_path_factory: pytest.TempPathFactory) -> rfa.RunResult:
    """The case with a sphere of the package."""
    written = with_structure(case, {**TARGET, "kind": "sphere", "centre_mm": [0, 0, 3], "radius_mm": 4})
    return rfa.run(written, tmp_path_factory.mktemp("sphere") / "run", quiet=True)


def test_a_ball_with_its_section_gives_the_numbers_of_a_sphere(
    case: rfa.Case, sphere: rfa.RunResult, tmp_path: Path
) -> None:
    own = rfa.Extensions(structures={"ball": MeshedBall(3e-3, 4e-3)})
    result = rfa.run(with_structure(case, TARGET), tmp_path / "run", quiet=True, extensions=own)
    assert (result.directory / "history.csv").read_bytes() == (sphere.directory / "history.csv").read_bytes()
    found, expected = (each.structures["ball"].model_dump_json(exclude={"kind"}) for each in (result, sphere))
    assert found == expected
    assert result.summary.provenance.extensions == {"structures.ball": f"{__name__}.MeshedBall"}


def test_a_ball_without_section_is_meshed_by_cells(case: rfa.Case, sphere: rfa.RunResult, tmp_path: Path) -> None:
    own = rfa.Extensions(structures={"ball": OwnBall(3e-3, 4e-3)})
    quick = with_structure(case, TARGET).with_changes({"output.report": True})
    result = rfa.run(quick, tmp_path / "run", quiet=True, extensions=own)
    expected, found = sphere.structures["ball"], result.structures["ball"]
    assert found.volume_mm3 == pytest.approx(expected.volume_mm3, rel=0.03)
    assert found.covered_fraction == pytest.approx(expected.covered_fraction, abs=0.03)
    assert 0.02 < found.covered_fraction < 0.98
    report = (result.directory / "report.html").read_text(encoding="utf-8")
    assert "ball" in report and "could not be made" not in report


@pytest.mark.parametrize("kind", ["axisymmetric", "cylinder"])
@pytest.mark.parametrize(("lobes", "allowed"), [(TwoLobes, 0.03), (MeshedTwoLobes, 0.01)])
def test_two_lobes_have_their_volume_on_the_mesh(case: rfa.Case, kind: str, lobes: Any, allowed: float) -> None:
    """The lobes lie on the axis, in 3-D beside the cannula."""
    x = 0.0 if kind == "axisymmetric" else 5e-3
    z, (a, b), d = (-9e-3, -4e-3), (4e-3, 3e-3), 5e-3
    own = rfa.Extensions(structures={"ball": lobes(((x, 0.0, z[0]), (x, 0.0, z[1])), (a, b))})
    fine = with_structure(case, TARGET).with_changes({"domain.kind": kind, "mesh.size_structure_mm": 0.8})
    fine = fine.with_changes({"mesh.accuracy": "standard"})
    mesh = generate_mesh(own.applied_to(fine))
    (tag,) = (tag for tag, name in mesh.region_names.items() if name == "ball")
    corners = mesh.points[mesh.cells[mesh.region == tag]]
    edges = (corners[:, 1:] - corners[:, :1])[:, :, : len(corners[0]) - 1]
    volume = np.abs(np.linalg.det(edges)) / (6.0 if kind == "cylinder" else 2.0)
    volume *= 1.0 if kind == "cylinder" else 2.0 * np.pi * corners[:, :, 0].mean(axis=1)
    lens = np.pi * (a + b - d) ** 2 * (d**2 + 2 * d * (a + b) - 3 * (a - b) ** 2) / (12 * d)
    assert volume.sum() == pytest.approx(4 / 3 * np.pi * (a**3 + b**3) - lens, rel=allowed)
    assert any("each cell" in said or "cells are assigned" in said for said in mesh.remarks) == (lobes is TwoLobes)


def test_a_missing_object_is_refused(case: rfa.Case, tmp_path: Path) -> None:
    """On a run from the file, and on resume."""
    file = with_structure(case, TARGET).save(tmp_path / "case.toml")
    with pytest.raises(rfa.CaseError, match="the shape of this structure is a Python object"):
        rfa.run(file, tmp_path / "run", quiet=True)
    own = rfa.Extensions(structures={"ball": OwnBall(3e-3, 4e-3)})
    whole = rfa.run(file, tmp_path / "run", quiet=True, extensions=own)
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(rfa.CaseError, match="the shape of this structure is a Python object"):
        rfa.resume(tmp_path / "run", quiet=True)
    again = rfa.resume(tmp_path / "run", quiet=True, extensions=own)
    assert again.structures["ball"].volume_mm3 == whole.structures["ball"].volume_mm3


def test_another_shape_cannot_resume(case: rfa.Case, tmp_path: Path) -> None:
    written = with_structure(case, TARGET)
    rfa.run(written, tmp_path / "run", quiet=True, extensions=rfa.Extensions(structures={"ball": OwnBall(3e-3, 4e-3)}))
    (tmp_path / "run" / "summary.json").unlink()
    larger = rfa.Extensions(structures={"ball": OwnBall(3e-3, 5e-3)})
    with pytest.raises(rfa.MeshError, match="mesh"):
        rfa.resume(tmp_path / "run", quiet=True, extensions=larger)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_generator", "own_tissue_law", "own_damage", "own_structure"])
def test_the_examples_run_as_scripts(name: str, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "docs" / "examples" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, str(script), str(CASES / "needle_benchmark"), str(tmp_path / "run")],
        capture_output=True, text=True, check=False, env=clean_environment(), cwd=CASES.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Needle benchmark" in done.stdout and rfa.open_run(tmp_path / "run").completed
