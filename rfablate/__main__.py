"""The command line: `rfablate VERB ...`. Only here: COMM_WORLD, printing of faults, exit codes."""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import sys
import traceback
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rfablate import __version__
from rfablate.errors import CaseError, Fault, RfablateError
from rfablate.study.command import add_study_arguments, study
from rfablate.study.find_command import add_find_arguments, find
from rfablate.submit import add_slurm_arguments, refuse_without_slurm, submit_again, submit_new

if TYPE_CHECKING:
    from mpi4py import MPI

    from rfablate.case.schema import Case
    from rfablate.run import Outcome

INTERRUPTED = 6
_THREADS = "OMP_NUM_THREADS"


class _Refused(RfablateError):
    """A fault of rank 0, told to every rank as text."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (by default the process's own) and return the exit code."""
    args = _parser().parse_args(argv)
    args.threads_unset = _THREADS not in os.environ
    os.environ.setdefault(_THREADS, "1")  # before numpy is imported: ranks are the parallelism, not threads
    _listen()
    command: Callable[[argparse.Namespace], int] = args.command
    try:
        return command(args)
    except RfablateError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, e.g. head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "rfablate":
            raise
        print(f"error: {error}; run ./install.sh, then `rfablate doctor` says what is missing", file=sys.stderr)
        return 1


def _listen() -> None:
    """Have signals end the command with its own exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2, signal.SIGALRM):
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # asks for a checkpoint: before the first step there is none


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; a little later where Python would drop it: in a finaliser or a weak callback."""
    inner = frame
    while inner is not None:
        if inner.f_code.co_name == "__del__" or inner.f_code.co_filename == weakref.__file__:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            return
        inner = inner.f_back
    raise KeyboardInterrupt


# --- arguments ------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rfablate",
        description="Predict the lesion of a radiofrequency electrode.",
        epilog="exit codes: 0 done, 2 bad case, 3 mesh, 4 solver, 5 structure over its limit, 6 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"rfablate {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    run = _verb(verbs, "run", _run, "simulate a case; also under mpirun")
    _case_arguments(run)
    run.add_argument("-o", "--output", type=Path, metavar="DIR", help="run directory (default: runs/<case>)")
    run.add_argument("--overwrite", action="store_true", help="replace an older run in the directory")
    run.add_argument("--quiet", action="store_true", help="print warnings and the lesion card only")
    add_slurm_arguments(run)

    again = _verb(verbs, "resume", _resume, "go on with a run that was stopped, killed or timed out; also under mpirun")
    again.add_argument("run", type=Path, metavar="RUN", help="run directory")
    again.add_argument("--quiet", action="store_true", help="print warnings and the lesion card only")
    add_slurm_arguments(again)

    _case_arguments(_verb(verbs, "check", _check, "say what a case would do, and everything wrong with it"))

    mesh = _verb(verbs, "mesh", _mesh, "mesh a case and stop")
    _case_arguments(mesh)
    mesh.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where to write (default: runs/<case>-mesh.vtkhdf)"
    )

    library = _verb(verbs, "library", _library, "list tissues, applicators or damage sets, with sources")
    library.add_argument("table", choices=("tissues", "applicators", "damage"))
    library.add_argument("name", nargs="?", help="one entry")
    library.add_argument("--pictures", type=Path, metavar="DIR", help="applicators: write a picture of each into DIR")

    report = _verb(verbs, "report", _report, "write report.html of a finished run again")
    report.add_argument("run", type=Path, metavar="RUN", help="run directory")

    add_study_arguments(_verb(verbs, "study", study, "run many members of a case, or go on with them"))
    add_find_arguments(_verb(verbs, "find", find, "search a case for the value that meets goals"))

    new = _verb(verbs, "new", _new, "write a commented case file to start from")
    new.add_argument("name", help="NAME or NAME.toml")

    _verb(verbs, "doctor", _doctor, "say what is missing or wrong on this machine")
    return parser


def _verb(verbs: Any, name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=command)
    return parser


