"""The packed form of the interactive scene: surfaces over time and sampled temperatures in few bytes.

The file is a zlib stream: four bytes with the length of a JSON header, the header, the data. Coordinates are 16-bit
integers within the box of an object. Each run of 16-bit numbers is stored as differences, low bytes before high bytes,
which compresses about three times better.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray

LARGEST = 65535
"""Largest 16-bit number: limit of the coordinates and of the points of a surface [1]."""


@dataclass(frozen=True)
class SceneSurface:
    """A triangulated surface. points: [mm], shape (n, 3). triangles: point numbers, shape (m, 3)."""

    points: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    triangles: npt.NDArray[Any] = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))

    @classmethod
    def joined(cls, parts: Sequence[SceneSurface]) -> SceneSurface:
        """Return several surfaces as one."""
        starts = np.cumsum([0, *(len(part.points) for part in parts)])
        return cls(
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=False)]),
        )


@dataclass(frozen=True)
class SceneObject:
    """How an object of the scene is named and drawn."""

    label: str
    kind: str
    """lesion, isotherm, structure or applicator."""
    colour: str
    opacity: float
    """From 0 to 1."""
    shown: bool = True
    """Whether the page shows it at first."""


class ScenePacker:
    """Collects the objects of a scene and packs them. low, high: corners of the sampled box [mm]."""

    def __init__(self, low: FloatArray, high: FloatArray) -> None:
        self._low, self._high = low, high
        self._objects: list[dict[str, Any]] = []
        self._field: dict[str, Any] = {}
        self._data = bytearray()

    def add(self, thing: SceneObject, surfaces: Sequence[SceneSurface]) -> None:
        """Add an object with one surface for all times, or one for each frame.

        Objects without any triangle are kept: the legend then shows that a lesion does not form.

        Raises:
            ValueError: a surface has more than `LARGEST` points.
        """
        every = np.concatenate([surface.points for surface in surfaces])
        low, high = (every.min(axis=0), every.max(axis=0)) if len(every) else (self._low, self._high)
        scale = np.maximum(high - low, 1e-9) / LARGEST
        frames = []
        for surface in surfaces:
            if len(surface.points) > LARGEST:
                raise ValueError(f"{thing.label}: {len(surface.points)} points, at most {LARGEST} fit")
            points = np.round((surface.points - low) / scale).astype(np.uint16)
            frames.append([*self._append(points.T), *self._append(surface.triangles)])
        self._objects.append(
            {
                "label": thing.label,
                "kind": thing.kind,
                "colour": thing.colour,
                "opacity": thing.opacity,
                "shown": thing.shown,
                "low": low.tolist(),
                "scale": scale.tolist(),
                "frames": frames,
            }
        )

    def add_field(self, values: FloatArray, shape: Sequence[int], spacing_mm: float) -> None:
        """Add a temperature or a difference [degC or K] of each frame in 254 steps.

        values: shape (frames, points); NaN outside the domain. shape: points of the grid along x, y, z.
        """
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        step = max(high - low, 1e-6) / 254
        steps = np.where(np.isnan(values), 255, np.round((values - low) / step)).astype(np.uint8)
        # Differences along x, in whole numbers modulo 256, compress better than the values.
        differences = np.diff(steps.reshape(len(steps), -1), axis=1, prepend=np.uint8(0))
        start = len(self._data)
        self._data += differences.astype(np.uint8).tobytes()
        self._field = {"start": start, "shape": list(shape), "spacing": spacing_mm, "low": low, "step": step}

    def packed(self, times_s: Sequence[float], **facts: Any) -> bytes:
        """Return the packed scene; `facts` are further numbers and arrays for the header."""
        plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in facts.items()}
        header = {
            "times": list(times_s),
            "low": self._low.tolist(),
            "high": self._high.tolist(),
            "objects": self._objects,
            "field": self._field,
            **plain,
        }
        text = json.dumps(header).encode()
        return zlib.compress(len(text).to_bytes(4, "little") + text + bytes(self._data), 6)

    def _append(self, numbers: npt.NDArray[Any]) -> tuple[int, int]:
        """Append 16-bit numbers; return where they start and how many they are."""
        flat = np.asarray(numbers).ravel().astype(np.uint16)
        differences = np.diff(flat, prepend=np.uint16(0)).astype("<u2")
        start = len(self._data)
        self._data += differences.view(np.uint8).reshape(-1, 2).T.tobytes()
        return start, len(flat)
