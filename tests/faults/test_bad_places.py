"""Runs in places that do not work well: read-only or full folders, odd paths, terminals and clocks.

| law                                                                    | allowed                             |
|------------------------------------------------------------------------|-------------------------------------|
| a run directory on a read-only file system                             | exit 2, the path and the reason     |
| it becomes read-only during the run                                    | exit 6, one message; resumable      |
| TMPDIR that does not exist, cannot be made, is full, or is slow        | the run completes                   |
| the clock is set back by an hour during the run                        | completes; times are not negative   |
| 20 columns, no TERM, LANG=C, a path with blanks and other letters      | the run completes, the bar fits     |
| SIGTERM while the report is drawn                                      | exit 6 or 0, summary.json complete  |
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environment import clean_environment
from tests.faults.commands import CASE, ROOT, SLOW, begin, rfablate, rows, sets, wait_for

KEYS = sets("generator.ramp_s=1", "generator.hold_s=1", "output.observe_at_s=[]")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", place], check=False).returncode:
        pytest.skip("cannot mount here")
    yield place
    subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    subprocess.run(["umount", place], check=True)


@root
def test_a_read_only_place_is_refused(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    done = rfablate("run", CASE, "-o", small / "run", *KEYS)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and "Read-only file system" in done.stderr and str(small) in done.stderr


@root
@pytest.mark.faults
def test_a_place_that_becomes_read_only_ends_the_run_resumable(small: Path) -> None:
    folder = small / "run"
    keys = [*KEYS, *sets(*SLOW, "output.checkpoint_every_s=0.2")]
    process = begin("run", CASE, "-o", folder, *keys)
    wait_for(lambda: (folder / "checkpoint.h5").is_file() or process.poll() is not None)
    process.send_signal(signal.SIGSTOP)
    # files that are open for writing prevent an ordinary remount
    done = subprocess.run(["mount", "-o", "remount,size=1k", small], check=False)
    process.send_signal(signal.SIGCONT)
    if done.returncode:
        subprocess.run(["dd", "if=/dev/zero", f"of={small}/ballast", "bs=1M"], check=False, capture_output=True)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 6 and "Traceback" not in errors and errors.count("error: ") == 1, errors
    (small / "ballast").unlink(missing_ok=True)
    assert rfablate("resume", folder).returncode == 0


@pytest.mark.parametrize("kind", ["missing", "below a file", pytest.param("full", marks=[root, pytest.mark.faults])])
def test_a_bad_tmpdir_stops_no_run(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    place = tmp_path / "none"
    if kind == "below a file":
        place.touch()
        place /= "none"
    if kind == "full":
        place = request.getfixturevalue("small")
        subprocess.run(["dd", "if=/dev/zero", f"of={place}/ballast", "bs=1M"], check=False, capture_output=True)
    done = rfablate("run", CASE, "-o", tmp_path / "run", *KEYS, env={"TMPDIR": str(place)})
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


SLOW_CALLS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static void hold(const char *path) {
    const char *slow = getenv("TMPDIR"), *log = getenv("SLOW_LOG");
    if (!slow || !log || !path || strncmp(path, slow, strlen(slow))) return;
    long file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    syscall(SYS_write, file, "x", 1);
    syscall(SYS_close, file);
    usleep(atoi(getenv("SLOW_US")));
}
#define MODE va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); hold(path);
#define REAL(name, ...) ((int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))
int open(const char *path, int flags, ...) { MODE return REAL("open", const char *, int, int)(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return REAL("open64", const char *, int, int)(path, flags, mode); }
int openat(int at, const char *path, int flags, ...) {
    MODE return REAL("openat", int, const char *, int, int)(at, path, flags, mode);
}
int mkdir(const char *path, unsigned mode) { hold(path); return REAL("mkdir", const char *, unsigned)(path, mode); }
int unlink(const char *path) { hold(path); return REAL("unlink", const char *)(path); }
FILE *fopen64(const char *path, const char *how) {
    hold(path);
    return ((FILE * (*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen64"))(path, how);
}
"""


