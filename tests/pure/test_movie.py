"""The movie of a run: one picture for each frame, in which the lesion grows within a fixed window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rfablate.cli.main import main
from rfablate.report import movie
from rfablate.report.scene_3d import LESION
from rfablate.results.run_reader import load_run
from tests.pure.test_report import make_run

ORANGE = np.array([int(LESION[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)


def _lesion_pixels(picture: Image.Image) -> int:
    """Number of pixels whose hue is that of the lesion: more red than green, more green than blue."""
    red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB"), dtype=float), -1, 0)
    return int(((red > green + 25) & (green > blue + 25)).sum())


@pytest.mark.parametrize("ending", [".webp", ".gif"])
def test_the_lesion_grows_from_frame_to_frame(ending: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=21, frames=4)
    file = tmp_path / f"lesion{ending}"
    assert main(["report", str(run), "--movie", str(file)]) == 0
    with Image.open(file) as opened:
        counts = []
        for frame in range(opened.n_frames):
            opened.seek(frame)
            counts.append(_lesion_pixels(opened))
        assert opened.n_frames == 4
        assert opened.size == tuple(side // movie.SCALE for side in movie.PIXELS)
    assert ORANGE[0] > ORANGE[1] > ORANGE[2]
    assert counts[0] < 100 < counts[-1] and counts == sorted(counts)


def test_the_caption_has_the_temperature_of_the_sensor(tmp_path: Path) -> None:
    run = load_run(make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2))
    times, sensor = run.history["time_s"], run.history["sensor_degC"]
    middle = 0.5 * (times[3] + times[4])
    assert movie.caption(run, middle) == f"{middle:.4g} s   {0.5 * (sensor[3] + sensor[4]):.1f} °C at the sensor"


@pytest.mark.parametrize("name", ["lesion.mp4", "missing/lesion.webp"])
def test_what_cannot_be_written_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    assert main(["report", str(run), "--movie", str(tmp_path / name)]) == 2
    assert ".webp or .gif" in capsys.readouterr().err
