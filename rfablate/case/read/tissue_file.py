"""User tissues in a separate file: `tissue_file = "my_tissues.toml"` with [tissues.NAME] tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rfablate.case.messages.schema_guide import show
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.tables.user_file import parse_toml, read_user_file
from rfablate.errors import Fault


def merge_tissue_file(data: dict[str, Any], base_dir: Path) -> list[Fault]:
    """Copy the file's tissues that the case uses into its [tissues] and remove the key; return the faults of the file.

    Values in the case override those in the file. The merged case no longer needs the file.
    """
    name = data.pop("tissue_file", None)
    if name is None:
        return []
    if not isinstance(name, str):
        return [Fault("tissue_file", f"found {show(name)}", "a file name in quotes")]
    file = base_dir / name
    try:
        tables = parse_toml(read_user_file(file).decode("utf-8"))
    except FileNotFoundError:
        near = did_you_mean(file.name, [each.name for each in file.parent.glob("*.toml")])
        return [Fault("tissue_file", f'found "{name}", no such file', "a file of [tissues.NAME] tables", near)]
    except (OSError, ValueError) as error:  # no TOML and no UTF-8 are ValueErrors
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return [Fault("tissue_file", f'found "{name}": {reason}', "a file of [tissues.NAME] tables")]
    theirs, own = tables.pop("tissues", {}), data.setdefault("tissues", {})
    faults = [Fault("tissue_file", f'found "{key}" in {name}', "only [tissues.NAME] tables") for key in tables]
    if not isinstance(theirs, dict) or not isinstance(own, dict):
        return faults
    for tissue in sorted(set(_named(data)) & set(theirs)):
        table = theirs[tissue]
        if isinstance(table, dict):
            over = own.get(tissue, {})
            own[tissue] = {**table, **(over if isinstance(over, dict) else {})}
        else:
            faults.append(
                Fault("tissue_file", f"found {tissue} = {show(table)} in {name}", f"a table [tissues.{tissue}]")
            )
    return faults


def _named(data: Any) -> Iterator[str]:
    """Yield every tissue name in the case."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "tissue" and isinstance(value, str):
                yield value
            else:
                yield from _named(value)
    elif isinstance(data, list):
        for each in data:
            yield from _named(each)
