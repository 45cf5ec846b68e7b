"""Asking another of our servers: kept connections, one request at a time on each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Done = Callable[["Reply | None"], None]

_END_OF_HEAD: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other server said.

    Parameters
    ----------
    status : int
        Status code.
    headers : dict of bytes to bytes
        Lower-case names.
    body : bytes
        Whole.
    """

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Pool:
    """Connections to one server.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of the worker.
    address : str
        ``host:port``.
    limit : int
        Connections at once; what would need more is not asked.
    timeout_s : float
        Seconds that an answer may take.

    Attributes
    ----------
    idle : list of Link
        Connections that wait for the next request.
    held : int
        All connections, those that are being made included.
    """

    def __init__(self, loop: Any, address: str, *, limit: int, timeout_s: float) -> None:
        self.loop = loop
        self.timeout_s = timeout_s
        self.idle: list[Link] = []
        self.held = 0
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._limit = limit
        self._tasks: set[Any] = set()
        self.is_closed = False

    def ask(self, request: bytes, done: Done) -> None:
        """Send a whole request; ``done`` gets its reply, or None where there is none."""
        if self.idle:
            self.idle.pop().ask(request, done)
        elif self.held >= self._limit or self.is_closed:
            done(None)
        else:
            self.held += 1
            task = self.loop.create_task(self._connect(request, done))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Ask nothing more; what is under way is still answered."""
        self.is_closed = True
        for link in self.idle:
            link.close()
        self.idle.clear()

    async def _connect(self, request: bytes, done: Done) -> None:
        connecting = self.loop.create_connection(lambda: Link(self), self._host, self._port)
        try:
            _, link = await asyncio.wait_for(connecting, self.timeout_s)
        except (OSError, asyncio.TimeoutError):
            self.held -= 1
            done(None)
            return
        link.ask(request, done)


class Link(asyncio.Protocol):
    """One connection.

    Parameters
    ----------
    pool : Pool
        It goes back there after each reply.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: Any = None
        self._buffer = bytearray()
        self._done: Done | None = None
        self._timer: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be connected; whoever connected asks."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the pool; what was asked has no answer."""
        self._pool.held -= 1
        if self in self._pool.idle:
            self._pool.idle.remove(self)
        self._finish(None)

    def ask(self, request: bytes, done: Done) -> None:
        """Send a request."""
        self._done = done
        if self._transport.is_closing():
            self._finish(None)
            return
        self._timer = self._pool.loop.call_later(self._pool.timeout_s, self._transport.abort)
        self._transport.write(request)

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Read the reply: one of our servers always says how long it is."""
        self._buffer += data
        end = self._buffer.find(_END_OF_HEAD)
        if end < 0:
            return
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        length, status = headers.get(b"content-length", b""), lines[0][9:12]
        if not length.isdigit() or not status.isdigit():
            self._transport.abort()
            return
        stop = end + 4 + int(length)
        if len(self._buffer) < stop:
            return
        reply = Reply(int(status), headers, bytes(self._buffer[end + 4 : stop]))
        self._buffer.clear()
        if headers.get(b"connection", b"").lower() == b"close" or self._pool.is_closed:
            self._transport.close()
        else:
            self._pool.idle.append(self)
        self._finish(reply)

    def _finish(self, reply: Reply | None) -> None:
        done, self._done = self._done, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if done is not None:
            done(reply)
