"""Measures memory bandwidth and MPI message costs on the ranks it is started with; prints one line of JSON.

    [mpirun -n 2] python -m hpc.scaling.rates

Memory: a = b + s c on arrays much larger than the caches, on all ranks at once: bytes of the three arrays (without
write-allocate reads) divided by processor time. MPI: medians over many calls.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
from mpi4py import MPI

LENGTH = 12_000_000
"""Numbers in each of the three arrays: 288 MB per rank."""
BLOCK = 16384
"""Numbers per block: a block stays in the core's cache between product and sum."""
LARGE = 1_000_000
"""Size of the message that determines the bandwidth [B]."""


def triad(comm: MPI.Comm) -> float:
    """Return the memory bandwidth of one rank while all ranks are active [B/s]. Collective."""
    a, b, c = (np.full(LENGTH, value) for value in (0.0, 1.0, 2.0))

    def work() -> None:
        for at in range(0, LENGTH, BLOCK):
            part = slice(at, at + BLOCK)
            np.multiply(c[part], 3.0, out=a[part])
            a[part] += b[part]

    return 24.0 * LENGTH / _median(comm, work, 7, time.process_time)


def _median(
    comm: MPI.Comm, work: Callable[[], object], times: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the time of a call on the slowest rank [s]. Collective."""
    seconds = []
    for _ in range(times):
        comm.Barrier()
        start = clock()
        work()
        seconds.append(clock() - start)
    return float(comm.allreduce(float(np.median(seconds)), op=MPI.MAX))


def ping(comm: MPI.Comm, n_bytes: int, times: int) -> float:
    """Return the time of a message between ranks 0 and 1 [s]. Collective."""
    buffer = np.zeros(n_bytes, dtype=np.int8)

    def there_and_back() -> None:
        if comm.rank == 0:
            comm.Send(buffer, 1)
            comm.Recv(buffer, 1)
        elif comm.rank == 1:
            comm.Recv(buffer, 0)
            comm.Send(buffer, 0)

    return 0.5 * _median(comm, there_and_back, times)


def main() -> None:
    """Measure and print on rank 0."""
    comm = MPI.COMM_WORLD
    found = {"ranks": comm.size, "triad_GB_per_s": triad(comm) / 1e9}
    if comm.size > 1:
        pair = np.zeros(2)
        latency = ping(comm, 8, 2000)
        found["latency_us"] = 1e6 * latency
        found["bandwidth_GB_per_s"] = LARGE / (ping(comm, LARGE, 100) - latency) / 1e9
        found["allreduce_us"] = 1e6 * _median(comm, lambda: comm.Allreduce(MPI.IN_PLACE, pair), 2000)
        found["pickled_allreduce_us"] = 1e6 * _median(comm, lambda: comm.allreduce(pair), 2000)
    if comm.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