@pytest.mark.parametrize("delay_s", [0.2, pytest.param(2.0, marks=pytest.mark.faults)])
def test_a_slow_tmpdir_delays_a_run_only(tmp_path: Path, delay_s: float) -> None:
    """Each file of TMPDIR is opened with a delay; the empty cache makes compiler and Gmsh use TMPDIR."""
    source, library, log, place = (tmp_path / name for name in ("slow.c", "slow.so", "calls", "tmp"))
    source.write_text(SLOW_CALLS)
    place.mkdir()
    subprocess.run(["cc", "-w", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    env = {"LD_PRELOAD": library, "TMPDIR": place, "SLOW_LOG": log, "SLOW_US": f"{1e6 * delay_s:.0f}"}
    env["XDG_CACHE_HOME"] = tmp_path / "cache"
    done = rfablate("run", CASE, "-o", tmp_path / "run", *KEYS, env={name: str(env[name]) for name in env}, timeout=280)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert log.stat().st_size > 3  # calls that were delayed
    assert not list(place.iterdir())


BACK = """
import sys, time
import rfablate.solve.loop as loop
from rfablate.cli.main import main

real, clock, calls = loop.solve_step, time.time, 0

def late(*args):
    global calls
    calls += 1
    if calls == 10:
        time.time = lambda: clock() - 3600.0
    return real(*args)

loop.solve_step = late
sys.exit(main())
"""


def test_a_clock_that_is_set_back_changes_nothing(tmp_path: Path) -> None:
    script, folder = tmp_path / "back.py", tmp_path / "run"
    script.write_text(BACK)
    done = subprocess.run(
        [sys.executable, script, "run", CASE, "-o", folder, *KEYS, *sets("output.checkpoint_wall_s=0.1")],
        capture_output=True, text=True, check=False, cwd=ROOT, env=clean_environment() | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    timing = json.loads((folder / "summary.json").read_text())["timing_s"]
    assert all(seconds >= 0.0 for seconds in timing.values()), timing


@pytest.mark.parametrize("term", ["xterm", ""])
def test_a_narrow_terminal_in_the_c_locale(tmp_path: Path, term: str) -> None:
    """A pseudo-terminal of 20 columns: the progress is drawn on one line; without TERM there are no sequences."""
    folder = tmp_path / "läsion mit Abstand ✂" / "run 1"
    folder.parent.mkdir()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 20, 0, 0))
    environment = {key: value for key, value in clean_environment().items() if key not in ("TERM", "COLUMNS")}
    environment |= {"TERM": term} if term else {}
    environment |= {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "rfablate", "run", CASE, "-o", folder, *KEYS, *sets(*SLOW)],
        stdout=theirs, stderr=subprocess.PIPE, cwd=ROOT, env=environment,
    )  # fmt: skip
    os.close(theirs)
    out = b""
    try:
        while piece := os.read(ours, 65536):
            out += piece
    except OSError:  # the other end is closed
        pass
    assert process.stderr is not None
    errors = process.stderr.read().decode(errors="replace")
    assert process.wait(timeout=120) == 0 and "Traceback" not in errors, (errors, out[-2000:])
    assert (folder / "summary.json").is_file()
    drawn = [re.sub(rb"\x1b\[[?0-9;]*[a-zA-Z]", b"", each).split(b"\r")[0] for each in out.split(b"\r\x1b[2K")[1:]]
    assert bool(drawn) is bool(term)
    assert all(len(line.decode(errors="replace")) <= 20 for line in drawn if b"\n" not in line), max(drawn, key=len)
    assert term or b"\x1b" not in out


@pytest.mark.parametrize("name", ["20.7", pytest.param("nowhere", marks=pytest.mark.faults)])
def test_sigterm_while_the_report_is_drawn_leaves_a_finished_run(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    process = begin("run", CASE, "-o", folder, *KEYS, *sets("output.report=true"))
    wait_for(lambda: (folder / "summary.json").is_file() or process.poll() is not None, timeout=120)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 6) and "Traceback" not in errors, (process.returncode, errors)
    json.loads((folder / "summary.json").read_text())
    assert not list(folder.glob("report.html.*"))
    assert rfablate("resume", folder).returncode == 0
    assert rfablate("report", folder).returncode == 0 and (folder / "report.html").is_file()


def test_rows_are_complete_lines(tmp_path: Path) -> None:
    """What another program reads during a run is whole."""
    folder = tmp_path / "run"
    process = begin("run", CASE, "-o", folder, *KEYS, *sets(*SLOW))
    wait_for(lambda: rows(folder) > 20 or process.poll() is not None)
    process.kill()
    process.communicate()
    head, *lines = (folder / "history.csv").read_text().split("\n")[:-1]
    assert lines and all(line.count(",") == head.count(",") for line in lines[:-1])
