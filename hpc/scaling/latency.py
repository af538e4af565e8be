"""Measures a step of two ranks over a connection of known latency and compares it with the counted messages. Root.

    python -m hpc.scaling latency

`tc netem` needs a kernel module that some kernels lack. Here the two ranks run in two network namespaces. A process
connects the TUN devices of the namespaces and delays each packet by the given latency. MPI uses TCP over these devices.
The slope of the step time over the latency is the number of sequential messages per step.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from hpc.scaling.launch import Result, probe, table

SPACES = ("rfablate-1", "rfablate-2")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
STEPS = 12


def relay(latency: float) -> None:
    """Forward packets between the namespaces, each `latency` [s] after its arrival, until the process is ended."""
    libc = ctypes.CDLL(None, use_errno=True)
    ends = []
    for space in SPACES:
        with open(f"/run/netns/{space}") as file:
            if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
        ends.append(end)
    print("ready", flush=True)
    waiting: deque[tuple[float, int, bytes]] = deque()
    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 1.0
        for end in select.select(ends, [], [], left)[0]:
            packet = os.read(end, 65536)
            waiting.append((time.monotonic() + latency, ends[1 - ends.index(end)], packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, to, packet = waiting.popleft()
            with suppress(OSError):  # device not ready or full: TCP retransmits
                os.write(to, packet)


@contextmanager
def delayed_link(latency: float) -> Iterator[list[str]]:
    """Provide the launcher of two ranks connected with the given latency [s]."""
    process = None
    try:
        for space in SPACES:
            subprocess.run(["ip", "netns", "add", space], check=True)
            subprocess.run(["ip", "-n", space, "link", "set", "lo", "up"], check=True)
        command = [sys.executable, "-m", "hpc.scaling.latency", str(latency)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit("no TUN device: the kernel does not support it, or the user is not root")
        for space, address in zip(SPACES, ADDRESSES, strict=True):
            subprocess.run(["ip", "-n", space, "addr", "add", f"{address}/24", "dev", "tun0"], check=True)
            subprocess.run(["ip", "-n", space, "link", "set", "tun0", "up"], check=True)
        with tempfile.TemporaryDirectory() as folder:
            yield _launcher(Path(folder))
    finally:
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for space in SPACES:
            subprocess.run(["ip", "netns", "del", space], stderr=subprocess.DEVNULL, check=False)


def _launcher(folder: Path) -> list[str]:
    """Return mpirun with its options; its remote shell is replaced by a command in the other namespace."""
    agent = folder / "agent"
    agent.write_text(f'#!/bin/sh\nshift\nexec ip netns exec {SPACES[1]} sh -c "$*"\n')
    agent.chmod(agent.stat().st_mode | stat.S_IXUSR)
    hosts = ",".join(f"{address}:1" for address in ADDRESSES)
    options = {"plm_rsh_agent": str(agent), "btl": "self,tcp", "pml": "ob1", "mpi_yield_when_idle": "1"}
    options |= {"btl_tcp_if_include": "tun0", "oob_tcp_if_include": "tun0"}
    start = ["ip", "netns", "exec", SPACES[0], "mpirun", "-n", "2", "--host", hosts]
    return [*start, *(part for pair in options.items() for part in ("--mca", *pair))]


def expected(run: Result) -> float:
    """Return the counted number of sequential messages per step on two ranks.

    In each exchange, reduction and gather both ranks send at the same time and wait for the message of the other rank.
    """
    return float(sum(run["counts"][kind]["calls"] for kind in ("exchange", "allreduce", "gather")))


def measure(mesh: str, latencies: tuple[float, ...]) -> tuple[list[Result], str]:
    """Return the probe's results by latency [s], and a table with the slope and the expected number."""
    runs: list[Result] = []
    for latency in latencies:
        with delayed_link(latency) as launcher:
            runs.append({"latency_s": latency, **probe(mesh, 2, STEPS, counted=True, launcher=launcher)})
    rows: list[list[object]] = [["latency ms", "ms per step"]]
    rows += [[f"{1e3 * run['latency_s']:g}", f"{1e3 * run['step_s']:.1f}"] for run in runs]
    slope = np.polyfit([run["latency_s"] for run in runs], [run["step_s"] for run in runs], 1)[0]
    return runs, f"{table(rows)}\n\n{slope:.1f} latencies per step measured; {expected(runs[-1]):.1f} counted"


if __name__ == "__main__":
    relay(float(sys.argv[1]))
