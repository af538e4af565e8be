"""The examples of docs/extending apply to the package, touch few files, and pass the tests that they contain.

| addition                                                        | changed files of the package |
|-----------------------------------------------------------------|------------------------------|
| conductivity law, structure kind, lesion rule, output number    | at most 3                    |
| feature of an applicator                                        | at most 5                    |
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environment import clean_environment

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "extending"
MOST = {"conductivity-law": 3, "structure-kind": 3, "lesion-rule": 3, "output-number": 3, "applicator-feature": 3}


def changed_files(name: str) -> list[str]:
    """Return the files that an example changes or adds."""
    text = (EXAMPLES / f"{name}.diff").read_text(encoding="utf-8")
    return re.findall(r"^\+\+\+ b/(\S+)", text, flags=re.MULTILINE)


def test_every_example_is_tested_and_linked() -> None:
    assert sorted(MOST) == sorted(file.stem for file in EXAMPLES.iterdir())
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in MOST if f"(docs/extending/{name}.diff)" not in text] == []


@pytest.mark.parametrize("name", MOST)
def test_an_addition_changes_few_files_and_has_a_test(name: str) -> None:
    files = changed_files(name)
    assert 1 <= sum(file.startswith("rfablate/") for file in files) <= MOST[name]
    assert any(file.startswith("tests/") for file in files)


@pytest.mark.slow
@pytest.mark.parametrize("name", MOST)
def test_an_example_applies_and_passes_its_test(name: str, tmp_path: Path) -> None:
    """In a copy of the package. If the code around a diff has changed, it does not apply and must be updated."""
    copied = ("rfablate", "tests", "docs", "pyproject.toml")
    for each in copied:
        source, ignored = ROOT / each, shutil.ignore_patterns("__pycache__", "pictures")
        if source.is_dir():
            shutil.copytree(source, tmp_path / each, ignore=ignored)
        else:
            shutil.copy(source, tmp_path / each)
    applied = subprocess.run(
        ["git", "apply", EXAMPLES / f"{name}.diff"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, applied.stderr
    environment = {**clean_environment(), "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    where = python("-c", "import rfablate; print(rfablate.__file__)").stdout.strip()
    assert Path(where) == tmp_path / "rfablate" / "__init__.py", "the test must run on the changed copy"
    tests = [file for file in changed_files(name) if file.startswith("tests/")]
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
