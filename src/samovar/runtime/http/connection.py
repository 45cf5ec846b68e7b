"""One client's connection: bytes in, exchanges in order, bytes out.

The head of a request is often the very bytes of an earlier one, above all on kept connections.
Such heads are looked up instead of being read again (``Server.heads``); everything else goes
through httptools.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput, SamovarError
from samovar.runtime.http.exchange import Exchange
from samovar.runtime.http.head import BROKEN_HEAD
from samovar.runtime.http.parsing import RequestReader
from samovar.runtime.http.replies import CONTINUE

if TYPE_CHECKING:
    from samovar.runtime.http.head import Head
    from samovar.runtime.server import Server

_END_OF_HEAD: Final = b"\r\n\r\n"
_MAX_KEPT_HEAD: Final = 1024
MAX_PIPELINED: Final = 128


class Connection(asyncio.Protocol):
    """The protocol of one connection.

    Parameters
    ----------
    server : Server
        The worker's shared state.
    is_clients : bool
        Whether it came in at the door (docs/decisions/0014-switch.md).
    """

    __slots__ = (
        "_arrived", "_body_started", "_candidate", "_paused", "_reader", "deadline",
        "is_blocked", "is_clients", "is_closing", "is_lost", "server", "transport", "waiting"
    )  # fmt: skip

    def __init__(self, server: Server, *, is_clients: bool = False) -> None:
        self.server = server
        self.is_clients = is_clients
        self.transport: Any = None
        self.waiting: deque[Exchange] = deque()
        self.deadline = 0.0
        self.is_closing = False
        self.is_lost = False
        self.is_blocked = False
        self._reader: RequestReader | None = None
        self._candidate: bytes | None = None
        self._arrived = 0.0
        self._body_started = 0.0
        self._paused = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is half read and nothing waits for a reply."""
        return not self.waiting and (self._reader is None or self._reader.is_idle)

    def is_ending_with(self, exchange: Exchange) -> bool:
        """Whether an exchange is the last, because the server is being stopped."""
        return self.server.is_draining and bool(self.waiting) and self.waiting[-1] is exchange

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or turn it away where there are too many."""
        self.transport = transport
        self.server.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; what it waited for is answered to nobody."""
        self.is_closing = True
        self.is_lost = True
        self.waiting.clear()
        if self._reader is not None:
            self._reader.release()
            self._reader = None
        self.server.forget(self)

    def eof_received(self) -> bool:
        """Answer what is in flight to a client that closed its side."""
        if self.is_closing and not self.waiting:
            return False
        if self._reader is not None and not self._reader.is_idle and not self.is_closing:
            self.refuse(InvalidInput("The request ended early.", code="malformed_request"))
        self.is_closing = True
        return bool(self.waiting)

    def pause_writing(self) -> None:
        """Read no more from a client that does not take its replies."""
        self.is_blocked = True
        self.deadline = self.server.now() + self.server.limits.write_s
        self._pause()

    def resume_writing(self) -> None:
        """Read again."""
        self.is_blocked = False
        self.deadline = self.server.now() + self.server.limits.keep_alive_s
        self._resume()

    def data_received(self, data: bytes) -> None:
        """Read requests out of some bytes."""
        if self.is_closing:
            return
        server = self.server
        self._arrived = server.now()
        reader = self._reader
        if reader is None or reader.is_idle:
            data = self._read_known(data)
            if not data:
                return
            if self._reader is None:
                self._reader = RequestReader(
                    server.routes,
                    server.limits.max_body_bytes,
                    server.bodies,
                    on_head=self._on_head,
                    on_request=self._on_request,
                )
        self._read(data)

    def _read_known(self, data: bytes) -> bytes:
        """Take whole requests whose heads are known; give back what is left."""
        heads = self.server.heads
        while True:
            end = data.find(_END_OF_HEAD) + 4
            if end < 4 or end > _MAX_KEPT_HEAD:
                return data
            head_bytes = data[:end]
            head = heads.get(head_bytes)
            if head is None:
                self._candidate = head_bytes
                return data
            stop = end + head.length
            size = len(data)
            if size < stop:
                return data
            if size == stop:
                self._dispatch(head, data[end:])
                return b""
            self._dispatch(head, data[end:stop])
            if self.is_closing:
                return b""
            data = data[stop:]

    def _read(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            return
        was_idle = reader.is_idle
        try:
            candidate = self._candidate
            if candidate is not None:
                # The head alone first, so that what httptools makes of it can be kept.
                reader.feed(candidate)
                self._candidate = None
                data = data[len(candidate) :]
            if data and not self.is_closing:
                reader.feed(data)
        except SamovarError as error:
            self._candidate = None
            self.refuse(error)
            return
        if not reader.is_idle and not self.is_closing:
            self._set_deadline(reader, was_idle=was_idle)

    def _set_deadline(self, reader: RequestReader, *, was_idle: bool) -> None:
        limits = self.server.limits
        if reader.head is None:
            if was_idle:
                self.deadline = self._arrived + limits.head_s
            return
        if reader.received_bytes == 0 or was_idle:
            self._body_started = self._arrived
        # A body may take its time, but no less than a byte rate that every client reaches.
        allowed_s = limits.body_s + reader.received_bytes / limits.body_bytes_per_s
        self.deadline = self._body_started + allowed_s

    def _on_head(self, head: Head) -> None:
        if self._candidate is not None and head.is_reusable:
            self.server.remember(self._candidate, head)
        if head.expects_continue and not self.waiting and head.length != 0:
            self.transport.write(CONTINUE)

    def _on_request(self, head: Head, body: bytes) -> None:
        if not self.is_closing:
            self._dispatch(head, body)

    def _dispatch(self, head: Head, body: bytes) -> None:
        exchange = Exchange(self, head, body, self._arrived)
        waiting = self.waiting
        waiting.append(exchange)
        if head.is_last:
            self.is_closing = True
        elif len(waiting) >= MAX_PIPELINED:
            self._pause()
        self.deadline = 0.0
        self.server.handle(exchange)

    def finish(self, exchange: Exchange, output: bytes) -> None:
        """Send an exchange's reply as soon as those before it are sent."""
        waiting = self.waiting
        if not waiting or self.transport is None:
            return
        aside = self.server.aside
        if aside is not None:
            aside.note(exchange, output)
        if waiting[0] is exchange:
            waiting.popleft()
            if exchange.output:
                output = exchange.output + output
            if waiting:
                output = self._join_ready(output)
            self.transport.write(output)
            if not waiting:
                self._after_replies()
            elif self._paused and len(waiting) < MAX_PIPELINED // 2:
                self._resume()
        else:
            exchange.output += output
            exchange.is_done = True

    def write_part(self, exchange: Exchange, data: bytes) -> None:
        """Send a part of a reply that goes on; it is kept until the replies before it are sent."""
        waiting = self.waiting
        if not waiting or self.transport is None:
            return
        if waiting[0] is exchange:
            self.transport.write(exchange.output + data)
            exchange.output = b""
        else:
            exchange.output += data

    def cut(self) -> None:
        """End a connection whose reply cannot be ended properly."""
        if self.transport is not None:
            self.transport.abort()

    def _join_ready(self, first: bytes) -> bytes:
        outputs = [first]
        waiting = self.waiting
        while waiting and waiting[0].is_done:
            outputs.append(waiting.popleft().output)
        if waiting and waiting[0].output:
            outputs.append(waiting[0].output)
            waiting[0].output = b""
        return b"".join(outputs)

    def _after_replies(self) -> None:
        server = self.server
        if self.is_closing or server.is_draining:
            self._close_gently()
            return
        self.deadline = self._arrived + server.limits.keep_alive_s
        if self._paused:
            self._resume()

    def refuse(self, error: SamovarError) -> None:
        """Answer bytes that are no request, and close."""
        head = self._reader.head if self._reader is not None else None
        exchange = Exchange(self, head or BROKEN_HEAD, b"", self._arrived)
        exchange.is_last = True
        self.waiting.append(exchange)
        self.is_closing = True
        self.deadline = 0.0
        self.server.fail(exchange, error)

    def expire(self, error: SamovarError) -> None:
        """End a connection that was too slow; a half-sent request is told so."""
        if self.is_closing or self.waiting or self._reader is None or self._reader.is_idle:
            self.transport.abort()
            return
        self.refuse(error)

    def close(self) -> None:
        """Close an idle connection."""
        self.is_closing = True
        self.transport.close()

    def _close_gently(self) -> None:
        """Close our side and read on for a moment, so that no reset overtakes the reply."""
        self.is_closing = True
        transport = self.transport
        if transport.is_closing():
            return
        if self._reader is None or self._reader.is_idle or not transport.can_write_eof():
            transport.close()
            return
        self._resume()
        transport.write_eof()
        self.deadline = self.server.now() + self.server.limits.linger_s

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()
