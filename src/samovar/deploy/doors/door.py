"""The door: the one socket that clients come to, which outlives every server behind it.

It is bound here and listened on by servers (``samovar serve --door``). Whoever accepts takes from
one queue in the kernel, so a connection that arrives during a switch waits for the next server.

References
----------
sd_listen_fds(3): sockets that systemd opened are descriptors from 3, ``LISTEN_FDS`` of them.
socket(7), SO_REUSEPORT: two sockets of one user may share a port where both ask for it.
"""

from __future__ import annotations

import os
import socket
from typing import Final

from samovar.errors import Unavailable

_FIRST_PASSED: Final = 3


def take_door(address: str, port: int, *, beside: bool) -> socket.socket:
    """Give the socket that systemd opened, or bind one.

    Parameters
    ----------
    address : str
        Host name or number.
    port : int
        0 takes a free one.
    beside : bool
        Whether a server that a killed agent left behind still listens there; the port is then
        shared with it until its successor has opened.

    Raises
    ------
    Unavailable
        Where the port is somebody else's, or the address not of this machine.
    """
    return _passed() or bind_door(address, port, beside=beside)


def bind_door(address: str, port: int, *, beside: bool = False) -> socket.socket:
    """Bind a door of one's own; the parameters and errors are those of :func:`take_door`."""
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        if not beside:
            # Sharing a port is for our own servers alone: asked plainly, a stranger's is refused.
            bind(address, port, family=family).close()
        return bind(address, port, family=family, shared=True)
    except OSError as error:
        raise Unavailable(
            f"Nothing can listen on {address}, port {port}: {error.strerror or error}.",
            hint="Name another port with --port; --port 0 takes a free one.",
            code="port_taken",
        ) from error


def bind(
    address: str, port: int, *, family: int = socket.AF_INET, shared: bool = False
) -> socket.socket:
    """Bind a socket that does not listen; ``shared`` lets another of ours have the port too."""
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    return bound


def shut_door(door: socket.socket) -> None:
    """Turn away who waits at a door behind which nobody is left.

    It stays bound, under the same descriptor, for a server that is yet to come.
    """
    host, port = door.getsockname()[:2]
    with bind(host, port, family=door.family, shared=True) as fresh:
        os.dup2(fresh.fileno(), door.fileno(), inheritable=False)


def endpoint_of(door: socket.socket) -> str:
    """Give the URL under which the door is reached from this machine."""
    host, port = door.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - what is shown for it
    return f"http://[{shown}]:{port}" if shown.count(":") > 1 and "[" not in shown else (
        f"http://{shown}:{port}"
    )  # fmt: skip


def _passed() -> socket.socket | None:
    number = os.environ.pop("LISTEN_FDS", "0")
    meant_for = os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if meant_for != str(os.getpid()) or not number.isdigit() or int(number) < 1:
        return None
    os.set_inheritable(_FIRST_PASSED, False)  # noqa: FBT003 - its only form
    return socket.socket(fileno=_FIRST_PASSED)
