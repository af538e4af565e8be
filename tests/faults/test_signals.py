"""Effect of ctrl-C, once and twice, and while a run ends.

| law                                                             | allowed                                     |
|-----------------------------------------------------------------|---------------------------------------------|
| SIGINT once                                                     | checkpoint, exit 6                          |
| a second one before the run has ended                           | at once, exit 130 and a message             |
| any number of further ones at any time                          | 6 or 130, no traceback; the run is resumable|
| SIGTERM while Gmsh meshes                                       | 6, no traceback                             |
| a library that resets the handlers while MPI starts (Open MPI 5)| as without it                               |
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.environment import clean_environment
from tests.faults.commands import CASE, ROOT, SLOW, begin, rfablate, rows, sets, wait_for

KEYS = sets("generator.ramp_s=1", "generator.hold_s=2", *SLOW)

TWICE = """
import os, signal, sys
import rfablate.simulation.checkpointing as module
from rfablate.cli.main import main

real = module.to_tree

def to_tree(*args):
    os.kill(os.getpid(), signal.SIGINT)  # while the checkpoint of the first one is written
    return real(*args)

module.to_tree = to_tree
sys.exit(main())
"""


def test_a_second_sigint_while_the_checkpoint_is_written_aborts_with_130(tmp_path: Path) -> None:
    script, folder = tmp_path / "twice.py", tmp_path / "run"
    script.write_text(TWICE)
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, script, "run", CASE, "-o", folder, *KEYS],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    wait_for(lambda: rows(folder) > 5 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted twice: aborted at once" in errors and "Traceback" not in errors
    assert not (folder / "summary.json").exists() and not (folder / ".run.lock").exists()
    assert rfablate("resume", folder).returncode == 0


def test_one_sigint_ends_with_6_however_often_it_comes_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = begin("run", CASE, "-o", folder, *KEYS)
    wait_for(lambda: rows(folder) > 5 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    wait_for(lambda: not (folder / ".run.lock").exists() or process.poll() is not None)
    while process.poll() is None:
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.01)
    _, errors = process.communicate()
    assert process.returncode == 6 and "Traceback" not in errors, (process.returncode, errors)
    assert (folder / "checkpoint.h5").is_file()


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(12))
def test_sigints_at_any_time_end_with_6_or_130(tmp_path: Path, seed: int) -> None:
    chance, folder = random.Random(seed), tmp_path / "run"
    env = {"PYTHONFAULTHANDLER": "1"}
    if seed % 3:
        env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    process = begin("run", CASE, "-o", folder, *KEYS, env=env)
    wait_for(lambda: (folder / "run.log").is_file() or process.poll() is not None)
    time.sleep(4.0 * chance.random())
    for _ in range(3):
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        time.sleep(0.02 * chance.random())
    _, errors = process.communicate(timeout=60)
    print(errors)  # in full where a crash is reported
    assert process.returncode in (6, 130) and "Traceback" not in errors, (process.returncode, errors)
    assert rfablate("resume", folder).returncode == 0


MESHING = """
import sys
from pathlib import Path
import gmsh
from rfablate.cli.main import main

real = gmsh.model.mesh.generate

def generate(dim):
    Path(sys.argv[-1], "meshing").touch()
    real(dim)

gmsh.model.mesh.generate = generate
sys.exit(main(sys.argv[1:-1]))
"""


@pytest.mark.parametrize(
    "wait_s", [0.1, *(pytest.param(each, marks=pytest.mark.faults) for each in (0.0, 0.5, 1.0, 2.0))]
)
def test_sigterm_while_gmsh_meshes_ends_with_6(tmp_path: Path, wait_s: float) -> None:
    script, folder = tmp_path / "meshing.py", tmp_path / "run"
    script.write_text(MESHING)
    case = ROOT / "tests" / "mpi" / "cases" / "structures.toml"
    environment = clean_environment() | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [sys.executable, script, "run", case, "-o", folder, *sets("mesh.scale=0.5"), tmp_path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    wait_for(lambda: (tmp_path / "meshing").exists() or process.poll() is not None)
    time.sleep(wait_s)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 6 and "Traceback" not in errors and "interrupted" in errors, errors
    assert not (folder / "summary.json").exists() and not (folder / ".run.lock").exists()


OPEN_MPI_5 = """
import ctypes, os, signal, sys
import rfablate.cli.main as module

real = module._start_mpi

def start(args):
    MPI = real(args)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        ctypes.CDLL(None).signal(int(number), 0)  # SIG_DFL, without Python's knowledge
    return MPI

module._start_mpi = start
sys.exit(module.main())
"""


@pytest.mark.parametrize("moment", ["first line", "steps"])
@pytest.mark.parametrize(
    "name", ["SIGTERM", *(pytest.param(n, marks=pytest.mark.faults) for n in ("SIGUSR2", "SIGINT"))]
)
def test_handlers_that_mpi_resets_are_installed_again(tmp_path: Path, moment: str, name: str) -> None:
    script, folder = tmp_path / "reset.py", tmp_path / "run"
    script.write_text(OPEN_MPI_5)
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, script, "run", CASE, "-o", folder, *KEYS],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    log = folder / "run.log"
    begun = (lambda: log.is_file() and log.stat().st_size > 0) if moment == "first line" else (lambda: rows(folder) > 5)
    wait_for(lambda: begun() or process.poll() is not None)
    process.send_signal(signal.Signals[name])
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 6 and "Traceback" not in errors, (process.returncode, errors)
    if (folder / "case.toml").is_file():  # it is written after the first line of the log
        assert rfablate("resume", folder).returncode == 0


def test_the_benchmark_says_what_mpirun_said(tmp_path: Path) -> None:
    """An mpirun that fails, as that of Open MPI does for root."""
    fake = tmp_path / "mpirun"
    fake.write_text("#!/bin/sh\necho 'mpirun has detected an attempt to run as root' >&2\nexit 1\n")
    fake.chmod(0o755)
    code = "from hpc.bench.__main__ import product; from pathlib import Path; product(Path('none.msh'), 2)"
    environment = clean_environment() | {"PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1 and "attempt to run as root" in done.stderr and "Traceback" not in done.stderr


def test_an_interrupt_that_an_import_converts_is_no_traceback(tmp_path: Path) -> None:
    """Extension modules in C raise ImportError where a signal arrives while they are loaded."""
    script = tmp_path / "converted.py"
    script.write_text(
        "import os, signal, sys\nimport rfablate.cli.solver_import as module\nfrom rfablate.cli.main import main\n"
        "def load():\n    try:\n        os.kill(os.getpid(), signal.SIGINT)\n    except KeyboardInterrupt:\n"
        "        raise ImportError('Failed to load vtkCommonMath') from None\n"
        "module.import_solver = load\nsys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, script, "run", CASE, "-o", tmp_path / "run"], capture_output=True, text=True, check=False,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)}, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 6 and "Traceback" not in done.stderr and "interrupted" in done.stderr, done.stderr
