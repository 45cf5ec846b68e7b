"""uWSGI as the server that ``supervise.py`` keeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOCKET = Path("run/uwsgi.sock")
FIFO = Path("run/uwsgi.fifo")
READY_WITHIN_S = 120.0
_PROGRAM = "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])"


class Backend:
    """uWSGI in this interpreter's environment."""

    def __init__(self, _arguments: list[str]) -> None:
        SOCKET.unlink(missing_ok=True)
        self._deadline = time.monotonic() + READY_WITHIN_S
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, "--ini", "uwsgi.ini"],
            env={**os.environ, "PYTHONPATH": str(HERE / "uwsgi")},
        )

    def is_ready(self) -> bool:
        """Say whether it listens."""
        return SOCKET.exists()

    def has_died(self) -> bool:
        """Say whether it ended, or never came to listen."""
        late = not SOCKET.exists() and time.monotonic() > self._deadline
        return late or self._process.poll() is not None

    def look_after(self) -> None:
        """Leave its workers to its master."""

    def replace(self) -> None:
        """Ask for a chain reload: one worker after the other."""
        with FIFO.open("wb", buffering=0) as fifo:
            fifo.write(b"c")

    def end(self, within_s: float) -> None:
        """End it, with patience."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(within_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
