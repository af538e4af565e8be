"""Functions for studies, searches and comparisons of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfablate.api.run_result import RunResult
from rfablate.case.read.overrides import setting
from rfablate.errors import CaseError, Fault
from rfablate.results.run_directory import require_finished
from rfablate.results.run_reader import load_run

if TYPE_CHECKING:
    import pandas

    from rfablate.comparison.two_runs import Comparison
    from rfablate.study.inverse_search import SearchResult
    from rfablate.study.search_runs import Search
    from rfablate.study.uncertainty import Uncertainty


class StudyResult:
    """The results of a study: one row for each point of the design, and the run of each member."""

    def __init__(self, directory: str | Path, *, interrupted: bool = False, complete: bool = True) -> None:
        """Open the directory of a study whose table has been written."""
        self.directory = Path(directory)
        self.interrupted = interrupted
        """Whether Ctrl-C interrupted the study; the same call continues it."""
        self.complete = complete
        """Whether every row has a result."""

    @cached_property
    def table(self) -> pandas.DataFrame | dict[str, list[Any]]:
        """The table of the study: the axes, then each number of the run summaries under its path.

        A pandas DataFrame where pandas is installed, else a dict of columns; None marks a missing value.
        """
        import csv

        with (self.directory / "table.csv").open(newline="", encoding="utf-8") as file:
            head, *rows = list(csv.reader(file))
        columns = {name: [_number(row[i]) for row in rows] for i, name in enumerate(head)}
        try:
            import pandas
        except ImportError:
            return columns
        return pandas.DataFrame(columns)

    @cached_property
    def uncertainty(self) -> Uncertainty | None:
        """Bands of the numbers and probabilities of the verdicts; None without axes with a distribution."""
        from rfablate.study.uncertainty import read_uncertainty

        return read_uncertainty(self.directory)

    def run(self, member: str) -> RunResult:
        """Return the run of a member, by its name in the table."""
        return RunResult(self.directory / "members" / member)


def run_study(
    study: str | Path,
    directory: str | Path | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    retry_failed: bool = False,
) -> StudyResult:
    """Run the members of a study that have no result yet, and write the table and the page.

    Each member runs in a separate process.

    Args:
        study: study file, or its folder.
        directory: study directory; by default `studies/<study>`.
        changes: keys to change in the case of every member, as for `Case.with_changes`.
        jobs: number of concurrent members; by default the available cores divided by the ranks of a member.
        retry_failed: repeat members that failed before.

    Raises:
        CaseError: the study or its case has faults, or another process runs this study.
    """
    from rfablate.study.members import StudyDirectory
    from rfablate.study.study_plan import load_plan
    from rfablate.study.study_run import MemberChoice, finish, keep_study_file, run, study_name
    from rfablate.study.worker_pool import Workers, slots_for, start_run

    file = Path(study)
    plan = load_plan(file, [setting(key, value) for key, value in (changes or {}).items()])
    place = StudyDirectory(Path(directory) if directory is not None else Path("studies") / study_name(file))
    with place.alone() as lock:
        keep_study_file(file, place)
        workers = Workers(start_run(plan.study.ranks), slots_for(plan.study.ranks, jobs), lock)
        interrupted = run(plan, place, workers, MemberChoice(retry_failed=retry_failed))
        complete = finish(plan, place)
    return StudyResult(place.path, interrupted=interrupted, complete=complete)


def find(
    case: str | Path,
    *,
    vary: Mapping[str, tuple[float, float] | None] | Sequence[str] = (),
    goals: Sequence[str] = (),
    minimise: str | None = None,
    maximise: str | None = None,
    shortest_hold: str | None = None,
    least_temperature: str | None = None,
    largest_spacing: bool = False,
    margin_mm: float = 0.0,
    changes: Mapping[str, Any] | None = None,
    directory: str | Path | None = None,
    jobs: int | None = None,
    ranks: int = 1,
) -> SearchResult:
    """Search for the values of one or several keys of a case that meet the goals. Each run has a separate process.

    Args:
        case: case file, or its folder.
        vary: keys with their ranges, `{"generator.target_degC": (60, 90)}`; None: half to twice the case's value.
        goals: limits on columns, such as `"structures.spinal_nerve.max_degC<=45"`.
        minimise: a column of the study table, or a varied key.
        maximise: a column of the study table, or a varied key.
        shortest_hold: name of a target; finds the smallest `generator.hold_s` that covers it.
        least_temperature: name of a target; finds the lowest `generator.target_degC` that covers it.
        largest_spacing: find the largest `applicators.spacing_mm` that gives one continuous lesion.
        margin_mm: required depth inside the lesion of the target, or of the line between the tips [mm].
        changes: keys to change in the case, as for `Case.with_changes`.
        directory: study directory; by default `studies/find-<case>`.
        jobs: number of concurrent runs; by default the available cores divided by `ranks`.
        ranks: MPI ranks of each run.

    Returns:
        The result: `x` with one value for each varied key (None where no value meets the goals), `spread`, `numbers`
        and `member` (name) of the run that confirms it, and `why`.

    Raises:
        CaseError: the case or the goals have faults.
    """
    from rfablate.case.read.case_file import load_case
    from rfablate.study.goals import CommonQuestion, QuestionTexts, question_of
    from rfablate.study.search_runs import Search
    from rfablate.study.study_run import study_name

    file, texts = Path(case), [setting(key, value) for key, value in (changes or {}).items()]
    ranges = vary.items() if isinstance(vary, Mapping) else ()
    varied = [key if ends is None else f"{key}={ends[0]}:{ends[1]}" for key, ends in ranges] or list(vary)
    shorthand = CommonQuestion(shortest_hold, least_temperature, largest_spacing, margin_mm)
    asked = QuestionTexts(varied, goals, minimise, maximise)
    question = question_of(load_case(file, texts), asked, shorthand)
    usual = Path("studies") / f"find-{study_name(file, 'case.toml')}"
    return _answer(Search(file, texts, question), usual if directory is None else Path(directory), ranks, jobs)


def _answer(search: Search, directory: Path, ranks: int, jobs: int | None) -> SearchResult:
    """Run a search in a study directory and write its answer, table and page."""
    from rfablate.study.find_run import answer_to, keep_answer
    from rfablate.study.members import StudyDirectory
    from rfablate.study.study_run import finish
    from rfablate.study.worker_pool import Workers, slots_for, start_run

    place = StudyDirectory(directory)
    with place.alone() as lock:
        answer = answer_to(search, place, Workers(start_run(ranks), slots_for(ranks, jobs), lock))
        keep_answer(answer, place)
        finish(search.plan, place)
    return answer


def compare(a: RunResult | str | Path, b: RunResult | str | Path) -> Comparison:
    """Compare the cases, numbers and lesions of two finished runs; differences are B - A.

    Raises:
        CaseError: a directory has no finished run, or its files are damaged.
    """
    from rfablate.comparison.two_runs import compare_runs

    places = [each.directory if isinstance(each, RunResult) else Path(each) for each in (a, b)]
    require_finished(places, "compare")
    runs = [load_run(each) for each in places]
    return compare_runs(*runs)


def write_comparison(comparisons: Comparison | Sequence[Comparison], file: str | Path) -> Path:
    """Write the page of one or more comparisons: all lesions in one scene, difference maps, numbers. Root only.

    Args:
        comparisons: what `compare` returned; at most 7, with the same first run.
        file: HTML file to write; its links to the runs' reports are relative.

    Raises:
        CaseError: too many comparisons, different first runs, or a file that cannot be written.
    """
    from rfablate.comparison.comparison_page import LARGEST_NUMBER, write_comparison_page
    from rfablate.comparison.two_runs import Comparison

    pairs = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    if not 1 <= len(pairs) < LARGEST_NUMBER or len({pair.a.directory for pair in pairs}) > 1:
        problem = f"found {len(pairs)} comparisons of {len({pair.a.directory for pair in pairs})} first runs"
        raise CaseError(
            [Fault("comparisons", problem, f"1 to {LARGEST_NUMBER - 1} with the same first run")], "compare"
        )
    try:
        return write_comparison_page(pairs, Path(file))
    except OSError as error:
        raise CaseError([Fault(str(file), error.strerror or str(error), "a writable file")], "compare") from None


def _number(cell: str) -> Any:
    """Return a table cell: a number, its text where it is not a number, or None where it is empty."""
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return cell
