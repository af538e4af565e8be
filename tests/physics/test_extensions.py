"""User objects in place of parts of a case: worked examples and their properties.

| law                                                                    | allowed             |
|------------------------------------------------------------------------|---------------------|
| a generator with a power ramp delivers the integral of its power       | 0.5 %               |
| a law and kinetics that repeat the library's give the library's lesion | 1e-9 of the numbers |
| a rising conductivity changes the impedance; a threshold cuts off      | sign                |
| the types are named in the summary; another object cannot resume       | rejected            |
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
from docs.examples.own_tissue_law import Sigmoid
from rfablate.physics.laws import Linear
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
    assert result.summary.provenance["extensions"] == {"generator": "docs.examples.own_generator.PowerRamp"}


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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_generator", "own_tissue_law", "own_damage"])
def test_the_examples_run_as_scripts(name: str, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "docs" / "examples" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, str(script), str(CASES / "needle_benchmark"), str(tmp_path / "run")],
        capture_output=True, text=True, check=False, env=clean_environment(), cwd=CASES.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Needle benchmark" in done.stdout and rfa.open_run(tmp_path / "run").completed
