"""Pairs of the numbers of two summaries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rfablate.results.flatten import flatten
from rfablate.results.summary_models import RunSummary
from rfablate.results.wording import is_number

_NO_RATIO = re.compile(r"_degC$|^depth_|margin_mm$|_fraction$|^residual")
"""Keys without a natural zero, or with values near zero: for these a percentage is not meaningful."""


@dataclass(frozen=True)
class Pair:
    """A number or verdict in run A and in run B, with numerical error bars; None where a run has none."""

    key: str
    a: Any
    b: Any
    bar_a: float | None
    bar_b: float | None

    @property
    def difference(self) -> float | None:
        """Difference B - A; None where a value is not a number."""
        return self.b - self.a if is_number(self.a) and is_number(self.b) else None

    @property
    def percent(self) -> float | None:
        """Difference B - A in percent of A; None where it is not meaningful."""
        if self.difference is None or not self.a or _NO_RATIO.search(self.key):
            return None
        return float(100.0 * self.difference / abs(self.a))


def pair_numbers(a: RunSummary, b: RunSummary) -> dict[str, list[Pair]]:
    """Return the pairs of two summaries by table: lesion.isotherm_50C, structures.motor_root, ...

    The table `electric` includes the numbers of the channels, such as `<channel>.power_W`.
    """
    flat = [flatten(each) | _channel_numbers(each) for each in (a, b)]
    keys = [*flat[0], *(key for key in flat[1] if key not in flat[0])]
    tables = [f"lesion.{rule}" for rule in dict.fromkeys([*a.lesion, *b.lesion])]
    tables += [f"structures.{name}" for name in dict.fromkeys([*a.structures, *b.structures])]
    found = {}
    for table in [*tables, "electric", "energy", "numerics", "timing_s"]:
        inside = [key for key in keys if key.startswith(f"{table}.") and not key.endswith(".bar")]
        found[table] = [
            Pair(
                key.removeprefix(f"{table}."),
                *(each.get(key) for each in flat),
                *(each.get(f"{key}.bar") for each in flat),
            )
            for key in inside
        ]
    return {table: pairs for table, pairs in found.items() if pairs}


def _channel_numbers(summary: RunSummary) -> dict[str, float]:
    return {
        f"electric.{name}.{key}": value
        for name, channel in summary.channels.items()
        for key, value in channel.model_dump(exclude_unset=True).items()
        if value is not None
    }
