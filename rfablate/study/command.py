"""The verbs `study` and `find` of the command line."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfablate.study.members import StudyDirectory
    from rfablate.study.plan import Plan

INTERRUPTED = 6
NOT_ALL = 1


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser what `rfablate study` takes."""
    parser.epilog = "exit codes: 0 all members completed, 1 some failed, 2 bad study or case, 6 interrupted"
    parser.add_argument("study", type=Path, metavar="STUDY", help="study file, or a folder with a study.toml")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="study directory (default: studies/<study>)")
    parser.add_argument("-j", "--jobs", type=_count, metavar="N", help="members at once (default: as the cores allow)")
    parser.add_argument("--retry-failed", action="store_true", help="run failed members again")
    parser.add_argument("--plan", action="store_true", help="say what would be run, and stop")
    parser.add_argument(
        "--collect", action="store_true", help="write the table and the page of what is there, and stop"
    )
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="change a key of every member"
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def study(args: argparse.Namespace) -> int:
    """Run, or go on with, a study; return the exit code."""
    from rfablate.study.members import StudyDirectory
    from rfablate.study.plan import load_plan
    from rfablate.study.pool import start_run

    plan = load_plan(args.study, args.overrides)
    path = args.output or Path("studies") / _study_name(args.study)
    _say_plan(plan, path)
    if args.plan:
        return 0
    directory = StudyDirectory(path)
    with directory.alone() as lock:
        _keep_study_file(args.study, directory)
        interrupted = False
        if not args.collect:
            start = start_run(plan.study.ranks)
            interrupted = run(plan, directory, start, lock, jobs=args.jobs, retry_failed=args.retry_failed)
        all_done = finish(plan, directory)
    return INTERRUPTED if interrupted else 0 if all_done else NOT_ALL


def run(
    plan: Plan, directory: StudyDirectory, start: Any, lock: int, *, jobs: int | None = None, retry_failed: bool = False
) -> bool:
    """Run the members that are still open; return whether it was interrupted."""
    from rfablate.study.pool import run_members, slots_for
    from rfablate.study.progress import StudyProgress

    states = [directory.state(member.name) for member in plan.members]
    if retry_failed:
        for member, state in zip(plan.members, states, strict=True):
            if state == "failed":
                directory.forget_failure(member.name)
        states = ["open" if state == "failed" else state for state in states]
    todo = [member for member, state in zip(plan.members, states, strict=True) if state == "open"]
    done, failed = states.count("completed"), states.count("failed")
    if done or failed:
        print(f"from before: {done} completed, {failed} failed; {len(todo)} to run", flush=True)
    progress = StudyProgress(len(states), done, failed)
    slots, interrupted = slots_for(plan.study.ranks, jobs), False
    try:
        run_members(plan, todo, directory, start=start, slots=slots, lock=lock, progress=progress)
    except KeyboardInterrupt:
        interrupted = True
        print("\ninterrupted: the finished members are kept; the same command goes on", flush=True)
    progress.show(0, last=True)
    return interrupted


def finish(plan: Plan, directory: StudyDirectory) -> bool:
    """Write the table and the page, say where; return whether every member is completed."""
    from rfablate.study.page import write_page
    from rfablate.study.table import collect

    begin = time.monotonic()
    table = collect(plan, directory)
    names = [write_page(directory.path, plan, table).name, *table.write(directory.path)]
    status = table.columns["status"]
    bad = sum(each in ("failed", "not run") for each in status)
    print(f"{table.length} rows, {bad} without a result, collected in {time.monotonic() - begin:.1f} s")
    print(f"written to {directory.path}: {', '.join(names)}", flush=True)
    return bad == 0


def _say_plan(plan: Plan, path: Path) -> None:
    from rfablate.study.plan import axis_name

    rows = len(plan.points) * max(1, len(plan.history_values()))
    print(f"{plan.study.title or path.name}: {len(plan.members)} members, {rows} rows -> {path}")
    for axis in plan.axes:
        values = axis.values or ()
        shown = ", ".join(str(v) for v in (axis.labels or values)[:8]) + (", ..." if len(values) > 8 else "")
        shown = shown or f"{axis.low:g} to {axis.high:g}"
        how = " (from one run's history)" if axis.from_history else ""
        print(f"  {axis_name(axis)}: {shown}{how}  [{axis.key}]")


def _keep_study_file(study_file: Path, directory: StudyDirectory) -> None:
    source = study_file / "study.toml" if study_file.is_dir() else study_file
    target = directory.path / "study.toml"
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)


def _study_name(study_file: Path) -> str:
    file = study_file.resolve()
    if file.is_dir():
        return file.name
    return file.parent.name if file.name == "study.toml" else file.stem
