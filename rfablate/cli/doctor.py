"""Checks whether this machine can run rfablate, and advises what to do where it cannot. Works without DOLFINx.

Each check is a function that returns one `InstallationFinding`; `CHECKS` lists the checks in the order of the report.
To add a check, write the function and add it to the list.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OLDEST_PYTHON = (3, 10)
OLDEST_DOLFINX, NEWEST_DOLFINX = (0, 9), (0, 11)
FREE_MEMORY_GB = 2.0  # memory of a 3-D case with about 200,000 nodes
FREE_DISK_GB = 2.0  # its fields and checkpoints, with a margin

INSTALL = "run ./install.sh, or with conda: conda env create -f environment.yml"
PANGO = "Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core"
PAGE_PARTS = {"k3d": "interactive scene", "bokeh": "plots of study.html", "weasyprint": "PDF of a report"}


@dataclass(frozen=True)
class InstallationFinding:
    """Result of one check; `advice` is what to do about a problem, empty where there is none."""

    name: str
    status: Literal["ok", "failed", "warning"]
    found: str
    advice: str = ""


def diagnose() -> list[InstallationFinding]:
    """Return all findings in the order of the report. A check that raises an error gives a failed finding."""
    return [_guarded(name, check) for name, check in CHECKS]


def print_report(findings: list[InstallationFinding]) -> None:
    """Print one line for each finding, followed by a line of advice where there is any."""
    mark = {"ok": "ok     ", "failed": "FAILED ", "warning": "warning"}
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{mark[finding.status]} {finding.name:<{width}}  {finding.found}")
        if finding.advice:
            print(f"{'':<{width + 10}}-> {finding.advice}")
    failures = sum(finding.status == "failed" for finding in findings)
    warnings = sum(finding.status == "warning" for finding in findings)
    print(f"\n{failures} failed, {warnings} warnings: {'not ready' if failures else 'ready'}")


def main() -> int:
    """Print the report; return exit code 0 where no check failed, else 1."""
    findings = diagnose()
    print_report(findings)
    return int(any(finding.status == "failed" for finding in findings))


def _guarded(name: str, check: Callable[[str], InstallationFinding]) -> InstallationFinding:
    try:
        return check(name)
    except ImportError as error:
        return InstallationFinding(name, "failed", f"cannot be imported: {error}", INSTALL)
    except Exception as error:  # the report must list every check
        return InstallationFinding(name, "failed", f"{type(error).__name__}: {error}", INSTALL)


# --- checks


def _python(name: str) -> InstallationFinding:
    found = f"{sys.version.split()[0]} at {sys.executable}"
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return InstallationFinding(name, "ok", found)
    return InstallationFinding(name, "failed", found, "rfablate needs Python 3.10 or newer")


def _dolfinx(name: str) -> InstallationFinding:
    dolfinx = importlib.import_module("dolfinx")
    version = str(dolfinx.__version__)
    if OLDEST_DOLFINX <= _release(version) <= NEWEST_DOLFINX:
        return InstallationFinding(name, "ok", version)
    return InstallationFinding(name, "failed", version, f"rfablate needs DOLFINx 0.9 to 0.11: {INSTALL}")


def _mpi(name: str) -> InstallationFinding:
    mpi = importlib.import_module("mpi4py.MPI")
    library = str(mpi.Get_library_version()).split("\n")[0].split(",")[0].strip("\0 ")
    launcher = shutil.which("mpirun") or shutil.which("mpiexec")
    if launcher is None:
        advice = "to use several cores, install the launcher of this MPI library (Debian: openmpi-bin)"
        return InstallationFinding(name, "warning", f"{library}, no mpirun on PATH", advice)
    return InstallationFinding(name, "ok", f"{library}, {launcher}")


def _gmsh(name: str) -> InstallationFinding:
    try:
        gmsh = importlib.import_module("gmsh")
    except OSError as error:  # the Gmsh wheel needs the system's X libraries, even without a display
        advice = "Debian: apt-get install libglu1-mesa libxcursor1 libxinerama1 libxft2"
        return InstallationFinding(name, "failed", str(error), advice)
    return InstallationFinding(name, "ok", str(gmsh.__version__))


def _h5py(name: str) -> InstallationFinding:
    h5py = importlib.import_module("h5py")
    return InstallationFinding(name, "ok", f"{h5py.__version__}, HDF5 {h5py.version.hdf5_version}")


DRAW_A_CUBE = """
import pyvista
plotter = pyvista.Plotter(off_screen=True)
plotter.add_mesh(pyvista.Cube())
plotter.screenshot()
print(pyvista.__version__)
"""


def _pictures(name: str) -> InstallationFinding:
    # In a separate process: a missing graphics library kills the process instead of raising an exception.
    command = [sys.executable, "-c", DRAW_A_CUBE]
    trial = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if trial.returncode == 0:
        return InstallationFinding(name, "ok", f"PyVista {trial.stdout.strip()} renders off screen")
    advice = "runs work, but reports have no 3-D picture; Debian: apt-get install libgl1 libegl1 libgl1-mesa-dri"
    last = (trial.stderr.strip().splitlines() or [f"exit status {trial.returncode}"])[-1]
    return InstallationFinding(name, "warning", f"PyVista cannot render: {last}", advice)


def _pages(name: str) -> InstallationFinding:
    """Return the finding about what draws the pages and the PDF; reports are complete in numbers without it."""
    from importlib.metadata import PackageNotFoundError, version

    found, lacking = [], []
    for package, part in PAGE_PARTS.items():
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lacking.append(f"{package} ({part})")
    if lacking:
        advice = "pip install -e '.[report]' in the folder of rfablate"
        return InstallationFinding(name, "warning", f"missing: {', '.join(lacking)}", advice)
    try:
        importlib.import_module("weasyprint")
    except OSError:
        return InstallationFinding(name, "warning", "no PDF of reports: Pango is missing", PANGO)
    return InstallationFinding(name, "ok", ", ".join(found))


def _compiler(name: str) -> InstallationFinding:
    compiler = os.environ.get("CC", "cc").split()[0]
    path = shutil.which(compiler)
    if path is None:
        advice = "rfablate compiles its kernels for this processor at first use; Debian: apt-get install gcc"
        return InstallationFinding(name, "failed", f"no {compiler}", advice)
    from rfablate.errors import RfablateError
    from rfablate.kernels.loader import compile_kernels

    try:
        return InstallationFinding(name, "ok", f"{path}, kernels in {compile_kernels()}")
    except RfablateError as error:
        return InstallationFinding(
            name, "failed", str(error), "a C11 compiler is needed; Debian: apt-get install gcc libc6-dev"
        )


def _write_access(name: str) -> InstallationFinding:
    places = {"this folder": Path.cwd(), "the cache": cache_home()}
    for what, folder in places.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            advice = f"make {what} writable (XDG_CACHE_HOME sets the cache folder) or work in another folder"
            return InstallationFinding(name, "failed", f"{what}, {folder}: {error.strerror}", advice)
    return InstallationFinding(name, "ok", ", ".join(map(str, places.values())))


def _memory(name: str) -> InstallationFinding:
    free = _available_memory_gb()
    if free is None:
        return InstallationFinding(name, "ok", "cannot be determined on this system")
    if free >= FREE_MEMORY_GB:
        return InstallationFinding(name, "ok", f"{free:.1f} GB free")
    advice = f"a 3-D case needs about {FREE_MEMORY_GB:g} GB; use a coarser mesh or close other programs"
    return InstallationFinding(name, "warning", f"{free:.1f} GB free", advice)


def _disk(name: str) -> InstallationFinding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free >= FREE_DISK_GB:
        return InstallationFinding(name, "ok", f"{free:.1f} GB free in this folder")
    advice = f"a 3-D case with its fields needs about {FREE_DISK_GB:g} GB; choose another folder with -o"
    return InstallationFinding(name, "warning", f"{free:.1f} GB free in this folder", advice)


def _threads(name: str) -> InstallationFinding:
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads == "1":
        return InstallationFinding(name, "ok", "OMP_NUM_THREADS=1")
    advice = "export OMP_NUM_THREADS=1: each MPI rank uses one core; additional threads make it slower"
    return InstallationFinding(name, "warning", f"OMP_NUM_THREADS={threads or 'not set'}", advice)


def _root(name: str) -> InstallationFinding:
    return root_finding(name, is_root=hasattr(os, "geteuid") and os.geteuid() == 0, environ=os.environ)


def root_finding(name: str, *, is_root: bool, environ: Mapping[str, str]) -> InstallationFinding:
    """Return the finding about the user: Open MPI starts ranks as root only where two variables allow it."""
    if not is_root:
        return InstallationFinding(name, "ok", "not root")
    wanted = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")
    if all(environ.get(variable) == "1" for variable in wanted):
        return InstallationFinding(name, "ok", "root, and the Open MPI variables for root are set")
    advice = "for mpirun as root with Open MPI: export " + " ".join(f"{variable}=1" for variable in wanted)
    return InstallationFinding(name, "warning", "root", advice)


CHECKS: list[tuple[str, Callable[[str], InstallationFinding]]] = [
    ("Python", _python),
    ("DOLFINx", _dolfinx),
    ("MPI", _mpi),
    ("Gmsh", _gmsh),
    ("h5py", _h5py),
    ("pictures", _pictures),
    ("pages", _pages),
    ("C compiler", _compiler),
    ("write access", _write_access),
    ("memory", _memory),
    ("disk", _disk),
    ("threads", _threads),
    ("user", _root),
]


# --- helpers


def cache_home() -> Path:
    """Return the folder of the caches: compiled forms of DOLFINx, meshes of rfablate."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _release(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _available_memory_gb() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kib is None else int(kib) * 1024 / 1e9


if __name__ == "__main__":
    sys.exit(main())
