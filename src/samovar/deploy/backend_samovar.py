"""samovar's own server as the one that ``supervise.py`` keeps.

The socket that NGINX connects to is held here and inherited by servers: one that is being replaced
leaves it only when the next one takes connections there (``samovar serve --door``).
"""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

SOCKET = Path("run/samovar.sock")
READY = Path("run/ready.json")
BACKLOG = 2048


class Backend:
    """``samovar serve``, and the socket in front of it.

    Parameters
    ----------
    arguments : list of str
        Its command.
    """

    def __init__(self, arguments: list[str]) -> None:
        SOCKET.unlink(missing_ok=True)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(str(SOCKET))
        SOCKET.chmod(0o660)
        self._door.listen(BACKLOG)
        self._command = [
            *arguments, "--port", "0", "--door", str(self._door.fileno()), "--json",
        ]  # fmt: skip
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._coming: subprocess.Popen[bytes] | None = self._start()
        self._current = self._coming

    def is_ready(self) -> bool:
        """Say whether it answers."""
        self.look_after()
        return self._coming is None

    def has_died(self) -> bool:
        """Say whether the server that answers ended."""
        return self._current.poll() is not None

    def look_after(self) -> None:
        """Open the door to a server that has become ready, and let the one before it leave."""
        self._leaving = [process for process in self._leaving if process.poll() is None]
        coming = self._coming
        if coming is None:
            return
        if coming.poll() is not None and coming is not self._current:
            self._coming = None  # it did not start, and said why; the old one stays
        elif self._is_announced():
            coming.send_signal(signal.SIGUSR2)
            if coming is not self._current:
                self._current.send_signal(signal.SIGUSR1)
                self._leaving.append(self._current)
            self._current, self._coming = coming, None

    def replace(self) -> None:
        """Start the next server beside the one that answers."""
        if self._coming is None:
            self._coming = self._start()

    def end(self, within_s: float) -> None:
        """End all, with patience."""
        self._door.close()
        processes = [self._current, *self._leaving]
        if self._coming is not None and self._coming is not self._current:
            processes.append(self._coming)
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(within_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        SOCKET.unlink(missing_ok=True)

    def _start(self) -> subprocess.Popen[bytes]:
        with READY.open("wb") as said:
            return subprocess.Popen(self._command, stdout=said, pass_fds=(self._door.fileno(),))

    def _is_announced(self) -> bool:
        """Say whether the one line that says that it is ready is whole."""
        said = READY.read_bytes()
        return said.endswith(b"\n") and b'"url"' in said
