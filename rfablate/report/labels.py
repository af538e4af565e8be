"""Finding places for names and isotherm values on a map, so that none hides another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rfablate.report import style
from rfablate.report.slices import FloatArray

CHARACTER = 0.56
"""Mean width of a character, in type sizes."""
SIZE_PT = 8.0
Box = tuple[float, float, float, float]
"""Left, bottom, right, top [mm]."""


class Placer:
    """Keeper of the label places on one panel: window from x[0] to x[1] and y[0] to y[1] [mm].

    `obstacles`: points (n, 2) on the lines a label should not hide.
    """

    def __init__(self, ax: Any, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.ax, self.x, self.y = ax, x, y
        inches = ax.get_position().width * ax.figure.get_figwidth()
        self.mm_per_point = (x[1] - x[0]) / (72 * inches)
        self.taken: list[Box] = []
        self.obstacles = np.zeros((0, 2))

    def block(self, lines: Sequence[FloatArray]) -> None:
        """Take lines as something to keep clear of."""
        spacing = 2 * self.mm_per_point
        self.obstacles = np.concatenate([self.obstacles, *(_resampled(line, spacing) for line in lines)])

    def isotherm(self, lines: Sequence[FloatArray], text: str) -> None:
        """Label an isotherm at the point on it that is freest, best down and to the right."""
        points = np.concatenate([np.zeros((0, 2)), *(_resampled(line, 6 * self.mm_per_point) for line in lines)])
        centre = np.array([np.mean(self.x), np.mean(self.y)])
        best, cost = None, np.inf
        for point in points:
            box = self._box(point[0], point[1], text)
            if box is None:
                continue
            off = (point - centre) / max(float(np.linalg.norm(point - centre)), 1e-9)
            price = 50 * self._overlap(box) + 0.5 * self._hidden(box) - float(off @ (0.8, -0.6))
            if price < cost:
                best, cost = point, price
        if best is not None:
            self._write(float(best[0]), float(best[1]), text, "#3a2430")

    def structure(self, inside: FloatArray, name: str, colour: str) -> None:
        """Write a structure's name near the points `inside` it (n, 2), where it hides least."""
        low, high = np.array([self.x[0], self.y[0]]), np.array([self.x[1], self.y[1]])
        seen = inside[np.all((inside > low) & (inside < high), axis=1)]
        if not len(seen):
            return
        seen = seen[:: max(1, len(seen) // 400)]
        step = 5 * self.mm_per_point
        best: tuple[float, float] | None = None
        cost = np.inf
        for y in np.arange(low[1], high[1], step):
            for x in np.arange(low[0], high[0], step):
                box = self._box(x, y, name)
                price = np.inf if box is None else self._name_price(box, seen)
                if price < cost:
                    best, cost = (float(x), float(y)), price
        if best is not None:
            self._write(*best, name, colour)

    def _name_price(self, box: Box, seen: FloatArray) -> float:
        """Cost of a name in `box`: lying on labels or lines, standing far from its structure."""
        aside = np.maximum(np.maximum([box[0], box[1]] - seen, seen - [box[2], box[3]]), 0.0)
        far = float(np.linalg.norm(aside, axis=1).min()) / self.mm_per_point
        away: float = max(0.0, far - 7.0) ** 2 / 20.0
        return 50 * self._overlap(box) + 0.6 * self._hidden(box) + away + 2.0 * self._crowding(box)

    def _box(self, x: float, y: float, text: str) -> Box | None:
        """Give the box of a centred label, nothing where it would leave the window."""
        half_width = (CHARACTER * SIZE_PT * len(text) / 2 + 2) * self.mm_per_point
        half_height = 0.65 * SIZE_PT * self.mm_per_point
        box = (float(x - half_width), float(y - half_height), float(x + half_width), float(y + half_height))
        margin = 2 * self.mm_per_point
        inside = box[0] > self.x[0] + margin and box[2] < self.x[1] - margin
        inside = inside and box[1] > self.y[0] + margin and box[3] < self.y[1] - margin
        return box if inside else None

    def _overlap(self, box: Box) -> float:
        """Share of the label's box that other labels take."""
        area = 0.0
        for other in self.taken:
            width = min(box[2], other[2]) - max(box[0], other[0])
            height = min(box[3], other[3]) - max(box[1], other[1])
            area += max(width, 0.0) * max(height, 0.0)
        return area / ((box[2] - box[0]) * (box[3] - box[1]))

    def _hidden(self, box: Box) -> int:
        """Count the points of lines that the label would hide."""
        within = (self.obstacles > [box[0], box[1]]) & (self.obstacles < [box[2], box[3]])
        return int(within.all(axis=1).sum())

    def _crowding(self, box: Box) -> float:
        """How near the window's centre, where the lesion is, a label stands: 0 to 1."""
        off = np.array([(box[0] + box[2] - sum(self.x)) / 2, (box[1] + box[3] - sum(self.y)) / 2])
        return max(0.0, 1 - float(np.linalg.norm(off)) / (0.5 * (self.x[1] - self.x[0])))

    def _write(self, x: float, y: float, text: str, colour: str) -> None:
        box = self._box(x, y, text)
        if box is not None:
            self.taken.append(box)
        self.ax.text(
            x, y, text, color=colour, fontsize=SIZE_PT, ha="center", va="center_baseline", zorder=8,
            gid=f"halo{len(self.taken)}",  # the page gives these a white rim
        )  # fmt: skip


def _resampled(line: FloatArray, spacing: float) -> FloatArray:
    """Give points along a polyline, `spacing` apart."""
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.arange(0.0, run[-1] + spacing, spacing)
    return np.column_stack([np.interp(at, run, line[:, 0]), np.interp(at, run, line[:, 1])])


def dimension(
    ax: Any, start: Sequence[float], end: Sequence[float], text: str, *, side: str, colour: str = style.INK
) -> None:
    """Draw a dimension line with arrow heads and its text on `side`: below, left or right."""
    ax.annotate(
        "",
        xy=tuple(end),
        xytext=tuple(start),
        arrowprops={
            "arrowstyle": "<|-|>,head_length=0.35,head_width=0.13",
            "color": colour,
            "linewidth": 0.7,
            "shrinkA": 0,
            "shrinkB": 0,
        },
        zorder=7,
    )
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    shift, ha, va = {
        "above": ((0, 4), "center", "bottom"),
        "below": ((0, -4), "center", "top"),
        "left": ((-5, 0), "right", "center_baseline"),
        "right": ((5, 0), "left", "center_baseline"),
    }[side]
    ax.annotate(
        text,
        xy=(x, y),
        xytext=shift,
        textcoords="offset points",
        ha=ha,
        va=va,
        fontsize=8.5,
        color=colour,
        zorder=8,
        gid="halodim",
    )
