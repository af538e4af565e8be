"""Uncertainty of the results of a study with distributions: bands of the numbers, probabilities of the verdicts.

Percentiles and probabilities are over the completed draws. Their 95 % intervals are of the sampling alone: bootstrap of
the draws for percentiles, Wilson's score interval for probabilities (E. B. Wilson, J Am Stat Assoc 22:209, 1927).
`drivers.py` ranks the inputs. Of a Saltelli design only the rows that are independent draws count for percentiles and
probabilities; a Morris design has none, as its levels do not follow the distributions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from rfablate.arrays import FloatArray, IntArray
from rfablate.files import write_text
from rfablate.results.quantities import JOINING, LESION, STRUCTURE
from rfablate.results.wording import short
from rfablate.study.distributions import Z_95
from rfablate.study.drivers import Driver, Ranking, ranking_of
from rfablate.study.results_table import StudyTable
from rfablate.study.sensitivity import Sensitivity
from rfablate.study.study_data import is_judged, response_title, shown_responses
from rfablate.study.study_plan import Plan, axis_name
from rfablate.study.study_tables import StudyAxis

UNCERTAINTY_FILE = "uncertainty.json"
PERCENTILES = (5.0, 50.0, 95.0)
RESAMPLES = 1000
SEED = 1
INPUTS = {"volume_mm3", "required_fraction", "length_mm"}
"""Numbers of structures that follow from the case."""
FEWEST = 8
"""Smallest number of draws for which bands are given."""


@dataclass(frozen=True)
class Band:
    """A number of the results over the draws, in its own unit."""

    column: str
    """Column of table.csv."""
    draws: int
    """Number of draws with a number."""
    mean: float
    deviation: float
    """Standard deviation over the draws."""
    low: float
    """5 percentile."""
    median: float
    high: float
    """95 percentile."""
    low_interval: tuple[float, float]
    """95 % interval of the 5 percentile, by bootstrap of the draws."""
    high_interval: tuple[float, float]
    """95 % interval of the 95 percentile, by bootstrap of the draws."""
    drivers: tuple[Driver, ...]
    """Inputs, the strongest first; `Uncertainty.rankings` states by which measure."""


@dataclass(frozen=True)
class VerdictProbability:
    """Probability that a target is reached or a limit is kept."""

    structure: str
    verdict: str
    """`reached` for a target, `safe` for a protected structure."""
    draws: int
    probability: float
    """Fraction of the draws with this verdict."""
    interval: tuple[float, float]
    """95 % interval of the probability for this number of draws."""


@dataclass(frozen=True)
class Uncertainty:
    """What a study says about the uncertainty of its results."""

    bands: tuple[Band, ...]
    verdicts: tuple[VerdictProbability, ...]
    rankings: tuple[Ranking, ...] = ()
    """Drivers of each shown number with their measure, also where there is no band."""


def uncertain_axes(plan: Plan) -> list[StudyAxis]:
    """Return the axes of a study that have a distribution."""
    return [axis for axis in plan.run_axes if axis.distribution is not None]


def uncertainty_of(plan: Plan, table: StudyTable) -> tuple[Uncertainty, list[Sensitivity]]:
    """Return bands and drivers of all reported numbers, probabilities of the verdicts, and indices of the figures."""
    shown = shown_responses(plan, table) if table.responses() else []
    draws = independent_rows(plan, table.length)
    bands, rankings, indices = [], [], []
    for name in dict.fromkeys([*shown, *reported_columns(table)]):
        if int(np.isfinite(table.numbers(name)).sum()) < FEWEST:
            continue
        ranking, found = ranking_of(plan, table, name)
        rankings.append(ranking)
        indices += [found] if found is not None and name in shown else []
        band = band_of(name, table.numbers(name)[draws], ranking.drivers)
        bands += [band] if band is not None else []
    return Uncertainty(tuple(bands), tuple(_verdicts(table, draws)), tuple(rankings)), indices


def reported_columns(table: StudyTable) -> list[str]:
    """Return the columns with the numbers of lesions, of targets and of protected structures."""
    known = {
        "lesion": {each.key for each in (*LESION, *JOINING)},
        "structures": {each.key for each in STRUCTURE} - INPUTS,
    }
    found = []
    for column in table.responses():
        section, key = column.split(".", 1)[0], column.rpartition(".")[2]
        if key in known.get(section, ()) and (section == "lesion" or is_judged(table, column)):
            found.append(column)
    return found


def independent_rows(plan: Plan, rows: int) -> IntArray:
    """Return the rows of a table that are independent draws of the distributions.

    A Saltelli design has blocks of axes + 2 rows, of which the first and the last are independent; the others combine
    them. A Morris design has no such rows.
    """
    kind, block = plan.study.design.kind, len(plan.run_axes) + 2
    every = np.arange(rows)
    if kind == "morris":
        return every[:0]
    return every[(every % block == 0) | (every % block == block - 1)] if kind == "saltelli" else every


def band_of(column: str, values: FloatArray, drivers: Sequence[Driver]) -> Band | None:
    """Return the band of a number; None with fewer than FEWEST draws.

    Args:
        column: name of the number.
        values: its value in each draw, NaN where it has none.
        drivers: the inputs, the strongest first.
    """
    kept = np.isfinite(values)
    y = values[kept]
    if len(y) < FEWEST:
        return None
    draws = np.random.default_rng(SEED).choice(y, (RESAMPLES, len(y)))
    low, median, high = (float(each) for each in np.percentile(y, PERCENTILES))
    intervals = np.percentile(np.percentile(draws, (PERCENTILES[0], PERCENTILES[-1]), axis=1), (2.5, 97.5), axis=1).T
    (a, b), (c, d) = intervals.tolist()
    return Band(
        column=column,
        draws=len(y),
        mean=float(y.mean()),
        deviation=float(y.std(ddof=1)),
        low=low,
        median=median,
        high=high,
        low_interval=(a, b),
        high_interval=(c, d),
        drivers=tuple(drivers),
    )


def score_interval(hits: int, draws: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of the probability of `hits` in `draws`."""
    share, z2 = hits / draws, Z_95**2 / draws
    middle = (share + z2 / 2) / (1 + z2)
    half = Z_95 * math.sqrt(share * (1 - share) / draws + z2 / (4 * draws)) / (1 + z2)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _verdicts(table: StudyTable, draws: IntArray) -> list[VerdictProbability]:
    """Return the probability of each verdict over some rows."""
    found = []
    for column, values in table.columns.items():
        section, _, rest = column.partition(".")
        if section != "structures" or not rest.endswith(".verdict"):
            continue
        given = [value for row in draws if (value := values[row])]
        wanted = "reached" if any(value in ("reached", "partly reached", "missed") for value in given) else "safe"
        if given:
            hits = sum(value == wanted for value in given)
            interval = score_interval(hits, len(given))
            name = rest.removesuffix(".verdict")
            found.append(VerdictProbability(name, wanted, len(given), hits / len(given), interval))
    return found


