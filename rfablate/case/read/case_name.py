"""The name of a run, from where its case file lies. Pure."""

from __future__ import annotations

from pathlib import Path


def case_name(case: Path) -> str:
    """Return what a run of this case file is called: its folder's name for a case.toml, else the file's."""
    path = case.resolve()
    if path.is_dir():
        return path.name
    return path.parent.name if path.name == "case.toml" else path.stem
