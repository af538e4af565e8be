"""Runs on finer meshes until the error bar of the lesion's width is as small as wanted (`mesh.width_percent`).

The error bar is proportional to the element size or falls faster. Two quick runs, on meshes two and four times as
coarse as the accuracy of the case, give it for the first of them. The scale of the first mesh follows for an error bar
in proportion to the element size. After each run the scale is reduced in the same way, until the run's own error bar is
small enough.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from mpi4py import MPI

from rfablate.case.tables.schema import Case
from rfablate.errors import RfablateError
from rfablate.results.summary_models import RunSummary
from rfablate.simulation.discretisation_error import rescaled, width_error
from rfablate.simulation.outcome import Outcome
from rfablate.simulation.run_options import RunOptions

log = logging.getLogger("rfablate")

START = 2.0
"""Factor on the element sizes of the case for the first estimate, and for the coarsest run."""
SAFETY = 0.8
"""Part of the wanted error bar that a predicted mesh aims at."""
STEPS = (0.5, 0.85)
"""Smallest and largest factor between the element sizes of two runs."""
SMALLEST, LARGEST = 0.2, 5.0
"""Range of `mesh.scale`."""
RUNS = 5
"""Largest number of runs."""


def run_to_width(
    case: Case, comm: MPI.Comm, options: RunOptions, simulate: Callable[[Case, RunOptions], Outcome]
) -> Outcome:
    """Run a case until the error bar of its width is at most `mesh.width_percent`; return the last run. Collective.

    The run directory holds the last run, with the scale and the tolerance that were found in its case.toml.

    Args:
        case: the case.
        comm: all ranks.
        options: of the first run; later ones overwrite it.
        simulate: runs a case in the run directory.
    """
    wanted, plain = case.mesh.width_percent, _plain(case)
    assert wanted is not None
    factor = _first_factor(plain, comm, options, wanted)
    for number in range(1, RUNS + 1):
        found = rescaled(plain, factor)
        outcome = simulate(found, options)
        percent = _percent(case, outcome.summary)
        if percent is None:
            return _told(outcome, found, "no error bar of a width: there is nothing to refine for")
        text = f"the error bar of the width is {percent:.2g} % (wanted {wanted:g} %) after {_counted(number)}"
        if percent <= wanted:
            return _told(outcome, found, text)
        smaller = max(_within(STEPS, SAFETY * wanted / percent) * factor, SMALLEST / plain.mesh.scale)
        if number == RUNS or smaller >= factor:
            break
        log.info("%s; refining", text)
        factor, options = _rounded(smaller), replace(options, overwrite=True)
    log.warning("%s; no finer mesh is tried", text)
    return _told(outcome, found, f"{text}; no finer mesh is tried")


def _plain(case: Case) -> Case:
    """Return the case without the wanted error bar, and with one."""
    mesh = case.mesh.model_copy(update={"width_percent": None})
    return case.model_copy(update={"mesh": mesh, "output": case.output.model_copy(update={"error_bar": True})})


def _first_factor(case: Case, comm: MPI.Comm, options: RunOptions, wanted: float) -> float:
    """Return the factor on the element sizes of the case for the first run, from two quick runs. Collective."""
    start = min(START, 0.5 * LARGEST / case.mesh.scale)
    try:
        percent = width_error(rescaled(case, start), comm, options.extensions)
    except RfablateError as error:
        log.info("no estimate from coarse meshes (%s): the first run has the accuracy of the case", error)
        return 1.0
    if percent is None:
        return 1.0
    factor = _rounded(start * min(1.0, max(SAFETY * wanted / percent, SMALLEST / (start * case.mesh.scale))))
    log.info("on meshes %g times as coarse the error bar of the width is %.2g %%", start, percent)
    return factor


def _percent(case: Case, summary: RunSummary) -> float | None:
    """Return the error bar of the width by the rule of the verdicts [% of the width]; None without lesion or bar."""
    rule = case.lesion.verdict_rule or case.lesion.rules[0]
    lesion = summary.lesion[rule]
    width, bar = lesion.width_mm, lesion.error_bar("width_mm")
    return 100.0 * bar / width if bar is not None and width else None


def _told(outcome: Outcome, case: Case, text: str) -> Outcome:
    """Return the outcome with a line on the card about the mesh that was found."""
    line = f"accuracy  {text}; mesh.scale = {case.mesh.scale:g}, time.tolerance_K = {case.time.tolerance:g}"
    log.info("%s", line)
    head, mark, tail = outcome.card.partition("\n  time ")
    return replace(outcome, card=f"{head}\n  {line}{mark}{tail}" if mark else outcome.card)


def _within(limits: tuple[float, float], value: float) -> float:
    return min(max(value, limits[0]), limits[1])


def _rounded(factor: float) -> float:
    """Return a factor with two significant digits, so that equal cases have equal, cached meshes."""
    return float(f"{factor:.2g}")


def _counted(number: int) -> str:
    return f"{number} run{'s' if number > 1 else ''}"
