"""`samovar run` in tests: started, asked without a pause, and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from cli import SAMOVAR
from engines.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW = [1, 0, 1, 24]
PATIENCE_S = 120


class Running:
    """`samovar run`, started and ended by the test."""

    def __init__(
        self, home: Path, *arguments: str, prefix: Sequence[str] = (), **variables: str
    ) -> None:
        self.process = subprocess.Popen(
            [*prefix, SAMOVAR, "run", "titanic", "--port", "0", "--json", *arguments],
            env={**os.environ, "SAMOVAR_HOME": str(home), **variables},
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"no ready line; exit {self.process.wait()}"
        self.ready = json.loads(line)
        self.url = self.ready["url"]

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(90) == 0
        assert self.process.stdout is not None
        assert self.process.stdout.read() == ""
        self.process.stdout.close()

    def kill(self) -> None:
        """End what may have ended by itself."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(90)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def ask(self, count: int) -> list[int]:
        """Send requests one after another and give their statuses."""
        with httpx.Client(trust_env=False) as client:
            return [
                client.post(f"{self.url}/predict", json=ROW, timeout=20).status_code
                for _ in range(count)
            ]


class Load:
    """Clients with kept connections that ask without a pause.

    ``answers`` has each answer's status, or the error of the connection; ``bodies`` its bytes.
    """

    def __init__(self, url: str, clients: int = 4) -> None:
        self.url = url
        self.answers: list[int | str] = []
        self.bodies: list[bytes] = []
        self._stop = threading.Event()
        self._clients = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post(f"{self.url}/predict", json=ROW)
                    self.bodies.append(answer.content)
                    self.answers.append(answer.status_code)
                except httpx.TransportError as error:
                    self.answers.append(repr(error))

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        self.wait_for(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def wait_for(self, more: int) -> None:
        """Wait for some more answers."""
        seen = len(self.answers)
        wait_until(
            lambda: self._stop.is_set() or len(self.answers) > seen + more, within_s=PATIENCE_S
        )

    def finish(self) -> None:
        """Ask some more, and no more."""
        self.wait_for(200)
        self._stop.set()
        for client in self._clients:
            client.join()


def is_alive(process: int) -> bool:
    """Whether a process runs; what nobody has waited for yet has ended too."""
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
