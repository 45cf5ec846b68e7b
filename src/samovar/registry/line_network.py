"""Requests over the network: TLS, proxies and certificates, by httpx."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from samovar import __version__
from samovar.registry.lines import CONNECT_S, Answer, LineError
from samovar.registry.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samovar.registry.lines import Body, Problem


class NetworkClient:
    """A client for any address.

    Parameters
    ----------
    timeout_s : float
        Longest silence.
    """

    def __init__(self, timeout_s: float) -> None:
        self._client = httpx.Client(
            verify=Trust.client(),
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            follow_redirects=False,
            headers={"User-Agent": f"samovar/{__version__}", "Accept-Encoding": "identity"},
            # As other clients do, no proxy is asked for what is on this machine.
            mounts={"all://localhost": None, "all://127.0.0.1": None, "all://[::1]": None},
        )

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Answer:
        """Send a request (`Lines.send`)."""
        with _translated():
            request = self._client.build_request(
                method, url, headers=dict(headers), content=body() if callable(body) else body
            )
            response = self._client.send(request, stream=True)

        def pieces() -> Iterator[bytes]:
            with _translated():
                yield from response.iter_raw()

        return Answer(
            method=method,
            url=str(response.url),
            status_code=response.status_code,
            headers=response.headers,
            challenges=response.headers.get_list("www-authenticate"),
            iter_raw=pieces,
            close=response.close,
        )

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LineError(_problem(error)) from error


def _problem(error: Exception) -> Problem:
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return "silent"
    if isinstance(error, (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
        return "cut"
    if isinstance(error, httpx.ProxyError):
        return "proxy"
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return "address"
    return "unreachable"
