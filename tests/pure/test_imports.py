"""The rooms of the package and the one rule of imports between them.

A room may import from the rooms in its line, and from all that those may import from. What every room may use lies flat
in the package: arrays, errors, files, guarded_file, isolation, live_bar, log, signals, single_process, timing, toml,
version. The rooms in PURE work without DOLFINx.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "rfablate"

RULE = {
    "physics": "",
    "case": "physics",
    "kernels": "",
    "mesh": "case kernels",
    "linalg": "mesh",
    "fem": "linalg physics",
    "problem": "fem case",
    "reference": "problem",
    "solve": "problem",
    "lesion": "mesh physics",
    "results": "case",
    "report": "results",
    "cluster": "results",
    "comparison": "report lesion",
    "study": "comparison cluster",
    "simulation": "solve lesion report",
    "evidence": "solve study",
    "api": "simulation study comparison evidence",
    "cli": "api",
}
FLOORS = 10
# Within `case`, from the bottom up: a folder imports from those before it.
CASE = "tables geometry messages resolve checks describe read".split()
FLAT = {"__init__", "__main__", "arrays", "cores", "errors", "files", "guarded_file", "isolation", "live_bar"}
FLAT |= {"log", "signals", "single_process", "timing", "toml", "version"}
PURE = {"physics", "case", "results", "report", "comparison", "study", "cluster"}
HEAVY = {"dolfinx", "ufl", "basix", "ffcx", "petsc4py", "mpi4py", "gmsh"}
# Files of plain arrays in rooms that are not pure as a whole, which pure rooms may use.
PLAIN = {"rfablate.lesion.surface_distance", "rfablate.mesh.mesh_transfer"}


@cache
def _files() -> dict[str, Path]:
    """Return the file of every module."""
    return {
        ".".join(["rfablate", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Return what a module imports, at its top or later."""
    found = []
    for node in ast.walk(ast.parse(_files()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.append(whole if whole in _files() else str(node.module))
    return tuple(found)


def _room(module: str) -> str:
    return [*module.split("."), "__init__"][1]


@cache
def _allowed(room: str) -> frozenset[str]:
    direct = RULE[room].split()
    return frozenset({room, *direct}.union(*(_allowed(each) for each in direct)))


def _floor(room: str) -> int:
    return 1 + max((_floor(each) for each in RULE[room].split()), default=0)


def test_every_file_lies_in_a_room() -> None:
    assert {_room(module) for module in _files()} == {*RULE, *FLAT}
    assert max(map(_floor, RULE)) <= FLOORS


@pytest.mark.parametrize("module", [module for module in _files() if _room(module) in RULE])
def test_a_room_imports_what_the_rule_allows(module: str) -> None:
    for imported in _imports(module):
        if imported.startswith("rfablate"):
            assert _room(imported) in _allowed(_room(module)) | FLAT, f"{module} imports {imported}"


@pytest.mark.parametrize("module", [module for module in _files() if module.startswith("rfablate.case.")])
def test_a_folder_of_the_case_imports_from_those_before_it(module: str) -> None:
    own = CASE.index(module.split(".")[2])
    for imported in _imports(module):
        if imported.startswith("rfablate.case."):
            assert CASE.index(imported.split(".")[2]) <= own, f"{module} imports {imported}"


def test_no_imports_go_in_a_circle() -> None:
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module in done or module not in _files():
            return
        for imported in _imports(module):
            visit(imported, (*above, module))
        done.add(module)

    for module in _files():
        visit(module, ())


@pytest.mark.parametrize("module", [module for module in _files() if _room(module) in PURE])
def test_a_pure_room_never_reaches_for_the_solver(module: str) -> None:
    """Not even late: `report`, `check` and the library work where DOLFINx, PETSc, MPI and Gmsh are missing."""
    for imported in _imports(module):
        assert imported.split(".")[0] not in HEAVY, f"{module} imports {imported}"
        if imported.startswith("rfablate"):
            assert _room(imported) in PURE | FLAT or imported in PLAIN, f"{module} imports {imported}"


def test_pure_rooms_import_where_the_solver_is_missing() -> None:
    modules = [module for module in _files() if _room(module) in PURE]
    code = (
        f"import sys\nfor name in {sorted(HEAVY)!r}: sys.modules[name] = None\n"
        f"import importlib\nfor name in {modules!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr


def test_only_the_command_line_and_the_api_know_comm_world() -> None:
    users = {
        _room(module)
        for module, path in _files().items()
        if "COMM_WORLD" in path.read_text(encoding="utf-8").replace("OMPI_COMM_WORLD", "")
    }
    assert users <= {"api", "cli"}


def test_no_two_modules_share_a_name() -> None:
    names = Counter(module.rsplit(".", 1)[1] for module, path in _files().items() if path.name != "__init__.py"
                    and module != "rfablate")  # fmt: skip
    assert [name for name, count in names.items() if count > 1] == []


SOLVER = sorted(HEAVY | {"scipy", "matplotlib", "pyvista", "vtkmodules", "h5py", "pandas", "SALib", "sklearn", "rich"})
BUDGET = {
    "--help": [*SOLVER, "numpy", "pydantic"],
    "study --help": [*SOLVER, "numpy", "pydantic"],
    "check cases/needle_benchmark": SOLVER,
    "library tissues": SOLVER,
    "library applicators": SOLVER,
    "new case": [*SOLVER, "numpy", "pydantic"],
}
"""What each command may not import: a second of every call, or the solver on a laptop that has none."""


@pytest.mark.parametrize("command", BUDGET)
def test_a_command_imports_only_what_it_uses(command: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom rfablate.cli.main import main\ntry:\n    main(sys.argv[2:])\nexcept SystemExit:\n    pass\n"
        "print('imported', *sorted({name.split('.')[0] for name in sys.modules} & set(sys.argv[1].split())))"
    )
    words = [str(PACKAGE.parent / word) if word.startswith("cases/") else word for word in command.split()]
    done = subprocess.run(
        [sys.executable, "-c", code, " ".join(BUDGET[command]), *words],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "imported"


def test_no_two_classes_share_a_name() -> None:
    """A reader who searches for a class finds one."""
    names = Counter(
        node.name
        for path in _files().values()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []
