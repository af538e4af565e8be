"""The log of a device: a CSV file of time and measured quantities, in the units of its header."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rfablate.case.tables.user_file import LARGEST_TABLE, read_user_file
from rfablate.physics.generator.replay import Quantity

DRIVERS: dict[Quantity, str] = {
    "voltage": "voltage_V",
    "current": "current_A",
    "power": "power_W",
    "temperature": "temperature_degC",
}
"""Quantities that can drive a replay, and their columns; by default the first that a log has."""
TIME = "time_s"
COLUMNS = (TIME, *DRIVERS.values(), "impedance_ohm")


@dataclass(frozen=True)
class DeviceLog:
    """What a device measured."""

    times: tuple[float, ...]
    """Rising, from 0 [s]."""
    columns: dict[str, tuple[float, ...]]
    """By column name, in its unit, as long as `times`."""

    @property
    def drivers(self) -> tuple[Quantity, ...]:
        """What can drive a replay of this log."""
        return tuple(name for name, column in DRIVERS.items() if column in self.columns)


def read_log(path: str | Path) -> DeviceLog:
    """Return the log at `path`.

    Columns: time_s and any of voltage_V, current_A, power_W, temperature_degC, impedance_ohm; others are left out. Time
    starts at the first row.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a log; the message has the position and the cause.
    """
    text = read_user_file(path, LARGEST_TABLE).decode("utf-8-sig")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if not rows:
        raise ValueError("an empty file")
    head = [name.strip() for name in rows[0]]
    if TIME not in head:
        raise ValueError(f"columns {', '.join(head)}: no {TIME}")
    if not set(head) & set(DRIVERS.values()):
        raise ValueError(f"columns {', '.join(head)}: none of {', '.join(DRIVERS.values())}")
    if len(rows) < 3:
        raise ValueError(f"{len(rows) - 1} rows, where two are the least")
    table = [_numbers(row, head, number) for number, row in enumerate(rows[1:], start=2)]
    times = [row[TIME] for row in table]
    for number, (before, now) in enumerate(pairwise(times), start=3):
        if now <= before:
            raise ValueError(f"line {number}: {TIME} goes from {before:g} to {now:g}")
    columns = {name: tuple(row[name] for row in table) for name in head if name in COLUMNS[1:]}
    return DeviceLog(tuple(t - times[0] for t in times), columns)


def _numbers(row: list[str], head: list[str], line: int) -> dict[str, float]:
    if len(row) != len(head):
        raise ValueError(f"line {line}: {len(row)} cells under {len(head)} columns")
    found = {}
    for name, cell in zip(head, row, strict=True):
        if name not in COLUMNS:
            continue
        try:
            found[name] = float(cell)
        except ValueError:
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise ValueError(f'line {line}: {name} is "{cell}", not a number')
    return found
