"""One process that answers: its loop, its signals, its end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from samovar.runtime.endings import DONE, INTERRUPTED
from samovar.runtime.sockets import BACKLOG

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from samovar.runtime.server import Server

    MakeServer = Callable[[Any], Server]

_SETTLE_S: Final = 0.05
_GC_THRESHOLD: Final = (50_000, 20, 20)


def run_worker(
    bound: socket.socket,
    make_server: MakeServer,
    *,
    on_ready: Callable[[], None],
    parent: int | None = None,
    door: socket.socket | None = None,
    is_open: bool = False,
) -> int:
    """Answer on a socket until told to stop; gives the exit code.

    SIGTERM, or one SIGINT: no new connections, what is in flight is answered. A second SIGINT ends
    it at once. SIGUSR2: connections are taken at the door too. SIGUSR1: another process has taken
    the door over; as SIGTERM, but every open connection has one more answer.

    Parameters
    ----------
    bound : socket
        Listening.
    make_server : callable
        Makes the worker's state on its loop.
    on_ready : callable
        Called when the loop runs and connections are taken.
    parent : int, optional
        Read end of a pipe that closes when the parent is gone; such a worker leaves SIGINT to its
        parent.
    door : socket, optional
        A second socket, bound and perhaps shared: it is listened on once it is opened.
    is_open : bool
        Whether connections are taken at the door from the beginning.
    """
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    gc.collect()
    # What the model brought stays for good; looking at it again would only cost time.
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
    stopping = Stopping(loop, parent, door)
    try:
        server = make_server(loop)
        entering = loop.create_server(server.connect, sock=bound, backlog=BACKLOG)
        listener = loop.run_until_complete(entering)
        stopping.attach(server, listener)
        if is_open:
            stopping.open()
        loop.call_soon(on_ready)
        loop.run_forever()
        server.close()
        return stopping.code
    finally:
        loop.close()


class Stopping:
    """How a worker comes to its end.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of the worker.
    parent : int, optional
        See :func:`run_worker`.
    door : socket, optional
        See :func:`run_worker`.
    """

    def __init__(self, loop: Any, parent: int | None, door: socket.socket | None = None) -> None:
        self._loop = loop
        self._door = door
        self._interrupts = 0
        self._is_begun = False
        self._server: Server | None = None
        self._listener: Any = None
        self._is_retiring = False
        self._opening: Any = None
        self.code = DONE
        self._handle(signal.SIGTERM, self._begin)
        if door is not None:
            self._handle(signal.SIGUSR1, self._retire)
            self._handle(signal.SIGUSR2, self.open)
        if parent is None:
            self._handle(signal.SIGINT, self._interrupt)
        else:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            loop.add_reader(parent, self._orphaned, parent)

    def attach(self, server: Server, listener: Any) -> None:
        """Say what is to be stopped."""
        self._server, self._listener = server, listener

    def open(self) -> None:
        """Take connections at the door too."""
        if self._opening is None and self._door is not None and self._server is not None:
            entering = self._loop.create_server(
                self._server.connect_client, sock=self._door, backlog=BACKLOG
            )
            self._opening = self._loop.create_task(entering)

    def _retire(self) -> None:
        self._is_retiring = True
        self._begin()

    def _handle(self, number: int, action: Callable[[], None]) -> None:
        if sys.platform == "win32":
            signal.signal(number, lambda *_: self._loop.call_soon_threadsafe(action))
        else:
            self._loop.add_signal_handler(number, action)

    def _interrupt(self) -> None:
        self._interrupts += 1
        if self._interrupts > 1:
            self.code = INTERRUPTED
            self._loop.stop()
            return
        self._begin()

    def _orphaned(self, parent: int) -> None:
        self._loop.remove_reader(parent)
        os.close(parent)
        self._begin()

    def _begin(self) -> None:
        if self._is_begun:
            return
        self._is_begun = True
        # Connections that the kernel has already taken are accepted before the door closes.
        self._loop.call_later(_SETTLE_S, self._close)

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._opening is not None and self._opening.done():
            self._opening.result().close()
        if self._server is None:
            self._loop.stop()
        else:
            idle_s = self._server.limits.farewell_s if self._is_retiring else 0.0
            self._server.drain(self._loop.stop, idle_s=idle_s)


def _new_loop() -> Any:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
