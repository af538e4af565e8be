"""The process that computes the interactive scene, renders the 3-D picture and draws figures.

Off-screen rendering can kill the process where graphics libraries are missing, and the report must not kill its run.
One process imports PyVista and does both: the side process of a run, or a new one, `python -m
rfablate.report.picture_process RUN_DIRECTORY FOLDER PARTS [RUN_DIRECTORY ...]`. The side process has imported
matplotlib while the run went on, and draws the figures too; a fork of it takes half of the work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from markupsafe import Markup

from rfablate.files import write_text
from rfablate.report.interactive_scene import ABSENT, Interactive, inlined, library_file, packed_library
from rfablate.report.run_figures import DAMAGE, DIMENSIONS, DOSES, HISTORIES, TEMPERATURE, RunFigures
from rfablate.report.scene_3d import Picture
from rfablate.signals import die_with_parent

SURFACES, PICTURE = "surfaces", "picture"
"""Parts of the work: the packed surfaces of the interactive scene, and the still picture."""
FIRST_HALF = (SURFACES, DAMAGE)
"""Half of the work for a page, by time."""
SECOND_HALF = (PICTURE, TEMPERATURE, HISTORIES, DOSES, DIMENSIONS)
"""The other half."""
LIBRARY = "library"
LIMIT_S = 120.0
"""Time limit of the process [s]."""


class Call(Protocol):
    """A function call in another process."""

    def result(self, limit_s: float | None = None) -> Any:
        """Return the result; raise an exception where there is none, also after `limit_s` seconds."""


class Caller(Protocol):
    """Another process that calls functions in the order of `submit`."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Call | None:
        """Start a call; None where it cannot be started."""


class PictureJob:
    """The work of the process. Start it early and collect the results after the other work."""

    def __init__(
        self,
        directory: Path,
        parts: Sequence[str] = (SURFACES, PICTURE),
        caller: Caller | None = None,
        compared: Sequence[Path] = (),
    ) -> None:
        """Start to compute `parts` for a run directory, in `caller` or in a new process.

        compared: directories of further runs, with which the interactive scene is one of a comparison.
        """
        self._surfaces = SURFACES in parts and library_file() is not None
        wanted = [part for part in parts if part != SURFACES or self._surfaces]
        self._folder = tempfile.TemporaryDirectory(prefix="rfablate-pictures-")
        self._reason: str | None = None
        self._call = caller.submit(draw_parts, directory, Path(self._folder.name), wanted, compared) if caller else None
        if self._call is None:
            self._process = _started([str(directory), self._folder.name, ",".join(wanted), *map(str, compared)])

    def collect(self) -> tuple[Picture, Interactive]:
        """Return picture and interactive scene; waits at most `LIMIT_S` seconds."""
        with self._folder:
            reason = self._waited()
            folder = Path(self._folder.name)
            return _picture(folder, reason), _scene(folder, reason) if self._surfaces else Interactive(reason=ABSENT)

    def figures(self) -> dict[str, Markup]:
        """Return the figures that were drawn, by name; waits as `collect`, and comes before it."""
        self._waited()
        found = ((name, Path(self._folder.name) / f"{name}.svg") for name in (*FIRST_HALF, *SECOND_HALF))
        return {name: Markup(path.read_text(encoding="utf-8")) for name, path in found if path.is_file()}

    def _waited(self) -> str:
        if self._reason is None:
            self._reason = self._wait()
        return self._reason

    def _wait(self) -> str:
        """Wait for the end; return why there may be less than all results."""
        if self._call is not None:
            try:
                self._call.result(LIMIT_S)
            except Exception as error:
                return str(error)
            return ""
        try:
            _, err = self._process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return f"it took longer than {LIMIT_S:g} s"
        lines = [line.strip() for line in err.splitlines() if line.strip()]
        code = self._process.returncode
        return "" if code == 0 else lines[-1] if lines else f"the process ended with code {code}"


def warm_up() -> None:
    """Import what drawing needs."""
    import pyvista  # noqa: F401

    import rfablate.report.dose_volume_section
    import rfablate.report.field_maps
    import rfablate.report.lesion_outline
    import rfablate.report.scene_surfaces
    import rfablate.report.time_histories
    import rfablate.report.vtk_canvas
    import rfablate.results.exact_shapes  # noqa: F401


def draw_parts(directory: Path, folder: Path, parts: Sequence[str], compared: Sequence[Path] = ()) -> None:
    """Draw parts of a run directory: figures as files NAME.svg in `folder`.

    Of the scene and the picture it also writes a JSON file with the facts or the failure of each.
    """
    halves = [[part for part in parts if part in half] for half in (FIRST_HALF, SECOND_HALF)]
    if DAMAGE not in parts or not halves[1]:
        _draw(directory, folder, parts, compared)
        return
    helper = os.fork()
    if helper == 0:
        try:
            die_with_parent()
            _draw(directory, folder, halves[0], compared)
        finally:
            os._exit(0)
    _draw(directory, folder, halves[1], compared)
    os.waitpid(helper, 0)


def _draw(directory: Path, folder: Path, parts: Sequence[str], compared: Sequence[Path]) -> None:
    for part, make in ((SURFACES, _surfaces_of), (PICTURE, _picture_of)):
        if part in parts:
            try:
                facts = make([directory, *compared], folder)
            except Exception as error:
                facts = Picture(reason=f"{type(error).__name__}: {error}")
            (folder / f"{part}.json").write_text(json.dumps(asdict(facts)), encoding="utf-8")
    names = [part for part in parts if part not in (SURFACES, PICTURE)]
    for name, figure in RunFigures(directory).drawn(names):
        write_text(folder / f"{name}.svg", figure)


def _surfaces_of(directories: Sequence[Path], folder: Path) -> Picture:
    from rfablate.report.comparison_scene import write_comparison_scene
    from rfablate.report.scene_surfaces import write_scene

    if len(directories) == 1:
        write_scene(directories[0], folder / SURFACES)
    else:
        write_comparison_scene(folder / SURFACES, directories)
    (folder / LIBRARY).write_bytes(packed_library())
    return Picture()


def _picture_of(directories: Sequence[Path], folder: Path) -> Picture:
    from rfablate.report.scene_3d import draw

    return draw(directories[0], folder / "picture.png")


def _started(arguments: Sequence[str]) -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "rfablate.report.picture_process", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
    )


def _facts(folder: Path, part: str, reason: str) -> Picture:
    """Return the facts of a part; where the process ended before it, its reason."""
    try:
        return Picture(**json.loads((folder / f"{part}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        return Picture(reason=reason or f"it could not be read: {error}")


def _picture(folder: Path, reason: str) -> Picture:
    facts = _facts(folder, PICTURE, reason)
    if facts.reason:
        return Picture(reason=f"off-screen rendering failed ({facts.reason})")
    data = b64encode((folder / "picture.png").read_bytes()).decode("ascii")
    return replace(facts, url=f"data:image/png;base64,{data}", shown=tuple(facts.shown))


def _scene(folder: Path, reason: str) -> Interactive:
    facts = _facts(folder, SURFACES, reason)
    if facts.reason:
        return Interactive(reason=f"The interactive scene could not be computed ({facts.reason}).")
    return inlined((folder / SURFACES).read_bytes(), (folder / LIBRARY).read_bytes())


if __name__ == "__main__":
    draw_parts(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","), [Path(each) for each in sys.argv[4:]])
