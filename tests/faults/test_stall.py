"""A rank that does not advance is named with its stage and its state; the run continues when it does.

| law                                                              | allowed                              |
|------------------------------------------------------------------|--------------------------------------|
| rank 1 is stopped for longer than the limit                      | one report: rank 1, stopped, a stage |
| it continues                                                     | the run completes with exit code 0   |
| a run that advances                                              | no report                            |
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

from rfablate.simulation.stall_watchdog import RankMark, stall_text
from tests.faults.commands import CASE, SLOW, rows, sets, wait_for
from tests.mpi.launch import begin
from tests.mpi.test_resume import descendants


def test_a_report_begins_with_the_rank_that_is_stopped() -> None:
    marks = [RankMark(0, 11, "heat", 9.4, ""), RankMark(1, 12, "heat", 9.6, "stopped"), RankMark(2, 13, "write", 9, "")]
    first, *others = stall_text(marks, 5.0).splitlines()
    assert "no rank of this machine has advanced for 5 s" in first
    assert [line.split(":")[0].strip() for line in others] == [
        "rank 1 (process 12, stopped)", "rank 0 (process 11)", "rank 2 (process 13)",
    ]  # fmt: skip


def test_a_stopped_rank_is_named(tmp_path: Path) -> None:
    os.environ["RFABLATE_STALL_S"] = "3"
    folder = tmp_path / "run"
    keys = sets("generator.ramp_s=1", "generator.hold_s=1", "output.observe_at_s=[]", *SLOW)
    try:
        process = begin(2, ["-m", "rfablate", "run", CASE, "-o", folder, *keys])
    finally:
        del os.environ["RFABLATE_STALL_S"]
    try:
        wait_for(lambda: rows(folder) > 5 or process.poll() is not None)
        ranks = [pid for pid in descendants(process.pid) if b"rfablate" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        second = next(pid for pid in ranks if b"OMPI_COMM_WORLD_RANK=1" in Path(f"/proc/{pid}/environ").read_bytes())
        os.kill(second, signal.SIGSTOP)
        time.sleep(7.0)
        os.kill(second, signal.SIGCONT)
        text, _ = process.communicate(timeout=200)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, text
    reports = re.findall(r"has advanced for 3 s.*\n  rank 1 \(process (\d+), stopped\): stage \w+ for \d+ s", text)
    assert reports == [str(second)], text
