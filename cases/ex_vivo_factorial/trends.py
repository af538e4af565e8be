"""Compares the trends of Cosman et al. 2014 with those of the factorial study in one figure.

python cases/ex_vivo_factorial/trends.py studies/ex_vivo_factorial      # prints the numbers, writes trends.svg
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

from rfablate.report import figure_style as style

DIAMETER, TIP = "applicators.0.outer_diameter_mm", "applicators.0.active_tip_mm"
TARGET, TIME = "generator.target_degC", "generator.hold_s"
GAUGES = {0.642: "23G", 0.718: "22G", 0.908: "20G", 1.270: "18G", 1.651: "16G"}
TIPS = (5.0, 6.0, 10.0, 15.0)
SIZE = "lesion.isotherm_50C.{}_mm"


@dataclass(frozen=True)
class Trend:
    """A published trend: its range, and the computed values for all matching members of the study."""

    title: str
    unit: str
    published: tuple[float, float]
    seen: dict[str, list[float]]  # by gauge or tip length, one number per combination


class Table:
    """Lesion sizes of the factorial by diameter [mm], tip [mm], target [degC] and time [s]."""

    def __init__(self, file: Path) -> None:
        with file.open(encoding="utf-8") as rows:
            self._rows = {
                tuple(float(row[k]) for k in (DIAMETER, TIP, TARGET, TIME)): row for row in csv.DictReader(rows)
            }

    def size(self, what: str, *place: float) -> float:
        return float(self._rows[place][SIZE.format(what)])

    def gain(self, more: tuple[float, ...], less: tuple[float, ...]) -> float:
        """Return the increase of the width from `less` to `more` [%]."""
        return 100 * (self.size("width", *more) / self.size("width", *less) - 1)


def trends(table: Table) -> list[Trend]:
    """Return the five trends of the paper (Pain Med 2014;15:2020) that the factorial study covers."""
    by_gauge = {
        name: {
            "heat": [table.gain((d, tip, 90, 120), (d, tip, 60, 120)) for tip in TIPS],
            "2 min": [table.gain((d, tip, 80, 120), (d, tip, 80, 60)) for tip in TIPS],
            "3 min": [table.gain((d, tip, 80, 180), (d, tip, 80, 60)) for tip in TIPS],
            "length": [table.size("length", d, tip, 80, 120) - tip for tip in TIPS],
        }
        for d, name in GAUGES.items()
    }
    wide = {f"{tip:g} mm": [table.gain((1.651, tip, 80, 120), (0.718, tip, 80, 120))] for tip in TIPS}

    def of(key: str) -> dict[str, list[float]]:
        return {name: numbers[key] for name, numbers in by_gauge.items()}

    return [
        Trend("90 against 60 °C, 2 min: width", "%", (108, 152), of("heat")),
        Trend("2 against 1 min, 80 °C: width", "%", (11, 20), of("2 min")),
        Trend("3 against 1 min, 80 °C: width", "%", (23, 32), of("3 min")),
        Trend("length beyond the tip, 80 °C, 2 min", "mm", (1, 5), of("length")),
        Trend("16 against 22 G, 80 °C, 2 min: width", "%", (58, 65), wide),
    ]


def draw(found: list[Trend], file: Path) -> None:
    """Draw one panel per trend: published range in grey, one dot per combination."""
    fig = style.figure(11.5, 2.9)
    for n, trend in enumerate(found):
        ax = fig.add_axes((0.035 + n * 0.196, 0.14, 0.165, 0.68))
        ax.axhspan(*trend.published, color="#9aa4b1", alpha=0.35, linewidth=0)
        for x, numbers in enumerate(trend.seen.values()):
            ax.plot([x] * len(numbers), numbers, "o", color=style.DAMAGE_MAP[7], markersize=4, alpha=0.8)
        ax.set_xticks(range(len(trend.seen)), trend.seen)
        ax.set_xlim(-0.5, len(trend.seen) - 0.5)
        ax.set_ylim(0, 1.15 * max(trend.published[1], *(max(numbers) for numbers in trend.seen.values())))
        ax.set_title(f"{trend.title}\n({trend.unit})", loc="left", color=style.INK, fontsize=8)
        for spine in ("top", "right"):
            ax.spines[spine].set_visible(False)
    fig.savefig(file)


def main() -> None:
    folder = Path(sys.argv[1])
    found = trends(Table(folder / "table.csv"))
    for trend in found:
        numbers = [number for each in trend.seen.values() for number in each]
        low, high = trend.published
        inside = sum(low <= number <= high for number in numbers)
        span = f"{min(numbers):.3g} to {max(numbers):.3g} {trend.unit}"
        print(f"{trend.title}: published {low:g} to {high:g}; computed {span}, {inside} of {len(numbers)} inside")
    draw(found, folder / "trends.svg")
    print(folder / "trends.svg")


if __name__ == "__main__":
    main()
