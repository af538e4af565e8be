"""The bodies of a case after Boolean operations, as a BREP file for a second mesh of the same bodies. Root only.

The Boolean operations take longer than a coarse mesh: 3.4 of 5.8 s for the error bar's mesh of cases/trigeminal;
reading the file takes 0.04 s.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import gmsh


def keep(path: Path, pieces: dict[int, int]) -> None:
    """Write the volumes of the current model and the region number of each.

    Raises:
        OSError: the folder cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.{os.getpid()}.brep")
    part.touch()  # Gmsh does not report a folder that it cannot write to
    gmsh.write(str(part))
    numbers = [pieces[tag] for _, tag in gmsh.model.getEntities(3)]
    numbers_part = path.with_name(f"{path.stem}.{os.getpid()}.json")
    numbers_part.write_text(json.dumps(numbers), encoding="utf-8")
    numbers_part.replace(path.with_suffix(".json"))
    part.replace(path)


def take(path: Path) -> dict[int, int] | None:
    """Read the volumes into the current, empty model; return the region number of each, None if incomplete."""
    try:
        numbers = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        volumes = gmsh.model.occ.importShapes(str(path)) if path.is_file() else []
    except Exception:  # damaged: Gmsh raises plain Exception
        return None
    if not isinstance(numbers, list) or len(volumes) != len(numbers) or not numbers:
        return None
    gmsh.model.occ.synchronize()
    return {tag: number for (_, tag), number in zip(sorted(volumes), numbers, strict=True)}
