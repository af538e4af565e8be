"""Placement of names and isotherm values on a map without overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.report import figure_style as style

CHARACTER = 0.56
"""Mean width of a character, as a fraction of the font size."""
SIZE_PT = 8.0


class Placer:
    """Places the labels of one panel, with a window from x[0] to x[1] and y[0] to y[1] [mm].

    obstacles: points on the lines that a label should not hide [mm], shape (n, 2).
    """

    def __init__(self, ax: Any, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.ax, self.x, self.y = ax, x, y
        inches = ax.get_position().width * ax.figure.get_figwidth()
        self.mm_per_point = (x[1] - x[0]) / (72 * inches)
        self.taken: list[FloatArray] = []
        self.obstacles = np.zeros((0, 2))

    def block(self, lines: Sequence[FloatArray]) -> None:
        """Add lines that labels should not hide."""
        spacing = 2 * self.mm_per_point
        self.obstacles = np.concatenate([self.obstacles, *(_resampled(line, spacing) for line in lines)])

    def isotherm(self, lines: Sequence[FloatArray], text: str) -> None:
        """Label an isotherm at its least occupied point; points to the lower right are preferred."""
        places = np.concatenate([np.zeros((0, 2)), *(_resampled(line, 6 * self.mm_per_point) for line in lines)])
        off = places - [np.mean(self.x), np.mean(self.y)]
        towards = off @ (0.8, -0.6) / np.maximum(np.linalg.norm(off, axis=1), 1e-9)
        boxes = self._boxes(places, text)
        self._write_best(places, 50 * self._overlap(boxes) + 0.5 * self._hidden(boxes) - towards, text, "#3a2430")

    def structure(self, inside: FloatArray, name: str, colour: str) -> None:
        """Write the name of a structure near the points `inside` it (n, 2) [mm], where it hides least."""
        low, high = np.array([self.x[0], self.y[0]]), np.array([self.x[1], self.y[1]])
        seen = inside[np.all((inside > low) & (inside < high), axis=1)]
        if not len(seen):
            return
        seen = seen[:: max(1, len(seen) // 150)]
        grid = np.meshgrid(*(np.arange(low[i], high[i], 5 * self.mm_per_point) for i in (0, 1)))
        places = np.column_stack([part.ravel() for part in grid])
        boxes = self._boxes(places, name)
        beside = [
            np.maximum(np.maximum(boxes[:, i, None] - seen[:, i], seen[:, i] - boxes[:, i + 2, None]), 0.0)
            for i in (0, 1)
        ]
        far = np.hypot(*beside).min(axis=1) / self.mm_per_point
        penalty = np.maximum(0.0, far - 7.0) ** 2 / 20.0 + 2.0 * self._closeness_to_centre(places)
        self._write_best(places, penalty + 50 * self._overlap(boxes) + 0.6 * self._hidden(boxes), name, colour)

    def _boxes(self, places: FloatArray, text: str) -> FloatArray:
        """Return the boxes of labels centred at `places`: left, bottom, right, top [mm], shape (n, 4)."""
        half = self.mm_per_point * np.array([CHARACTER * SIZE_PT * len(text) / 2 + 2, 0.65 * SIZE_PT])
        return np.hstack([places - half, places + half])

    def _overlap(self, boxes: FloatArray) -> FloatArray:
        """Return the fraction of each box that existing labels cover, shape (n,)."""
        area = np.zeros(len(boxes))
        for other in self.taken:
            sides = np.minimum(boxes[:, 2:], other[2:]) - np.maximum(boxes[:, :2], other[:2])
            area += np.maximum(sides, 0.0).prod(axis=1)
        return np.asarray(area / (boxes[:, 2:] - boxes[:, :2]).prod(axis=1))

    def _hidden(self, boxes: FloatArray) -> FloatArray:
        """Return the number of obstacle points that each box would hide, shape (n,)."""
        x, y = self.obstacles[np.argsort(self.obstacles[:, 0])].T
        sides, column = np.unique(boxes[:, [0, 2]], axis=0, return_inverse=True)
        first, last = np.searchsorted(x, sides[:, 0], "right"), np.searchsorted(x, sides[:, 1], "left")
        hidden = np.zeros(len(boxes))
        for number, (start, end) in enumerate(zip(first, last, strict=True)):  # boxes between the same two sides
            heights, those = np.sort(y[start:end]), column.ravel() == number
            low, high = boxes[those, 1], boxes[those, 3]
            hidden[those] = np.searchsorted(heights, high, "left") - np.searchsorted(heights, low, "right")
        return np.maximum(hidden, 0.0)

    def _closeness_to_centre(self, places: FloatArray) -> FloatArray:
        """Return how close labels are to the centre of the window, where the lesion is: 0 (far) to 1."""
        off = np.linalg.norm(places - [np.mean(self.x), np.mean(self.y)], axis=1)
        return np.asarray(np.maximum(0.0, 1 - off / (0.5 * (self.x[1] - self.x[0]))))

    def _write_best(self, places: FloatArray, penalty: FloatArray, text: str, colour: str) -> None:
        """Write a label at the place of lowest penalty inside the window; write none where no place fits."""
        boxes, margin = self._boxes(places, text), 2 * self.mm_per_point
        low, high = np.array([self.x[0], self.y[0]]) + margin, np.array([self.x[1], self.y[1]]) - margin
        fits = np.all((boxes[:, :2] > low) & (boxes[:, 2:] < high), axis=1)
        if not fits.any():
            return
        best = int(np.argmin(np.where(fits, penalty, np.inf)))
        self.taken.append(boxes[best])
        x, y = places[best]
        self.ax.text(
            x, y, text, color=colour, fontsize=SIZE_PT, ha="center", va="center_baseline", zorder=8,
            gid=f"halo{len(self.taken)}",  # the style sheet of the page draws a white outline around these labels
        )  # fmt: skip


def _resampled(line: FloatArray, spacing: float) -> FloatArray:
    """Return points along a polyline at the distance `spacing` [mm]."""
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.arange(0.0, run[-1] + spacing, spacing)
    return np.column_stack([np.interp(at, run, line[:, 0]), np.interp(at, run, line[:, 1])])


def dimension(ax: Any, start: Sequence[float], end: Sequence[float], text: str, *, side: str) -> None:
    """Draw a dimension line with arrow heads and its text on `side`: below, left or right."""
    ax.annotate(
        "",
        xy=tuple(end),
        xytext=tuple(start),
        arrowprops={
            "arrowstyle": "<|-|>,head_length=0.35,head_width=0.13",
            "color": style.INK,
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
        color=style.INK,
        zorder=8,
        gid="halodim",
    )
