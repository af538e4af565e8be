"""The command-line verb `study`."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.study.study_run import MemberChoice, finish, keep_study_file, run, study_name

if TYPE_CHECKING:
    from rfablate.study.members import StudyDirectory
    from rfablate.study.study_plan import Plan

INTERRUPTED = 6
NOT_ALL = 1


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate study`."""
    parser.epilog = "exit codes: 0 all members completed, 1 some failed, 2 bad study or case, 6 interrupted"
    parser.add_argument("study", type=Path, metavar="STUDY", help="study file, or a folder with a study.toml")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="study directory (default: studies/<study>)")
    parser.add_argument(
        "-j", "--jobs", type=count, metavar="N", help="concurrent members (default: available cores / ranks)"
    )
    parser.add_argument("--retry-failed", action="store_true", help="repeat failed members")
    parser.add_argument("--plan", action="store_true", help="print the members without running them")
    parser.add_argument(
        "--collect", action="store_true", help="write the table and the page of the finished members without running"
    )
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="change a key of every member"
    )
    parser.add_argument("--slurm", type=Path, metavar="SITE", help="submit the remaining members as a Slurm array job")
    parser.add_argument("--follow", action="store_true", help="with --slurm: print the job states until the jobs end")
    parser.add_argument(
        "--share", type=_share, metavar="K/N", help="run every N-th member from the K-th; write no table"
    )
    parser.add_argument(
        "--launcher",
        default="mpirun -n {ranks} --oversubscribe",
        metavar="TEXT",
        help="command that starts a member on several ranks",
    )
    parser.add_argument("--sensitivity", action="store_true", help="sensitivity indices of the axes (needs SALib)")
    parser.add_argument(
        "--predict",
        nargs="+",
        default=[],
        metavar="KEY=NUMBER",
        help="evaluate a surrogate at one point (needs scikit-learn)",
    )


def _share(text: str) -> tuple[int, int]:
    number, total = (int(part) for part in text.split("/"))
    if not 0 <= number < total:
        raise argparse.ArgumentTypeError("K must be from 0 to N - 1")
    return number, total


def count(text: str) -> int:
    """Return an argument as an integer of at least 1; raises ArgumentTypeError for smaller values."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def study(args: argparse.Namespace) -> int:
    """Run or continue a study; return the exit code."""
    from rfablate.cli.warm_members import start_warm
    from rfablate.study.members import StudyDirectory
    from rfablate.study.study_plan import load_plan
    from rfablate.study.worker_pool import Workers, slots_for

    plan = load_plan(args.study, args.overrides)
    path = args.output or Path("studies") / study_name(args.study)
    _print_plan(plan, path)
    if args.plan:
        return 0
    directory = StudyDirectory(path)
    if args.slurm is not None:
        return submit(args, plan, directory)
    start = start_warm(args.main, plan.study.ranks, args.launcher)
    if args.share is not None:
        with directory.alone(shared=True, queued=True):
            stopped = run(plan, directory, Workers(start, args.jobs or 1, lock=None), MemberChoice(args.share))
        return INTERRUPTED if stopped else 0
    with directory.alone(queued=args.collect) as lock:
        keep_study_file(args.study, directory)
        interrupted = False
        if not args.collect:
            workers = Workers(start, slots_for(plan.study.ranks, args.jobs), lock)
            interrupted = run(plan, directory, workers, MemberChoice(retry_failed=args.retry_failed))
        all_done = finish(plan, directory, sensitivity=args.sensitivity, predict=args.predict)
    return INTERRUPTED if interrupted else 0 if all_done else NOT_ALL


def submit(args: argparse.Namespace, plan: Plan, directory: StudyDirectory) -> int:
    """Submit the remaining members as an array job, followed by a job that collects; return the exit code."""
    from rfablate.cluster.slurm import follow, load_site
    from rfablate.study.slurm_array import StudyJob, submit_study

    site = load_site(args.slurm)
    with directory.alone(queued=True):
        keep_study_file(args.study, directory)
        states = [directory.state(member.name) for member in plan.members]
        if args.retry_failed:
            for member, state in zip(plan.members, states, strict=True):
                if state == "failed":
                    directory.forget_failure(member.name)
            states = ["open" if state == "failed" else state for state in states]
    if "open" not in states:
        print("no member left to run; --collect writes the table")
        return 0
    job = StudyJob(args.study, args.overrides, directory.path, plan.study.ranks, states.count("open"))
    jobs = submit_study(job, site)
    print(f"submitted: array job {jobs[0]}, collecting in job {jobs[1]}; scripts and logs in {directory.path}/slurm")
    if not args.follow:
        return 0

    def done() -> Counter[str]:
        return Counter(directory.state(member.name) for member in plan.members)

    follow(jobs, lambda: "members: " + ", ".join(f"{number} {state}" for state, number in sorted(done().items())))
    return 0 if done()["completed"] == len(plan.members) else NOT_ALL


def _print_plan(plan: Plan, path: Path) -> None:
    from rfablate.study.study_plan import axis_name

    rows = len(plan.points) * max(1, len(plan.history_values()))
    print(f"{plan.study.title or path.name}: {len(plan.members)} members, {rows} rows -> {path}")
    for axis in plan.axes:
        values = axis.values or ()
        shown = ", ".join(str(v) for v in (axis.labels or values)[:8]) + (", ..." if len(values) > 8 else "")
        shown = shown or f"{axis.low:g} to {axis.high:g}"
        note = " (read from one run)" if axis.from_history else ""
        print(f"  {axis_name(axis)}: {shown}{note}  [{axis.key}]")
