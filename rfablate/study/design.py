"""Points of a design: one value for each axis. Pure; a sampled design depends only on its seed."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rfablate.case.tables.user_file import LARGEST_TABLE, parse_toml, read_user_file
from rfablate.errors import CaseError, Fault
from rfablate.study.distributions import correlate, quantile
from rfablate.study.study_tables import MOST_POINTS, SAMPLED, Correlation, Design, StudyAxis, StudyFile

Point = tuple[Any, ...]


def axes_of(study: StudyFile, folder: Path) -> tuple[StudyAxis, ...]:
    """Return the axes of a study; for a CSV design, one axis for each column of the file."""
    if study.design.kind != "csv":
        return study.axes
    head, rows = _read_csv(folder / str(study.design.file))
    columns = list(zip(*rows, strict=True))
    return tuple(StudyAxis(key=key, values=tuple(column)) for key, column in zip(head, columns, strict=True))


def points_of(design: Design, axes: Sequence[StudyAxis], correlations: Sequence[Correlation] = ()) -> Iterator[Point]:
    """Yield the points of a design in a fixed order, with one value for each of `axes`.

    A sampled design draws u from the unit cube. A distribution takes its quantile u; another range maps u linearly
    (scale "log": in the logarithm); a list takes the value at the fraction u of the list.
    """
    if design.kind == "grid":
        yield from itertools.product(*(levels(axis) for axis in axes))
    elif design.kind in SAMPLED:
        for row in correlate(unit_cube(design, len(axes)), axes, correlations):
            yield tuple(_at(axis, float(u)) for axis, u in zip(axes, row, strict=True))
    else:
        yield from zip(*(levels(axis) for axis in axes), strict=True)


def levels(axis: StudyAxis) -> tuple[Any, ...]:
    """Return the values of an axis; those of a range are evenly spaced (scale "log": in the logarithm)."""
    if axis.values is not None:
        return axis.values
    count = axis.count or 2
    return tuple(_at(axis, n / (count - 1)) for n in range(count))


def unit_cube(design: Design, dimensions: int) -> Any:
    """Return the samples of a design in the unit cube, shape (points, dimensions).

    Raises:
        CaseError: SALib, which the Morris and Saltelli designs need, is not installed.
    """
    samples = design.samples or 1
    if design.kind in ("morris", "saltelli"):
        return _salib_samples(design.kind, samples, dimensions, design.seed)
    from scipy.stats import qmc

    if design.kind == "sobol":
        return qmc.Sobol(dimensions, seed=design.seed).random(samples)
    return qmc.LatinHypercube(dimensions, seed=design.seed).random(samples)


def _salib_samples(kind: str, samples: int, dimensions: int, seed: int) -> Any:
    try:
        from SALib.sample import morris, sobol
    except ModuleNotFoundError:
        fault = Fault("design.kind", f"{kind} needs SALib", "SALib installed", 'pip install "rfablate[study]"')
        raise CaseError([fault], "study") from None
    if kind == "morris":
        return morris.sample(salib_problem(dimensions), samples, num_levels=4, seed=seed)
    return sobol.sample(salib_problem(dimensions), samples, calc_second_order=False, seed=seed)


def salib_problem(dimensions: int) -> dict[str, Any]:
    """Return the unit cube as a SALib problem."""
    return {"num_vars": dimensions, "names": [f"x{n}" for n in range(dimensions)], "bounds": [[0.0, 1.0]] * dimensions}


def _at(axis: StudyAxis, u: float) -> Any:
    """Return the value of an axis at `u` from 0 to 1; a range is rounded to six significant digits."""
    if axis.values is not None:
        return axis.values[min(int(u * len(axis.values)), len(axis.values) - 1)]
    assert axis.low is not None and axis.high is not None
    if axis.distribution is not None:
        return float(f"{quantile(axis, u):.6g}")
    if axis.scale == "log":
        return float(f"{math.exp(math.log(axis.low) + u * math.log(axis.high / axis.low)):.6g}")
    return float(f"{axis.low + u * (axis.high - axis.low):.6g}")


def _read_csv(file: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the header and the rows of a CSV file; a cell is a TOML value, otherwise text."""
    try:
        text = read_user_file(file, LARGEST_TABLE).decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseError([Fault("design.file", str(error), "a readable CSV file")], str(file)) from None
    if len(rows) < 2:
        raise CaseError(
            [Fault("design.file", f"found {len(rows)} rows", "a header with keys and at least one row")], str(file)
        )
    if len(rows) > MOST_POINTS + 1:
        raise CaseError([Fault("design.file", f"found {len(rows) - 1} rows", f"at most {MOST_POINTS}")], str(file))
    head = [cell.strip() for cell in rows[0]]
    faults = [
        Fault(f"row {number}", f"found {len(row)} cells", f"{len(head)}, as many as the header")
        for number, row in enumerate(rows[1:], start=2)
        if len(row) != len(head)
    ]
    faults += [Fault("row 1", f"duplicate key {key!r}", "each key once") for key in set(head) if head.count(key) > 1]
    if faults:
        raise CaseError(faults, str(file))
    return head, [tuple(_cell(cell.strip()) for cell in row) for row in rows[1:]]


def _cell(text: str) -> Any:
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text
