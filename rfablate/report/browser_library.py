"""Browser files of installed packages, which pages contain so that they make no network request.

The packages themselves need not be imported.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path


def browser_file(package: str, name: str) -> Path | None:
    """Return the file `name` in the folder of an installed package; None where there is none."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / name
        if file.is_file():
            return file
    return None


def licence_of(package: str) -> str:
    """Return name, version and licence text of a package, which its licence requires in copies."""
    try:
        found = distribution(package)
    except PackageNotFoundError:
        return ""
    texts = [file for file in found.files or () if file.name.upper().startswith("LICENSE") and "info" in str(file)]
    text = "\n".join(str(file.read_text()) for file in texts)
    return f"{package} {found.version}\n{text}"
