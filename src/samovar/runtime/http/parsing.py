"""Reading requests with httptools (llhttp): limits on what it is fed, checks on what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools

from samovar.errors import InvalidInput, SamovarError, Unavailable
from samovar.runtime.http.head import MAX_HEAD_BYTES, MAX_HEADERS, Head, check_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.runtime.http.head import Routes


class Budget:
    """Bytes that all connections together may hold of half-received bodies.

    Parameters
    ----------
    limit : int
        Of bytes.
    """

    __slots__ = ("held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """Hold some more bytes.

        Raises
        ------
        Unavailable
            Where that would be too many.
        """
        if self.held + size > self.limit:
            raise Unavailable(
                "Too many bodies are being received.",
                hint="Try again in a moment.",
                code="overloaded",
            )
        self.held += size


class RequestReader:
    """Turns bytes of one connection into heads and bodies.

    Parameters
    ----------
    routes : Routes
        Finds the handler of a head.
    max_body_bytes : int
        Larger bodies are refused before they are received.
    budget : Budget
        Shared by all connections.
    on_head : callable
        Is told each head as soon as it is whole.
    on_request : callable
        Is told each head with its whole body.
    """

    __slots__ = (
        "_begun", "_body", "_budget", "_fields", "_head_bytes", "_in_body", "_parser", "_size",
        "_target", "head", "max_body_bytes", "on_head", "on_request", "routes",
    )  # fmt: skip

    def __init__(
        self,
        routes: Routes,
        max_body_bytes: int,
        budget: Budget,
        *,
        on_head: Callable[[Head], None],
        on_request: Callable[[Head, bytes], None],
    ) -> None:
        self.routes = routes
        self.max_body_bytes = max_body_bytes
        self._budget = budget
        self._size = 0
        self.on_head = on_head
        self.on_request = on_request
        self._parser: Any = httptools.HttpRequestParser(self)
        self.head: Head | None = None
        self._begun = False
        self._head_bytes = 0
        self._reset()

    @property
    def is_idle(self) -> bool:
        """Whether no request is half read."""
        return not self._begun

    @property
    def received_bytes(self) -> int:
        """Bytes of the body that is being received."""
        return self._size

    def feed(self, data: bytes) -> None:
        """Read some bytes.

        Raises
        ------
        InvalidInput
            Where they are no request that this server reads.
        """
        if self.head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # RFC 9110, section 7.8: an offer to upgrade may be ignored. llhttp stops here, so the
            # connection is of no further use.
            return
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            raise cause if isinstance(cause, SamovarError) else error from None
        except httptools.HttpParserError as error:
            raise InvalidInput(
                "This is no valid HTTP request.", why=str(error), code="malformed_request"
            ) from error
        if self.head is None and self._head_bytes > MAX_HEAD_BYTES:
            raise _too_large()

    def on_message_begin(self) -> None:
        """Start a request (llhttp)."""
        self._begun = True

    def on_url(self, part: bytes) -> None:
        """Collect the target (llhttp)."""
        self._target += part

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """Collect a header (llhttp); trailers are read and dropped."""
        if self._in_body:
            return
        if len(self._fields) >= MAX_HEADERS:
            raise _too_large()
        self._fields.append((name, (value or b"").strip(b" \t")))

    def on_headers_complete(self) -> None:
        """Check the head and find its handler (llhttp)."""
        method = self._parser.get_method()
        if (
            self._head_bytes > MAX_HEAD_BYTES
            and sum(len(name) + len(value) for name, value in self._fields) > MAX_HEAD_BYTES
        ):
            raise _too_large()
        version = self._parser.get_http_version()
        path, query, headers, length, expects = check_head(
            method, self._target, self._fields, version
        )
        if length > self.max_body_bytes:
            raise body_too_large(self.max_body_bytes)
        handle, endpoint = self.routes.resolve(method, path)
        is_last = (
            version == "1.0"
            or not self._parser.should_keep_alive()
            or self._parser.should_upgrade()
        )
        self.head = Head(method, path, query, headers, length, is_last, handle, endpoint, expects)
        self._in_body = True
        self.on_head(self.head)

    def on_body(self, part: bytes) -> None:
        """Collect a part of the body (llhttp)."""
        if self._size + len(part) > self.max_body_bytes:
            raise body_too_large(self.max_body_bytes)
        self._budget.take(len(part))
        self._size += len(part)
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Hand the request over (llhttp)."""
        head, body = self.head, self._body
        self.head = None
        self._begun = False
        self._head_bytes = 0
        self._reset()
        if head is not None:
            self.on_request(head, body[0] if len(body) == 1 else b"".join(body))

    def release(self) -> None:
        """Give back what is held of a body that will not be whole."""
        self._reset()

    def _reset(self) -> None:
        self._budget.held -= self._size
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._in_body = False


def body_too_large(limit: int) -> InvalidInput:
    """Say that a body is larger than the server takes."""
    return InvalidInput(
        f"The body is larger than {limit} bytes.",
        hint="Send the rows in several requests, or start the server with --max-body.",
        code="too_large",
    )


def _too_large() -> InvalidInput:
    return InvalidInput("The request's headers are too large.", code="headers_too_large")
