"""Largest numbers of entries in a case. The checks of larger cases would take minutes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rfablate.errors import Fault

MOST = {"structures": 100, "applicators": 20, "path_mm": 200}
"""Largest number of entries of a list, by its key; checks compare all pairs of structures and of applicators."""
MOST_OTHERS = 1000
"""Largest number of entries of any other list or table."""


def count_faults(data: Any, where: str = "", key: str = "") -> Iterator[Fault]:
    """Yield every list and table of a case, as read from TOML, that has too many entries."""
    if not isinstance(data, dict | list):
        return
    most = MOST.get(key, MOST_OTHERS) if isinstance(data, list) else MOST_OTHERS
    if len(data) > most:
        yield Fault(where or "the file", f"found {len(data)} entries", f"at most {most}")
        return
    for name, value in data.items() if isinstance(data, dict) else enumerate(data):
        inner = f"{where}[{name}]" if isinstance(data, list) else f"{where}.{name}" if where else str(name)
        yield from count_faults(value, inner, str(name) if isinstance(data, dict) else "")
