"""The fenced blocks of the documentation, with the comments that mark them.

<!-- file: NAME -->     the block is the file NAME, which the page's other blocks use
<!-- run: GROUP -->     tests/physics/test_docs_run.py executes the block, after the others of its group and page
<!-- output: GROUP -->  output of the commands of the group
<!-- site -->           TOML of a cluster, not of a case
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
_FENCE = re.compile(r"((?:^<!-- [^\n]* -->\n)*)^```(\w+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- (\w+)(?:: (.*?))? -->")


@dataclass(frozen=True)
class Snippet:
    """A fenced block."""

    page: Path
    line: int
    language: str
    marks: dict[str, str]
    text: str

    def __str__(self) -> str:
        """Return page and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def snippets(*languages: str, page: Path | None = None) -> list[Snippet]:
    """Return the blocks of some languages, of all pages or of one."""
    found = []
    for file in PAGES if page is None else [page]:
        text = file.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            marks = {name: value for name, value in _MARK.findall(match.group(1))}
            line = text[: match.start(2)].count("\n") + 1
            if match.group(2) in languages:
                found.append(Snippet(file, line, match.group(2), marks, match.group(3)))
    return found


def files_of(page: Path) -> dict[str, str]:
    """Return the files in a page's blocks."""
    return {each.marks["file"]: each.text for each in snippets("toml", "csv", page=page) if "file" in each.marks}
