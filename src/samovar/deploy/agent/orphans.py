"""Servers that outlived their agent: found by the locks that they hold, and retired by the next."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.deploy import commands
from samovar.deploy.doors.servers import Server, start_noted

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from samovar.core.digest import Digest
    from samovar.deploy.agent.settings import Settings

FOLDER: Final = "servers"


def start_server(settings: Settings, source: Digest, door: socket.socket) -> Server:
    """Start a server of a bundle; it listens privately, and knows the door.

    Parameters
    ----------
    settings : Settings
        How it serves.
    source : Digest
        What of the repository it serves.
    door : socket
        Bound; it inherits it.
    """
    folder = settings.folder / FOLDER
    folder.mkdir(exist_ok=True)
    note = folder / f"{os.getpid()}-{os.urandom(4).hex()}"

    def launch(lock: int | None, sign: Callable[[], None]) -> subprocess.Popen[bytes]:
        keep = tuple(one for one in (door.fileno(), lock) if one is not None)
        return commands.start(
            "serve", settings.exactly(source), "--host", "127.0.0.1", "--port", "0",
            "--door", str(door.fileno()), "--workers", settings.workers,
            *(["--app"] if settings.app else []),
            stdout=subprocess.PIPE, keep=keep, first=sign,
        )  # fmt: skip

    return start_noted(source, note, launch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A server whose agent was killed.

    Parameters
    ----------
    pid : int
        Of its process.
    note : Path
        The file whose lock it holds.
    """

    pid: int
    note: Path

    def is_gone(self) -> bool:
        """Say whether it and its workers are gone, and tidy up where they are."""
        if _is_held(self.note):
            return False
        self.note.unlink(missing_ok=True)
        return True

    def retire(self) -> None:
        """As ``Server.retire``."""
        self._signal(signal.SIGUSR1)

    def stop(self) -> None:
        """As ``Server.stop``."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its workers at once."""
        with suppress(ProcessLookupError, PermissionError):
            if not self.is_gone():
                os.killpg(self.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if not self.is_gone():
                os.kill(self.pid, number)


def find_orphans(settings: Settings) -> list[Orphan]:
    """Find the servers that an agent of this folder left behind; notes of dead ones are removed."""
    found = []
    folder = settings.folder / FOLDER
    for note in sorted(folder.iterdir()) if folder.is_dir() else []:
        text = note.read_text(encoding="ascii", errors="replace")
        if not _is_held(note):
            note.unlink(missing_ok=True)
        elif text.isdigit():
            found.append(Orphan(pid=int(text), note=note))
    return found


def _is_held(note: Path) -> bool:
    """Say whether a process holds the lock of a note."""
    import fcntl

    try:
        handle: Any = os.open(note, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
