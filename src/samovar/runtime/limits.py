"""How much of everything the server takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one worker.

    Parameters
    ----------
    max_body_bytes : int
        Largest body of a request.
    max_queue : int
        Requests that may wait for the model; further ones get 503.
    max_connections : int
        Connections held at once; further ones get 503.
    max_pending_bytes : int
        Bodies held at once, all connections together; further requests get 503.
    max_batch_rows : int
        Rows in one call that is put together from several requests.
    head_s, body_s : float
        Seconds for a head, and for the first part of a body.
    body_bytes_per_s : float
        Slowest rate of a body after that.
    keep_alive_s : float
        Seconds that a connection may idle between requests.
    write_s : float
        Seconds that a client may leave its replies unread.
    linger_s : float
        Seconds that a refused request is read on, so that the client sees why.
    drain_s : float
        Seconds that what is in flight has after SIGTERM.
    farewell_s : float
        Seconds that a retiring server still answers on connections that it holds idle.
    """

    max_body_bytes: int = 16 * 1024 * 1024
    max_queue: int = 1024
    max_connections: int = 16384
    max_pending_bytes: int = 128 * 1024 * 1024
    max_batch_rows: int = 1024
    head_s: float = 5.0
    body_s: float = 7.0
    body_bytes_per_s: float = 8192.0
    keep_alive_s: float = 75.0
    write_s: float = 30.0
    linger_s: float = 2.0
    drain_s: float = 30.0
    farewell_s: float = 5.0
