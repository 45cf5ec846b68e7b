"""A WSGI application: called in threads, its reply collected or streamed.

References
----------
PEP 3333.
"""

from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from samovar.errors import Unavailable
from samovar.runtime.apps.replies import AppReply, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from samovar.runtime.http.exchange import Exchange

THREADS: Final = 16


class WsgiRunner:
    """Runs one WSGI application.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Of the worker.
    application : callable
        The application.
    max_queue : int
        Requests that may wait for a thread.
    is_multiprocess : bool
        Whether there are other workers.
    """

    def __init__(
        self, loop: Any, application: Any, max_queue: int, *, is_multiprocess: bool
    ) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._loop = loop
        self._application = application
        self._bound = max_queue + THREADS
        self._is_multiprocess = is_multiprocess
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="app")
        self._running = 0

    @property
    def is_full(self) -> bool:
        """Whether a further request would be turned away."""
        return self._running >= self._bound

    def handle(self, exchange: Exchange) -> None:
        """Call the application for a request, in a thread."""
        if self.is_full:
            raise Unavailable(
                "Too many requests are waiting.", hint="Try again in a moment.", code="queue_full"
            )
        self._running += 1
        future = self._executor.submit(self._run, exchange, self._environ(exchange))
        future.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._done))

    def close(self) -> None:
        """Let go of the threads; nothing waits for a request that nobody waits for."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _done(self) -> None:
        self._running -= 1

    def _run(self, exchange: Exchange, environ: dict[str, Any]) -> None:
        reply = AppReply(exchange, self._loop.call_soon_threadsafe)
        started = threading.Event()

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], None]:
            if exc_info is not None and reply.is_sent:
                raise exc_info[1].with_traceback(exc_info[2])
            reply.start(
                int(status[:3]),
                [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
                reason=status[4:].encode("latin-1"),
            )
            started.set()
            return reply.write

        parts: Iterable[bytes] = ()
        try:
            parts = self._application(environ, start_response)
            if isinstance(parts, list) and len(parts) == 1 and started.is_set():
                reply.end(parts[0])
                return
            for part in parts:
                if part:
                    reply.write(part)
            reply.end()
        except Exception as error:  # noqa: BLE001 - the user's application may raise anything
            report(error)
            reply.fail()
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    def _environ(self, exchange: Exchange) -> dict[str, Any]:
        head, transport = exchange.head, exchange.connection.transport
        peer = transport.get_extra_info("peername")
        own = transport.get_extra_info("sockname")
        is_inet = isinstance(own, tuple)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": head.method.decode("latin-1"),
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(head.path).decode("latin-1"),
            "QUERY_STRING": head.query.decode("latin-1"),
            "RAW_URI": head.path.decode("latin-1"),
            "SERVER_NAME": own[0] if is_inet else "localhost",
            "SERVER_PORT": str(own[1]) if is_inet else "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": peer[0] if isinstance(peer, tuple) and peer else "",
            "CONTENT_LENGTH": str(len(exchange.body)) if exchange.body else "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(exchange.body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": self._is_multiprocess,
            "wsgi.run_once": False,
        }
        for name, value in head.headers.items():
            key = name.decode("latin-1").upper().replace("-", "_")
            # A client must not pass "X_Y" off as "X-Y"; and a Proxy header is no variable.
            if b"_" in name or key in {"CONTENT_LENGTH", "PROXY", "TRANSFER_ENCODING"}:
                continue
            environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value.decode(
                "latin-1"
            )
        return environ
