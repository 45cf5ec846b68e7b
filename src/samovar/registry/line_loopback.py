"""Requests to this machine, in plain http, by the standard library's client."""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from samovar import __version__
from samovar.registry.lines import CONNECT_S, Answer, LineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samovar.registry.lines import Body

_PIECE: Final = 1024 * 1024
_LONGEST_REST: Final = 64 * 1024
"""A body that nobody read is read to its end where it is no longer, to keep the connection."""


class LoopbackClient:
    """A client for addresses of this machine; connections are used again.

    Parameters
    ----------
    timeout_s : float
        Longest silence.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._free: dict[str, list[http.client.HTTPConnection]] = {}

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Answer:
        """Send a request (`Lines.send`)."""
        parts = urlsplit(url)
        connection = self._connected(parts.netloc.rpartition("@")[2])
        try:
            response = _exchange(
                connection, method, parts._replace(scheme="", netloc="").geturl(), headers, body
            )
        except BaseException:
            connection.close()
            raise

        def close() -> None:
            self._finish(parts.netloc, connection, response)

        return Answer(
            method=method,
            url=url,
            status_code=response.status,
            headers={name.lower(): value for name, value in reversed(response.getheaders())},
            challenges=response.headers.get_all("www-authenticate", []),
            iter_raw=lambda: _pieces(response),
            close=close,
        )

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for connections in self._free.values():
                for connection in connections:
                    connection.close()
            self._free.clear()

    def _connected(self, host: str) -> http.client.HTTPConnection:
        """Give a connection that was used before, or a new one."""
        with self._lock:
            free = self._free.get(host)
            if free:
                return free.pop()
        try:
            connection = http.client.HTTPConnection(host, timeout=min(CONNECT_S, self._timeout_s))
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            raise LineError("unreachable") from error
        connection.sock.settimeout(self._timeout_s)
        return connection

    def _finish(
        self, host: str, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        with suppress(OSError, http.client.HTTPException):
            response.read(_LONGEST_REST)
            if response.isclosed() and not response.will_close:
                with self._lock:
                    self._free.setdefault(host, []).append(connection)
                return
        response.close()
        connection.close()


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: Body,
) -> http.client.HTTPResponse:
    sent = {"User-Agent": f"samovar/{__version__}", **headers}
    try:
        # Who refuses a body may answer and hang up before it has all of it.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body=body() if callable(body) else body, headers=sent)
        return connection.getresponse()
    except TimeoutError as error:
        raise LineError("silent") from error
    except http.client.BadStatusLine as error:
        is_end = isinstance(error, http.client.RemoteDisconnected)
        raise LineError("cut" if is_end else "tls") from error
    except http.client.InvalidURL as error:
        raise LineError("address") from error
    except (OSError, http.client.HTTPException) as error:
        raise LineError("cut") from error


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := response.read1(_PIECE):
            yield piece
        if response.length:  # read1 is silent about a line that ends early
            raise LineError("cut")
    except TimeoutError as error:
        raise LineError("silent") from error
    except (OSError, http.client.HTTPException) as error:
        raise LineError("cut") from error
