"""Faults that every rank learns of, so that none waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mpi4py import MPI

from rfablate.errors import RfablateError, path_error

Value = TypeVar("Value")


def from_root(comm: MPI.Comm, work: Callable[[], Value]) -> Value:
    """Return on every rank what `work` gives on rank 0; if it raises, every rank raises the same. Collective."""
    return comm.bcast(on_root(comm, work))


def on_root(comm: MPI.Comm, work: Callable[[], Value]) -> Value | None:
    """Return what `work` gives on rank 0 and None elsewhere; if it raises, every rank raises the same. Collective."""
    value: Value | None = None
    fault: Exception | None = None
    if comm.rank == 0:
        try:
            value = work()
        except RfablateError as error:
            fault = error
        except OSError as error:
            fault = path_error(error)
        except Exception as error:  # told to all, raised with its traceback on rank 0
            comm.bcast(RfablateError(f"{type(error).__name__} on rank 0: {error}"))
            raise
    fault = comm.bcast(fault)
    if fault is not None:
        raise fault
    return value
