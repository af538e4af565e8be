"""Fixtures of all tests. Solver tests run on one rank; those marked `mpi` or `mpi3` also under mpirun."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mpi4py import MPI

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:  # makes tests.build and meshes importable, independent of the way pytest was started
    sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")
LONGEST = ("published/test_case_numbers.py", "published/test_cases.py")
"""Files that take longest, in this order: they start first, so that the workers of pytest-xdist end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first; `make suite` switches off the order of pytest-xdist."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def comm() -> MPI.Comm:
    """All ranks of the test run."""
    from mpi4py import MPI

    return MPI.COMM_WORLD


@pytest.fixture(scope="session")
def shared_tmp(tmp_path_factory: pytest.TempPathFactory, comm: MPI.Comm) -> Path:
    """A folder shared by all ranks."""
    mine = tmp_path_factory.mktemp("shared") if comm.rank == 0 else None
    folder = comm.bcast(mine)
    assert folder is not None
    return folder
