"""The command-line verb `find`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.cli.study_verb import INTERRUPTED, NOT_ALL, count
from rfablate.study.find_run import answer_to, keep_answer
from rfablate.study.study_run import finish, study_name

if TYPE_CHECKING:
    from rfablate.study.inverse_search import SearchResult
    from rfablate.study.members import StudyDirectory


def add_find_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate find`."""
    parser.epilog = "exit codes: 0 found, 1 no value meets the goals, 2 bad case or goals, 6 interrupted"
    parser.add_argument("case", type=Path, metavar="CASE", help="case file, or a folder with a case.toml")
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="KEY[=LOW:HIGH]",
        help="a key to vary and its range (default: half to twice the case's value); may be repeated",
    )
    parser.add_argument(
        "--goal", action="append", default=[], metavar="COLUMN<=N", help="a limit (<= or >=) to meet; may be repeated"
    )
    aim = parser.add_mutually_exclusive_group()
    aim.add_argument("--minimise", metavar="COLUMN", help="a column of the study table, or a varied key")
    aim.add_argument("--maximise", metavar="COLUMN", help="a column of the study table, or a varied key")
    aim.add_argument("--shortest-hold", metavar="TARGET", help="smallest generator.hold_s that covers a target")
    aim.add_argument("--least-temperature", metavar="TARGET", help="lowest generator.target_degC that covers a target")
    aim.add_argument(
        "--largest-spacing", action="store_true", help="largest applicators.spacing_mm with one continuous lesion"
    )
    parser.add_argument(
        "--margin-mm",
        type=float,
        default=0.0,
        help="required depth inside the lesion of the target, or of the line between the tips [mm]",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="study directory (default: studies/find-<case>)"
    )
    parser.add_argument(
        "-j", "--jobs", type=count, metavar="N", help="concurrent runs (default: available cores / ranks)"
    )
    parser.add_argument("--retry-failed", action="store_true", help="repeat failed runs")
    parser.add_argument("--ranks", type=count, default=1, metavar="K", help="MPI ranks of each run (default: 1)")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="change a key of the case"
    )


def find(args: argparse.Namespace) -> int:
    """Search for the value of keys that meets the goals; return the exit code."""
    from rfablate.case.read.case_file import load_case
    from rfablate.cli.warm_members import start_warm
    from rfablate.study.goals import CommonQuestion, QuestionTexts, question_of
    from rfablate.study.members import StudyDirectory
    from rfablate.study.search_runs import Search
    from rfablate.study.worker_pool import Workers, slots_for

    case = load_case(args.case, args.overrides)
    shorthand = CommonQuestion(args.shortest_hold, args.least_temperature, args.largest_spacing, args.margin_mm)
    asked = QuestionTexts(args.vary, args.goal, args.minimise, args.maximise)
    question = question_of(case, asked, shorthand)
    search = Search(args.case, args.overrides, question)
    print(question, flush=True)
    directory = StudyDirectory(args.output or Path("studies") / f"find-{study_name(args.case, 'case.toml')}")
    with directory.alone() as lock:
        workers = Workers(start_warm(args.main, args.ranks), slots_for(args.ranks, args.jobs), lock)
        for failed in list(directory.failed.iterdir()) if args.retry_failed else ():
            directory.forget_failure(failed.name)
        try:
            answer = answer_to(search, directory, workers)
        except KeyboardInterrupt:
            print("\ninterrupted: finished runs are kept; repeat the command to continue", flush=True)
            return INTERRUPTED
        _print_answer(answer, directory)
        keep_answer(answer, directory)
        finish(search.plan, directory)
    return 0 if answer.x is not None else NOT_ALL


def _print_answer(answer: SearchResult, directory: StudyDirectory) -> None:
    from rfablate.study.search_runs import at_edge, shown

    question = answer.question
    if answer.x is None:
        print(f"no value meets the goals; closest: {shown(question, answer.nearest)}")
        print(f"  largest violation: {100 * answer.violation:.2g} % of the goal's value (of 1 where the value is 0)")
        return
    spread = f" ±{answer.spread:.2g}" if answer.spread is not None else ""
    print(f"result: {shown(question, answer.x)}{spread}")
    if answer.why:
        print(f"  search ended early: {answer.why}")
    for key in at_edge(question, answer.x):
        print(f"  {key} is at the end of its range: a wider range may give a better result")
    for column in dict.fromkeys([question.column, *(goal.column for goal in question.goals)]):
        bar = answer.numbers.get(f"{column}.bar")
        error = f" ±{bar:.2g}" if bar is not None else ""
        print(f"  {column} = {answer.numbers[column]:.5g}{error}")
    print(f"  confirmed by run {directory.members / answer.member}; {answer.runs} runs in total")
