"""An ASGI application: awaited on the worker's loop, with its lifespan.

References
----------
ASGI specification 3.0, HTTP and lifespan message formats. WebSockets are not offered.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from samovar.errors import ScriptFailed, Unavailable
from samovar.runtime.apps.replies import AppReply, report
from samovar.runtime.predictor import own_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.runtime.http.connection import Connection
    from samovar.runtime.http.exchange import Exchange

_LOOK_S: Final = 0.05


class AsgiRunner:
    """Runs one ASGI application.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of the worker.
    application : callable
        The application.
    max_queue : int
        Requests that may be under way at once.
    """

    def __init__(self, loop: Any, application: Any, max_queue: int) -> None:
        self._loop = loop
        self._application = application
        self._max_queue = max_queue
        self._tasks: set[asyncio.Task[None]] = set()
        self._state: dict[str, Any] = {}
        self._lifespan = Lifespan(loop, application, self._state)

    @property
    def is_full(self) -> bool:
        """Whether a further request would be turned away."""
        return len(self._tasks) >= self._max_queue

    def start(self) -> None:
        """Let the application start up, before connections are taken."""
        self._loop.run_until_complete(self._lifespan.start())

    def close(self) -> None:
        """Let the application shut down."""
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(self._lifespan.stop())

    def handle(self, exchange: Exchange) -> None:
        """Await the application for a request."""
        if self.is_full:
            raise Unavailable(
                "Too many requests are waiting.", hint="Try again in a moment.", code="queue_full"
            )
        task = self._loop.create_task(self._run(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, exchange: Exchange) -> None:
        reply = AppReply(exchange, _at_once)
        is_received = False

        async def receive() -> dict[str, Any]:
            nonlocal is_received
            if is_received:
                await _lost(exchange.connection)
                return {"type": "http.disconnect"}
            is_received = True
            return {"type": "http.request", "body": exchange.body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                reply.start(message["status"], message.get("headers", ()))
                return
            body = message.get("body", b"")
            if message.get("more_body"):
                if body:
                    reply.write(body)
                    await _writable(exchange.connection)
                return
            reply.end(body)

        try:
            await self._application(self._scope(exchange), receive, send)
        except Exception as error:  # noqa: BLE001 - the user's application may raise anything
            report(error)
        # An application that returns without a whole reply failed as well.
        reply.fail()

    def _scope(self, exchange: Exchange) -> dict[str, Any]:
        head, transport = exchange.head, exchange.connection.transport
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": head.method.decode("latin-1"),
            "scheme": "http",
            "path": unquote(head.path.decode("latin-1")),
            "raw_path": head.path,
            "query_string": head.query,
            "root_path": "",
            "headers": list(head.headers.items()),
            "client": tuple(peer[:2]) if isinstance(peer, tuple) and peer else None,
            "server": tuple(own[:2]) if isinstance(own, tuple) else (str(own), None),
            "state": dict(self._state),
        }


class Lifespan:
    """An application's start and shutdown; one that does not know them is left alone."""

    def __init__(self, loop: Any, application: Any, state: dict[str, Any]) -> None:
        self._loop = loop
        self._application = application
        self._state = state
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Send ``lifespan.startup`` and wait for its end.

        Raises
        ------
        ScriptFailed
            Where the application says that it failed.
        """
        self._task = self._loop.create_task(self._run())
        await self._inbox.put({"type": "lifespan.startup"})
        await self._started.wait()
        if self._failure is not None:
            raise ScriptFailed(
                "The application did not start up.", why=self._failure, code="app_startup"
            )

    async def stop(self) -> None:
        """Send ``lifespan.shutdown`` and wait for its end."""
        if self._task is None or self._task.done():
            return
        await self._inbox.put({"type": "lifespan.shutdown"})
        await self._stopped.wait()

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        try:
            await self._application(scope, self._inbox.get, self._send)
        except Exception as error:  # noqa: BLE001 - raising is how applications say they have none
            if self._started.is_set():
                report(error)
        finally:
            self._started.set()
            self._stopped.set()

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.failed":
            self._failure = str(message.get("message", "")) or own_words(RuntimeError("no reason"))
        if kind.startswith("lifespan.startup"):
            self._started.set()
        elif kind.startswith("lifespan.shutdown"):
            self._stopped.set()


async def _lost(connection: Connection) -> None:
    """Wait until the client is gone."""
    while not connection.is_lost:
        await asyncio.sleep(_LOOK_S)


async def _writable(connection: Connection) -> None:
    """Wait until the client takes more of its reply."""
    while connection.is_blocked and not connection.is_lost:
        await asyncio.sleep(_LOOK_S)


def _at_once(function: Callable[[], None]) -> None:
    function()
