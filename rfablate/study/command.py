"""The verbs `study` and `find` of the command line."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfablate.study.find import Answer
    from rfablate.study.members import StudyDirectory
    from rfablate.study.plan import Plan
    from rfablate.study.table import StudyTable

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
    parser.add_argument("--sensitivity", action="store_true", help="which axis matters how much (needs SALib)")
    parser.add_argument(
        "--predict",
        nargs="+",
        default=[],
        metavar="KEY=NUMBER",
        help="ask a surrogate between the rows (needs scikit-learn)",
    )


def add_find_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser what `rfablate find` takes."""
    parser.epilog = "exit codes: 0 found, 1 no value meets the goals, 2 bad case or question, 6 interrupted"
    parser.add_argument("case", type=Path, metavar="CASE", help="case file, or a folder with a case.toml")
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="KEY[=LOW:HIGH]",
        help="by default half to twice the case's value",
    )
    parser.add_argument("--goal", action="append", default=[], metavar="COLUMN<=N", help="a goal to meet; or >=")
    aim = parser.add_mutually_exclusive_group()
    aim.add_argument("--minimise", metavar="COLUMN", help="a column of a study's table, or a varied key")
    aim.add_argument("--maximise", metavar="COLUMN")
    aim.add_argument("--shortest-hold", metavar="TARGET", help="least generator.hold_s that covers a target")
    aim.add_argument("--least-temperature", metavar="TARGET", help="least generator.target_degC that covers a target")
    parser.add_argument("--margin-mm", type=float, default=0.0, help="beyond the target, for the two above")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="study directory (default: studies/find-<case>)"
    )
    parser.add_argument("-j", "--jobs", type=_count, metavar="N", help="runs at once (default: as the cores allow)")
    parser.add_argument("--ranks", type=_count, default=1, metavar="K", help="MPI ranks of a run")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="change a key"
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
        all_done = finish(plan, directory, sensitivity=args.sensitivity, predict=args.predict)
    return INTERRUPTED if interrupted else 0 if all_done else NOT_ALL


def find(args: argparse.Namespace) -> int:
    """Answer a question by a search; return the exit code."""
    from rfablate.case.load import load_case
    from rfablate.study.find import Search
    from rfablate.study.find import find as search_for
    from rfablate.study.goals import ask, to_cover
    from rfablate.study.members import StudyDirectory
    from rfablate.study.pool import start_run

    case = load_case(args.case, args.overrides)
    shorthand = {"generator.hold_s": args.shortest_hold, "generator.target_degC": args.least_temperature}
    key, target = next(((key, name) for key, name in shorthand.items() if name), ("", ""))
    if target:
        ranged = next((text for text in args.vary if text.partition("=")[0] == key), key)
        question = to_cover(case, ranged, target, args.margin_mm)
    else:
        question = ask(case, args.vary, args.goal, args.minimise, args.maximise)
    search = Search(args.case, args.overrides, question)
    print(question, flush=True)
    directory = StudyDirectory(args.output or Path("studies") / f"find-{_study_name(args.case, 'case.toml')}")
    with directory.alone() as lock:
        start = start_run(args.ranks)

        def run_these(members: Any) -> None:
            run_open(search.plan, members, directory, start, lock, ranks=args.ranks, jobs=args.jobs)

        try:
            answer = search_for(search, directory, run_these)
        except KeyboardInterrupt:
            print("\ninterrupted: the finished runs are kept; the same command goes on", flush=True)
            return INTERRUPTED
        _say_answer(answer, directory)
        _keep_answer(answer, directory)
        finish(search.plan, directory)
    return 0 if answer.x is not None else NOT_ALL


