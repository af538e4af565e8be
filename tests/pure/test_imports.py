"""Imports go one way, and what must work on a laptop does not reach for DOLFINx."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "rfablate"

# A module may import from its own line and from lines above it.
LAYERS = [
    "__init__ errors timing log signals",
    "physics",
    "case stepping ledger",
    "fem output catalogue device",
    "materials sensors vessels bridge",
    "problem",
    "state past",
    "bioheat step decide observe pulses misfit",
    "results electrodes channels",
    "record carry",
    "keeper",
    "errorbar",
    "run",
    "report doctor slurm",
    "study submit verbs",
    "compare",
    "__main__",
]
LEVEL = {name: level for level, line in enumerate(LAYERS) for name in line.split()}
PURE = (
    "physics case output report study stepping ledger errors timing log signals catalogue device slurm submit".split()
)
HEAVY = {"dolfinx", "ufl", "basix", "ffcx", "petsc4py", "mpi4py", "gmsh"}
# What the package imports only when it is asked to, against the direction: (importer, imported) and why.
LATE = {
    ("output", "report"): "the directory writes the report of a run it finishes",
    ("errorbar", "run"): "the error bar is a second, coarser run",
}


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _unit(path: Path) -> str:
    """Return the folder or module of the package that a file is."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def _imports(path: Path) -> list[tuple[str, bool]]:
    """Return every module a file imports, and whether it does so when it is itself imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node not in late) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            module = node.module or ""
            if module == "rfablate":  # from rfablate import module
                found += [(f"rfablate.{alias.name}", node not in late) for alias in node.names]
            else:
                found.append((module, node not in late))
    return found


def _imported_unit(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] != "rfablate":
        return None
    if len(parts) == 1 or not ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file()):
        return "__init__"
    return parts[1]


def test_every_part_of_the_package_has_its_place() -> None:
    assert {_unit(path) for path in _files()} - set(LEVEL) == set(), "give the new module a line in LAYERS"


@pytest.mark.parametrize("path", _files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    own = _unit(path)
    for module, at_once in _imports(path):
        other = _imported_unit(module)
        if other is None or other == own or own == "__main__":
            continue
        allowed = LEVEL[other] <= LEVEL[own] or (not at_once and (own, other) in LATE)
        assert allowed, f"{path.name} imports {module}, which is above it"


@pytest.mark.parametrize("path", [p for p in _files() if _unit(p) in PURE], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_pure_half_never_reaches_for_the_solver(path: Path) -> None:
    """Not even late: `report`, `check` and the library work where DOLFINx, PETSc, MPI and Gmsh are missing."""
    for module, _ in _imports(path):
        assert module.split(".")[0] not in HEAVY, f"{path.name} imports {module}"
        assert _imported_unit(module) not in {"fem", "problem", "state", "step", "observe", "record", "run"}


def test_physics_is_formulas_only() -> None:
    """Its tables are read, nothing else: no case, no mesh, no files."""
    for path in _files():
        if _unit(path) == "physics":
            assert {_imported_unit(m) for m, _ in _imports(path)} <= {None, "physics", "errors", "__init__"}


def test_no_file_but_the_command_line_knows_comm_world() -> None:
    users = [p for p in _files() if "COMM_WORLD" in p.read_text(encoding="utf-8").replace("OMPI_COMM_WORLD", "")]
    assert {_unit(p) for p in users} <= {"__main__", "doctor"}


def test_the_pure_half_imports_where_the_solver_is_missing() -> None:
    modules = [
        ".".join(["rfablate", *p.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        for p in _files()
        if _unit(p) in PURE
    ]
    code = (
        f"import sys\nfor name in {sorted(HEAVY)!r}: sys.modules[name] = None\n"
        f"import importlib\nfor name in {modules!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr
