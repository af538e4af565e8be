"""The documentation is correct: commands exist, cases have no fault, Python names resolve, links have targets."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from rfablate.case.read.case_file import load_case, parse_case
from rfablate.cli.main import _parser
from rfablate.errors import CaseError
from rfablate.evidence.experiment_file import load_experiment
from rfablate.study.goals import CommonQuestion, QuestionTexts, question_of
from rfablate.study.study_file import study_faults
from rfablate.toml import tomllib
from rfablate.version import __version__
from tests.snippets import DOCS, PAGES, ROOT, Snippet, files_of, snippets

BASE = """
title = "The case that completes fragments, and that replaces my_case.toml"
[domain]
kind = "cylinder"
radius_mm = 40
height_mm = 80
tissue = "muscle"
[[structures]]
name = "nerve"
kind = "tube"
path_mm = [[6, -15, 5], [6, 15, 5]]
diameter_mm = 1
tissue = "nerve"
role = "target"
[[structures]]
name = "spinal_nerve"
kind = "sphere"
centre_mm = [-9, 0, -9]
radius_mm = 2
tissue = "nerve"
role = "protect"
limit_degC = 45
[[applicators]]
model = "cannula-20g-10mm-blunt"
[generator]
kind = "temperature"
target_degC = 80
hold_s = 90
"""
MY_FILES = {"my_case.toml", "case.toml"}
OTHERS = {"conda", "export", "srun", "mpirun", ".venv/bin/jupyter"}
SHELL = snippets("bash", "sh")
COMMANDS = [(each, words) for each in SHELL for words in each.commands]


def case_texts(page: Path) -> dict[str, str]:
    """Return the case files that the commands of a page may name."""
    return {**dict.fromkeys(MY_FILES, BASE), **files_of(page)}


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with the case files of the snippet's page, the shipped cases, and a log."""
    shutil.copytree(ROOT / "cases", tmp_path / "cases")  # no link: a case names files in its own folder only
    shutil.copy(ROOT / "cases" / "own_surface" / "tumour.stl", tmp_path)
    snippet = request.node.callspec.params["snippet"]
    for name, text in case_texts(snippet.page).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "log.csv").write_text("time_s,voltage_V,power_W\n0,10,1\n30,12,1.5\n", encoding="utf-8")
    return tmp_path


# --- commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("snippet", "words"), COMMANDS, ids=lambda value: str(value)[:60])
def test_every_command_exists(snippet: Snippet, words: list[str], folder: Path) -> None:
    """Verbs and options are understood, keys of --set are keys, targets and modules are there."""
    started = words[0] in ("mpirun", "srun") or words[0].endswith("rfablate")
    program = next((n for n, word in enumerate(words) if word.endswith("rfablate")), None)
    if started and program is not None:
        check_arguments(words[program + 1 :], folder)
    elif words[0] == "make":
        targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert set(word for word in words[1:] if "=" not in word) <= set(targets)
    elif words[:2] == ["python", "-m"]:
        assert find_spec(words[2]) is not None
    elif words[0].endswith("pip"):
        check_extras(words)
    elif words[0] == "./install.sh":
        text = (ROOT / "install.sh").read_text(encoding="utf-8")
        assert all(f"{word})" in text or f"{word} |" in text for word in words[1:])
    else:
        assert words[0] in OTHERS


def check_arguments(arguments: list[str], folder: Path) -> None:
    """Check that the command line accepts the arguments, and that its case accepts the keys."""
    args = _parser().parse_args(arguments)
    assert callable(args.command)
    case = getattr(args, "case", None)
    if case is None:
        return
    place = ROOT / case if str(case).startswith("cases/") else folder / case
    if any(each.startswith("start_from=") for each in args.overrides):
        return  # starts from a run that does not exist here
    if place.name.startswith("my_") and not place.exists():  # written by `rfablate new`
        place.write_text((ROOT / "rfablate" / "case" / "starter.toml").read_text(encoding="utf-8"), encoding="utf-8")
    if (folder / case).is_file() and tomllib.loads((folder / case).read_text(encoding="utf-8"))["domain"][
        "kind"
    ] == "mesh":
        return  # checked as TOML
    found = load_case(place, args.overrides)
    if arguments[0] == "find":
        short = CommonQuestion(args.shortest_hold, args.least_temperature, args.largest_spacing, args.margin_mm)
        question_of(found, QuestionTexts(args.vary, args.goal, args.minimise, args.maximise), short)


def check_extras(words: list[str]) -> None:
    """Check that the extras that are installed exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words:
        if "[" in word:
            assert set(word.partition("[")[2].rstrip("]").split(",")) <= set(project["optional-dependencies"])


# --- TOML -----------------------------------------------------------------------------------------


TOML = [each for each in snippets("toml") if each.page.name != "applicators.md"]  # that page shows parts of the library


@pytest.mark.parametrize("snippet", TOML, ids=str)
def test_every_case_study_and_fragment_has_no_fault(snippet: Snippet, folder: Path) -> None:
    """Experiments, studies with their base, complete cases, and fragments within BASE."""
    data = tomllib.loads(snippet.text)
    if "site" in snippet.marks:
        from rfablate.cluster.slurm import load_site

        (folder / "site.toml").write_text(snippet.text, encoding="utf-8")
        load_site(folder / "site.toml")
    elif "citation" in data:
        assert len(load_experiment(Path(snippet.marks["file"]).stem, folder).rows) == 3
    elif "base" in data:
        assert study_faults(data, folder) == []
    elif {"domain", "generator"} <= set(data):
        assert faults_without_mesh(data, folder) == []
    else:
        assert faults_without_mesh(put_into_base(data), folder) == []


def put_into_base(data: dict[str, Any]) -> dict[str, Any]:
    """Return BASE with a fragment's tables in it; a structure of the fragment replaces one with the same name."""
    base = tomllib.loads(BASE)
    if data.get("domain", {}).get("kind") == "mesh":
        return {**base, **data, "structures": []}
    structures = data.get("structures", [])
    names = {each["name"] for each in structures}
    kept = [each for each in base["structures"] if each["name"] not in names]
    return {**base, **data, "structures": [*kept, *structures]}


