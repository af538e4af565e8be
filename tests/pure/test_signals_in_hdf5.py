"""A signal that arrives while HDF5 writes through a GuardedFile reaches the command after the write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import clean_environment

SCRIPT = """
import os, signal, sys, time
from pathlib import Path
import h5py, numpy
from rfablate.guarded_file import GuardedFile
from rfablate.signals import Aborted, SignalListener, install_handlers

real, sent = os.pwrite, []
numbers = [getattr(signal, name) for name in sys.argv[2].split()]

def pwrite(*arguments):
    if len(sent) < len(numbers):
        sent.append(numbers[len(sent)])
        os.kill(os.getpid(), sent[-1])
    return real(*arguments)

def write(path):
    os.pwrite = pwrite
    for name in "ab":
        with h5py.File(GuardedFile(path), "w") as file:
            file.create_dataset(name, data=numpy.arange(300_000.0))
    time.sleep(1.0)

install_handlers()
try:
    if sys.argv[3] == "listening":
        with SignalListener():
            write(Path(sys.argv[1]))
    else:
        write(Path(sys.argv[1]))
    print("nothing")
except Aborted:
    print("aborted")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    ("signals", "where", "outcome"),
    [
        ("SIGTERM", "before", "interrupted"),
        ("SIGINT", "before", "interrupted"),
        ("SIGTERM", "listening", "nothing"),
        ("SIGTERM SIGTERM", "listening", "interrupted"),
        ("SIGINT SIGINT", "listening", "aborted"),
    ],
)
def test_a_signal_within_a_write_arrives_after_it(signals: str, where: str, outcome: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "a.h5"), signals, where],
        capture_output=True, text=True, check=False, env=clean_environment(), timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, outcome), done.stderr
