"""The command line: `rfablate VERB ...`. Only this module uses COMM_WORLD, prints faults and sets exit codes."""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfablate.case.read.case_name import case_name
from rfablate.cli.check_verb import check
from rfablate.cli.collective_verbs import THREADS, mesh_case, report_error, resume_run, run_case
from rfablate.cli.compare_verb import add_compare_arguments, compare
from rfablate.cli.converge_verb import add_converge_arguments, converge_case
from rfablate.cli.credibility_verb import add_credibility_arguments, write_case_credibility
from rfablate.cli.explain_verb import add_explain_arguments, explain
from rfablate.cli.export_verb import add_export_arguments, export
from rfablate.cli.find_verb import add_find_arguments, find
from rfablate.cli.library_verb import library
from rfablate.cli.new_verb import add_new_arguments, new_file
from rfablate.cli.report_verb import report
from rfablate.cli.schema_verb import add_schema_arguments, schema
from rfablate.cli.study_verb import add_study_arguments, study
from rfablate.cli.validate_verb import add_validate_arguments, validate_model
from rfablate.cli.verify_verb import add_verify_arguments, verify_installation
from rfablate.cli.watch_verb import add_watch_arguments, watch_case
from rfablate.cluster.submit import add_slurm_arguments, refuse_without_slurm, submit_again, submit_new
from rfablate.errors import CaseError, Interrupted, RfablateError, path_error
from rfablate.signals import Aborted, install_handlers, was_interrupted
from rfablate.single_process import prepare_single_process
from rfablate.version import __version__

if TYPE_CHECKING:
    from mpi4py import MPI


