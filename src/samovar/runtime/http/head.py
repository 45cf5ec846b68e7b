"""The head of a request: what httptools read, checked and resolved to a handler."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput, UserError
from samovar.runtime.http_errors import NO_CONTENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 32 * 1024
MAX_TARGET_BYTES: Final = 8 * 1024
_HOST: Final = re.compile(
    rb"[A-Za-z0-9._~!$&'()*+,;=%-]*(?::[0-9]{0,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{0,5})?"
)
_SINGLE: Final = frozenset({b"host", b"content-type", b"content-length", b"content-encoding"})
_ABSOLUTE: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_TOKEN_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")


@dataclass(slots=True)
class Head:
    """A checked request head; heads with equal bytes share one.

    Parameters
    ----------
    method : bytes
        As sent.
    path : bytes
        Of the target, without query; as sent, nothing is decoded or normalised.
    query : bytes
        Without the question mark.
    headers : dict of bytes to bytes
        Lower-case names.
    length : int
        Of the body; -1 where it is chunked.
    is_last : bool
        Whether the connection is to be closed after the reply.
    handle : callable
        Takes the exchange.
    endpoint : int
        Which row of the metrics it counts in.
    expects_continue : bool
        Whether the client waits for 100 (Continue).
    note : object
        What the handler keeps for the next request with the same head.
    """

    method: bytes
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    length: int
    is_last: bool
    handle: Callable[[Any], None]
    endpoint: int
    expects_continue: bool = False
    note: Any = None

    @property
    def content_type(self) -> bytes:
        """Media type in lower case, without parameters; empty where there is none."""
        return self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()

    @property
    def request_id(self) -> bytes | None:
        """The client's ``X-Request-Id``, where it is plain."""
        value = self.headers.get(b"x-request-id")
        return value if value is not None and _TOKEN_ID.fullmatch(value) else None

    @property
    def is_reusable(self) -> bool:
        """Whether the same bytes may be taken for the same head next time."""
        return (
            self.length >= 0 and not self.expects_continue and b"x-request-id" not in self.headers
        )


class Routes:
    """Which handler answers which path and method.

    Parameters
    ----------
    table : mapping of bytes to mapping of bytes to callable
        Exact paths; methods to handlers.
    endpoints : mapping of bytes to int
        Rows of the metrics; 0 is for what has none.
    fallback : callable, optional
        Handles every other path.
    """

    def __init__(
        self,
        table: Mapping[bytes, Mapping[bytes, Callable[[Any], None]]],
        endpoints: Mapping[bytes, int],
        *,
        fallback: Callable[[Any], None] | None = None,
    ) -> None:
        self._table = table
        self._fallback = fallback
        self._endpoints = endpoints

    def resolve(self, method: bytes, path: bytes) -> tuple[Callable[[Any], None], int]:
        """Find the handler; where there is none, one that says so."""
        methods = self._table.get(path)
        if methods is None:
            return self._fallback or _not_found, 0
        endpoint = self._endpoints.get(path, 0)
        handler = methods.get(method)
        if handler is None and method == b"HEAD":
            handler = methods.get(b"GET")
        if handler is not None:
            return handler, endpoint
        allowed = b", ".join([*methods, *([b"HEAD"] if b"GET" in methods else []), b"OPTIONS"])
        if method == b"OPTIONS":
            return lambda exchange: exchange.reply(
                NO_CONTENT, b"", headers=b"Allow: " + allowed + b"\r\n"
            ), endpoint
        return _not_allowed(allowed), endpoint


def check_head(
    method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], version: str
) -> tuple[bytes, bytes, dict[bytes, bytes], int, bool]:
    """Check what httptools lets through and HTTP or prudence forbids.

    Returns
    -------
    tuple
        Path, query, headers by name, length of the body (-1 where chunked), whether 100 (Continue)
        is expected.

    Raises
    ------
    InvalidInput
        With a code that http_errors.py knows.
    """
    if len(target) > MAX_TARGET_BYTES:
        raise InvalidInput("The request target is too long.", code="target_too_long")
    path, query = _split(method, target)
    named: dict[bytes, bytes] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        if name in named:
            if name in _SINGLE:
                raise _malformed(f"The header {name.decode('latin-1')} is there twice.")
            named[name] += b", " + value
        else:
            named[name] = value
    host = named.get(b"host")
    if host is None and version != "1.0":
        raise _malformed("The Host header is missing.")  # RFC 9112, section 3.2
    if host is not None and _HOST.fullmatch(host) is None:
        raise _malformed("The Host header is not valid.")
    return path, query, named, _length(named), _expects(named)


def _split(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    if method == b"CONNECT":
        raise InvalidInput("This server is no proxy.", code="method_not_allowed")
    if not target.startswith(b"/") and target != b"*":
        match = _ABSOLUTE.match(target)  # RFC 9112, section 3.2.2: servers accept absolute-form
        if match is None:
            raise _malformed("The request target is not valid.")
        target = target[match.end() :] or b"/"
    path, _, query = target.partition(b"?")
    return path, query


def _length(headers: dict[bytes, bytes]) -> int:
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is not None:
        # RFC 9112, section 6.1: both together are the mark of request smuggling.
        if coding.lower() != b"chunked" or length is not None:
            raise _malformed("The body's framing is not valid.")
        return -1
    if length is None:
        return 0
    if not length.isdigit() or len(length) > 19:
        raise _malformed("The Content-Length is not a number.")
    return int(length)


def _expects(headers: dict[bytes, bytes]) -> bool:
    expectation = headers.get(b"expect")
    if expectation is None:
        return False
    if expectation.lower() != b"100-continue":
        raise InvalidInput(
            "The expectation cannot be met.",
            hint="Only 100-continue is known.",
            code="unsupported_expectation",
        )
    return True


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(message, code="malformed_request")


def _not_found(exchange: Any) -> None:
    raise UserError(
        "There is no such path.",
        hint="POST rows to /predict, or open /docs in a browser.",
        code="not_found",
    )


BROKEN_HEAD: Final = Head(b"", b"", b"", {}, 0, True, _not_found, 0)  # noqa: FBT003 - positional for speed
"""Stands for a head that could not be read."""


def _not_allowed(allowed: bytes) -> Callable[[Any], None]:
    def handle(exchange: Any) -> None:
        exchange.headers = b"Allow: " + allowed + b"\r\n"
        raise UserError(
            "This path does not take this method.",
            hint=f"It takes: {allowed.decode()}.",
            code="method_not_allowed",
        )

    return handle
