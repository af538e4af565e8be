"""A file for HDF5 that does not report failed writes to HDF5, because HDF5 crashes on a full disk.

The first error is stored and raised by `check`; later writes are discarded, so that HDF5 can close the file.
"""

from __future__ import annotations

import os
from pathlib import Path


class GuardedFile:
    """File object for h5py. Root only."""

    def __init__(self, path: Path) -> None:
        """Create or truncate the file; raises OSError where it cannot be created."""
        self.path = path
        self.fault: OSError | None = None
        self._number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._at = self._size = 0

    def check(self) -> None:
        """Raise OSError where a write has failed."""
        if self.fault is not None:
            raise self.fault

    def write(self, data: memoryview) -> int:
        """Write all of the data at the current position."""
        view, done = memoryview(data).cast("B"), 0
        while self.fault is None and done < len(view):
            try:
                done += os.pwrite(self._number, view[done:], self._at + done)
            except OSError as error:
                self.fault = OSError(error.errno, error.strerror, str(self.path))
        self._at += len(view)
        self._size = max(self._size, self._at)
        return len(view)

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer from the current position; discarded data read as zeros."""
        view = memoryview(buffer).cast("B")
        found = os.pread(self._number, len(view), self._at)
        view[: len(found)] = found
        view[len(found) :] = bytes(len(view) - len(found))
        self._at += len(view)
        return len(view)

    def read(self, size: int) -> bytes:
        """Return bytes from the current position."""
        buffer = bytearray(size)
        self.readinto(memoryview(buffer))
        return bytes(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, and return it."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Return the current position."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file."""
        self._size = self._at if size is None else size
        if self.fault is None:
            try:
                os.ftruncate(self._number, self._size)
            except OSError as error:
                self.fault = OSError(error.errno, error.strerror, str(self.path))
        return self._size

    def flush(self) -> None:
        """Do nothing: the file is not buffered."""

    def close(self) -> None:
        """Close the file; a second call has no effect."""
        if self._number >= 0:
            os.close(self._number)
            self._number = -1
