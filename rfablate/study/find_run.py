"""Running the members that a search requests, and writing its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfablate.study.inverse_search import SearchResult
    from rfablate.study.members import StudyDirectory
    from rfablate.study.search_runs import Search
    from rfablate.study.study_plan import Member
    from rfablate.study.worker_pool import Workers


def keep_answer(answer: SearchResult, directory: StudyDirectory) -> None:
    """Write answer.json: the question, the result and all numbers of the run that confirms it."""
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


def answer_to(search: Search, directory: StudyDirectory, workers: Workers) -> SearchResult:
    """Search, running the members that have no result yet; return the answer.

    Raises:
        KeyboardInterrupt: finished runs are kept; the same search continues.
    """
    from rfablate.study.inverse_search import find

    return find(search, directory, lambda members: run_open(search, members, directory, workers))


def run_open(search: Search, members: Sequence[Member], directory: StudyDirectory, workers: Workers) -> None:
    """Run the members that have neither a result nor a failure yet, and print the result of each."""
    from rfablate.study.study_progress import MemberCounts, StudyProgress
    from rfablate.study.worker_pool import run_members

    todo = [member for member in dict.fromkeys(members) if directory.state(member.name) == "open"]
    progress = StudyProgress(MemberCounts(len(todo)), what="runs", told=lambda name: search.told(name, directory))
    run_members(search.plan, todo, directory, workers, progress)
    progress.clear()
