"""A study on a Slurm cluster: an array job that divides the members among its tasks, and a dependent collecting job.

Each task runs `rfablate study ... --share K/N` in its allocation: its members one after the other, each on the ranks
of the study. A task that reaches its time limit stops its member with a checkpoint and is requeued. A killed task
loses the work of its member since the last checkpoint. A repeated submission runs only the missing members.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rfablate.cluster.slurm import Site, guard, guarded, pattern, sbatch, script


@dataclass(frozen=True)
class StudyJob:
    """A study to be run by an array job."""

    study: Path
    overrides: Sequence[str]
    """KEY=VALUE for the case of every member."""
    output: Path
    """Study directory."""
    ranks: int
    """MPI ranks of each member."""
    members: int
    """Number of members left to run."""


def submit_study(job: StudyJob, site: Site) -> tuple[str, str]:
    """Write the two scripts into slurm/ of the study directory, submit them and return their job numbers.

    Raises:
        CaseError: sbatch is missing or rejects a script; the fault has its error message.
    """
    folder = job.output / "slurm"
    folder.mkdir(exist_ok=True)
    tasks = min(site.tasks, job.members)
    changes = [word for change in job.overrides for word in ("--set", change)]
    study = [str(job.study.resolve()), "-o", str(job.output.resolve())]
    verb = [sys.executable, "-m", "rfablate", "study", *study, *changes]
    array, behind = folder / "array.sh", folder / "collect.sh"
    array.write_text(array_script(verb, site, job.ranks, tasks, folder.resolve()), encoding="utf-8")
    behind.write_text(collect_script(verb, site, folder.resolve()), encoding="utf-8")
    number = sbatch([str(array)])
    return number, sbatch([f"--dependency=afterany:{number}", str(behind)])


def array_script(verb: Sequence[str], site: Site, ranks: int, tasks: int, folder: Path) -> str:
    """Return the script of the array job: task K runs the share K of `tasks` shares."""
    limit = f"%{site.at_once}" if site.at_once is not None else ""
    head = [
        f"--array=0-{tasks - 1}{limit}",
        f"--ntasks={ranks}",
        f"--output={pattern(folder)}/share-%a.log",
        *guard(site),
    ]
    share = [*verb, *(("--launcher", site.launcher) if ranks > 1 else ())]
    return script(
        "rfablate-study", site, head, guarded(f'{shlex.join(share)} --share "$SLURM_ARRAY_TASK_ID/{tasks}"', site)
    )


def collect_script(verb: Sequence[str], site: Site, folder: Path) -> str:
    """Return the script of the job that writes the table and the page."""
    return script(
        "rfablate-collect",
        site,
        ["--ntasks=1", f"--output={pattern(folder)}/collect.log"],
        f"exec {shlex.join(verb)} --collect",
    )
