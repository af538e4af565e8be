"""A study on a Slurm cluster: an array job whose tasks share the members, and a job behind it that collects.

Every task runs `rfablate study ... --share K/N` in its allocation: its members one after the other, each on the study's
ranks. A task that meets its time limit, or is killed, loses the member it was at: submit again, and what is done stays.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from rfablate.case.geometry import Table
from rfablate.case.suggest import did_you_mean
from rfablate.errors import CaseError, Fault

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Site(Table):
    """What a cluster wants to be told; keys as in `sbatch`."""

    partition: str | None = None
    account: str | None = None
    time: str = "01:00:00"
    """Time limit of a task, and of the collecting."""
    mem_per_cpu: str | None = None
    tasks: int = Field(default=100, ge=1)
    """Tasks of the array at most; each takes its share of the members."""
    at_once: int | None = Field(default=None, ge=1)
    """Tasks that run at once at most."""
    options: tuple[str, ...] = ()
    """Further `#SBATCH` options, each as it is written there."""
    setup: tuple[str, ...] = ()
    """Lines of the shell before rfablate starts: modules, environments."""


def load_site(file: Path) -> Site:
    """Return the site in a TOML file.

    Raises:
        CaseError: it cannot be read or has faults.
    """
    try:
        return Site.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CaseError([Fault(str(file), str(error), "a readable site file (.toml)")], str(file)) from None
    except ValidationError as error:
        known = list(Site.model_fields)
        faults = [
            Fault(
                str(item["loc"][0]), item["msg"], f"one of {', '.join(known)}", did_you_mean(str(item["loc"][0]), known)
            )
            for item in error.errors(include_url=False)
        ]
        raise CaseError(faults, str(file)) from None


def submit_study(
    study: Path, overrides: Sequence[str], output: Path, site: Site, ranks: int, members: int
) -> tuple[str, str]:
    """Write the two scripts into `output`/slurm, submit them and return their job numbers.

    Raises:
        CaseError: sbatch is missing or refuses them; says why.
    """
    folder = output / "slurm"
    folder.mkdir(exist_ok=True)
    tasks = min(site.tasks, members)
    changes = [word for change in overrides for word in ("--set", change)]
    verb = [sys.executable, "-m", "rfablate", "study", str(study.resolve()), "-o", str(output.resolve()), *changes]
    array, behind = folder / "array.sh", folder / "collect.sh"
    array.write_text(array_script(verb, site, ranks, tasks, folder.resolve()), encoding="utf-8")
    behind.write_text(collect_script(verb, site, folder.resolve()), encoding="utf-8")
    number = _sbatch([str(array)])
    return number, _sbatch([f"--dependency=afterany:{number}", str(behind)])


def array_script(verb: Sequence[str], site: Site, ranks: int, tasks: int, folder: Path) -> str:
    """Return the array job: task K runs share K of `tasks`."""
    limit = f"%{site.at_once}" if site.at_once is not None else ""
    head = [f"--array=0-{tasks - 1}{limit}", f"--ntasks={ranks}", f"--output={folder}/share-%a.log"]
    share = f'exec {shlex.join(verb)} --share "$SLURM_ARRAY_TASK_ID/{tasks}"'
    return _script("rfablate-study", site, head, share)


def collect_script(verb: Sequence[str], site: Site, folder: Path) -> str:
    """Return the job that writes the table and the page."""
    return _script(
        "rfablate-collect", site, ["--ntasks=1", f"--output={folder}/collect.log"], f"exec {shlex.join(verb)} --collect"
    )


def _script(name: str, site: Site, head: Sequence[str], command: str) -> str:
    given = {"partition": site.partition, "account": site.account, "time": site.time, "mem-per-cpu": site.mem_per_cpu}
    options = [
        f"--job-name={name}",
        *(f"--{key}={value}" for key, value in given.items() if value),
        *head,
        *site.options,
    ]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in options),
        "export OMP_NUM_THREADS=1",
        *site.setup,
        command,
    ]
    return "\n".join(lines) + "\n"


def _sbatch(arguments: Sequence[str]) -> str:
    try:
        done = subprocess.run(["sbatch", "--parsable", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        fault = Fault("--slurm", "no sbatch here", "a login node of a Slurm cluster")
        raise CaseError([fault], "slurm") from None
    if done.returncode != 0:
        raise CaseError(
            [Fault("sbatch", done.stderr.strip() or "refused", "a job it takes", "mend the site file")], "slurm"
        )
    return done.stdout.strip().partition(";")[0]
