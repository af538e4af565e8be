"""Checks of the run that a case starts from, as far as its folder tells: is it there, and has it come to its end?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.resolve.sound_parts import Parts
from rfablate.errors import Fault

_NEEDED = ("case.toml", "checkpoint.h5", "fields.vtkhdf")


def start_faults(parts: Parts) -> Iterator[Fault]:
    """Yield what keeps a case from starting where an earlier run ended."""
    if parts.start_from is None:
        if not parts.cooled:
            hint = 'start_from = "RUN" names the run whose warmth is meant'
            yield Fault("cooled", "found false", "no such key: nothing was treated before", hint)
        return
    folder = Path(parts.start_from)
    expected = "the directory of a finished run"
    if not folder.is_dir():
        runs = [each.name for each in folder.parent.glob("*") if (each / "summary.json").is_file()]
        near = did_you_mean(folder.name, runs) or "run the earlier case first: rfablate run CASE -o RUN"
        yield Fault("start_from", f'found "{folder}", no such directory', expected, near)
        return
    if not (folder / "summary.json").is_file():
        hint = f"rfablate resume {folder}" if (folder / "case.toml").is_file() else "is the path right?"
        yield Fault("start_from", f'found "{folder}", with no summary.json: no run ended there', expected, hint)
        return
    status = _status(folder / "summary.json")
    if status != "completed":
        yield Fault("start_from", f'found "{folder}", whose summary.json says {status}', expected, "run it again")
    for name in _NEEDED:
        if not (folder / name).is_file():
            yield Fault("start_from", f'found "{folder}", with no {name}', expected, "run it again")


def _status(file: Path) -> str:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "nothing readable"
    return str(found.get("status", "nothing of its status")) if isinstance(found, dict) else "nothing readable"
