"""Reading of case files, which reports all faults at once, and writing of case files."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from rfablate.case.checks.all_checks import check_parts
from rfablate.case.messages.schema_guide import show
from rfablate.case.messages.suggestions import did_you_mean, near_path
from rfablate.case.messages.validation_faults import correct_table_names, faults_of, without_unknown
from rfablate.case.read.bone_shells import expand_shells
from rfablate.case.read.file_access import add_own_folders, outside_faults, paths_in
from rfablate.case.read.input_limits import count_faults
from rfablate.case.read.label_domain import expand_labels, list_labels
from rfablate.case.read.mesh_applicators import expand_mesh_applicators
from rfablate.case.read.needle_poses import expand_poses
from rfablate.case.read.overrides import apply_overrides, setting
from rfablate.case.read.tissue_file import merge_tissue_file
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.resolve.tissues import case_tissues
from rfablate.case.tables.schema import Case, register
from rfablate.case.tables.user_file import parse_toml, read_user_file
from rfablate.errors import CaseError, Fault
from rfablate.physics.library import applicator_model, applicator_names
from rfablate.toml import tomllib

_NUMBERS = re.compile(r"\[\n((?:\s+[-+\d.einfa_]+,\n)+)\s*\]")
"""A list of numbers as tomli_w writes it, one number per line."""

__all__ = ["Case", "case_tissues", "dump_case", "load_case", "parse_case", "read_case_file"]


def load_case(path: str | Path, overrides: Sequence[str] = ()) -> Case:
    """Return the case in the TOML file at `path`, or in case.toml in the folder `path`.

    Args:
        path: case file or folder.
        overrides: changes `key.path=value`, applied before the checks (see `apply_overrides`).

    Raises:
        CaseError: the file cannot be read or the case has faults; contains all of them.
    """
    file = Path(path)
    file = file / "case.toml" if os.path.isdir(file) else file
    data = read_case_file(file)
    if "base" in data and "domain" not in data:
        hint = f"rfablate study {file}"
        raise CaseError([Fault(str(file), "found a study with a base case", "a case", hint)], str(file))
    written = frozenset(paths_in(data))
    faults = apply_overrides(data, tuple(overrides))
    faults += outside_faults(data, file.parent, frozenset(paths_in(data)) - written)
    try:
        case = parse_case(data, file.parent, str(file))
    except CaseError as error:
        raise CaseError([*faults, *error.faults], str(file)) from None
    if faults:
        raise CaseError(faults, str(file))
    return case


def read_case_file(file: Path, what: str = "case") -> dict[str, Any]:
    """Return the tables of a case or study file as written; raises CaseError if it cannot be read."""
    try:
        text = read_user_file(file).decode("utf-8")
    except FileNotFoundError:
        default = f"{what}.toml"
        given = file.parent if file.name == default else file
        near = near_path(given, lambda each: each.suffix == ".toml" or (each / default).is_file())
        expected = f"a {what} file (.toml), or a folder with a {default}"
        raise CaseError([Fault(str(file), "no such file", expected, near)], str(file)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise CaseError([Fault(str(file), reason, f"a readable {what} file (.toml)")], str(file)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CaseError([Fault(f"line {line}", "found text that is not UTF-8", "UTF-8")], str(file)) from None
    try:
        return parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise CaseError([_syntax_fault(error, text)], str(file)) from None


def _syntax_fault(error: tomllib.TOMLDecodeError, text: str) -> Fault:
    """Return the fault with line, column and text of the line; the parser appends the position in parentheses."""
    message, _, place = str(error).partition(" (at ")
    place = place.rstrip(")") or "end of document"
    lines = text.splitlines()
    number = int(place.split()[1].rstrip(",")) if place.startswith("line ") else len(lines)
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    if place == "end of document":
        place = f"line {number} (end of file)"
    hint = "write strings in quotes, lists in brackets, and each key with one = and one value"
    found, said = f"found {line}" if line else "found nothing", message[:1].lower() + message[1:]
    if said.startswith("expected "):
        return Fault(place, found, said.removeprefix("expected "), hint)
    return Fault(place, f"{found}: {said}", "a line of TOML", hint)


def parse_case(data: dict[str, Any], base_dir: str | Path = ".", source: str = "case", *, check: bool = True) -> Case:
    """Return the case in `data`, as read from TOML.

    Args:
        data: the tables of the case file; not modified.
        base_dir: the folder for relative paths in the case.
        source: name of the case in messages.
        check: run the consistency checks; False for a study that only reads the case.

    Raises:
        CaseError: the case has faults; contains those of all tables.
    """
    if too_many := list(count_faults(data)):
        raise CaseError(too_many, source)
    data = copy.deepcopy(data)
    add_own_folders(data, Path(base_dir))
    list_labels(data)
    faults = correct_table_names(data)
    faults += expand_labels(data, Path(base_dir))
    expand_mesh_applicators(data, Path(base_dir))
    faults += expand_poses(data, Path(base_dir))
    faults += expand_shells(data)
    _expand_accuracy(data)
    written = copy.deepcopy(data)
    unknown, unsound = _merge_models(data)
    faults += unknown
    faults += merge_tissue_file(data, Path(base_dir))
    _merge_protocols(data)
    _resolve_files(data, Path(base_dir))
    try:
        case = Case.model_validate(data)
    except ValidationError as error:
        faults = [*faults_of(error, data, written), *faults]
        faults += check_parts(CheckableCase.salvage(without_unknown(error, data), unsound))
        raise CaseError(faults, source) from None
    if check or unsound:
        faults += check_parts(CheckableCase.of(case) if not unsound else CheckableCase.salvage(data, unsound))
    if faults:
        raise CaseError(faults, source)
    return case


def _expand_accuracy(data: dict[str, Any]) -> None:
    """Replace `mesh.accuracy = { width_percent = ... }` by `mesh.width_percent`."""
    mesh = data.get("mesh")
    wanted = mesh.get("accuracy") if isinstance(mesh, dict) else None
    if isinstance(mesh, dict) and isinstance(wanted, dict) and set(wanted) == {"width_percent"}:
        del mesh["accuracy"]
        mesh["width_percent"] = wanted["width_percent"]


def _merge_models(data: dict[str, Any]) -> tuple[list[Fault], set[int]]:
    """Fill each applicator table with the values of its library model; return the faults and the affected indices."""
    faults: list[Fault] = []
    unsound: set[int] = set()
    tables = data.get("applicators")
    if not isinstance(tables, list):
        return faults, unsound
    for number, table in enumerate(tables):
        name = table.get("model") if isinstance(table, dict) else None
        if name is None:
            continue
        known = name in applicator_names()
        if not known:
            unsound.add(number)
            hint = did_you_mean(name, applicator_names()) if isinstance(name, str) else ""
            expected = "a model of the library (rfablate library applicators)"
            faults.append(Fault(f"applicators[{number}].model", f"found {show(name)}", expected, hint))
        # For an unknown model, any model supplies the required keys; no further check uses this applicator.
        model = applicator_model(name if known else applicator_names()[0])
        merged = {**model, **table, "model": name if isinstance(name, str) else ""}
        for part in ("tines", "bend"):  # a coolant table replaces that of the model
            if isinstance(model.get(part), dict) and isinstance(table.get(part), dict):
                merged[part] = {**model[part], **table[part]}
        tables[number] = merged
    return faults, unsound


def _merge_protocols(data: dict[str, Any]) -> None:
    """Fill each channel's generator table with the case's [generator] unless their kinds differ."""
    common, channels = data.get("generator"), data.get("channels")
    if not isinstance(common, dict) or not isinstance(channels, list):
        return
    for table in channels:
        own = table.get("generator") if isinstance(table, dict) else None
        if isinstance(own, dict) and own.get("kind", common.get("kind")) == common.get("kind"):
            table["generator"] = {**common, **own}


def _resolve_files(data: dict[str, Any], base_dir: Path) -> None:
    """Resolve relative paths against the folder of the case file."""
    for name, kind in (("domain", "mesh"), ("generator", "replay")):
        table = data.get(name)
        if isinstance(table, dict) and table.get("kind") == kind and isinstance(table.get("file"), str):
            table["file"] = str((base_dir / table["file"]).resolve())
    mesh = data.get("mesh")
    if isinstance(mesh, dict) and isinstance(mesh.get("distributed_file"), str):
        mesh["distributed_file"] = str((base_dir / mesh["distributed_file"]).resolve())
    structures = data.get("structures")
    for table in structures if isinstance(structures, list) else ():
        if isinstance(table, dict) and table.get("kind") in ("label", "surface") and isinstance(table.get("file"), str):
            table["file"] = str((base_dir / table["file"]).resolve())
    if isinstance(data.get("start_from"), str):
        data["start_from"] = str((base_dir / data["start_from"]).resolve())


def dump_case(case: Case) -> str:
    """Return the case as TOML text in clinical units with all defaults; reading it gives an equal case."""
    text = tomli_w.dumps(case.model_dump(mode="python", by_alias=True, exclude_none=True))
    return _NUMBERS.sub(lambda found: f"[{', '.join(found[1].replace(',', ' ').split())}]", text)


def change_case(case: Case, changes: Mapping[str, Any]) -> Case:
    """Return a case with changed values for some keys; see `Case.with_changes`."""
    data = _plain(case.model_dump(mode="python", by_alias=True, exclude_unset=True))
    _put_kinds_in(data, _plain(case.model_dump(mode="python", by_alias=True)))
    _take_models_out(data)
    faults = apply_overrides(data, tuple(setting(key, value) for key, value in changes.items()))
    if faults:
        raise CaseError(faults, case.title)
    return parse_case(data, source=case.title)


def _put_kinds_in(data: Any, whole: Any) -> None:
    """Add the `kind` of every table, which a case created in Python does not set explicitly."""
    if isinstance(data, dict):
        if "kind" in whole:
            data["kind"] = whole["kind"]
        for key, value in data.items():
            _put_kinds_in(value, whole[key])
    elif isinstance(data, list):
        for value, full in zip(data, whole, strict=True):
            _put_kinds_in(value, full)


def _take_models_out(data: dict[str, Any]) -> None:
    """Remove the values of each applicator that equal those of its library model, so that the model can be changed."""
    for table in data.get("applicators", ()):
        if table.get("model") in applicator_names():
            for key, value in applicator_model(table["model"]).items():
                if table.get(key) == _plain(value):
                    del table[key]


def _plain(value: Any) -> Any:
    """Return a value with tuples as lists, so that tables from a file and from a model compare equal."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


register(change=change_case, dump=dump_case)
