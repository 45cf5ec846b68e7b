"""Locks between processes: many writers of blobs, one changer of names, one collector.

Writers share a lock that the collector takes alone, so that a blob which no name reaches *yet* is
never collected. The system releases the locks of a process that dies.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_S = 60.0
_POLL_S = 0.02


@contextmanager
def shared(path: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock together with others who share it."""
    yield from _held(path, exclusive=False, wait_s=wait_s)


@contextmanager
def exclusive(
    path: Path, *, wait_s: float = WAIT_S, busy: Callable[[], Unavailable] | None = None
) -> Iterator[None]:
    """Hold the lock alone; ``busy`` gives what is raised where somebody else holds it."""
    yield from _held(path, exclusive=True, wait_s=wait_s, busy=busy)


def _held(
    path: Path,
    *,
    exclusive: bool,
    wait_s: float,
    busy: Callable[[], Unavailable] | None = None,
) -> Iterator[None]:
    if os.name != "posix":
        yield from _held_elsewhere(path, wait_s, busy)
        return
    import fcntl

    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    handle = _open(path, exclusive=exclusive)
    if handle is None:
        yield
        return
    try:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise (busy() if busy else _busy(path)) from None
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(handle)


def _open(path: Path, *, exclusive: bool) -> int | None:
    """Open the lock's file; None where there is none and none can be made, so nobody writes there.

    On a disk that is mounted read-only the file may be there, of whoever mounts it to write.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if exclusive or error.errno != errno.EROFS:
            raise
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _held_elsewhere(
    path: Path, wait_s: float, busy: Callable[[], Unavailable] | None
) -> Iterator[None]:
    """Where locks cannot be shared, everybody holds it alone."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=wait_s)
    try:
        lock.acquire()
    except Timeout:
        raise (busy() if busy else _busy(path)) from None
    try:
        yield
    finally:
        lock.release()


def _busy(path: Path) -> Unavailable:
    return Unavailable(
        "Another samovar is at work in the same store.",
        why=f"The lock {path} has been held for too long.",
        hint="Wait until it ends, or use another SAMOVAR_HOME.",
        code="store_busy",
    )
