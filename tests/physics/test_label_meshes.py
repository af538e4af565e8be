"""Random label images mesh: nested, touching, thin, at the border of the image, with needles in any direction.

| law                                                                | allowed                          |
|--------------------------------------------------------------------|----------------------------------|
| the mesh has every label                                           | all                              |
| no inverted cells; smoothing makes none flatter than the limit     | quality 0.1 at least             |
| a label without the volume of its voxels                           | a warning, where over 5 %        |
| interfaces smoothed; labels that keep steps are named in the log   | 36 of 40; a quarter of the labels |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from rfablate.case.read.case_file import parse_case
from rfablate.mesh.generate import generate_mesh
from rfablate.mesh.label_cells import sampled_volumes
from rfablate.mesh.label_smoothing import tet_quality
from rfablate.mesh.mesh_header import Conformity
from rfablate.mesh.structure_volumes import measure
from tests.phantom import CENTRE, RADIUS, labels_case, phantom_labels, write_image

COUNT, SPACING = 60, 0.6
FEW = 10


def random_labels(rng: np.random.Generator, count: int = COUNT) -> Any:
    """Return balls, plates, tubes and shells, each with priority over earlier ones, and some at the border."""
    line = (np.arange(count) + 0.5 - count / 2) * SPACING
    x = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1)
    labels = np.zeros((count,) * 3, dtype=np.uint8)
    for value in range(1, 7):
        centre, axis = rng.uniform(-14, 14, 3), rng.normal(size=3)
        axis /= np.linalg.norm(axis)
        d = x - centre
        along, away = d @ axis, np.linalg.norm(d, axis=-1)
        across = np.sqrt(np.maximum(away**2 - along**2, 0.0))
        size = rng.uniform(1.0, 7.0)
        shape = [
            away < size,
            np.abs(along) < rng.uniform(0.4, 1.5),
            across < rng.uniform(0.6, 2.5),
            np.abs(away - size) < 0.5,
            (labels == max(1, value - 1)) & (along > 0),
        ][rng.integers(0, 5)]
        labels[shape] = value
    if rng.random() < 0.3:  # an irregular image, as from a threshold
        labels[ndimage.gaussian_filter(rng.normal(size=labels.shape), 1.5) > 0.12] = 7
    return labels


@dataclass(frozen=True)
class Outcome:
    """The mesh of one random phantom."""

    seed: int
    cells: int
    labels: int
    stepped: int
    """Number of labels whose surfaces keep the steps of the cells."""
    quality: float
    """Of the worst cell."""
    off: float
    """Largest relative difference of a volume from that of the voxels, of labels of over ten cells."""
    told: bool
    """Whether each difference of more than 5 % is a warning."""


def mesh_of_labels(seed: int, folder: Path, count: int = COUNT) -> Outcome:
    """Mesh a random phantom of `count` voxels along each edge, with a needle in a random pose, at draft accuracy."""
    rng = np.random.default_rng(seed)
    labels = random_labels(rng, count)
    write_image(folder / f"r{seed}.nii.gz", labels, spacing=SPACING)
    values = [int(value) for value in np.unique(labels) if value]
    tables = labels_case(f"r{seed}.nii.gz")
    roles = ["target", "anatomy", "anatomy"]
    tables["domain"]["labels"] = [
        {"name": f"l{value}", "label": value, "tissue": "liver", "role": roles[value % 3]} for value in values
    ]
    target, direction = rng.uniform(-4, 4, 3), rng.normal(size=3)
    entry = target + 15.0 * direction / np.linalg.norm(direction)
    tables["applicators"] = [{"model": "cannula-22g-5mm", "target_mm": target.tolist(), "entry_mm": entry.tolist()}]
    tables["mesh"] = {"accuracy": "draft"}
    case = parse_case(tables, folder)
    mesh = generate_mesh(case)
    assert set(mesh.region_names.values()) >= {f"l{value}" for value in values}
    names = {name: number for number, name in mesh.region_names.items()}
    wanted = {names[name]: (name, volume) for name, volume in sampled_volumes(case).items()}
    volumes = measure(mesh.points, mesh.cells, mesh.region, wanted, "in the voxels")
    far = [each for each in volumes if abs(each.off) > 0.05]
    return Outcome(
        seed=seed,
        cells=len(mesh.cells),
        labels=len(values),
        stepped=_stepped(mesh.remarks),
        quality=float(tet_quality(mesh.points[mesh.cells]).min()),
        off=max(abs(each.off) for each in volumes if each.cells > FEW),
        told=all(any(f"'{each.name}'" in note for note in mesh.notes) for each in far),
    )


def _stepped(remarks: Sequence[str]) -> int:
    """Return how many labels the log names with steps."""
    found = [re.search(r"the surfaces of (.*) keep the steps", each) for each in remarks]
    return sum(len(each.group(1).split(", ")) for each in found if each)


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_random_labels_make_a_mesh(seed: int, tmp_path: Path) -> None:
    """Small images, for every run of the tests."""
    found = mesh_of_labels(seed, tmp_path, 36)
    assert found.quality >= 0.1 and found.told


@pytest.mark.slow
def test_forty_random_phantoms_make_meshes_and_at_least_36_are_smoothed(tmp_path: Path) -> None:
    found = [mesh_of_labels(seed, tmp_path) for seed in range(40)]
    assert min(each.quality for each in found) >= 0.1
    assert all(each.told for each in found)
    assert sum(each.stepped < each.labels for each in found) >= 36
    assert sum(each.stepped for each in found) < 0.25 * sum(each.labels for each in found)


@pytest.mark.parametrize("interfaces", ["auto", "cells"])
def test_a_shape_over_labels_wins_and_both_keep_their_volume(interfaces: str, tmp_path: Path) -> None:
    """A ball of 3 mm in the side of the phantom's sphere; with "cells" the log states that no surface is followed."""
    write_image(tmp_path / "ph.nii.gz", phantom_labels())
    tables = labels_case("ph.nii.gz") | {"mesh": {"accuracy": "draft", "interfaces": interfaces}}
    ball = {"kind": "sphere", "name": "ball", "centre_mm": [3.0, 2.0, 9.0], "radius_mm": 3.0, "tissue": "fat"}
    mesh = generate_mesh(parse_case(tables | {"structures": [ball]}, tmp_path))
    tag = {name: number for number, name in mesh.region_names.items()}
    volume = np.abs(np.linalg.det(mesh.points[mesh.cells][:, 1:] - mesh.points[mesh.cells][:, :1])) / 6.0
    seen = {name: float(volume[mesh.region == number].sum()) * 1e9 for name, number in tag.items()}
    assert seen["ball"] == pytest.approx(4 / 3 * np.pi * 27, rel=0.1)
    assert seen["nerve"] == pytest.approx((phantom_labels() == 2).sum() * 0.125, rel=0.02)
    whole = (phantom_labels() == 1).sum() * 0.125 - np.pi * 0.454**2 * 6.8
    d, both = float(np.linalg.norm(np.subtract([3.0, 2.0, 9.0], CENTRE))), RADIUS + 3.0
    lens = np.pi * (both - d) ** 2 * (d**2 + 2 * d * both - 3 * (RADIUS - 3.0) ** 2) / (12 * d)
    assert seen["tumour"] == pytest.approx(whole - lens, rel=0.05) and lens > 0.1 * whole
    told = [said for said in (*mesh.notes, *mesh.remarks) if "follow the cells" in said]
    assert len(told) == (2 if interfaces == "cells" else 0)
    conforming = interfaces != "cells"
    assert mesh.conformity == Conformity(shapes=conforming, labels=conforming)
