"""The probability of a lesion at each node, over the runs of a study with uncertain inputs.

At a node, the probability by a rule is the fraction of the runs in whose lesion it lies at the end. Runs on other
meshes are interpolated onto the mesh of the first run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.comparison.lesion_body import LesionMesh, interpolate_lesions, output_times, read_lesion_mesh
from rfablate.results.fields_file import FieldsFile, FieldsMesh
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, RunData, load_run

PROBABILITY_FILE = "probability.vtkhdf"


@dataclass(frozen=True)
class ProbabilityField:
    """Probabilities on the mesh of the first run of a study."""

    run: RunData
    """The run whose mesh is used."""
    probability: Mapping[str, FloatArray]
    """Lesion rule -> probability at each node, from 0 to 1, shape (nodes,)."""
    draws: int
    """Number of runs."""


def probability_field(directories: Sequence[Path]) -> ProbabilityField:
    """Return the probability of a lesion over the completed runs in `directories`.

    Raises:
        OSError, ValueError: a fields file cannot be read, or the runs have no rule in common.
    """
    runs = [load_run(directory) for directory in directories]
    home = _at_end(runs[0])
    counts = {rule: (level >= 0.0).astype(np.float64) for rule, level in home.levels.items()}
    for run in runs[1:]:
        levels = interpolate_lesions(home, _at_end(run)).levels
        counts = {rule: count + (levels[rule] >= 0.0) for rule, count in counts.items() if rule in levels}
    if not counts:
        raise ValueError("the runs have no lesion rule in common")
    tissue = np.zeros(len(home.x), dtype=bool)
    tissue[home.cells[home.tissue]] = True
    found = {rule: np.where(tissue, count / len(runs), 0.0) for rule, count in counts.items()}
    return ProbabilityField(runs[0], found, len(runs))


def _at_end(run: RunData) -> LesionMesh:
    return read_lesion_mesh(run, float(output_times(run)[-1]))


def write_probability(field: ProbabilityField, folder: Path) -> Path:
    """Write probability.vtkhdf into a folder: point data `probability_<rule>`, one frame; return its path.

    Raises:
        OSError: the file cannot be written.
    """
    target = folder / PROBABILITY_FILE
    with FieldsReader(field.run.directory / FIELDS) as fields:
        mesh = FieldsMesh(
            fields.points_mm * 1e-3 if not fields.axisymmetric else fields.points_mm[:, [0, 2]] * 1e-3,
            fields.cells,
            fields.region,
            fields.region_names,
            axisymmetric=fields.axisymmetric,
        )
        time_s = float(fields.times_s[-1])
    with FieldsFile(target, mesh) as file:
        file.append(time_s, {f"probability_{rule}": values for rule, values in field.probability.items()}, {})
    return target