def _case_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("case", type=Path, metavar="CASE", help="case file, or a folder with a case.toml")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key: generator.target_degC=80, structures.motor_root.diameter_mm=3; may be repeated",
    )


# --- verbs without MPI ----------------------------------------------------------------------------


def _check(args: argparse.Namespace) -> int:
    from rfablate.case.checks import case_warnings
    from rfablate.case.describe import describe_case
    from rfablate.case.load import load_case

    case = load_case(args.case, args.overrides)
    print(describe_case(case))
    warnings = case_warnings(case)
    print("", *(f"warning: {warning}" for warning in warnings), "no faults", sep="\n")
    return 0


def _library(args: argparse.Namespace) -> int:
    from rfablate import catalogue

    match args.table:
        case "tissues":
            print(catalogue.tissues_text(args.name))
        case "applicators":
            print(catalogue.applicators_text(args.name))
            if args.pictures is not None:
                print(_pictures(args.name, args.pictures))
        case _:
            print(catalogue.damage_text())
    return 0


def _pictures(name: str | None, folder: Path) -> str:
    """Write the pictures of one applicator, or of all; return what was written."""
    from rfablate.physics.library import applicator_names
    from rfablate.report.applicators import write_picture

    names = applicator_names() if name is None else (name,)
    try:
        files = [write_picture(each, folder) for each in names]
    except OSError as error:
        raise CaseError([Fault(str(folder), error.strerror or str(error), "a writable folder")], "library") from None
    return f"{len(files)} pictures in {folder}" if len(files) > 1 else str(files[0])


def _doctor(args: argparse.Namespace) -> int:
    from rfablate import doctor

    return doctor.main()


def _report(args: argparse.Namespace) -> int:
    if not (args.run / "summary.json").is_file():
        hint = "the folder that `rfablate run` wrote; a run that was stopped has no summary.json"
        raise CaseError([Fault(str(args.run), "no summary.json in it", "a finished run's directory", hint)], "report")
    from rfablate.report import write_report

    write_report(args.run)
    print(args.run / "report.html")
    return 0


def _new(args: argparse.Namespace) -> int:
    from importlib import resources

    file = Path(args.name if args.name.endswith(".toml") else f"{args.name}.toml")
    text = resources.files("rfablate.case").joinpath("starter.toml").read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text.replace("my lesion", file.stem, 1).replace("FILE", str(file)))
    except FileExistsError:
        raise CaseError([Fault(str(file), "exists already", "a new name", "nothing was written")], "new") from None
    except OSError as error:
        raise CaseError([Fault(str(file), error.strerror or str(error), "a writable place")], "new") from None
    print(f"{file} written; next: rfablate check {file}")
    return 0


# --- verbs with MPI -------------------------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    if args.slurm is not None:
        return submit_new(args, args.output or Path("runs") / _case_name(args.case))
    refuse_without_slurm(args)
    return _on_all_ranks(_run_collective, args)


def _resume(args: argparse.Namespace) -> int:
    if args.slurm is not None:
        return submit_again(args, args.run)
    refuse_without_slurm(args)
    return _on_all_ranks(_resume_collective, args)


def _mesh(args: argparse.Namespace) -> int:
    return _on_all_ranks(_mesh_collective, args)


