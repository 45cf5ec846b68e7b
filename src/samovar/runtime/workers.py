"""Several workers: forked after the model was loaded, watched, and replaced when they die."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from samovar.errors import Unavailable
from samovar.runtime.endings import DONE, INTERRUPTED
from samovar.runtime.worker import run_worker

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from samovar.runtime.worker import MakeServer

_MAX_DEATHS: Final = 10
_DEATHS_WINDOW_S: Final = 10.0
_GRACE_S: Final = 5.0


class Workers:
    """The parent of some workers; it answers nothing itself.

    Forking after loading lets all workers share the model's memory.

    Parameters
    ----------
    sockets : sequence of socket
        Listening; one for each worker, or one for all.
    count : int
        Workers.
    make_server : callable
        Given a worker's number, gives what makes its state on its loop.
    drain_s : float
        Seconds that workers have to answer what is in flight.
    door : socket, optional
        A second listening socket, for all workers (see ``run_worker``).
    lifeline : int, optional
        Read end of a pipe; when the other end closes, they end as at SIGTERM.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        count: int,
        make_server: Callable[[int], MakeServer],
        drain_s: float,
        door: socket.socket | None = None,
        lifeline: int | None = None,
    ) -> None:
        self._sockets = sockets
        self._count = count
        self._make_server = make_server
        self._drain_s = drain_s
        self._door = door
        self._lifeline = lifeline
        self._is_open = False
        self._pids: dict[int, int] = {}
        self._deaths: list[float] = []
        self._interrupts = 0
        self._is_stopping = False
        self._alive_read, self._alive_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        self._wake_read, self._wake_write = os.pipe()

    def run(self, on_ready: Callable[[], None]) -> int:
        """Start the workers, keep them, and stop them; gives the exit code.

        Parameters
        ----------
        on_ready : callable
            Called once, when all workers take connections.

        Raises
        ------
        Unavailable
            Where workers die again and again.
        """
        self._watch_signals()
        try:
            for number in range(self._count):
                self._start(number)
            self._await_ready(on_ready)
            return self._keep()
        finally:
            self._kill()

    def _watch_signals(self) -> None:
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        signal.signal(signal.SIGINT, lambda *_: self._interrupt())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        if self._door is not None:
            signal.signal(signal.SIGUSR1, lambda *_: self._stop(signal.SIGUSR1))
            signal.signal(signal.SIGUSR2, lambda *_: self._open())

    def _start(self, number: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self._pids[pid] = number
            return
        code = 1
        try:
            code = self._be_worker(number)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _be_worker(self, number: int) -> int:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in (self._alive_write, self._wake_read, self._wake_write, self._ready_read):
            os.close(end)
        own = self._sockets[number % len(self._sockets)]
        for other in self._sockets:
            if other is not own:
                other.close()
        ready = self._ready_write
        return run_worker(
            own,
            self._make_server(number),
            on_ready=lambda: _tell(ready),
            parent=self._alive_read,
            door=self._door,
            is_open=self._is_open,
        )

    def _await_ready(self, on_ready: Callable[[], None]) -> None:
        waiting = self._count
        while waiting and not self._is_stopping:
            readable = self._wait(None)
            if self._ready_read in readable:
                waiting -= len(os.read(self._ready_read, 64))
            self._reap()
        if not self._is_stopping:
            on_ready()

    def _keep(self) -> int:
        deadline: float | None = None
        while self._pids:
            if self._interrupts > 1:
                return INTERRUPTED
            if self._is_stopping:
                deadline = deadline or time.monotonic() + self._drain_s + _GRACE_S
                if time.monotonic() > deadline:
                    return DONE
            if self._ready_read in self._wait(0.5 if self._is_stopping else None):
                os.read(self._ready_read, 64)
            self._reap()
        return DONE

    def _wait(self, timeout: float | None) -> list[int]:
        watched = [self._wake_read, self._ready_read]
        if self._lifeline is not None:
            watched.append(self._lifeline)
        readable, _, _ = select.select(watched, [], [], timeout)
        if self._lifeline in readable:
            self._lifeline = None
            self._stop()
        if self._wake_read in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        return list(readable)

    def _reap(self) -> None:
        """Replace workers that died."""
        while True:
            try:
                pid, _status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            number = self._pids.pop(pid, None)
            # As process 1 of a container, orphans of others are ours to reap too.
            if number is None or self._is_stopping:
                continue
            self._check_deaths()
            self._start(number)

    def _check_deaths(self) -> None:
        now = time.monotonic()
        self._deaths = [when for when in self._deaths if now - when < _DEATHS_WINDOW_S]
        self._deaths.append(now)
        if len(self._deaths) > _MAX_DEATHS:
            raise Unavailable(
                f"Worker processes died {_MAX_DEATHS} times within {_DEATHS_WINDOW_S:.0f} seconds.",
                hint="Out of memory is the usual reason; see the messages above.",
                code="workers_die",
            )

    def _interrupt(self) -> None:
        self._interrupts += 1
        self._stop()

    def _open(self) -> None:
        self._is_open = True
        self._tell_workers(signal.SIGUSR2)

    def _stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self._is_stopping = True
        # Together with the workers' own copies this closes the port.
        for bound in self._sockets:
            bound.close()
        if self._door is not None:
            self._door.close()
        self._tell_workers(how)

    def _tell_workers(self, what: signal.Signals) -> None:
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, what)

    def _kill(self) -> None:
        for pid in list(self._pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self._pids.clear()


def _tell(ready: int) -> None:
    os.write(ready, b".")
