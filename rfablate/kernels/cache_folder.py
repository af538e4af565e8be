"""Folder of compiled kernels and meshes: the user's cache, or a temporary folder where the cache cannot be used.

A library from the cache is executed, so a folder that other users own or can write to is not used: they could have put
a library into it.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import stat
import tempfile
from functools import cache
from pathlib import Path

log = logging.getLogger("rfablate")


def cache_folder(name: str) -> Path:
    """Return the folder for one kind of files. It exists, and only this user (or root) can write to it."""
    folder = _home() / "rfablate" / name
    if reason := refused(folder):
        other = _temporary() / name
        _tell(folder, reason, other)
        other.mkdir(mode=0o700, parents=True, exist_ok=True)
        return other
    return folder


def refused(folder: Path) -> str:
    """Create a folder of the cache; return the reason why it cannot be used, '' if it can."""
    try:
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        for each in (folder.parent, folder):
            each.mkdir(mode=0o700, exist_ok=True)
            found = each.stat()
            if found.st_uid not in (0, os.geteuid()):
                return f"user {found.st_uid} owns {each}"
            if stat.S_IMODE(found.st_mode) & 0o022:
                return f"other users can write to {each} (chmod -R go-w makes it safe)"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _home() -> Path:
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base)
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # neither HOME nor an entry of the user database
        return Path("/nonexistent")


@cache
def _temporary() -> Path:
    """Return a fixed folder of this user in the temporary folder; a new one if that belongs to another user."""
    folder = Path(tempfile.gettempdir()) / f"rfablate-{os.geteuid()}"
    if not folder.is_symlink() and not refused(folder / "cache"):
        return folder / "cache"
    made = Path(tempfile.mkdtemp(prefix="rfablate-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def _tell(folder: Path, reason: str, other: Path) -> None:
    log.warning(
        "the cache %s cannot be used: %s; %s is used instead (XDG_CACHE_HOME sets the folder)", folder, reason, other
    )
