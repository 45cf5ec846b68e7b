"""Servers behind the door: started privately, opened once proven, retired by their successor.

A server outlives an agent that is killed. Each holds the lock of its file in ``servers/``, in which
its process id stands, so that the next agent knows which still run.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from samovar.deploy.agent import steps
from samovar.deploy.agent.steps import Finished, answer_of

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from samovar.core.digest import Digest
    from samovar.deploy.agent.settings import Settings

FOLDER: Final = "servers"
_MAX_LINE: Final = 65536


@dataclass(kw_only=True)
class Server:
    """One ``samovar serve``.

    Parameters
    ----------
    process : Popen
        Its process; it leads a group that its workers are in.
    note : Path
        The locked file that names it.
    source : Digest
        What the reference pointed to.
    """

    process: subprocess.Popen[bytes]
    note: Path
    source: Digest
    url: str | None = None
    bundle: str | None = None
    _said: bytearray = field(default_factory=bytearray)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def is_ready(self) -> bool:
        """Say whether it answers, privately; asks nobody, and does not wait."""
        if self.url is None and self.process.stdout is not None:
            while select.select([self.process.stdout], [], [], 0)[0]:
                piece = os.read(self.process.stdout.fileno(), _MAX_LINE)
                self._said += piece[: _MAX_LINE - len(self._said)]
                if not piece or b"\n" in piece:
                    break
            document = answer_of(0, bytes(self._said)).document
            if isinstance(document.get("url"), str):
                self.url, self.bundle = document["url"], str(document.get("digest"))
        return self.url is not None

    def has_ended(self) -> bool:
        """Say whether its process is gone, and tidy up where it is."""
        if self.process.poll() is None:
            return False
        self.note.unlink(missing_ok=True)
        return True

    def last_words(self) -> Finished:
        """Give how it ended, and what it said where it never became ready."""
        self.is_ready()
        answer = answer_of(self.process.returncode, bytes(self._said))
        if self.process.stdout is not None:
            self.process.stdout.close()
        return answer

    def open(self) -> None:
        """Let clients in."""
        self.process.send_signal(signal.SIGUSR2)

    def retire(self) -> None:
        """Let it answer those it has, while others answer new ones."""
        self.process.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        """Ask it to end; one that is not ready yet still has work to drop."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM if self.url else signal.SIGINT)

    def kill(self) -> None:
        """End it at once, with all its processes."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self.has_ended()


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
    import fcntl

    folder = settings.folder / FOLDER
    folder.mkdir(exist_ok=True)
    note = folder / f"{os.getpid()}-{os.urandom(4).hex()}"
    lock = os.open(note, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def sign() -> None:
            os.write(lock, str(os.getpid()).encode())

        process = steps.start(
            "serve", settings.exactly(source), "--host", "127.0.0.1", "--port", "0",
            "--door", str(door.fileno()), "--workers", settings.workers,
            *(["--app"] if settings.app else []),
            stdout=subprocess.PIPE, keep=(door.fileno(), lock), first=sign,
        )  # fmt: skip
    finally:
        os.close(lock)
    return Server(process=process, note=note, source=source)


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

    def has_ended(self) -> bool:
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
            if not self.has_ended():
                os.killpg(self.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if not self.has_ended():
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
