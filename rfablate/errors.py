"""Errors of a run. Each message has the location, what was found, what was expected and what to try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault of a case: its location, what was found, what is expected, what to try."""

    where: str
    found: str
    expected: str
    suggestion: str = ""

    def __str__(self) -> str:
        """Return the fault as one line of text, with a second line for the suggestion."""
        line = (
            f"{self.where}: {self.found}; expected {self.expected}" if self.expected else f"{self.where}: {self.found}"
        )
        return f"{line}\n    try: {self.suggestion}" if self.suggestion else line


LONGEST_FAULT, LONGEST_MESSAGE, MOST_FAULTS = 1_000, 10_000, 40
"""Largest number of characters of a fault and of a message, and of faults in a message."""


def shortened(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Return a text of at most about `longest` characters: its ends, and the number of omitted characters."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} ... ({len(text) - 2 * half} characters left out) ... {text[-half:]}"


class RfablateError(Exception):
    """Base class of all errors shown to users; `exit_code` is the exit code of the command line."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        """Take the message, which is shortened if it is too long."""
        super().__init__(shortened(message))


class CaseError(RfablateError):
    """The case is invalid; `faults` holds every fault found, not only the first."""

    exit_code = 2

    def __init__(self, faults: Sequence[Fault], source: str = "case") -> None:
        """Store all faults of the case that was read from `source`."""
        self.faults = tuple(faults)
        self.source = source
        count = f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''} in {source}"
        lines = [f"  {shortened(str(fault), LONGEST_FAULT)}" for fault in self.faults[:MOST_FAULTS]]
        if len(self.faults) > MOST_FAULTS:
            lines.append(f"  and {len(self.faults) - MOST_FAULTS} more faults")
        super().__init__("\n".join([shortened(count, LONGEST_FAULT), *lines]))

    def __reduce__(self) -> tuple[type[CaseError], tuple[tuple[Fault, ...], str]]:
        """Return the constructor arguments, so that the error can be pickled and broadcast to other ranks."""
        return CaseError, (self.faults, self.source)


class MeshError(RfablateError):
    """The mesh could not be generated, read or mapped to tissues and surfaces."""

    exit_code = 3


class SolveError(RfablateError):
    """A linear solve did not converge, or a field has non-finite values."""

    exit_code = 4


class Interrupted(RfablateError):
    """The run was stopped by a signal; it can be resumed."""

    exit_code = 6


class StorageError(RfablateError):
    """A file of the run cannot be written; the run can then be resumed from its last checkpoint."""

    exit_code = 6


class StepError(RfablateError):
    """The time step reached its lower limit and the error is still above the tolerance."""

    exit_code = 4


def path_error(error: OSError) -> CaseError:
    """Return the fault for a path that the operating system rejects."""
    where = str(error.filename) if error.filename is not None else "a file"
    return CaseError([Fault(where, error.strerror or str(error), "a path that can be used", "")], "a path")
