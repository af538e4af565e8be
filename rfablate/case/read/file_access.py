"""Which files a case may name: those in its own folder, in `allow_paths`, and those named on the command line.

A case is data: reading one from another person must not open other files of the user. Paths are resolved first, so that
a symbolic link or `..` leads nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rfablate.case.messages.schema_guide import show
from rfablate.errors import Fault

FILE_KEYS = frozenset(
    {"file", "image", "images", "label_names", "markups", "tissue_file", "start_from", "distributed_file"}
)
"""Keys of a case whose values are paths, wherever they are."""


def paths_in(data: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every path in the tables of a case."""
    pairs = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        place = f"{where}[{key}]" if isinstance(key, int) else f"{where}.{key}" if where else str(key)
        if key in FILE_KEYS:
            texts = value if isinstance(value, list) else [value]
            yield from ((place, text) for text in texts if isinstance(text, str))
        else:
            yield from paths_in(value, place)


def outside_faults(data: Mapping[str, Any], base_dir: Path, named: frozenset[tuple[str, str]]) -> Iterator[Fault]:
    """Yield a fault for each path outside the case's folder and its `allow_paths`.

    Args:
        data: tables of the case, as read from its file and changed by the command line.
        base_dir: folder of the case file.
        named: places and texts of the paths that the command line has set; these are not checked.
    """
    allowed = [folder for folder in map(_resolved, (base_dir, *_given(data, base_dir))) if folder is not None]
    for where, text in paths_in(data):
        path = _resolved(base_dir / text)
        if (where, text) in named or path is None or any(path.is_relative_to(folder) for folder in allowed):
            continue
        found = f"found {show(text)}, which is outside the case's folder {allowed[0]}"
        hint = f"allow_paths = [{show(str(path.parent))}] in the case, or --set {where}=... on the command line"
        yield Fault(where, found, "a path in this folder, or in a folder of allow_paths", hint)


def add_own_folders(data: dict[str, Any], base_dir: Path) -> None:
    """Set `allow_paths` to the absolute folders of all files, so that the resolved case may name them from anywhere."""
    given = data.get("allow_paths", [])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        return  # the schema reports it
    files = (_resolved(base_dir / text) for _, text in paths_in(data))
    folders = {file.parent for file in files if file is not None}
    folders |= {folder for folder in map(_resolved, _given(data, base_dir)) if folder is not None}
    if folders:
        data["allow_paths"] = sorted(str(folder) for folder in folders)


def _given(data: Mapping[str, Any], base_dir: Path) -> Iterator[Path]:
    given = data.get("allow_paths", [])
    yield from (base_dir / each for each in given if isinstance(each, str)) if isinstance(given, list) else ()


def _resolved(path: Path) -> Path | None:
    """Return the absolute path without symbolic links; None for a text that is no path."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return None