INTERRUPTED = 6


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: that of the process) and return the exit code."""
    began = time.perf_counter()
    args = _parser().parse_args(argv)
    args.began = began
    args.threads_unset = THREADS not in os.environ
    os.environ.setdefault(THREADS, "1")  # before numpy is imported: parallelism comes from ranks, not from threads
    args.side = None
    args.main = main  # for the verbs that start runs
    install_handlers()
    command: Callable[[argparse.Namespace], int] = args.command
    try:
        return command(args)
    except RfablateError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, for example head, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {path_error(error)}", file=sys.stderr)
        return CaseError.exit_code
    except ModuleNotFoundError as error:
        if was_interrupted():
            print("interrupted", file=sys.stderr)
            return INTERRUPTED
        if (error.name or "").split(".")[0] == "rfablate":
            raise
        print(f"error: {error}; run ./install.sh, then `rfablate doctor` to find what is missing", file=sys.stderr)
        return 1
    except Exception:
        if not was_interrupted():  # a signal during an import of C code arrives as ImportError
            raise
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


# --- arguments ------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rfablate",
        description="Predict radiofrequency ablation lesions.",
        epilog="exit codes: 0 done, 2 bad case, 3 mesh, 4 solver, 5 temperature limit exceeded, 6 interrupted, "
        "130 aborted by a second ctrl-C",
    )
    parser.add_argument("--version", action="version", version=f"rfablate {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_case_verbs(verbs)
    _add_result_verbs(verbs)
    _add_study_verbs(verbs)
    _verb(verbs, "doctor", _doctor, "check the installation on this machine")
    return parser


def _add_case_verbs(verbs: Any) -> None:
    """Add the verbs that run, check or mesh a case, and the library."""
    run = _verb(verbs, "run", _run, "simulate a case; also under mpirun")
    _case_arguments(run)
    run.add_argument("-o", "--output", type=Path, metavar="DIR", help="run directory (default: runs/<case>)")
    run.add_argument("--overwrite", action="store_true", help="replace an older run in the directory")
    run.add_argument("--quiet", action="store_true", help="print warnings and the lesion card only")
    _add_one_process(run)
    run.add_argument(
        "--force",
        dest="overrides",
        action="append_const",
        const="output.check_machine=false",
        help="run even if memory or disk space of this machine seem too small",
    )
    add_slurm_arguments(run)

    again = _verb(verbs, "resume", _resume, "continue an interrupted run from its last checkpoint; also under mpirun")
    again.add_argument("run", type=Path, metavar="RUN", help="run directory")
    again.add_argument("--quiet", action="store_true", help="print warnings and the lesion card only")
    _add_one_process(again)
    add_slurm_arguments(again)

    again = _verb(verbs, "watch", watch_case, "run a case again whenever its file is saved, with a page that reloads")
    _case_arguments(again)
    add_watch_arguments(again)

    _case_arguments(_verb(verbs, "check", check, "describe a case without running it, and list all its faults"))

    mesh = _verb(verbs, "mesh", _mesh, "generate the mesh of a case without running it")
    _case_arguments(mesh)
    mesh.add_argument("-o", "--output", type=Path, metavar="FILE", help="mesh file (default: runs/<case>-mesh.vtkhdf)")
    mesh.add_argument("--distributed", type=Path, metavar="FILE", help="write a file for mesh.distributed_file instead")

    catalogue = _verb(verbs, "library", library, "list tissues, applicators or damage parameters, with sources")
    catalogue.add_argument("table", choices=("tissues", "applicators", "damage"))
    catalogue.add_argument("name", nargs="?", metavar="NAME", help="show one entry in full")
    catalogue.add_argument("--pictures", type=Path, metavar="DIR", help="write a picture of each applicator into DIR")


def _add_result_verbs(verbs: Any) -> None:
    """Add the verbs that read finished runs."""
    page = _verb(verbs, "report", report, "rewrite report.html of a finished run")
    page.add_argument("run", type=Path, metavar="RUN", help="run directory")
    page.add_argument("--movie", type=Path, metavar="FILE", help="write a movie of the lesion (.webp, .gif) instead")
    page.add_argument("--pdf", type=Path, metavar="FILE", help="write the report as a PDF file for printing instead")
    page.add_argument("--figures", type=Path, metavar="DIR", help="write every figure as SVG and PNG into DIR instead")
    page.add_argument("--picture", type=Path, metavar="FILE", help="write one picture of the run (PNG) instead")

    text = "report the differences between two finished runs"
    add_compare_arguments(_verb(verbs, "compare", compare, text))

    text = "write lesions and temperatures of a run for 3D Slicer, ITK-SNAP and other programs"
    add_export_arguments(_verb(verbs, "export", export, text))


def _add_study_verbs(verbs: Any) -> None:
    """Add the verbs with several runs of a case, and those that explain and write case files."""
    add_study_arguments(_verb(verbs, "study", study, "run or continue a parameter study"))
    add_find_arguments(_verb(verbs, "find", find, "search for the parameter values that meet given goals"))

    text = "estimate the numerical error of a case from runs on three meshes; also under mpirun"
    converge = _verb(verbs, "converge", _converge, text)
    _case_arguments(converge)
    add_converge_arguments(converge)
    text = "verify this installation against closed forms, balances and symmetries; also under mpirun"
    add_verify_arguments(_verb(verbs, "verify", _verify, text))
    text = "compare the model with published experiments and with your own; also under mpirun"
    add_validate_arguments(_verb(verbs, "validate", _validate, text))
    text = "write the credibility document of a case from its evidence; with --make also under mpirun"
    credibility = _verb(verbs, "credibility", _credibility, text)
    _case_arguments(credibility)
    add_credibility_arguments(credibility)
    add_explain_arguments(_verb(verbs, "explain", explain, "explain a key of a case or study file"))
    add_schema_arguments(_verb(verbs, "schema", schema, "print the JSON Schema of a case or study file, for editors"))

    new = _verb(verbs, "new", new_file, "write a commented case file to start from")
    new.add_argument("name", metavar="NAME", help="NAME or NAME.toml")
    add_new_arguments(new)


def _verb(verbs: Any, name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=command)
    return parser


def _add_one_process(parser: argparse.ArgumentParser) -> None:
    text = "use one process: compute error bar and pictures after the run, not beside it on a second core"
    parser.add_argument("--one-process", action="store_true", help=text)


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


def _doctor(args: argparse.Namespace) -> int:
    from rfablate.cli import doctor

    return doctor.main()


# --- verbs with MPI -------------------------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    if args.slurm is not None:
        _refuse_unfit_mesh(args)
        return submit_new(args, args.output or Path("runs") / case_name(args.case))
    refuse_without_slurm(args)
    return _on_all_ranks(run_case, args)


def _refuse_unfit_mesh(args: argparse.Namespace) -> None:
    """Check a user's mesh before the run directory of a job is made."""
    from rfablate.case.read.case_file import load_case

    case = load_case(args.case, args.overrides)
    if case.domain.kind == "mesh":
        from rfablate.cli.user_mesh_text import checked_mesh_text

        checked_mesh_text(case)


