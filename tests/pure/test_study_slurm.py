"""Studies on Slurm: scripts, submissions, and shares that never run a member twice."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rfablate.cli.main import main
from rfablate.cluster.slurm import Site, load_site, run_script
from rfablate.errors import CaseError
from rfablate.study.members import StudyDirectory
from rfablate.study.slurm_array import array_script, collect_script
from rfablate.study.worker_pool import start_run

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parents[2]
STUDY = (
    f'base = "{DATA / "trigeminal.toml"}"\n[[axes]]\nkey = "generator.target_degC"\nlow = 50\nhigh = 80\ncount = 12\n'
)
SHARE = f"""
import sys
from pathlib import Path
from rfablate.study.study_run import MemberChoice, run
from rfablate.study.members import StudyDirectory
from rfablate.study.worker_pool import Workers, start_run
from rfablate.study.study_plan import load_plan
folder, number, of = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
plan, directory = load_plan(folder / "study.toml"), StudyDirectory(folder / "out")
with directory.alone(shared=True):
    start = start_run(command=(sys.executable, {str(DATA / "stub_solver.py")!r}))
    run(plan, directory, Workers(start, 1, None), MemberChoice((number, of)))
"""


def test_the_scripts_say_what_the_site_wants() -> None:
    site = Site(partition="short", time="00:30:00", at_once=4, options=("--exclusive",), setup=("module load mpi",))
    text = array_script(["rfablate", "study", "a b.toml"], site, ranks=8, tasks=20, folder=Path("/out"))
    lines = text.splitlines()
    assert lines[0] == "#!/bin/bash"
    wanted = ["partition=short", "time=00:30:00", "array=0-19%4", "ntasks=8", "exclusive", "output=/out/share-%a.log"]
    assert [line for line in wanted if f"#SBATCH --{line}" not in lines] == []
    command = "rfablate study 'a b.toml' --launcher 'mpirun -n {ranks}' --share \"$SLURM_ARRAY_TASK_ID/20\" &"
    assert lines.index("module load mpi") < lines.index(command)
    assert "--account" not in text
    assert collect_script(["rfablate"], site, Path("/out")).endswith("exec rfablate --collect\n")


def test_the_scripts_are_sound_shell(tmp_path: Path) -> None:
    (tmp_path / "array.sh").write_text(array_script(["true", "it's"], Site(), 1, 3, tmp_path))
    assert subprocess.run(["bash", "-n", tmp_path / "array.sh"], check=False).returncode == 0


def test_a_runs_script_is_sound_and_resumes_where_it_can(tmp_path: Path) -> None:
    site = Site(launcher="srun -n {ranks} --mpi=pmix", warn_s=120, requeues=3)
    file = tmp_path / "run.sh"
    file.write_text(run_script(tmp_path / "it's here", site, ranks=8, nodes=2))
    assert subprocess.run(["bash", "-n", file], check=False).returncode == 0
    text = file.read_text()
    wanted = ["#SBATCH --ntasks=8", "#SBATCH --nodes=2", "#SBATCH --signal=B:USR1@120", "#SBATCH --requeue"]
    assert [line for line in wanted if f"{line}\n" not in text] == []
    assert f'\nsrun -n 8 --mpi=pmix {sys.executable} -m rfablate "${{verb[@]}}" &\n' in text
    assert "srun" not in run_script(tmp_path, site, ranks=1, nodes=None)


def test_ranks_without_slurm_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(DATA / "trigeminal.toml"), "--ranks", "4"]) == 2
    assert "mpirun -n" in capsys.readouterr().err


@pytest.mark.parametrize("left", ["", "checkpoint.h5", "checkpoint.older.h5"])
def test_a_member_goes_on_from_its_checkpoint(tmp_path: Path, left: str) -> None:
    if left:
        (tmp_path / left).touch()
    with (tmp_path / ".lock").open("w") as lock:
        assert start_run(command=("echo",))(tmp_path, lock.fileno()).wait(10) == 0
    assert (tmp_path / "console.txt").read_text().split()[0] == ("resume" if left else "run")


def test_a_wrong_site_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('partion = "short"\n')
    with pytest.raises(CaseError, match="did you mean partition"):
        load_site(tmp_path / "site.toml")


def test_the_example_site_is_sound() -> None:
    site = load_site(ROOT / "hpc" / "sites" / "example.toml")
    assert set(site.model_fields_set) == set(Site.model_fields) - {"account"}


def test_what_is_open_is_submitted_with_collecting_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub of sbatch records its input; a completed study submits nothing."""
    (tmp_path / "bin").mkdir()
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/given\nwc -l < {tmp_path}/given\n')
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / "site.toml").write_text("tasks = 5\n")
    arguments = ["study", str(tmp_path), "-o", str(tmp_path / "out"), "--slurm", str(tmp_path / "site.toml")]
    assert main(arguments) == 0
    given = (tmp_path / "given").read_text().splitlines()
    assert given[0].endswith("slurm/array.sh") and "--dependency=afterany:1 " in given[1]
    assert "#SBATCH --array=0-4\n" in (tmp_path / "out" / "slurm" / "array.sh").read_text()
    sbatch.write_text("#!/bin/sh\necho 'Invalid account' >&2\nexit 1\n")
    assert main(arguments) == 2


