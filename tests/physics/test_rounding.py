"""Rounding errors are not amplified: results do not depend on summation order or processor.

| law                                                                     | allowed            |
|-------------------------------------------------------------------------|--------------------|
| every sum over the nodes changed at random by up to 64 ulp and every    | 1e-6 of the number |
| solution by its tolerance (what other ranks and processors do), 20 runs |                    |
| kernels compiled without -march=native, without fused multiply-add      | 1e-6 of the number |
"""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfablate.cli.main import main
from rfablate.linalg.conjugate_gradients import ConjugateGradients
from rfablate.mesh.domain import Nodes
from tests.environment import clean_environment

CASES = Path(__file__).parents[1] / "mpi" / "cases"
ULP = 2.0**-52


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _assert_equal(one: Path, other: Path) -> None:
    left_rows, right_rows = _rows(one), _rows(other)
    assert len(left_rows) == len(right_rows) > 20
    for left, right in zip(left_rows, right_rows, strict=True):
        for key, value in left.items():
            if value != right[key]:
                assert float(right[key]) == pytest.approx(float(value), rel=1e-6, abs=1e-14), (left["time_s"], key)


@pytest.fixture(scope="module")
def unperturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The reference runs."""
    folder = tmp_path_factory.mktemp("rounding")
    for name in ("axisymmetric", "channels"):
        assert main(["run", str(CASES / f"{name}.toml"), "-o", str(folder / name), "--quiet"]) == 0
    return {name: folder / name for name in ("axisymmetric", "channels")}


@pytest.mark.parametrize(
    ("name", "seed"), [("axisymmetric", n) for n in range(16)] + [("channels", n) for n in range(4)]
)
def test_a_change_of_sums_in_their_last_bits_changes_no_history(
    unperturbed: dict[str, Path], name: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, calls = np.random.default_rng(seed), 0
    total_of = Nodes.total_of

    def perturbed(self: Nodes, *numbers: float) -> np.ndarray:
        nonlocal calls
        calls += 1
        return total_of(self, *(number * (1.0 + ULP * int(rng.integers(-64, 65))) for number in numbers))

    solve = ConjugateGradients.solve

    def inexact(self: ConjugateGradients, x: np.ndarray, *rest: Any, **named: Any) -> int:
        used = solve(self, x, *rest, **named)
        x *= 1.0 + self.rtol * rng.uniform(-1.0, 1.0, len(x))
        return used

    monkeypatch.setattr(Nodes, "total_of", perturbed)
    monkeypatch.setattr(ConjugateGradients, "solve", inexact)
    assert main(["run", str(CASES / f"{name}.toml"), "-o", str(tmp_path / "run"), "--quiet"]) == 0
    assert calls > 1000
    _assert_equal(unperturbed[name], tmp_path / "run")


@pytest.mark.parametrize(
    "flags", [("-O3",), ("-O3", "-march=native", "-mno-fma"), ("-O2", "-march=native", "-ffp-contract=off")]
)
def test_other_instructions_of_the_processor_change_no_history(
    unperturbed: dict[str, Path], flags: tuple[str, ...], tmp_path: Path
) -> None:
    script = (
        "import sys; from rfablate.kernels import loader; from rfablate.cli.main import main; "
        "loader.FLAGS = (*sys.argv[1].split(), *loader.FLAGS[2:]); sys.exit(main(sys.argv[2:]))"
    )
    case, run = str(CASES / "axisymmetric.toml"), str(tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-c", script, " ".join(flags), "run", case, "-o", run, "--quiet"],
        env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _assert_equal(unperturbed["axisymmetric"], tmp_path / "run")
