"""One request and its reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samovar.runtime.http.replies import JSON

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.runtime.http.connection import Connection
    from samovar.runtime.http.head import Head


class Exchange:
    """A request that waits for its reply; replies leave a connection in the order of requests.

    Parameters
    ----------
    connection : Connection
        Where the reply goes.
    head : Head
        Checked.
    body : bytes
        Whole and decoded.
    started : float
        When the request was whole, on the loop's clock.

    Attributes
    ----------
    sent : bytes
        The body as it came; only there where a shadow is to be asked too.
    """

    __slots__ = (
        "body",
        "connection",
        "encode",
        "head",
        "headers",
        "is_done",
        "is_last",
        "output",
        "parameters",
        "rows",
        "sent",
        "started",
        "status",
    )  # fmt: skip

    sent: bytes

    def __init__(self, connection: Connection, head: Head, body: bytes, started: float) -> None:
        self.connection = connection
        self.head = head
        self.body = body
        self.started = started
        self.output = b""
        self.is_done = False
        self.is_last = head.is_last
        self.headers = b""
        self.rows: Any = None
        self.encode: Callable[..., Any] | None = None
        self.parameters: Any = None
        self.status = 0

    def reply(
        self, status: int, body: bytes, *, content_type: bytes = JSON, headers: bytes = b""
    ) -> None:
        """Answer the request, once."""
        connection, head = self.connection, self.head
        extra = self.headers + headers
        if head.request_id is not None:
            extra += b"X-Request-Id: " + head.request_id + b"\r\n"
        self.status = status
        output = connection.server.replies.make(
            status,
            body,
            content_type=content_type,
            headers=extra,
            is_last=self.is_last or connection.is_ending_with(self),
            has_body=head.method != b"HEAD",
        )
        connection.server.count_reply(self, len(body))
        connection.finish(self, output)

    def send_part(self, status: int, head: bytes, data: bytes, *, is_last: bool) -> None:
        """Send a part of a reply that an application makes.

        Parameters
        ----------
        status : int
            Status code.
        head : bytes
            Status line and headers, without the empty line; only with the first part.
        data : bytes
            Framed content.
        is_last : bool
            Whether the reply ends with it.
        """
        connection = self.connection
        if head:
            self.status = status
            lines = connection.server.replies.date
            if self.is_last or connection.is_ending_with(self):
                lines += b"Connection: close\r\n"
            connection.server.count_reply(self, len(data))
            data = b"".join((head, lines, b"\r\n", data))
        if is_last:
            connection.finish(self, data)
        else:
            connection.write_part(self, data)