def test_a_job_that_ends_before_its_run_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stubs of sbatch, whose job logs its failure, and of squeue, which lists no job."""
    (tmp_path / "bin").mkdir()
    run = tmp_path / "run"
    for name, does in (("sbatch", f"echo no space left > {run}/slurm.log; echo 7"), ("squeue", "true")):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "site.toml").write_text("")
    site = ["--slurm", str(tmp_path / "site.toml"), "--follow"]
    assert main(["run", str(DATA / "trigeminal.toml"), "-o", str(run), *site]) == 1
    said = capsys.readouterr().out
    assert "job 7 ended before the run;" in said and said.rstrip().endswith("no space left")
    (tmp_path / "bin" / "sbatch").write_text(f"#!/bin/sh\nrm {run}/slurm.log; echo 8\n")
    assert main(["resume", str(run), *site]) == 1
    assert "the job did not start" in capsys.readouterr().out


def test_shares_that_overlap_run_each_member_once(tmp_path: Path) -> None:
    """Two thirds and two halves at the same time, as after a second submission: 12 members, 12 starts."""
    (tmp_path / "study.toml").write_text(STUDY)
    environment = {**os.environ, "STUB_LOG": str(tmp_path / "log"), "STUB_SLEEP": "0.05", "PYTHONPATH": str(ROOT)}
    shares = [(0, 2), (1, 2), (0, 3), (1, 3)]
    processes = [
        subprocess.Popen([sys.executable, "-c", SHARE, str(tmp_path), str(k), str(n)], env=environment)
        for k, n in shares
    ]
    assert [process.wait(120) for process in processes] == [0, 0, 0, 0]
    assert len((tmp_path / "log").read_text().split()) == 12
    assert len(list(tmp_path.glob("out/members/*/summary.json"))) == 12


def test_a_member_is_claimed_by_one(tmp_path: Path) -> None:
    directory = StudyDirectory(tmp_path)
    claim = directory.claim("a")
    assert claim is not None and StudyDirectory(tmp_path).claim("a") is None
    os.close(claim)
    assert directory.claim("a") is not None


HOSTILE = "a b; touch /tmp/none $(id) `id` 'x\" #%a"


def test_every_value_of_a_script_is_quoted(tmp_path: Path) -> None:
    """The shell reads each value as one word; what sbatch reads is one option."""
    site = Site(partition=HOSTILE, account=HOSTILE, time=HOSTILE, mem_per_cpu=HOSTILE)
    folder = tmp_path / HOSTILE.replace("/", "_")
    text = run_script(folder, site, 2, None)
    (tmp_path / "job.sh").write_text(text)
    assert subprocess.run(["bash", "-n", tmp_path / "job.sh"], check=False).returncode == 0
    options = [shlex.split(line.removeprefix("#SBATCH ")) for line in text.splitlines() if line.startswith("#SBATCH")]
    assert all(len(words) == 1 for words in options)
    assert [words[0] for words in options if words[0].startswith("--account")] == [f"--account={HOSTILE}"]
    assert f"--output={str(folder).replace('%', '%%')}/slurm.log" in [words[0] for words in options]
    (line,) = (line for line in text.splitlines() if line.startswith("run="))
    assert shlex.split(line) == [f"run={folder}"]


@pytest.mark.parametrize("key", ["account", "options", "setup", "launcher"])
def test_a_line_break_in_a_site_file_is_refused(tmp_path: Path, key: str) -> None:
    value = '["--x\\nrm"]' if key in ("options", "setup") else '"x\\nrm"'
    (tmp_path / "site.toml").write_text(f"{key} = {value}\n")
    with pytest.raises(CaseError, match=f"{key}.*one line of printable characters"):
        load_site(tmp_path / "site.toml")
    (tmp_path / "site.toml").write_text('launcher = "srun \'x"\n')
    with pytest.raises(CaseError, match="launcher.*command of the shell"):
        load_site(tmp_path / "site.toml")
