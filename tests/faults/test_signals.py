"""Effect of ctrl-C, once and twice, and while a run ends.

| law                                                             | allowed                                     |
|-----------------------------------------------------------------|---------------------------------------------|
| SIGINT once                                                     | checkpoint, exit 6                          |
| a second one before the run has ended                           | at once, exit 130 and a message             |
| any number of further ones at any time                          | 6 or 130, no traceback; the run is resumable|
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
    process = begin(
        "run", CASE, "-o", folder, *KEYS, env={"XDG_CACHE_HOME": str(tmp_path / "cache")} if seed % 3 else {}
    )
    wait_for(lambda: (folder / "run.log").is_file() or process.poll() is not None)
    time.sleep(4.0 * chance.random())
    for _ in range(3):
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        time.sleep(0.02 * chance.random())
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (6, 130) and "Traceback" not in errors, (process.returncode, errors)
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
