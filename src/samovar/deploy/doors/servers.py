"""Servers behind a door: started privately, opened once proven, retired by their successor.

A server outlives a supervisor that is killed. Each holds the lock of a file of its own, in which
its process id stands, so that others know which still run.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from samovar.deploy.commands import Finished, answer_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from samovar.core.digest import Digest

    Launch = Callable[[int | None, Callable[[], None]], subprocess.Popen[bytes]]

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
        What it serves, by the name that its supervisor has for it.
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
            if os.name != "posix":
                self._said += self.process.stdout.readline()  # pipes cannot be asked there
            while os.name == "posix" and select.select([self.process.stdout], [], [], 0)[0]:
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

    def is_gone(self) -> bool:
        """Say whether its process is gone and nobody will ask for its last words."""
        if not self.has_ended():
            return False
        if self.process.stdout is not None:
            self.process.stdout.close()
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


def start_noted(source: Digest, note: Path, launch: Launch) -> Server:
    """Start a server that holds the lock of a file, in which its process id stands.

    Parameters
    ----------
    source : Digest
        What it serves.
    note : Path
        The file; made here, removed when the server has ended.
    launch : callable
        Starts it, given the lock's descriptor, which it has to inherit, and what is to be called in
        the process before its program is. Where locks are not inherited there is no descriptor.
    """
    if os.name != "posix":
        # Locks are not inherited there; its supervisor is who lives.
        return Server(process=launch(None, lambda: None), note=note, source=source)
    import fcntl

    lock = os.open(note, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def sign() -> None:
            os.write(lock, str(os.getpid()).encode())

        process = launch(lock, sign)
    except OSError:
        note.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)
    return Server(process=process, note=note, source=source)
