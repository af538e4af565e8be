"""Checks of the run that a case starts from: its folder exists, is complete, and the run has finished."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.errors import Fault

_NEEDED = ("case.toml", "checkpoint.h5", "fields.vtkhdf")


def start_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield the faults that prevent a case from starting at the end of an earlier run."""
    if parts.start_from is None:
        if not parts.cooled:
            hint = 'start_from = "RUN" names the run whose final temperature is the initial state'
            yield Fault("cooled", "found false", "omit this key: the case has no start_from", hint)
        return
    folder = Path(parts.start_from)
    expected = "the directory of a finished run"
    if not folder.is_dir():
        runs = [each.name for each in folder.parent.glob("*") if (each / "summary.json").is_file()]
        near = did_you_mean(folder.name, runs) or "run the earlier case first: rfablate run CASE -o RUN"
        yield Fault("start_from", f'found "{folder}", no such directory', expected, near)
        return
    if not (folder / "summary.json").is_file():
        hint = f"rfablate resume {folder}" if (folder / "case.toml").is_file() else "check the path"
        found = f'found "{folder}", without a summary.json: no run has finished there'
        yield Fault("start_from", found, expected, hint)
        return
    status = _status(folder / "summary.json")
    if status != "completed":
        found = f'found "{folder}", whose summary.json has the status {status}'
        yield Fault("start_from", found, expected, "run it again")
    for name in _NEEDED:
        if not (folder / name).is_file():
            yield Fault("start_from", f'found "{folder}", without a {name}', expected, "run it again")


def _status(file: Path) -> str:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "unreadable"
    return str(found.get("status", "missing")) if isinstance(found, dict) else "unreadable"
