"""A Slurm cluster of two nodes with a separate munge, in a temporary folder; the daemons end with the test.

Both nodes are this host, each with a separate slurmd, port and PMIx folder, which srun would otherwise create twice.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NODES = ("n1", "n2")
CPUS = 4
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={base}/munge.socket
SlurmctldPort={port}
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool.%n
TmpFS={base}/tmp.%n
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd.%n.pid
SlurmctldLogFile={base}/slurmctld.log
SlurmdLogFile={base}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MinJobAge=3600
PartitionName=main Nodes={nodes} Default=YES MaxTime=INFINITE State=UP
"""
NODE = "NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory=8000 State=UNKNOWN\n"
"""Each node declares four cores and 8 GB, independent of the host."""


def missing() -> str:
    """Return the reason why no cluster can be started here; '' if one can."""
    lacking = [name for name in ("munged", "slurmctld", "slurmd", "sbatch", "mpirun") if _tool(name) is None]
    if lacking:
        return f"no {', '.join(lacking)}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "slurmd runs jobs as root only"


@contextmanager
def cluster() -> Iterator[Path]:
    """Run the daemons; yields the folder with slurm.conf, for SLURM_CONF, and the logs."""
    base = Path(tempfile.mkdtemp(prefix="slurm-"))  # short, for the socket's name
    base.chmod(0o755)
    started: list[Path] = []
    try:
        _start(base, started)
        yield base
    finally:
        subprocess.run(["scancel", "--user=root", "--signal=KILL", "--full"], env=_environment(base), check=False)
        _until(lambda: not _asked(base, "squeue", "--noheader"), 20)
        for file in reversed(started):
            _stop(file)
        shutil.rmtree(base, ignore_errors=True)


def _start(base: Path, started: list[Path]) -> None:
    host = socket.gethostname().split(".")[0]
    for folder in ("state", *(f"{each}.{node}" for node in NODES for each in ("spool", "tmp"))):
        (base / folder).mkdir()
    first, *ports = _free_ports(1 + len(NODES))
    nodes = [NODE.format(node=node, host=host, port=port, cpus=CPUS) for node, port in zip(NODES, ports, strict=True)]
    conf = CONF.format(host=host, base=base, port=first, nodes=",".join(NODES))
    (base / "slurm.conf").write_text("".join([*nodes, conf.lstrip()]))
    (base / "cgroup.conf").write_text("CgroupAutomount=no\n")
    key = base / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    names = {name: f"{base}/munge.{name}" for name in ("socket", "key", "log", "pid", "seed")}
    munged = [f"--{name if name == 'socket' else name + '-file'}={path}" for name, path in names.items()]
    _daemon(base, "munged", "--force", *munged, pid="munge.pid", started=started)
    _daemon(base, "slurmctld", "-i", pid="slurmctld.pid", started=started)
    for node in NODES:
        _daemon(base, "slurmd", "-N", node, pid=f"slurmd.{node}.pid", started=started)
    if not _until(lambda: _asked(base, "sinfo", "--noheader", "--format=%T %D") == f"idle {len(NODES)}", 20):
        logs = "".join(log.read_text()[-1500:] for log in sorted(base.glob("slurm*.log")))
        raise RuntimeError(f"Slurm does not come up: {logs}")


def _daemon(base: Path, name: str, *arguments: str, pid: str, started: list[Path]) -> None:
    tool = _tool(name)
    assert tool is not None
    started.append(base / pid)
    done = subprocess.run([tool, *arguments], env=_environment(base), capture_output=True, text=True, check=False)
    if done.returncode != 0 or not _until((base / pid).is_file, 10):
        raise RuntimeError(f"{name} does not start: {done.stderr}")


def _stop(pid_file: Path) -> None:
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        return
    if not _until(lambda: not _alive(pid), 10):
        os.kill(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _environment(base: Path) -> dict[str, str]:
    return {**os.environ, "SLURM_CONF": str(base / "slurm.conf")}


def _asked(base: Path, *command: str) -> str:
    return subprocess.run(command, env=_environment(base), capture_output=True, text=True, check=False).stdout.strip()


def _until(true: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _free_ports(count: int) -> list[int]:
    taken = [socket.socket() for _ in range(count)]
    for each in taken:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


def _tool(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
