"""A separate cluster for the tests of each file, and a long run on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environment import clean_environment
from tests.hpc.cluster import cluster
from tests.hpc.jobs import CASE, LONG, ROOT, SLOW, job_of, rfablate, sets, site_file


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder on a login node: SLURM_CONF is set, and the environment has no MPI variables of this process."""
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "slow").mkdir()
    (folder / "slow" / "sitecustomize.py").write_text(SLOW)
    with cluster() as base, pytest.MonkeyPatch.context() as patch:
        clean = clean_environment()
        for name in [name for name in os.environ if name not in clean or name.startswith("SLURM_")]:
            patch.delenv(name)
        patch.setenv("SLURM_CONF", str(base / "slurm.conf"))
        patch.setenv("PYTHONPATH", str(ROOT))
        for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_mpi_yield_when_idle"):
            patch.setenv(name, "1")
        yield folder


@pytest.fixture(scope="module")
def long_run(work: Path) -> tuple[str, Path]:
    """Job and directory of a run on two ranks that exceeds its time limit; it runs in parallel with the other tests."""
    site = site_file(work, "limit", step_s=0.7, time="00:01:00", warn_s=25)
    said = rfablate("run", CASE, "-o", work / "long", *sets(LONG), "--slurm", site, "--ranks", "2", "--nodes", "1")
    return job_of(said), work / "long"
