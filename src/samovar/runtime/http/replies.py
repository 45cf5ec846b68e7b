"""The bytes of replies."""

from __future__ import annotations

from email.utils import formatdate
from typing import Final

from samovar.runtime.http_errors import NO_CONTENT, OK, REASONS

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES: Final = {
    status: f"HTTP/1.1 {status} {reason}\r\n".encode() for status, reason in REASONS.items()
}


class Replies:
    """Makes replies; the Date is made once a second.

    RFC 9110, section 6.6.1: a server with a clock sends Date.
    """

    __slots__ = ("_second", "date", "json_close", "json_keep")

    def __init__(self) -> None:
        self._second = -1
        self.refresh(0.0)

    def refresh(self, now: float) -> None:
        """Bring the Date up to ``now``, in seconds since the epoch."""
        second = int(now)
        if second == self._second:
            return
        self._second = second
        self.date = b"Date: " + formatdate(second, usegmt=True).encode() + b"\r\n"
        start = _STATUS_LINES[OK] + self.date + b"Content-Type: application/json\r\n"
        self.json_keep = start + b"Content-Length: "
        self.json_close = start + b"Connection: close\r\nContent-Length: "

    def make(
        self,
        status: int,
        body: bytes,
        *,
        content_type: bytes = JSON,
        headers: bytes = b"",
        is_last: bool = False,
        has_body: bool = True,
    ) -> bytes:
        """Make a whole reply.

        Parameters
        ----------
        status : int
            Status code.
        body : bytes
            Content; for HEAD it is measured and left out.
        content_type : bytes
            Of the content.
        headers : bytes
            Further header lines, each with its line end.
        is_last : bool
            Whether the connection is closed afterwards.
        has_body : bool
            False for HEAD.
        """
        parts = [_STATUS_LINES[status], self.date]
        if status != NO_CONTENT:
            parts += [
                b"Content-Type: ", content_type, b"\r\nContent-Length: ", b"%d\r\n" % len(body),
            ]  # fmt: skip
        parts += [headers, b"Connection: close\r\n" if is_last else b"", b"\r\n"]
        if has_body and status != NO_CONTENT:
            parts.append(body)
        return b"".join(parts)
