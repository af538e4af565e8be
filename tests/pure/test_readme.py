"""What README and the page of the case file show is true: the case, the commands, the faults that a user gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rfablate.case.checks.all_checks import case_warnings
from rfablate.case.read.case_file import load_case, parse_case
from rfablate.cli.main import _parser
from rfablate.errors import CaseError
from rfablate.toml import tomllib

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CASE_PAGE = (ROOT / "docs" / "case_file.md").read_text(encoding="utf-8")
MESH_PAGE = (ROOT / "docs" / "tutorials" / "own_mesh.md").read_text(encoding="utf-8")
LABEL_PAGE = (ROOT / "docs" / "tutorials" / "label_image.md").read_text(encoding="utf-8")


def blocks(language: str, page: str) -> list[str]:
    """Return the fenced blocks of a language in a page."""
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


@pytest.fixture
def case_file(tmp_path: Path) -> Path:
    """The page's whole case in a file."""
    (text,) = [block for block in blocks("toml", CASE_PAGE) if "title" in block]
    file = tmp_path / "case.toml"
    file.write_text(text)
    return file


def test_the_case_of_the_page_has_no_fault(case_file: Path) -> None:
    """A reader can copy it."""
    case = load_case(case_file)
    assert case.structures[0].role == "target"
    assert case_warnings(case) == []


def test_the_label_case_of_the_tutorial_has_no_fault() -> None:
    """Pasted into a file beside the README; tests/physics/test_labels.py runs it."""
    (text,) = [block for block in blocks("toml", LABEL_PAGE) if "crop_mm" in block]
    case = parse_case(tomllib.loads(text), ROOT)
    assert {each.name for each in case.structures} == {each["name"] for each in tomllib.loads(text)["domain"]["labels"]}
    assert case_warnings(case) == []


def test_the_mesh_domain_of_the_tutorial_is_one(case_file: Path, tmp_path: Path) -> None:
    """The mesh table replaces the page's domain; its file is made by the recipe named beside it."""
    (text,) = [block for block in blocks("toml", MESH_PAGE) if "length_unit" in block]
    whole = tomllib.loads(case_file.read_text())
    domain = tomllib.loads(text)["domain"]
    assert {region["name"] for region in domain["regions"]} == {"tissue", "lens"}
    with pytest.raises(CaseError) as caught:
        parse_case({**whole, "domain": domain, "structures": []}, tmp_path)
    assert [fault.where for fault in caught.value.faults] == ["domain.file"]


def commands() -> list[list[str]]:
    """Return the arguments of every `rfablate ...` in a shell block."""
    lines = [line.split("#")[0].split() for block in blocks("sh", README) for line in block.splitlines()]
    return [line[line.index(word) + 1 :] for line in lines for word in line if word.endswith("rfablate")]


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_every_command_of_the_readme_is_understood(arguments: list[str]) -> None:
    """Detects renamed commands and options."""
    parsed = _parser().parse_args(arguments)
    assert callable(parsed.command)


def test_the_faults_of_the_page_are_what_a_user_gets(tmp_path: Path) -> None:
    """The refused case, word for word."""
    bad = tmp_path / "bad.toml"
    bad.write_text(
        'titel = "x"\n[domain]\nkind = "cylindr"\n[generator]\nkind = "temperature"\ntarget_degC = 20\nhold_s = -3\n'
        '[[applicators]]\nmodel = "cannula-22g-7mm"\ntip_mm = [0, 0, nan]\n'
    )
    with pytest.raises(CaseError) as caught:
        load_case(bad)
    told = str(caught.value)
    (shown,) = [block for block in blocks("text", CASE_PAGE) if "faults in" in block]
    for line in shown.splitlines()[1:4]:
        assert line in told
    assert told.splitlines()[0].split()[0] == shown.split()[1]


def test_every_file_the_readme_links_exists() -> None:
    """Relative links are valid."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