def _on_all_ranks(work: Callable[[MPI.Comm, argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Return what `work` returns; a fault all ranks share ends them alike, any other ends them all at once.

    A rank that alone leaves would let the others wait for ever: it aborts them.
    """
    from mpi4py import MPI

    import rfablate.run  # noqa: F401 - a missing module is told before any rank sets to work

    comm = MPI.COMM_WORLD
    # MPI is finalised when Python has given signals back; Open MPI's daemon may then send SIGTERM to whom it sees go
    atexit.register(signal.signal, signal.SIGTERM, signal.SIG_IGN)
    try:
        return work(comm, args)
    except RfablateError as error:
        _say_error(comm, str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say_error(comm, "interrupted")
        code = INTERRUPTED
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    if comm.size > 1:
        comm.Abort(code)
    return code


def _say_error(comm: MPI.Comm, text: str) -> None:
    import logging

    log = logging.getLogger("rfablate")
    if comm.rank == 0:
        if log.handlers:
            log.error(text, extra={"file_only": True})
        print(f"error: {text}", file=sys.stderr, flush=True)


def _from_root(comm: MPI.Comm, work: Callable[[], Any]) -> Any:
    """Return on every rank what `work` returns on rank 0; its fault is raised on every rank. Collective."""
    told: tuple[Any, str, int] = (None, "", 0)
    if comm.rank == 0:
        try:
            told = (work(), "", 0)
        except RfablateError as error:
            told = (None, str(error), error.exit_code)
    value, text, code = comm.bcast(told)
    if text:
        raise _Refused(text, code)
    return value


def _run_collective(comm: MPI.Comm, args: argparse.Namespace) -> int:
    from rfablate.case.checks import case_warnings
    from rfablate.log import setup_log
    from rfablate.run import run

    _listen()  # once more: Open MPI 5 and PETSc may have taken the signals over when they were loaded
    directory = args.output or Path("runs") / _case_name(args.case)
    case: Case = _from_root(comm, lambda: _prepared(args, directory))
    log = setup_log(comm.rank, directory / "run.log", quiet=args.quiet)
    log.info("rfablate %s: %s", __version__, case.title)
    log.info("%s -> %s, %d rank%s", args.case, directory, comm.size, "s" if comm.size > 1 else "")
    if args.threads_unset:
        log.info("%s is not set: every rank uses one thread", _THREADS)
    for warning in case_warnings(case) if comm.rank == 0 else ():
        log.warning(warning)
    # The directory was found free, or given up, above; since then it holds the log.
    return _told(comm, run(case, directory, comm, overwrite=True))


def _resume_collective(comm: MPI.Comm, args: argparse.Namespace) -> int:
    from rfablate.case.load import load_case
    from rfablate.log import setup_log
    from rfablate.output.directory import ended
    from rfablate.run import resume

    _listen()
    reason = _from_root(comm, lambda: ended(args.run))
    if reason:
        if comm.rank == 0:
            print(f"{args.run} has nothing left to do: {reason}", flush=True)
        return 0
    case: Case = _from_root(comm, lambda: load_case(args.run))
    log = setup_log(comm.rank, args.run / "run.log", quiet=args.quiet, append=True)
    log.info("rfablate %s resumes %s: %s", __version__, args.run, case.title)
    return _told(comm, resume(case, args.run, comm))


def _told(comm: MPI.Comm, outcome: Outcome) -> int:
    """Print a run's card on rank 0; return the exit code."""
    import logging

    if comm.rank == 0:
        logging.getLogger("rfablate").info(outcome.card, extra={"file_only": True})
        print(outcome.card, flush=True)
    return outcome.exit_code


def _prepared(args: argparse.Namespace, directory: Path) -> Case:
    """Return the case, with a directory for its run that is free or may be overwritten. Root only."""
    from rfablate.case.load import load_case
    from rfablate.output.directory import refuse_own_start, refuse_used

    case = load_case(args.case, args.overrides)
    refuse_used(directory, overwrite=args.overwrite)
    refuse_own_start(directory, case)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = Fault(str(directory), error.strerror or str(error), "a place to write to", "choose another -o")
        raise CaseError([fault], "output") from None
    return case


def _mesh_collective(comm: MPI.Comm, args: argparse.Namespace) -> int:
    from rfablate.case.load import load_case
    from rfablate.log import setup_log

    case: Case = _from_root(comm, lambda: load_case(args.case, args.overrides))
    from rfablate.run import mesh_only

    setup_log(comm.rank)
    mesh_only(case, comm, args.output or Path("runs") / f"{_case_name(args.case)}-mesh.vtkhdf")
    return 0


def _case_name(case: Path) -> str:
    """Return what a run of this case file is called: its folder's name for a case.toml, else the file's."""
    path = case.resolve()
    if path.is_dir():
        return path.name
    return path.parent.name if path.name == "case.toml" else path.stem


if __name__ == "__main__":
    sys.exit(main())
