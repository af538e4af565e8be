"""The figures of a run's report as files: each as SVG and PNG, in the style of the page."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

from rfablate.report import figure_style as style
from rfablate.report.picture_process import PICTURE, PictureJob
from rfablate.report.run_figures import DAMAGE, DIMENSIONS, DOSES, HISTORIES, TEMPERATURE, RunFigures
from rfablate.results.run_reader import FIELDS

FROM_FIELDS = (DIMENSIONS, TEMPERATURE, DAMAGE)
DPI = 200
SCENE = "scene.png"


def write_figures(directory: Path, folder: Path) -> list[Path]:
    """Write each figure of a run directory as SVG and PNG into `folder`, and the 3-D picture as PNG. Root only.

    Returns the files. Figures that the run has no data for are left out; existing files are replaced.

    Raises:
        OSError, ValueError: the fields cannot be read, or `folder` cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with_fields = (directory / FIELDS).exists()
    job = PictureJob(directory, (PICTURE,)) if with_fields else None
    figures, written = RunFigures(directory), []
    try:
        for name in (*(FROM_FIELDS if with_fields else ()), HISTORIES, DOSES):
            with style.kept() as drawn:
                figures.draw(name)
            for fig in drawn:
                style.outline_labels(fig)
                for ending in ("svg", "png"):
                    written.append(folder / f"{name}.{ending}")
                    fig.savefig(written[-1], dpi=DPI, facecolor="white")
    finally:
        picture = job.collect()[0] if job is not None else None
    if picture is not None and picture.url:
        written.append(folder / SCENE)
        written[-1].write_bytes(b64decode(picture.url.partition(",")[2]))
    return written
