"""What is below requests: the standard library's client for this machine, httpx for the network.

Importing a client that knows TLS, proxies and HTTP/2 takes longer than a push to a registry on
loopback, which needs none of them. So it is imported when the first address wants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol
from urllib.parse import urlsplit

from samovar.registry.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Body = bytes | Callable[[], Iterator[bytes]] | None

CONNECT_S: Final = 10.0
"""Longest wait for a connection, in seconds."""
Problem = Literal["unreachable", "silent", "cut", "proxy", "address", "tls"]


class LineError(Exception):
    """A request got no whole answer; its cause says more.

    Parameters
    ----------
    problem : str
        ``unreachable``, ``silent``, ``cut``, ``proxy`` (it refused), ``address`` (it is none), or
        ``tls`` (something else than plain http is spoken there).
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem: Final = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer whose body is still on the way.

    Parameters
    ----------
    method, url : str
        What was asked.
    status_code : int
        What was answered.
    headers : mapping of str to str
        Their names in lower case; of several the first.
    challenges : sequence of str
        Every ``WWW-Authenticate``.
    iter_raw : callable
        Gives the body in pieces; raises `LineError`.
    close : callable
        Ends it, read or not.
    """

    method: str
    url: str
    status_code: int
    headers: Mapping[str, str]
    challenges: Sequence[str]
    iter_raw: Callable[[], Iterator[bytes]]
    close: Callable[[], None]


class Client(Protocol):
    """Sends requests; threads may share it."""

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Answer:
        """Send one, and give its answer when the headers are there."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class Lines:
    """Sends each request by the client that its address needs.

    Parameters
    ----------
    timeout_s : float
        Longest silence.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._clients: dict[bool, Client] = {}

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Answer:
        """Send a request, and give its answer when the headers are there.

        Raises
        ------
        LineError
            Where none came.
        """
        return self._client(url).send(method, url, headers, body)

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()

    def _client(self, url: str) -> Client:
        try:
            parts = urlsplit(url)
            is_plain = parts.scheme == "http" and is_loopback(parts.netloc)
        except ValueError as error:
            raise LineError("address") from error
        if is_plain not in self._clients:
            self._clients.setdefault(is_plain, self._opened(is_plain=is_plain))
        return self._clients[is_plain]

    def _opened(self, *, is_plain: bool) -> Client:
        if is_plain:
            from samovar.registry.line_loopback import LoopbackClient

            return LoopbackClient(self._timeout_s)
        from samovar.registry.line_network import NetworkClient

        return NetworkClient(self._timeout_s)