def as_lines(found: Uncertainty, columns: Sequence[str]) -> list[str]:
    """Return the verdicts, and the bands and drivers of some columns, as text lines."""
    lines = ["uncertainty: 5, 50 and 95 percentile of the draws"] if found.bands else []
    for band in (each for each in found.bands if each.column in columns):
        numbers = "  ".join(short(value, 4) for value in (band.low, band.median, band.high))
        lines.append(f"  {response_title(band.column)}: {numbers}")
    if found.rankings:
        lines.append("drivers, the strongest first")
    for ranking in (each for each in found.rankings if each.column in columns):
        lines.append(f"  {response_title(ranking.column)}: {ranking.text()}  ({ranking.measure})")
        if ranking.warning:
            lines.append(f"    {ranking.warning}")
    if rest := sum(each.column not in columns for each in found.rankings):
        lines.append(f"  {rest} further numbers: {UNCERTAINTY_FILE}, and the page")
    for each in found.verdicts:
        low, high = (100 * end for end in each.interval)
        lines.append(
            f"  {each.structure} {each.verdict} in {100 * each.probability:.0f} % of {each.draws} draws "
            f"(95 % interval {low:.0f} to {high:.0f} %)"
        )
    return lines


def write_uncertainty(found: Uncertainty, folder: Path) -> Path:
    """Write uncertainty.json into the folder of a study and return its path."""
    file = folder / UNCERTAINTY_FILE
    write_text(file, json.dumps(asdict(found), indent=1, ensure_ascii=False) + "\n")
    return file


def read_uncertainty(folder: Path) -> Uncertainty | None:
    """Return the uncertainty that a study has written; None where it has no uncertain inputs."""
    try:
        data = json.loads((folder / UNCERTAINTY_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return TypeAdapter(Uncertainty).validate_python(data)


def input_rows(axes: Sequence[StudyAxis]) -> list[tuple[str, ...]]:
    """Return a row of text for each uncertain input: name, distribution, range, source."""
    return [
        (
            axis_name(axis),
            str(axis.distribution),
            f"{short(axis.low or 0.0, 4)} to {short(axis.high or 0.0, 4)}",
            axis.source,
        )
        for axis in axes
    ]
