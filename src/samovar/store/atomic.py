"""Whole files or none: temporary file, fsync, rename, fsync of the folder."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Unfinished:
    """A file that has no name yet.

    Parameters
    ----------
    path : Path
        Where the bytes are until it gets one.
    file : file object
        Open for writing bytes.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path = path
        self.file = file

    def keep_as(self, path: Path, *, mode: int = 0o644, sync: bool = True) -> None:
        """Give the finished file its name; what stood there is replaced.

        Parameters
        ----------
        path : Path
            On the same file system.
        mode : int
            Permission bits, whatever the umask is.
        sync : bool
            False where whoever lets a name point to it syncs the folder first.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        self.rename_to(path, mode=mode)
        if sync:
            sync_folder(path.parent)

    def rename_to(self, path: Path, *, mode: int) -> None:
        """Give the file its name, wherever its bytes are by now."""
        self.file.close()
        self._path.chmod(mode)
        self._path.replace(path)

    def discard(self) -> None:
        """Remove the bytes, unless they were kept."""
        self.file.close()
        with suppress(OSError):
            self._path.unlink()


@contextmanager
def unfinished_file(folder: Path) -> Iterator[Unfinished]:
    """Open a file in a folder; it is gone afterwards unless it was kept under a name."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".unfinished-")
    unfinished = Unfinished(Path(name), os.fdopen(handle, "wb"))
    try:
        yield unfinished
    finally:
        unfinished.discard()


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a whole file or nothing."""
    with unfinished_file(path.parent) as unfinished:
        unfinished.file.write(data)
        unfinished.keep_as(path, mode=mode)


def write_memory(path: Path, data: bytes) -> None:
    """Write a file of a cache, whole or not at all while the machine runs.

    After a power cut it may be empty or torn: who reads it checks what it holds, and does the work
    again. Waiting for the disk would cost more than most such work.
    """
    with unfinished_file(path.parent) as unfinished:
        unfinished.file.write(data)
        unfinished.rename_to(path, mode=0o644)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut (POSIX; elsewhere the system does it)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
