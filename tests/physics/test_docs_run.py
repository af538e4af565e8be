"""Commands of the documentation with a run mark have the results that their page shows."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import clean_environment
from tests.snippets import DOCS, ROOT, files_of, snippets

NUMBER = re.compile(r"[-+±]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
MARKED = [each for each in snippets("bash", "python") if "run" in each.marks]
GROUPS = sorted({(each.page, each.marks["run"]) for each in MARKED})
# Wall times differ from run to run; iterations, steps and residuals by rounding.
LOOSE = ("time ", "energy ", "numerics ", "written ")


def execute(page: Path, group: str, folder: Path) -> str:
    """Run the blocks of a group in a folder, one command after the other; return their output."""
    for name, text in files_of(page).items():
        (folder / name).write_text(text, encoding="utf-8")
    printed = []
    for snippet in snippets("bash", "python", page=page):
        if snippet.marks.get("run") != group:
            continue
        commands = [["python", "-c", snippet.text]] if snippet.language == "python" else snippet.commands
        for words in commands:
            replaced = {"rfablate": [sys.executable, "-m", "rfablate"], "python": [sys.executable]}[words[0]]
            environment = {**clean_environment(), "PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                [*replaced, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
            printed.append(done.stdout)
    return "\n".join(printed)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each group of commands."""
    return {f"{page.stem}-{group}": tmp_path_factory.mktemp(f"{page.stem}-{group}") for page, group in GROUPS}


@pytest.mark.slow
@pytest.mark.parametrize(("page", "group"), GROUPS, ids=lambda value: str(value).rsplit("/", 1)[-1])
def test_marked_commands_run_and_print_what_is_shown(page: Path, group: str, folders: dict[str, Path]) -> None:
    """Numbers of a shown card within 1 %, error bars within half of themselves, the words exactly."""
    printed = [line.strip() for line in execute(page, group, folders[f"{page.stem}-{group}"]).splitlines()]
    for shown in snippets("text", page=page):
        if shown.marks.get("output") == group:
            lines = [line.strip() for line in shown.text.splitlines() if line.strip()]
            start = len(printed) - 1 - printed[::-1].index(lines[0])  # `check` prints the title, too
            compare(lines, [line for line in printed[start:] if line][: len(lines)])


def compare(shown: list[str], printed: list[str]) -> None:
    """Compare lines of a card with the output."""
    for ours, theirs in zip(shown, printed, strict=True):
        if ours.startswith(LOOSE):
            assert ours.split()[0] == theirs.split()[0]
            continue
        words = [" ".join(NUMBER.sub("#", line).split()) for line in (ours, theirs)]
        assert words[0] == words[1]
        for left, right in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True):
            bar = left.startswith("±")
            assert float(left.strip("±")) == pytest.approx(float(right.strip("±")), rel=0.5 if bar else 0.01, abs=0.02)


@pytest.mark.slow
def test_the_file_formats_page_names_what_a_run_writes(folders: dict[str, Path]) -> None:
    """Every file, key of summary.json, column of history.csv and array of fields.vtkhdf."""
    import rfablate as rfa

    folder = folders["nerve-card"]
    run = folder / "runs" / "nerve"
    if not run.exists():
        execute(DOCS / "tutorials" / "nerve.md", "card", folder)
    pages = [(DOCS / name).read_text(encoding="utf-8") for name in ("file_formats.md", "summary_schema.md")]
    text = re.sub(r"^```.*?^```$", "", "\n".join(pages), flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"`([^`]+)`", text))
    assert {file.name for file in run.iterdir()} <= named
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert set(summary) <= named
    for part in ("lesion", "structures"):
        assert {key for each in summary[part].values() for key in each} <= named
    assert {*summary["energy"], *summary["electric"]} - {"events"} <= named
    with (run / "history.csv").open(newline="", encoding="utf-8") as file:
        columns = next(csv.reader(file))
    forms = {re.sub(r"^(isotherm_50C|arrhenius|cem43_240)_", "RULE_", name) for name in columns}
    forms = {re.sub(r"^(nerve|artery)_", "STRUCTURE_", name) for name in forms}
    assert forms <= named
    fields = rfa.open_run(run).fields
    assert {*fields.names, *fields.at(0.0).cell_data} - {"region_name"} <= named
