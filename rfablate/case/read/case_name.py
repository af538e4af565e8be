"""The name of a run, derived from the path of its case file."""

from __future__ import annotations

from pathlib import Path


def case_name(case: Path) -> str:
    """Return the name for runs of this case file: the folder name for a case.toml, otherwise the file stem. Pure."""
    path = case.resolve()
    if path.is_dir():
        return path.name
    return path.parent.name if path.name == "case.toml" else path.stem
