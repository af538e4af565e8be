"""Execution of tasks on rank 0 with error propagation to all ranks, so that no rank waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mpi4py import MPI

from rfablate.errors import RfablateError, path_error

Value = TypeVar("Value")


def from_root(comm: MPI.Comm, work: Callable[[], Value]) -> Value:
    """Return on every rank the result of `work` on rank 0; if it raises, all ranks raise the same error. Collective."""
    return comm.bcast(on_root(comm, work))


def on_root(comm: MPI.Comm, work: Callable[[], Value]) -> Value | None:
    """Return the result of `work` on rank 0, None elsewhere; if it raises, all ranks raise its error. Collective."""
    value: Value | None = None
    fault: Exception | None = None
    if comm.rank == 0:
        try:
            value = work()
        except RfablateError as error:
            fault = error
        except OSError as error:
            fault = path_error(error)
        except Exception as error:  # rank 0 keeps the original traceback
            comm.bcast(RfablateError(f"{type(error).__name__} on rank 0: {error}"))
            raise
    fault = comm.bcast(fault)
    if fault is not None:
        raise fault
    return value
