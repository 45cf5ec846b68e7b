"""An application's reply: whole where it can be, else in chunks.

RFC 9112, section 7.1 (chunked transfer coding).
"""

from __future__ import annotations

import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from samovar.runtime.http_errors import INTERNAL_ERROR, NO_CONTENT, REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from samovar.runtime.http.exchange import Exchange

_OURS: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"date"})
_FORBIDDEN: Final = (b"\r", b"\n", b"\0")
_NOT_MODIFIED: Final = 304
_FAILED: Final = b'{"error":{"code":"app_failed","message":"The application failed.","hint":""}}'


class AppReply:
    """The reply to one request.

    Parameters
    ----------
    exchange : Exchange
        Is answered.
    call : callable
        Runs a function on the worker's loop, from wherever the application runs.
    """

    def __init__(self, exchange: Exchange, call: Callable[..., Any]) -> None:
        self._exchange = exchange
        self._call = call
        self._status = 0
        self._reason = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._length: int | None = None
        self._is_chunked = False
        self.is_sent = False
        self._is_ended = False

    def start(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], *, reason: bytes = b""
    ) -> None:
        """Take status and headers; nothing is sent before the first part of the body."""
        kept: list[tuple[bytes, bytes]] = []
        self._length = None
        for name, value in headers:
            lower = name.lower()
            if any(bad in name or bad in value for bad in _FORBIDDEN):
                raise ValueError(f"the header {name!r} has a line break in it")
            if lower == b"content-length":
                self._length = int(value)
            elif lower not in _OURS:
                kept.append((name, value))
        known = REASONS.get(status, "").encode()
        self._status, self._reason, self._headers = status, reason or known, kept

    def write(self, part: bytes) -> None:
        """Send a part of the body."""
        if not self._status:
            raise RuntimeError("the application sent a body before its status")
        if not self.is_sent:
            self._is_chunked = self._length is None and self._has_body
            self._send(self._framed(part), head=self._head(self._length))
        else:
            self._send(self._framed(part))

    def end(self, part: bytes = b"") -> None:
        """Send the last part."""
        if not self._status:
            raise RuntimeError("the application ended without a status")
        if self.is_sent:
            tail = self._framed(part) if part else b""
            self._send(tail + (b"0\r\n\r\n" if self._is_chunked else b""), is_last=True)
            return
        length = len(part) if self._length is None else self._length
        body = part if self._has_body else b""
        self._send(body, head=self._head(length if self._may_have_length else None), is_last=True)

    def fail(self) -> None:
        """Say that the application raised; a reply that is half sent can only be cut off."""
        if self._is_ended:
            return
        if self.is_sent:
            self._call(self._exchange.connection.cut)
            return
        self.start(INTERNAL_ERROR, [(b"Content-Type", b"application/json")])
        self.end(_FAILED)

    @property
    def _may_have_length(self) -> bool:
        return self._status not in {NO_CONTENT, _NOT_MODIFIED}

    @property
    def _has_body(self) -> bool:
        return self._may_have_length and self._exchange.head.method != b"HEAD"

    def _framed(self, part: bytes) -> bytes:
        if not self._has_body or not part:
            return b""
        return b"%x\r\n%b\r\n" % (len(part), part) if self._is_chunked else part

    def _head(self, length: int | None) -> bytes:
        lines = [b"HTTP/1.1 %d %b\r\n" % (self._status, self._reason)]
        lines += [b"%b: %b\r\n" % header for header in self._headers]
        if self._is_chunked:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        elif length is not None:
            lines.append(b"Content-Length: %d\r\n" % length)
        self.is_sent = True
        return b"".join(lines)

    def _send(self, data: bytes, *, head: bytes = b"", is_last: bool = False) -> None:
        self._is_ended = self._is_ended or is_last
        send = self._exchange.send_part
        self._call(partial(send, self._status, head, data, is_last=is_last))


def report(error: BaseException) -> None:
    """Write the application's traceback where its author looks for it."""
    sys.stderr.write("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    sys.stderr.flush()
