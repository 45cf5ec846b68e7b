"""A worker's state: its connections, its model, what it counts, and how it stops."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from samovar.errors import InvalidInput, SamovarError, ScriptFailed, Unavailable
from samovar.runtime.http.connection import Connection
from samovar.runtime.http.parsing import Budget
from samovar.runtime.http.replies import Replies
from samovar.runtime.http_errors import OK, UNAVAILABLE, status_of
from samovar.runtime.predictor import own_words
from samovar.runtime.protocols.errors import body_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.runtime.aside.aside import Canary, Shadow
    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.http.head import Head, Routes
    from samovar.runtime.limits import Limits
    from samovar.runtime.metrics import Metrics

_MAX_HEADS = 512
_SWEEP_S = 0.5


class Drainable(Protocol):
    """Another server of the same worker, which ends with it."""

    def drain(self, done: Callable[[], None]) -> None:
        """Take nothing more, answer what is in flight, then call back."""


class Server:
    """What the connections of one worker share.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of the worker.
    routes : Routes
        Paths and handlers.
    limits : Limits
        Bounds.
    metrics : Metrics
        The worker's counts.
    access_log : bool
        Write a JSON line for each reply on stderr.
    """

    def __init__(
        self, loop: Any, routes: Routes, limits: Limits, metrics: Metrics, *, access_log: bool
    ) -> None:
        self.loop = loop
        self.now: Callable[[], float] = loop.time
        self.routes = routes
        self.limits = limits
        self.metrics = metrics
        self.access_log = access_log
        self.replies = Replies()
        self.replies.refresh(time.time())
        self.bodies = Budget(limits.max_pending_bytes)
        self.heads: dict[bytes, Head] = {}
        self.connections: set[Connection] = set()
        self.is_draining = False
        self.on_close: Callable[[], None] | None = None
        self.beside: Drainable | None = None
        self.aside: Canary | Shadow | None = None
        self.watch: Callable[[], None] | None = None
        self._on_empty: Callable[[], None] | None = None
        self._sweeper: Any = loop.call_later(_SWEEP_S, self._sweep)

    def connect(self) -> Connection:
        """Make the protocol of a new connection."""
        return Connection(self)

    def connect_client(self) -> Connection:
        """Make the protocol of a connection at the door: its requests may go to who is aside."""
        return Connection(self, is_clients=True)

    def admit(self, connection: Connection) -> None:
        """Hold a new connection, or turn it away."""
        connections = self.connections
        connections.add(connection)
        self.metrics.connected(len(connections))
        connection.deadline = self.now() + self.limits.head_s
        if len(connections) > self.limits.max_connections:
            connection.refuse(Unavailable("Too many connections.", hint="Try again in a moment."))

    def forget(self, connection: Connection) -> None:
        """Let go of a lost connection."""
        self.connections.discard(connection)
        self._end_if_empty()

    def remember(self, head_bytes: bytes, head: Head) -> None:
        """Keep what httptools made of a head, for the next one with the same bytes."""
        if len(self.heads) >= _MAX_HEADS:
            self.heads.clear()
        self.heads[head_bytes] = head

    def handle(self, exchange: Exchange) -> None:
        """Let the handler, or a canary, answer an exchange, now or later."""
        aside = self.aside
        if aside is not None and exchange.connection.is_clients and aside.takes(exchange):
            return
        self.handle_here(exchange)

    def handle_here(self, exchange: Exchange) -> None:
        """Let the handler answer an exchange."""
        try:
            exchange.head.handle(exchange)
        except SamovarError as error:
            self.fail(exchange, error)
        except RecursionError:
            self.fail(
                exchange, InvalidInput("The body is nested too deeply.", code="malformed_json")
            )
        except MemoryError:
            self.fail(exchange, Unavailable("There is not enough memory for this request."))
        except Exception as error:  # noqa: BLE001 - a fault of ours must cost one reply and not the worker
            self._report(error)
            self.fail(exchange, ScriptFailed("The server failed.", why=own_words(error)))

    def fail(self, exchange: Exchange, error: SamovarError) -> None:
        """Answer an exchange with an error in its protocol's form."""
        status = status_of(error)
        retry = b"Retry-After: 1\r\n" if status == UNAVAILABLE else b""
        self.replies.refresh(time.time())
        exchange.reply(status, body_for(exchange.head.path, error, status), headers=retry)

    def count_reply(self, exchange: Exchange, size_bytes: int) -> None:
        """Count a reply, and log it where that was asked for."""
        self.metrics.count(exchange.head.endpoint, exchange.status)
        if self.access_log:
            self._log(exchange, size_bytes)

    def drain(self, on_empty: Callable[[], None], *, idle_s: float = 0.0) -> None:
        """Take no more requests; call back when the last connection is gone.

        Parameters
        ----------
        on_empty : callable
            Called once nobody is connected.
        idle_s : float
            Seconds that an idle connection has for one more request, whose answer tells the client
            that it is the last. A connection closed at once might meet a request on its way.
        """
        self.is_draining = True
        self._on_empty = on_empty
        self.loop.call_later(idle_s, self._close_idle)
        self.loop.call_later(idle_s + self.limits.drain_s, self.abort)
        if self.beside is not None:
            self.beside.drain(self._beside_is_drained)
        self._end_if_empty()

    def _close_idle(self) -> None:
        for connection in list(self.connections):
            if connection.is_idle:
                connection.close()

    def _beside_is_drained(self) -> None:
        self.beside = None
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        if self._on_empty is not None and not self.connections and self.beside is None:
            self._on_empty()

    def close(self) -> None:
        """Let go of what was started with the server, when its loop has stopped."""
        if self.on_close is not None:
            self.on_close()

    def abort(self) -> None:
        """End all connections at once."""
        for connection in list(self.connections):
            connection.transport.abort()

    def _sweep(self) -> None:
        """End connections whose time is over."""
        now = self.now()
        if self.watch is not None:
            self.watch()
        self.replies.refresh(time.time())
        self.metrics.used()
        for connection in list(self.connections):
            if connection.deadline and connection.deadline < now:
                connection.expire(
                    InvalidInput("The request did not arrive in time.", code="too_slow")
                )
        self._sweeper = self.loop.call_later(_SWEEP_S, self._sweep)

    def _log(self, exchange: Exchange, size_bytes: int) -> None:
        head = exchange.head
        peer = exchange.connection.transport.get_extra_info("peername")
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "client": peer[0] if isinstance(peer, tuple) else "",
            "method": head.method.decode("latin-1"),
            "path": head.path.decode("latin-1"),
            "status": exchange.status or OK,
            "bytes": size_bytes,
            "seconds": round(self.now() - exchange.started, 6),
        }
        if head.request_id is not None:
            line["request_id"] = head.request_id.decode("latin-1")
        sys.stderr.write(json.dumps(line) + "\n")

    def _report(self, error: BaseException) -> None:
        import traceback

        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        sys.stderr.write(text)
        sys.stderr.flush()