def faults_without_mesh(data: dict[str, Any], folder: Path) -> list[str]:
    """Return the locations of a case's faults, except for a missing mesh file."""
    try:
        parse_case(data, folder)
    except CaseError as error:
        return [str(fault) for fault in error.faults if fault.where != "domain.file"]
    return []


# --- Python ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("snippet", snippets("python"), ids=str)
def test_every_python_snippet_names_what_exists(snippet: Snippet) -> None:
    """It compiles; modules, attributes and keyword arguments are those of the package."""
    tree = ast.parse(snippet.text)
    compile(tree, str(snippet), "exec")
    known = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            resolve(node, known)
        if isinstance(node, ast.Call) and (called := resolve(node.func, known)) is not None:
            assert all(takes(called, word.arg) for word in node.keywords if word.arg is not None), ast.unparse(node)


def imported(tree: ast.Module) -> dict[str, Any]:
    """Return the names that a snippet's imports bind."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module = importlib.import_module(alias.name)
                found[alias.asname or alias.name.split(".")[0]] = module
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            found |= {alias.asname or alias.name: getattr(module, alias.name) for alias in node.names}
    return found


def resolve(node: ast.expr, known: dict[str, Any]) -> Any:
    """Return the object of a dotted name, None if created at run time; fails where an attribute does not exist."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = resolve(node.value, known)
        return getattr(owner, node.attr) if inspect.ismodule(owner) else None
    return None


def takes(called: Any, word: str) -> bool:
    """Return whether a callable accepts a keyword argument, or a table a key."""
    fields = getattr(called, "model_fields", None)
    if fields is not None:
        return word in {field.alias or name for name, field in fields.items()}
    parameters = inspect.signature(called).parameters.values()
    return any(each.name == word or each.kind is each.VAR_KEYWORD for each in parameters)


# --- pages ----------------------------------------------------------------------------------------


def test_the_navigation_lists_every_page() -> None:
    """Generated pages too."""
    listed = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE))
    written = {page.relative_to(DOCS).as_posix() for page in PAGES if DOCS in page.parents}
    generated = {"hpc.md", "hpc_modules.md", "scaling.md", "contributing.md", "changelog.md", "command_line.md"}
    assert listed == written | generated


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    """As on a code hosting site: relative to the page; the built site is checked with its anchors."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link and not link.startswith("#")]
    assert [link for link in links if not (page.parent / link.partition("#")[0]).exists() and made(link)] == []


def made(link: str) -> bool:
    """Return whether a link does not lead to a page that the site alone has."""
    return Path(link).name != "command_line.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_named_in_code_exist(page: Path) -> None:
    """`tests/...`, `rfablate/...`, `hpc/...` from the root, `fem/...` and other subpackages from the package."""
    text = page.read_text(encoding="utf-8")
    rooms = "|".join(sorted(folder.name for folder in (ROOT / "rfablate").iterdir() if folder.is_dir()))
    named = re.findall(r"`((?:tests|rfablate|hpc|cases|docs|meshes)/[\w/]+(?:\.\w+)?/?)`", text)
    named += [f"rfablate/{path}" for path in re.findall(rf"`((?:{rooms})/[\w/]+\.(?:py|toml|c))`", text)]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_troubleshooting_quotes_messages_that_exist() -> None:
    """Each heading in code is a part of one text in the package or its installer."""
    texts = [text for file in (ROOT / "rfablate").rglob("*.py") for text in constants(file)]
    headings = re.findall(r"^### (.*`)$", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    quoted = [part for heading in headings for part in re.findall(r"`([^`]+)`", heading)]
    assert len(quoted) > 40
    assert [part for part in quoted if not any(part in text for text in texts)] == []


def constants(file: Path) -> list[str]:
    """Return the texts in a module; adjacent literals are one, f-strings the parts between their values."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_the_pages_of_the_code_are_what_the_code_says() -> None:
    """If this fails, run `make glossary`."""
    from docs.key_pages import key_page
    from docs.reference_pages import api_page, schema_page

    assert (DOCS / "key_reference.md").read_text(encoding="utf-8") == key_page()
    assert (DOCS / "api.md").read_text(encoding="utf-8") == api_page()
    assert (DOCS / "summary_schema.md").read_text(encoding="utf-8") == schema_page()


def test_the_citation_has_the_versions_number() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version {__version__}," in (DOCS / "citing.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_its_links_resolve(tmp_path: Path) -> None:
    """As `make docs`; also checks that no page loads anything from another host."""
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings")
    from docs.site_check import problems

    command = [sys.executable, "-m", "mkdocs", "build", "-q", "--strict", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(problems((tmp_path / "site").resolve())) == []
    assert "search_index.js" in {file.name for file in (tmp_path / "site" / "search").iterdir()}
