"""New case files: a general example, a copy of a case, or one that lists what is in an image, a mesh or surfaces."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from rfablate.errors import CaseError, Fault, MeshError
from rfablate.toml import tomllib

Start = Literal["axisymmetric", "3-D", "labels", "mesh", "surfaces", "like"]
_EXAMPLES = {"axisymmetric": "starter.toml", "3-D": "starter_3d.toml"}
_SOURCES = {
    "labels": "a label image (.nii.gz, .nrrd, .mha)",
    "mesh": "a mesh file (.msh, .vtu, .xdmf, .med)",
    "surfaces": "a surface (.stl, .ply, .obj, .vtp)",
    "like": "a case file, or a folder with a case.toml",
}
_FILE_KEYS = ("file", "image", "images", "label_names", "markups", "tissue_file", "start_from", "allow_paths")
"""Keys whose values are paths from the case file's folder."""


@dataclass(frozen=True)
class NewCase:
    """A case file that was written."""

    file: Path
    missing: tuple[Fault, ...]
    """Faults that `rfablate check` finds in it: what the user must fill in. Usually none."""


def new_case(file: str | Path, start: Start = "axisymmetric", sources: Sequence[str | Path] = ()) -> NewCase:
    """Write a commented case file; an existing file is not replaced.

    Tissues and roles follow from the names in the source where these are known words. The applicator's position is an
    example: lines to change are marked "CHANGE", tissues without a known name "CHECK".

    Args:
        file: case file to write; ".toml" is added if it is missing.
        start: a general example, "axisymmetric" or "3-D"; "labels": a label image with all its labels; "mesh": a mesh
            with its regions, its surfaces and its electrode; "surfaces": surface files, each a structure in a cylinder
            of tissue; "like": a copy of a case, with paths that are valid from the new place.
        sources: the image, the mesh, the surfaces or the case; none for a general example.

    Raises:
        CaseError, MeshError: a source cannot be read, or the file exists or cannot be written.
    """
    path = Path(file) if str(file).endswith(".toml") else Path(f"{file}.toml")
    if start not in get_args(Start):
        raise CaseError([Fault("start", f"found {start!r}", f"one of {', '.join(get_args(Start))}")], "new")
    wanted = 0 if start in _EXAMPLES else 1
    if len(sources) < wanted or (len(sources) > wanted and start != "surfaces"):
        raise CaseError([Fault("sources", f"found {len(sources)} files", f"{wanted} for {start!r}")], "new")
    if path.exists():
        raise CaseError([Fault(str(path), "already exists", "a new name", "nothing was written")], "new")
    text = _text(path, start, [Path(each) for each in sources])
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise CaseError([Fault(str(path), error.strerror or str(error), "a writable folder")], "new") from None
    return NewCase(path, () if start in _EXAMPLES else _faults(path))


def _text(path: Path, start: Start, sources: list[Path]) -> str:
    if start in _EXAMPLES:  # without a look at the case: the answer comes in 0.1 s
        text = resources.files("rfablate.case").joinpath(_EXAMPLES[start]).read_text(encoding="utf-8")
        return text.replace("my lesion", path.stem, 1).replace("FILE", str(path))
    return _with_allowed_folders(path, _from_sources(path, start, sources))


def _from_sources(path: Path, start: Start, sources: list[Path]) -> str:
    from rfablate.api.starter_text import case_from_labels, case_from_mesh, case_from_surfaces
    from rfablate.case.messages.suggestions import did_you_mean

    for each in sources:
        if not each.exists():
            near = did_you_mean(each.name, [other.name for other in each.parent.glob("*")])
            raise CaseError([Fault(str(each), "no such file", _SOURCES[start], near)], "new")
    match start:
        case "labels":
            return case_from_labels(path, sources[0])
        case "mesh":
            return case_from_mesh(path, sources[0])
        case "surfaces":
            return case_from_surfaces(path, sources)
    return _copied(path, sources[0])


def _with_allowed_folders(path: Path, text: str) -> str:
    """Return the text of a case with `allow_paths` for the folders of its files outside its own folder."""
    here = path.resolve().parent
    files = {name: (here / name).resolve() for name in _paths(tomllib.loads(text))}
    folders = sorted({Path(name).parent.as_posix() for name, file in files.items() if not file.is_relative_to(here)})
    if not folders or "\nallow_paths" in text:
        return text
    allowed = f"allow_paths = [{', '.join(json.dumps(each) for each in folders)}] # folders of the files below\n"
    title = text.index("\n", text.index("title = ")) + 1
    return text[:title] + allowed + text[title:]


def _faults(path: Path) -> tuple[Fault, ...]:
    """Return what `rfablate check` finds in the case, the mesh of a user included."""
    from rfablate.case.read.case_file import load_case

    try:
        case = load_case(path)
        if case.domain.kind == "mesh":
            from rfablate.mesh.mesh_against_case import refuse_contradiction
            from rfablate.mesh.user_mesh import read_mesh

            refuse_contradiction(case, read_mesh(case.domain))
    except CaseError as error:
        return error.faults
    except MeshError as error:
        return (Fault("domain", str(error), ""),)
    return ()


def _copied(path: Path, like: Path) -> str:
    """Return the text of a case with paths that are valid from the folder of the new file."""
    from rfablate.case.read.case_file import read_case_file

    source = like / "case.toml" if like.is_dir() else like
    tables = read_case_file(source)
    text = source.read_text(encoding="utf-8")
    here = path.resolve().parent
    for name in sorted(_paths(tables)):
        old = source.resolve().parent / name
        if old.exists() and not Path(name).is_absolute():
            text = text.replace(f'"{name}"', f'"{Path(os.path.relpath(old, here)).as_posix()}"')
    return text


def _paths(data: object) -> set[str]:
    """Return the values of all keys that are paths."""
    found: set[str] = set()
    if isinstance(data, dict):
        for key, value in data.items():
            if key in _FILE_KEYS:
                found |= {each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)}
            found |= _paths(value)
    elif isinstance(data, list):
        for each in data:
            found |= _paths(each)
    return found