def _resume(args: argparse.Namespace) -> int:
    if args.slurm is not None:
        return submit_again(args, args.run)
    refuse_without_slurm(args)
    return _on_all_ranks(resume_run, args)


def _mesh(args: argparse.Namespace) -> int:
    return _on_all_ranks(mesh_case, args)


def _converge(args: argparse.Namespace) -> int:
    return _on_all_ranks(converge_case, args)


def _end_undisturbed() -> None:
    """Ignore further signals, so that they cannot change the exit code at the end of the command."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def _verify(args: argparse.Namespace) -> int:
    return _on_all_ranks(verify_installation, args)


def _start_mpi(args: argparse.Namespace) -> Any:
    """Import the solver, fork the process for a second core where the verb uses one, start MPI; return mpi4py.MPI."""
    import mpi4py

    mpi4py.rc.initialize, mpi4py.rc.finalize = False, True  # finalised at the very end, after all communicators
    from mpi4py import MPI

    from rfablate.cli.solver_import import import_solver

    import_solver()  # report a missing module before any rank starts to work
    if not getattr(args, "one_process", True):
        from rfablate.simulation.side_process import fork_side_process

        args.side = fork_side_process()
    if not MPI.Is_initialized():
        MPI.Init_thread(MPI.THREAD_MULTIPLE)
    return MPI


def _validate(args: argparse.Namespace) -> int:
    return _on_all_ranks(validate_model, args)


def _credibility(args: argparse.Namespace) -> int:
    return _on_all_ranks(write_case_credibility, args) if args.make else write_case_credibility(None, args)


def _on_all_ranks(work: Callable[[MPI.Comm, argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run `work` on all ranks and return its exit code.

    An RfablateError is raised on all ranks together, and each rank returns its exit code. After any other exception
    the rank aborts all ranks: a rank that left alone would block the others in their next collective call.
    """
    prepare_single_process()
    MPI = _start_mpi(args)
    comm = MPI.COMM_WORLD
    # MPI is finalised after Python has restored the signal handlers; the Open MPI daemon may then send SIGTERM to a
    # rank that exits.
    atexit.register(signal.signal, signal.SIGTERM, signal.SIG_IGN)
    try:
        return work(comm, args)
    except RfablateError as error:
        if isinstance(error, Interrupted):
            _end_undisturbed()
        report_error(comm, str(error))
        return error.exit_code
    except Aborted as error:
        _end_undisturbed()
        report_error(comm, "interrupted twice: aborted at once; the last checkpoint is the one before")
        code = error.exit_code
    except KeyboardInterrupt:
        _end_undisturbed()
        report_error(comm, "interrupted")
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of the last lines, e.g. head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {path_error(error)}", file=sys.stderr)
        code = CaseError.exit_code
    except BaseException:
        interrupted = was_interrupted()
        if interrupted:
            _end_undisturbed()
            report_error(comm, "interrupted")
        else:
            traceback.print_exc()
        code = INTERRUPTED if interrupted else 1
    finally:
        if args.side is not None:
            args.side.close()
    sys.stdout.flush()
    sys.stderr.flush()
    if comm.size > 1:
        comm.Abort(code)
    return code
