"""The verb `find` of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfablate.cli.study_verb import INTERRUPTED, NOT_ALL, count, finish, study_name

if TYPE_CHECKING:
    from rfablate.case.tables.schema import Case
    from rfablate.study.goals import Question
    from rfablate.study.inverse_search import Answer
    from rfablate.study.members import StudyDirectory
    from rfablate.study.search_runs import Search


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
    aim.add_argument("--largest-spacing", action="store_true", help="largest applicators.spacing_mm with one lesion")
    parser.add_argument(
        "--margin-mm", type=float, default=0.0, help="depth in the lesion of the target, or of the line between tips"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="study directory (default: studies/find-<case>)"
    )
    parser.add_argument("-j", "--jobs", type=count, metavar="N", help="runs at once (default: as the cores allow)")
    parser.add_argument("--retry-failed", action="store_true", help="run failed runs again")
    parser.add_argument("--ranks", type=count, default=1, metavar="K", help="MPI ranks of a run")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="change a key"
    )


def find(args: argparse.Namespace) -> int:
    """Answer a question by a search; return the exit code."""
    from rfablate.case.read.case_file import load_case
    from rfablate.study.inverse_search import find as search_for
    from rfablate.study.members import StudyDirectory
    from rfablate.study.search_runs import Search
    from rfablate.study.worker_pool import start_run

    case = load_case(args.case, args.overrides)
    question = _question(args, case)
    search = Search(args.case, args.overrides, question)
    print(question, flush=True)
    directory = StudyDirectory(args.output or Path("studies") / f"find-{study_name(args.case, 'case.toml')}")
    with directory.alone() as lock:
        start = start_run(args.ranks)
        for failed in list(directory.failed.iterdir()) if args.retry_failed else ():
            directory.forget_failure(failed.name)

        def run_these(members: Any) -> None:
            run_open(search, members, directory, start, lock, ranks=args.ranks, jobs=args.jobs)

        try:
            answer = search_for(search, directory, run_these)
        except KeyboardInterrupt:
            print("\ninterrupted: the finished runs are kept; the same command goes on", flush=True)
            return INTERRUPTED
        _say_answer(answer, directory)
        _keep_answer(answer, directory)
        finish(search.plan, directory)
    return 0 if answer.x is not None else NOT_ALL


def _question(args: argparse.Namespace, case: Case) -> Question:
    """Return what is asked, in a shorthand or in full."""
    from rfablate.case.geometry.applicator_spacing import SPACING
    from rfablate.study.goals import ask, to_cover, to_join

    shorthand = {
        "generator.hold_s": args.shortest_hold,
        "generator.target_degC": args.least_temperature,
        SPACING: args.largest_spacing,
    }
    key = next((key for key, wanted in shorthand.items() if wanted), None)
    if key is None:
        return ask(case, args.vary, args.goal, args.minimise, args.maximise)
    ranged = next((text for text in args.vary if text.partition("=")[0] == key), key)
    others = [text for text in args.vary if text != ranged]
    if key == SPACING:
        return to_join(case, ranged, args.margin_mm, others, args.goal)
    return to_cover(case, ranged, shorthand[key], args.margin_mm, others, args.goal)


def _say_answer(answer: Answer, directory: StudyDirectory) -> None:
    from rfablate.study.search_runs import at_edge, shown

    question = answer.question
    if answer.x is None:
        print(f"no value meets the goals; nearest: {shown(question, answer.nearest)}")
        print(f"  it misses by {100 * answer.violation:.2g} % of the goal's value (of 1, where that is 0)")
        return
    spread = f" ±{answer.spread:.2g}" if answer.spread is not None else ""
    print(f"answer: {shown(question, answer.x)}{spread}")
    if answer.why:
        print(f"  no closer: {answer.why}")
    for key in at_edge(question, answer.x):
        print(f"  {key} is at the end of its range: a wider one may give a better answer")
    for column in dict.fromkeys([question.column, *(goal.column for goal in question.goals)]):
        bar = answer.numbers.get(f"{column}.bar")
        error = f" ±{bar:.2g}" if bar is not None else ""
        print(f"  {column} = {answer.numbers[column]:.5g}{error}")
    print(f"  proven by {directory.members / answer.member}, found in {answer.runs} runs")


def _keep_answer(answer: Answer, directory: StudyDirectory) -> None:
    """Write answer.json: the question, the answer, every number of the run that proves it."""
    from rfablate.results.summary_file import write_summary

    keys = [vary.key for vary in answer.question.varied]
    found = {
        "question": str(answer.question),
        "answer": None if answer.x is None else dict(zip(keys, answer.x, strict=True)),
        "nearest": dict(zip(keys, answer.nearest, strict=True)),
        "error_bar": answer.spread,
        "no_closer": answer.why or None,
        "runs": answer.runs,
        "proven_by": answer.member,
        "numbers": answer.numbers,
    }
    write_summary(directory.path / "answer.json", found)


def run_open(
    search: Search, members: Any, directory: StudyDirectory, start: Any, lock: int, *, ranks: int, jobs: int | None
) -> None:
    """Run those of some members that have neither a result nor a failure yet, and say what each comes to."""
    from rfablate.study.study_progress import StudyProgress
    from rfablate.study.worker_pool import run_members, slots_for

    todo = [member for member in dict.fromkeys(members) if directory.state(member.name) == "open"]
    progress = StudyProgress(len(todo), 0, 0, what="runs", told=lambda name: search.told(name, directory))
    slots = slots_for(ranks, jobs)
    run_members(search.plan, todo, directory, start=start, slots=slots, lock=lock, progress=progress)
    progress.clear()
