"""Compiled kernels are loaded only from folders that no other user can write to; a run requires no HOME."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from rfablate.kernels import cache_folder as module
from rfablate.kernels.cache_folder import cache_folder

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    logging.getLogger("rfablate").propagate = True
    module._temporary.cache_clear()
    module._tell.cache_clear()


def _private(folder: Path) -> bool:
    return folder.is_dir() and folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o022


def test_a_cache_is_made_for_its_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = cache_folder("kernels")
    finally:
        os.umask(before)
    assert folder == tmp_path / "cache" / "rfablate" / "kernels" and _private(folder) and _private(folder.parent)


@pytest.mark.parametrize("level", ["rfablate", "rfablate/kernels"])
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_cache_others_can_write_to_is_not_used(
    tmp_path: Path, level: str, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    shared = tmp_path / "cache" / "rfablate" / "kernels"
    shared.mkdir(parents=True)
    (tmp_path / "cache" / level).chmod(mode)
    folder = cache_folder("kernels")
    assert (tmp_path / "tmp") in folder.parents and _private(folder)
    assert "other users can write to" in caplog.text and str(folder) in caplog.text
    assert cache_folder("kernels") == folder and len(caplog.records) == 1


@root_only
def test_a_cache_of_another_user_is_not_used(tmp_path: Path) -> None:
    shared = tmp_path / "cache" / "rfablate" / "kernels"
    shared.mkdir(parents=True)
    os.chown(shared, 65534, 65534)
    assert (tmp_path / "tmp") in cache_folder("kernels").parents


@root_only
def test_a_temporary_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    trap = tmp_path / "tmp" / f"rfablate-{os.geteuid()}"
    trap.mkdir()
    os.chown(trap, 65534, 65534)
    folder = cache_folder("kernels")
    assert trap not in folder.parents and _private(folder)


def test_a_link_in_the_temporary_folder_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tmp" / f"rfablate-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    folder = cache_folder("kernels")
    assert not list((tmp_path / "elsewhere").iterdir()) and _private(folder)


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null"])
def test_kernels_compile_without_a_home(
    home: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from rfablate.kernels.loader import compile_kernels

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", home)
    library = compile_kernels()
    assert library.is_file() and _private(library.parent)
    assert f"the cache {home}/.cache/rfablate/kernels cannot be used" in caplog.text
    assert compile_kernels() == library  # kept for the next run
