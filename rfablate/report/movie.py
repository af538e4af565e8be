"""A movie of a run: the growing lesion in three dimensions, with time and sensor temperature (animated WebP or GIF)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rfablate.report.scene_3d import PIXELS, draw
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, RunData, load_run

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {".webp": "WEBP", ".gif": "GIF"}
"""File format of each ending."""
SCALE = 2
"""Pixels of the rendered picture per pixel of the movie, for smooth edges [1]."""
FRAME_MS = 400
LAST_MS = 2000
"""Time for which a frame, and the last frame, is shown [ms]."""
TEXT_PIXELS = 20
INK = "#1c2430"


def write_movie(directory: Path, target: Path) -> Path:
    """Write a movie with one picture for each frame of fields.vtkhdf, and return its path. Root only.

    `output.fields_interval_s` of the case sets the number of frames. All pictures have the window of the last one.

    Raises:
        ValueError: the file's ending is not .webp or .gif, or the fields have no frame.
        OSError: the fields cannot be read, or the movie cannot be written.
    """
    from PIL import Image as images

    kind = FORMATS.get(target.suffix.lower())
    if kind is None:
        raise ValueError(f"found a file ending in {target.suffix!r}; expected {' or '.join(FORMATS)}")
    run = load_run(directory)
    with FieldsReader(directory / FIELDS) as fields:
        times = fields.times_s.tolist()
    if not times:
        raise ValueError("the file has a mesh but no frame")
    size = (PIXELS[0] // SCALE, PIXELS[1] // SCALE)
    pictures = []
    with tempfile.TemporaryDirectory(prefix="rfablate-movie-") as folder:
        for frame, time_s in enumerate(times):
            file = Path(folder) / f"{frame}.png"
            draw(directory, file, frame)
            with images.open(file) as picture:
                pictures.append(_labelled(picture.convert("RGB").resize(size), caption(run, time_s)))
    shown = [FRAME_MS] * (len(pictures) - 1) + [LAST_MS]
    pictures[0].save(target, kind, save_all=True, append_images=pictures[1:], duration=shown, loop=0)
    return target


def caption(run: RunData, time_s: float) -> str:
    """Return the text of a frame: the time, and the temperature of the first sensor then."""
    text = f"{time_s:.4g} s"
    times, sensor = run.history.get("time_s"), run.history.get("sensor_degC")
    if times is None or sensor is None or not np.isfinite(sensor).any():
        return text
    known = np.isfinite(sensor)
    return f"{text}   {np.interp(time_s, times[known], sensor[known]):.1f} °C at the sensor"


def _labelled(picture: Image, text: str) -> Image:
    """Return a picture with a text in its upper left corner."""
    from PIL import ImageDraw, ImageFont

    ImageDraw.Draw(picture).text((16, 12), text, fill=INK, font=ImageFont.load_default(TEXT_PIXELS))
    return picture
