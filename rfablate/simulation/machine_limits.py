"""Refusal of runs that need more memory or disk space than the machine has.

The memory is that of this machine: what the kernel reports as available, at most what the process's control group
still allows. A run is checked twice: before meshing with estimated sizes, and before the solve with those of the mesh.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from mpi4py import MPI

from rfablate.case.geometry.run_size import RunSize, estimated_size, gib, size_of_mesh
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.mesh.domain import Domain

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
HINT = (
    "a coarser mesh (mesh.accuracy, mesh.scale), more machines, or --force (output.check_machine = false) to run anyway"
)


def refuse_before_meshing(case: Case, directory: Path, comm: MPI.Comm) -> None:
    """Raise CaseError on all ranks if the estimated run does not fit on this machine. Collective."""
    if case.output.check_machine:
        _refuse(estimated_size(case, comm.size), "estimated before meshing", directory, comm)


def refuse_before_solving(case: Case, domain: Domain, directory: Path, comm: MPI.Comm) -> None:
    """Raise CaseError on all ranks if the run on this mesh does not fit on this machine. Collective."""
    if case.output.check_machine:
        size = size_of_mesh(case, domain.n_cells, domain.nodes.total, comm.size)
        _refuse(size, "of this mesh", directory, comm)


def _refuse(size: RunSize | None, what: str, directory: Path, comm: MPI.Comm) -> None:
    if size is None:
        return
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    mine = list(resource_faults(size, what, node.size, directory)) if node.rank == 0 else []
    if comm.rank != 0:  # the run directory is that of rank 0
        mine = [fault for fault in mine if fault.where == "memory"]
    node.Free()
    faults = [fault for faults in comm.allgather(mine) for fault in faults]
    if faults:
        raise CaseError(list(dict.fromkeys(faults)), "the size of the run")


def resource_faults(size: RunSize, what: str, local_ranks: int, directory: Path) -> Iterator[Fault]:
    """Yield a fault if the memory of this machine is too small, and one if the disk of the directory is too full."""
    found, available = size.memory(local_ranks), available_memory()
    if available is not None and found > available:
        yield Fault(
            "memory", f"needs {gib(found)} ({size.text()}; {what})", f"at most {gib(available)} available", HINT
        )
    free = free_space(directory)
    if free is not None and size.disk > free:
        yield Fault(
            "disk",
            f"needs {gib(size.disk)} in {directory} ({size.text()}; {what})",
            f"at most {gib(free)} free",
            f"another directory (-o), a larger output.fields_interval_s, or {HINT}",
        )


def available_memory() -> float | None:
    """Return the memory that this process may still use on this machine [bytes]; None where it is not known."""
    known = [each for each in (_meminfo(), *_group_room()) if each is not None]
    return min(known, default=None)


def free_space(path: Path) -> float | None:
    """Return the free space of the file system of a path that need not exist [bytes]; None where it is not known."""
    for place in (path.absolute(), *path.absolute().parents):
        try:
            return float(shutil.disk_usage(place).free)
        except OSError:
            continue
    return None


def _meminfo() -> float | None:
    try:
        lines = MEMINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((1024.0 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _group_room() -> Iterator[float | None]:
    """Yield what the control group of the process and those above it allow beyond their present use [bytes]."""
    try:
        lines = CGROUP.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, place = (*line.split(":", 2), "", "")[:3]
        names = ("memory.max", "memory.current", "memory.stat") if not kinds else _V1
        if kinds and "memory" not in kinds.split(","):
            continue
        folder = (GROUPS / "memory" if kinds else GROUPS) / place.lstrip("/")
        for group in (folder, *folder.parents):
            if group == GROUPS.parent:
                break
            yield _room(group, *names)


_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")


def _room(group: Path, limit: str, usage: str, stat: str) -> float | None:
    """Return limit minus use of a control group, without file pages that the kernel can drop [bytes]."""
    try:
        most = float((group / limit).read_text())  # "max" is no number: no limit
        used = float((group / usage).read_text())
        cached = [line.split() for line in (group / stat).read_text().splitlines()]
    except (OSError, ValueError):
        return None
    kept = next((float(value) for key, value in cached if key in ("inactive_file", "total_inactive_file")), 0.0)
    return max(0.0, most - used + kept) if most < 2.0**60 else None
