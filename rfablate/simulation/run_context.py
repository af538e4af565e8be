"""Data shared by the parts of a run."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.case.tables.schema import Case
from rfablate.lesion.observer import Observer
from rfablate.problem.extensions import Extensions
from rfablate.problem.problem import Problem
from rfablate.results.run_directory import RunDirectory
from rfablate.simulation.side_process import SideProcess
from rfablate.timing import Stopwatch


@dataclass(frozen=True)
class RunContext:
    """A run in progress: case, problem, observer and run directory."""

    case: Case
    problem: Problem
    observer: Observer
    files: RunDirectory | None
    """Run directory; None except on rank 0."""
    watch: Stopwatch
    extensions: Extensions
    side: SideProcess | None = None
    """Process on a second core; None where there is none, and in a run on several ranks."""
