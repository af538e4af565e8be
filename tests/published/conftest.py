"""Runs of the shipped cases, once per set of changes and file of tests."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import load_case
from rfablate.simulation.run import run
from tests.shipped import CASES, EARLIER, QUICK


@pytest.fixture(scope="module")
def summary_of(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that runs a case after the cases it starts from, on draft meshes, once per set of changes."""

    @lru_cache
    def summary(name: str, *changes: str) -> dict[str, Any]:
        folder, found, start = tmp_path_factory.mktemp(name), {}, []
        for file in (*EARLIER.get(name, ()), "case.toml"):
            case = load_case(CASES / name / file, [*QUICK, *changes, *start])
            found = run(case, folder / Path(file).stem, MPI.COMM_SELF).summary.tree()
            start = [f"start_from={folder / Path(file).stem}"]
        return found

    return summary
