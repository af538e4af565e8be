"""Users' binary files are read in a child process.

| law                                                       | allowed                                   |
|-----------------------------------------------------------|-------------------------------------------|
| a reader that crashes, hangs, or takes too much memory    | an error within its limit; the caller lives |
| result and exception of a reader                          | as without the child                      |
| overhead of a child                                       | 0.2 s (measured: docs/faults.md)          |
| a child                                                   | none left                                 |
"""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

import numpy as np
import pytest

from rfablate.case.tables import label_reader
from rfablate.errors import CaseError, MeshError
from rfablate.isolation import ReaderCrashed, isolated
from rfablate.mesh import user_mesh
from tests.phantom import phantom_labels, write_image


def _children() -> int:
    return sum(f" {os.getpid()} " in _stat(path) for path in Path("/proc").glob("[0-9]*/stat"))


def _stat(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_result_and_exception_pass_through() -> None:
    before = _children()
    assert np.array_equal(isolated(lambda: np.arange(1_000_000)), np.arange(1_000_000))
    with pytest.raises(MeshError, match="as is"):
        isolated(lambda: (_ for _ in ()).throw(MeshError("as is")))
    assert _children() == before


def test_a_crash_is_an_error_with_its_signal() -> None:
    with pytest.raises(ReaderCrashed, match="SIGSEGV"):
        isolated(lambda: ctypes.string_at(8))


def test_a_reader_that_does_not_end_is_ended() -> None:
    begin, before = time.monotonic(), _children()
    with pytest.raises(ReaderCrashed, match="within 0.5 s"):
        isolated(lambda: time.sleep(60), seconds=0.5)
    assert time.monotonic() - begin < 10.0 and _children() == before


def test_memory_is_limited() -> None:
    with pytest.raises((ReaderCrashed, MemoryError)):
        isolated(lambda: bytearray(1 << 32), memory=1 << 28)


def test_a_child_costs_little() -> None:
    begin = time.process_time()
    for _ in range(10):
        isolated(lambda: 1)
    assert (time.process_time() - begin) / 10 < 0.2


def test_a_crash_of_simpleitk_and_meshio_is_a_located_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "ph.nii.gz", phantom_labels())
    monkeypatch.setattr(label_reader, "_read_image", lambda *_: ctypes.string_at(8))
    with pytest.raises(CaseError, match=r"ph\.nii\.gz: its reader crashed \(SIGSEGV\)"):
        label_reader.read_label_image(tmp_path / "ph.nii.gz", "RAS")
    monkeypatch.setattr(user_mesh, "_read_meshio", lambda *_: ctypes.string_at(8))
    with pytest.raises(MeshError, match=r"cannot read m\.vtu: its reader crashed \(SIGSEGV\)"):
        user_mesh._isolated_meshio(tmp_path / "m.vtu", 3)
