"""The options of a run that are not in its case."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.problem.extensions import NO_EXTENSIONS, Extensions
from rfablate.simulation.side_process import SideProcess


@dataclass(frozen=True)
class RunOptions:
    """How a case is run."""

    overwrite: bool = False
    """Whether an older run in the directory is replaced."""
    extensions: Extensions = NO_EXTENSIONS
    """User objects for parts of the case."""
    began: float | None = None
    """Start of the command [s of time.perf_counter]; None for now."""
    side: SideProcess | None = None
    """Process on a second core, for a run on one rank."""


DEFAULT_OPTIONS = RunOptions()
