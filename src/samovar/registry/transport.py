"""Requests to one registry: authorised, repeated where that may help, redirected without leaks."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from samovar.errors import Interrupted, RegistryFailure
from samovar.registry import problems
from samovar.registry.auth import Authorizer, Scopes
from samovar.registry.lines import LineError, Lines
from samovar.registry.patience import Backoff
from samovar.registry.places import bad_place, next_place, origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samovar.registry.endpoint import Endpoint
    from samovar.registry.lines import Answer, Body
    from samovar.registry.options import Options

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAME_METHOD: Final = frozenset({307, 308})
_MAX_REDIRECTS: Final = 5
_MAX_ERROR_BYTES: Final = 64 * 1024
_MAX_TOKEN_BYTES: Final = 1024 * 1024
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request.

    Parameters
    ----------
    method : str
        ``GET``, ``HEAD``, ``POST``, ``PATCH``, ``PUT``.
    url : str
        Absolute, or a path below the registry's ``/v2/``.
    scopes : tuple of str
        What a token has to allow.
    hoped_for : frozenset of int
        Statuses that the caller understands; others are errors.
    headers : mapping of str to str
        Besides those that every request has.
    body : bytes or callable giving pieces, optional
        A callable is called again where the request is sent again.
    repeat : bool
        Whether it may be sent again after a failure that may pass.
    """

    method: str
    url: str
    scopes: Scopes
    hoped_for: frozenset[int]
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    body: Body = None
    repeat: bool = True


class Transport:
    """The connection to one registry; threads may share it.

    Parameters
    ----------
    endpoint : Endpoint
        The registry and repository.
    options : Options
        How it is talked to.
    """

    def __init__(self, endpoint: Endpoint, options: Options) -> None:
        self.options = options
        self.stop = threading.Event()
        self._endpoint = endpoint
        self._keys = Authorizer(endpoint, self._token, plain_http=options.plain_http)
        self._lines = Lines(options.timeout_s)
        self._scheme: str | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every connection."""
        self._lines.close()

    def backoff(self) -> Backoff:
        """Begin to count attempts at something."""
        return Backoff(self.options, self.stop)

    @contextmanager
    def asking(self, ask: Ask) -> Iterator[Answer]:
        """Send a request, and give the answer while its body is still on the way.

        Raises
        ------
        RegistryFailure
            Where no answer that was hoped for came, after all attempts.
        """
        response = self._send(ask)
        try:
            yield response
        except LineError as error:
            raise problems.of_line_error(ask.method, response.url, error) from error
        finally:
            response.close()

    def absolute(self, url: str) -> str:
        """Give the whole URL of a path below ``/v2/``; whole ones stay."""
        if url.startswith(("http://", "https://")):
            return url
        return f"{self._base()}/v2/{url}"

    def location(self, response: Answer) -> str:
        """Give where an upload goes on; registries write it absolute or relative.

        A registry behind a proxy that ends TLS may name itself with ``http``: on the host that was
        asked, the scheme that was asked stays.

        Raises
        ------
        RegistryFailure
            Where there is none, or it leads from https to http elsewhere.
        """
        return next_place(response, plain_http=self.options.plain_http)

    def _send(self, ask: Ask) -> Answer:
        attempts = self.backoff()
        while True:
            try:
                return self._authorised(ask)
            except RegistryFailure as failure:
                if not ask.repeat:
                    raise
                attempts.pause_after(failure)

    def _authorised(self, ask: Ask) -> Answer:
        sent = self._keys.header(ask.scopes)
        response = self._follow(ask, sent)
        if response.status_code == 401 and self._is_home(response.url):
            problem = self._problem(ask, response)
            if not self._keys.answer(response.challenges, ask.scopes, sent=sent):
                raise problem
            response = self._follow(ask, self._keys.header(ask.scopes))
        if response.status_code not in ask.hoped_for:
            raise self._problem(ask, response)
        return response

    def _follow(self, ask: Ask, authorization: str | None) -> Answer:
        url = self.absolute(ask.url)
        for _ in range(_MAX_REDIRECTS):
            response = self._exchange(ask.method, url, ask.headers, ask.body, authorization)
            keeps = ask.method in {"GET", "HEAD"} or response.status_code in _SAME_METHOD
            if response.status_code not in _REDIRECTS or not keeps:
                return response
            response.close()
            url = next_place(response, plain_http=self.options.plain_http)
        raise bad_place(response, f"it led on more than {_MAX_REDIRECTS} times")

    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body,
        authorization: str | None,
    ) -> Answer:
        if self.stop.is_set():
            raise Interrupted("The transfer was ended.")
        sent = dict(headers)
        if authorization is not None and self._is_home(url):
            sent["Authorization"] = authorization
        try:
            return self._lines.send(method, url, sent, body)
        except LineError as error:
            raise problems.of_line_error(method, url, error) from error

    def _problem(self, ask: Ask, response: Answer) -> RegistryFailure:
        body = read_some(response, _MAX_ERROR_BYTES)
        return problems.of_answer(
            ask.method,
            response.url,
            response.status_code,
            response.headers,
            body,
            secrets=self._keys.secrets,
            known_user=self._keys.knows_user,
        )

    def _token(
        self, method: str, url: str, *, headers: dict[str, str], body: bytes | None
    ) -> bytes:
        attempts = self.backoff()
        while True:
            try:
                return self._token_once(method, url, headers, body)
            except RegistryFailure as failure:
                attempts.pause_after(failure)

    def _token_once(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> bytes:
        try:
            response = self._lines.send(method, url, headers, body)
        except LineError as error:
            raise problems.of_line_error(method, url, error) from error
        data = read_some(response, _MAX_TOKEN_BYTES)
        if response.status_code == 200:
            return data
        raise problems.of_answer(
            method,
            url,
            response.status_code,
            response.headers,
            data,
            secrets=self._keys.secrets,
            known_user=self._keys.knows_user,
        )

    def _is_home(self, url: str) -> bool:
        return origin(url) == origin(self._base())

    def _base(self) -> str:
        with self._lock:
            if self._scheme is None:
                self._scheme = self._find_scheme()
            return f"{self._scheme}://{self._endpoint.host}"

    def _find_scheme(self) -> str:
        """Speak https; on loopback plain http, unless what answers there speaks TLS."""
        if self.options.plain_http:
            return "http"
        if not self._endpoint.is_loopback:
            return "https"
        url = f"http://{self._endpoint.host}/v2/"
        try:
            response = self._lines.send("GET", url, _NO_HEADERS, None)
        except LineError as error:
            return "http" if error.problem == "unreachable" else "https"
        response.close()
        return "https" if response.status_code == 400 else "http"


def read_some(response: Answer, limit: int) -> bytes:
    """Read the beginning of a body, and close the answer; what is lost on the way is left out."""
    data = bytearray()
    try:
        for piece in response.iter_raw():
            data += piece
            if len(data) >= limit:
                break
    except LineError:
        return bytes(data)
    finally:
        response.close()
    return bytes(data[:limit])
