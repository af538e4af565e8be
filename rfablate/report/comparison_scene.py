"""The lesions of several runs in one interactive scene, with the temperature difference of the first two.

`picture_process` computes it in a process of its own, like the scene of one run (`scene_surfaces`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from rfablate.report import figure_style as style
from rfablate.report.field_samples import POINTS, Corners, PointValues, SampleGrid, chosen_frames, lesion_box, values_at
from rfablate.report.scene_packing import SceneObject, ScenePacker
from rfablate.report.scene_surfaces import applicator_surfaces, shaft_mm, structure_surfaces, view_axis
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, SAME_TIME, RunData, load_run
from rfablate.results.run_view import read_cannulas
from rfablate.results.wording import rule_label

LETTERS = "ABCDEFGH"
"""Names of the runs on the page; their number is the largest number of runs."""


def common_frames(times_s: Sequence[Sequence[float]]) -> list[tuple[int, ...]]:
    """Return the frames to compare, one number for each run: those with common times, and the last frame of each run.

    Args:
        times_s: output times of each run [s], increasing.
    """
    found = []
    for first, time in enumerate(times_s[0]):
        others = [_frame_at(times, time) for times in times_s[1:]]
        if None not in others:
            found.append((first, *(each for each in others if each is not None)))
    kept = chosen_frames([times_s[0][frames[0]] for frames in found], None)
    ends = tuple(len(times) - 1 for times in times_s)
    chosen = [found[i] for i in kept]
    return chosen if chosen and chosen[-1] == ends else [*chosen, ends]


def _frame_at(times_s: Sequence[float], time_s: float) -> int | None:
    away = np.abs(np.asarray(times_s) - time_s)
    nearest = int(np.argmin(away))
    return nearest if away[nearest] <= SAME_TIME * max(abs(time_s), 1e-9) else None


def common_box(boxes: Sequence[Corners]) -> Corners:
    """Return the smallest cube about the centre of all boxes that contains them [mm]."""
    low, high = np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)
    middle, half = (low + high) / 2, 0.5 * float(np.max(high - low))
    return middle - half, middle + half


def write_comparison_scene(target: Path, directories: Sequence[Path]) -> None:
    """Write the packed scene of the runs in `directories`. Root only.

    Raises:
        ValueError, OSError: a fields file cannot be read or has no frame.
    """
    runs = [load_run(directory) for directory in directories]
    with ExitStack() as stack:
        files = [stack.enter_context(FieldsReader(run.directory / FIELDS)) for run in runs]
        if not all(len(file.times_s) for file in files):
            raise ValueError("a fields file has a mesh but no frame")
        frames = common_frames([file.times_s.tolist() for file in files])
        columns = list(zip(*frames, strict=True))
        cases = list(zip(runs, files, columns, strict=True))
        grid = SampleGrid.over(*common_box([lesion_box(*case) for case in cases]))
        packer = ScenePacker(grid.low, grid.high)
        temperatures = []
        for number, (run, fields, shown) in enumerate(cases):
            values = values_at(run, fields, shown, grid.points)
            _add_lesions(packer, grid, number, values)
            _add_anatomy(packer, grid, runs, number, fields)
            temperatures.append(values.temperature)
        times = [float(files[0].times_s[each[0]]) for each in frames]
    packer.add_field(temperatures[1] - temperatures[0], (POINTS,) * 3, grid.spacing)
    axis, through = view_axis(read_cannulas(runs[0]))
    target.write_bytes(packer.packed(times, axis=axis, through=through, frames_in_file=len(times)))


def _add_lesions(packer: ScenePacker, grid: SampleGrid, number: int, values: PointValues) -> None:
    colour = style.COMPARED[number % len(style.COMPARED)]
    for rule, level in values.levels.items():
        shown = rule == next(iter(values.levels))
        surfaces = [grid.contour(each, 0.0, values.inside) for each in level]
        label = f"{LETTERS[number]}: {rule_label(rule)}"
        packer.add(SceneObject(label, "lesion", colour, opacity=0.4, shown=shown), surfaces)


def _differing(runs: Sequence[RunData], number: int) -> dict[str, bool]:
    """Return whether structures and applicators of a run differ from those of the first run, or whether it is first."""
    first, other = runs[0].case, runs[number].case
    return {key: number == 0 or first.get(key) != other.get(key) for key in ("structures", "applicators")}


def _add_anatomy(
    packer: ScenePacker, grid: SampleGrid, runs: Sequence[RunData], number: int, fields: FieldsReader
) -> None:
    """Add the structures and applicators of a run that differ from those of the first."""
    run, differing = runs[number], _differing(runs, number)
    prefix, first = "" if not number else f"{LETTERS[number]}: ", number == 0
    if differing["structures"]:
        for name, role, shade, opacity, surface in structure_surfaces(run, fields, grid):
            label = f"{prefix}{name} ({role})"
            packer.add(SceneObject(label, "structure", shade, opacity, shown=first), [surface])
    if differing["applicators"]:
        for label, shade, surface in applicator_surfaces(run, read_cannulas(run), shaft_mm(grid)):
            packer.add(SceneObject(f"{prefix}{label}", "applicator", shade, opacity=1.0), [surface])
