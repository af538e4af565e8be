"""Several studies at once in one folder: each completes, with its own results.

| law                                                        | allowed                                  |
|------------------------------------------------------------|------------------------------------------|
| eight studies with other names, started at the same moment | all exit 0, all members completed        |
| results of equal members of different studies              | equal                                    |
| processes and temporary folders left                       | none                                     |
| MPI's folder in TMPDIR, removed by another process at once | every member completes                   |
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.commands import CASE, begin


@contextmanager
def _removing(place: Path) -> Iterator[None]:
    """Remove empty folders of Open MPI as soon as they are made, as the last process that uses them does.

    The folder of a user, `ompi.HOST.UID`, contains one of each process. A process that makes its own while another ends
    found the user's folder removed, and could not start.
    """
    ended = threading.Event()

    def remove() -> None:
        while not ended.wait(0.0005):
            for each in place.glob("ompi.*"):
                with suppress(OSError):  # not empty, or removed by its process
                    each.rmdir()

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        yield
    finally:
        ended.set()
        remover.join()


@pytest.mark.parametrize("studies", [2, pytest.param(8, marks=[pytest.mark.faults, pytest.mark.timeout(900)])])
def test_studies_at_once_in_one_folder(tmp_path: Path, studies: int) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "case.toml").write_bytes(CASE.read_bytes())
    text = 'base = "case.toml"\nset = ["output.observe_at_s=[]", "generator.ramp_s=0.5"]\n'
    text += f'[[axes]]\nkey = "generator.hold_s"\nvalues = {[0.5, 1.0][: studies // 2]}\n'
    for number in range(studies):
        (tmp_path / f"study{number}.toml").write_text(text)
    env = {"TMPDIR": str(tmp_path / "tmp")}
    if studies > 2:  # kernels and mesh are made at once, too
        env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    with _removing(tmp_path / "tmp"):
        live = [
            begin("study", tmp_path / f"study{n}.toml", "-o", tmp_path / f"out{n}", env=env, cwd=tmp_path)
            for n in range(studies)
        ]
        said = [process.communicate(timeout=800) for process in live]
    consoles = [file.read_text() for file in tmp_path.glob("out*/failed/*/console.txt")]
    assert [process.returncode for process in live] == [0] * studies, (consoles, said)
    tables = []
    for number in range(studies):
        with (tmp_path / f"out{number}" / "table.csv").open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    assert all(row["status"] == "completed" for table in tables for row in table)
    widths = [[row["lesion.isotherm_50C.width_mm"] for row in table] for table in tables]
    assert all(each == widths[0] for each in widths)
    assert not list((tmp_path / "tmp").iterdir())
