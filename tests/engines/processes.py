"""Find programs, start servers and end them; the one place where a test may be skipped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_STARTED_WITHIN_S = 60.0
_ENDED_WITHIN_S = 20.0


def unavailable(sentence: str) -> NoReturn:
    """Skip the test with a sentence that says how to get its engine; with CI=true, fail."""
    if os.environ.get("CI", "") == "true":
        pytest.fail(f"CI has to run everything: {sentence}", pytrace=False)
    pytest.skip(sentence)


def need(program: str, how: str) -> str:
    """Give the path of a program, or say how to get it.

    Parameters
    ----------
    program : str
        Its name; looked for on PATH and where servers are installed.
    how : str
        For example ``apt install nginx``.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SBIN])
    found = shutil.which(program, path=path)
    if found is None:
        unavailable(f"{program} is not installed here; get it by: {how}")
    return found


def need_root(what: str) -> None:
    """Go on only as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        unavailable(f"{what} needs root; run the tests in a container or as root.")


def free_port() -> int:
    """Give a port of loopback that nobody listens on, for servers that cannot take port 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether somebody accepts connections there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process that a fixture started, and where its output goes."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Process id, which is that of its group too."""
        return self.process.pid

    def output(self) -> str:
        """Give what it wrote so far on stdout and stderr."""
        return self.log.read_text(errors="replace")


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop: signal.Signals = signal.SIGTERM,
    within_s: float = _STARTED_WITHIN_S,
) -> Iterator[Running]:
    """Run a server for the time of the block.

    Parameters
    ----------
    command : sequence of str or Path
        Program in the foreground and its arguments.
    log : Path
        File for its stdout and stderr.
    ready : callable
        Asked until it gives True.
    env : mapping, optional
        Whole environment; by default that of the tests.
    cwd : Path, optional
        Folder it is started in.
    stop : signal
        How it is asked to end.
    within_s : float
        Longest wait for ``ready``.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    server = Running(process=process, log=log)
    try:
        wait_until(ready, server=server, within_s=within_s)
        yield server
    finally:
        end(process, stop)


def wait_until(
    ready: Callable[[], bool], *, server: Running | None = None, within_s: float = 30.0
) -> None:
    """Ask until the answer is True; fail with the server's output where it died or takes too long."""
    deadline = time.monotonic() + within_s
    while not ready():
        died = server is not None and server.process.poll() is not None
        if died or time.monotonic() > deadline:
            what = "ended" if died else f"was not ready within {within_s:.0f} s"
            words = "" if server is None else server.output()[-4000:]
            pytest.fail(f"The server {what}.\n{words}", pytrace=False)
        time.sleep(0.02)


def end(process: subprocess.Popen[bytes], stop: signal.Signals = signal.SIGTERM) -> None:
    """Ask a process to end, wait, and then end what is left of its group."""
    if process.poll() is None:
        process.send_signal(stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_ENDED_WITHIN_S)
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()
