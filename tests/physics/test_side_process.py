"""The error bar's run on a second core has the numbers of the run in line, and its loss costs only time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rfablate.cores import LAUNCHED
from tests.shipped import CASES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process is forked on Linux only")

PRELUDE = """
import os, sys, time
from pathlib import Path
import mpi4py
mpi4py.rc.initialize = False
from rfablate import cores
cores.available_cores = lambda: 2
from rfablate.errors import MeshError
from rfablate.cli.main import main
from rfablate.simulation import side_process
from rfablate.simulation.side_process import SideProcessError, fork_side_process
place = Path(sys.argv[1])
run = ["run", sys.argv[2], "-o", str(place / "run"), "--quiet", "--set", "mesh.accuracy=draft",
       "--set", "generator.hold_s=5", "--set", "output.report=false"]
"""


def _python(code: str, place: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code, str(place), str(CASES / "needle_benchmark")],
        capture_output=True,
        text=True,
        timeout=120,
        env={name: value for name, value in os.environ.items() if name not in LAUNCHED},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _summary(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "run" / "summary.json").read_text())
    return found


def test_numbers_are_those_of_the_run_in_line(tmp_path: Path) -> None:
    count = """
from rfablate.cli.solver_import import import_solver
import_solver()
from rfablate.simulation import discretisation_error
here = []
own = discretisation_error._coarse_result
discretisation_error._coarse_result = lambda *args: (here.append(os.getpid()), own(*args))[1]
assert main(run) == 0
print("in line:", len(here))
"""
    beside, alone = tmp_path / "beside", tmp_path / "alone"
    assert _python(count, beside).endswith("in line: 0\n")
    assert _python(f"run.append('--one-process'){count}", alone).endswith("in line: 1\n")
    for key in ("lesion", "structures", "energy"):
        assert _summary(beside)[key] == _summary(alone)[key]
    bars = [_summary(place)["numerics"]["error_bar"] for place in (beside, alone)]
    assert bars[0] == bars[1] and len(bars[0]) > 5


def test_a_process_that_dies_is_reported_and_its_run_repeated(tmp_path: Path) -> None:
    code = """
def fork():
    process = fork_side_process()
    process.submit(os._exit, 3)
    return process
side_process.fork_side_process = fork
assert main(run) == 0
"""
    _python(code, tmp_path)
    assert _summary(tmp_path)["numerics"]["error_bar"]["isotherm_50C.width_mm"] > 0.0
    log = (tmp_path / "run" / "run.log").read_text()
    assert "on the second core failed (the process ended with exit code 3); it is repeated after the run" in log


def test_calls_return_values_and_exceptions_in_order(tmp_path: Path) -> None:
    code = """
def fails(kind):
    raise kind("bad")
with fork_side_process() as process:
    calls = [process.submit(divmod, 7, 2), process.submit(fails, MeshError), process.submit(fails, ValueError)]
    assert process.submit(lambda: 1) is None, "a lambda cannot be pickled"
    for call, kind in zip(calls[1:], (MeshError, SideProcessError)):
        try:
            call.result()
        except kind as error:
            assert "bad" in str(error)
        else:
            raise AssertionError
    assert calls[0].result() == (3, 1)
    pid = process.submit(os.getpid).result()
assert pid != os.getpid() and not Path(f"/proc/{pid}").exists()
"""
    _python(code, tmp_path)


def test_it_ends_with_the_run(tmp_path: Path) -> None:
    code = """
process = fork_side_process()
(place / "pid").write_text(str(process.submit(os.getpid).result()))
process.submit(time.sleep, 60)
os._exit(0)
"""
    _python(code, tmp_path)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(200):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        subprocess.run(["sleep", "0.01"], check=True)
    raise AssertionError("still running")
