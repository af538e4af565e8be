"""docs/troubleshooting.md has an entry for every message that the program can print.

| message                                                                     | entry                                  |
|-----------------------------------------------------------------------------|----------------------------------------|
| each text of MeshError, SolveError, StepError, StorageError, Interrupted    | a heading with a part of it            |
| each warning of the logger and each check of results                        | a heading with a part of it            |
| faults of a case, study, site file (they have place, found, expected, hint) | one entry on their form                |
| headings                                                                    | each is part of a text in the program  |
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ERRORS = {"MeshError", "SolveError", "StepError", "StorageError", "Interrupted", "ReaderCrashed"}
HOLE = "\0"


def _text(node: ast.expr) -> str:
    """Return the constant text of an expression, with a hole for each value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else HOLE for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return HOLE


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _messages() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every message that needs an entry."""
    for file in sorted((ROOT / "rfablate").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            texts: list[ast.expr] = []
            if _name(node) in ERRORS and node.args:
                texts = node.args[:1]
            elif _name(node) == "warning" and isinstance(node.func, ast.Attribute) and node.args:
                texts = node.args[:1]
            elif _name(node) == "ResultCheck":
                texts = [each.value for each in node.keywords if each.arg == "text"]
            for each in texts:
                text = _text(each)
                if len(text.replace(HOLE, "").strip()) > 6:
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def _parts() -> list[str]:
    """Return the parts of messages in the headings."""
    return [part for line in PAGE.splitlines() if line.startswith("### ") for part in re.findall(r"`([^`]+)`", line)]


MESSAGES = list(_messages())


def test_messages_are_found() -> None:
    assert len(MESSAGES) > 60


def test_every_message_has_an_entry() -> None:
    parts = _parts()
    missing = [f"{place}: {text.replace(HOLE, '...')}" for place, text in MESSAGES if not any(p in text for p in parts)]
    assert missing == []


def test_a_heading_is_part_of_the_program() -> None:
    whole = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "rfablate").rglob("*.py"))
    whole = re.sub(r"[\"']\s*\n\s*f?[\"']", "", whole)  # texts over several lines
    whole += (ROOT / "install.sh").read_text(encoding="utf-8")
    missing = [part for part in _parts() if part not in whole and part.replace('"', '\\"') not in whole]
    assert missing == []