def _say_answer(answer: Answer, directory: StudyDirectory) -> None:
    from rfablate.study.find import at_edge, shown

    question = answer.question
    if answer.x is None:
        print(f"no value meets the goals; nearest: {shown(question, answer.nearest)}")
        print(f"  it misses by {100 * answer.violation:.2g} % of the goal's value")
        return
    spread = f" ±{answer.spread:.2g}" if answer.spread is not None else ""
    print(f"answer: {shown(question, answer.x)}{spread}")
    for key in at_edge(question, answer.x):
        print(f"  {key} is at the end of its range: a wider one may give a better answer")
    for column in dict.fromkeys([question.column, *(goal.column for goal in question.goals)]):
        bar = answer.numbers.get(f"{column}.bar")
        error = f" ±{bar:.2g}" if bar is not None else ""
        print(f"  {column} = {answer.numbers[column]:.5g}{error}")
    print(f"  proven by {directory.members / answer.member}, found in {answer.runs} runs")


def _keep_answer(answer: Answer, directory: StudyDirectory) -> None:
    """Write answer.json: the question, the answer, every number of the run that proves it."""
    from rfablate.output.summary import write_summary

    keys = [vary.key for vary in answer.question.varied]
    found = {
        "question": str(answer.question),
        "answer": None if answer.x is None else dict(zip(keys, answer.x, strict=True)),
        "nearest": dict(zip(keys, answer.nearest, strict=True)),
        "error_bar": answer.spread,
        "runs": answer.runs,
        "proven_by": answer.member,
        "numbers": answer.numbers,
    }
    write_summary(directory.path / "answer.json", found)


def run_open(
    plan: Plan, members: Any, directory: StudyDirectory, start: Any, lock: int, *, ranks: int, jobs: int | None
) -> None:
    """Run those of some members that have neither a result nor a failure yet."""
    from rfablate.study.pool import run_members, slots_for
    from rfablate.study.progress import StudyProgress

    todo = [member for member in dict.fromkeys(members) if directory.state(member.name) == "open"]
    progress = StudyProgress(len(todo), 0, 0)
    slots = slots_for(ranks, jobs)
    run_members(plan, todo, directory, start=start, slots=slots, lock=lock, progress=progress)


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


def finish(plan: Plan, directory: StudyDirectory, *, sensitivity: bool = False, predict: Sequence[str] = ()) -> bool:
    """Write the table and the page, say where; return whether every member is completed."""
    from rfablate.study.page import write_page
    from rfablate.study.table import collect

    begin = time.monotonic()
    table = collect(plan, directory)
    names = table.write(directory.path)
    extra = ""
    if sensitivity:
        extra = _sensitivity(plan, table, directory)
        names.append("sensitivity.csv")
    if predict:
        _predict(plan, table, predict)
    names.insert(0, write_page(directory.path, plan, table, extra).name)
    status = table.columns["status"]
    bad = sum(each in ("failed", "not run") for each in status)
    print(f"{table.length} rows, {bad} without a result, collected in {time.monotonic() - begin:.1f} s")
    print(f"written to {directory.path}: {', '.join(names)}", flush=True)
    return bad == 0


def _sensitivity(plan: Plan, table: StudyTable, directory: StudyDirectory) -> str:
    """Say and write the indices of the shown responses; return them as a section of the page."""
    from rfablate.study.data import shown_responses
    from rfablate.study.sensitivity import analyse, as_section, as_text, write_csv

    found = [analyse(plan, table, name) for name in shown_responses(plan, table)]
    for each in found:
        print(as_text(each))
    write_csv(found, directory.path / "sensitivity.csv")
    return as_section(found)


def _predict(plan: Plan, table: StudyTable, texts: Sequence[str]) -> None:
    """Say what surrogates of the shown responses expect at a point."""
    from rfablate.study.data import shown_responses
    from rfablate.study.surrogate import fit, parse_point

    for name in shown_responses(plan, table):
        model = fit(table, name)
        values, deviations = model.predict(parse_point(texts, model.keys))
        error = f"cross-validation error {model.rmse:.2g}, at worst {model.worst:.2g}, Q2 {model.q2:.4f}"
        print(f"{name} = {values[0]:.5g} ±{1.96 * deviations[0]:.2g} (95 % of the surrogate; {error})")


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


def _study_name(study_file: Path, usual: str = "study.toml") -> str:
    file = study_file.resolve()
    if file.is_dir():
        return file.name
    return file.parent.name if file.name == usual else file.stem
