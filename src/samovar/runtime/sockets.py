"""Listening sockets, made before anything is forked."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path
from typing import Final

from samovar.errors import Unavailable, UserError

BACKLOG: Final = 2048
"""asyncio's default of 100 loses connections when many come at once."""


def listen(host: str, port: int, workers: int) -> list[socket.socket]:
    """Bind one socket for each worker, all on one port.

    On Linux each worker has its own queue of connections (SO_REUSEPORT), which the kernel fills
    evenly; since the parent holds all sockets, the queue of a killed worker waits for the next one.
    Elsewhere the workers share one socket.

    Raises
    ------
    Unavailable
        Where the port is taken or the address is not of this machine.
    """
    family = _family(host, port)
    has_own = workers > 1 and sys.platform == "linux"
    sockets: list[socket.socket] = []
    try:
        for _ in range(workers if has_own else 1):
            bound = _bind(family, host, port, is_shared=has_own)
            port = bound.getsockname()[1]
            sockets.append(bound)
    except OSError as error:
        for opened in sockets:
            opened.close()
        raise _taken(host, port, error) from error
    return sockets


def reserve(host: str, port: int) -> tuple[int, socket.socket]:
    """Hold a port that workers will share (SO_REUSEPORT) without listening on it.

    Returns
    -------
    int
        The port; a free one for 0.
    socket
        Holds it until it is closed; on Windows, which has no such sharing, it holds nothing.

    Raises
    ------
    Unavailable
        Where the port is taken or the address is not of this machine.
    """
    family = _family(host, port)
    try:
        # Alone first: a sharing socket would quietly join another server's.
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            if os.name == "posix":
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((host, port))
            port = alone.getsockname()[1]
    except OSError as error:
        raise _taken(host, port, error) from error
    held = socket.socket(family, socket.SOCK_STREAM)
    if hasattr(socket, "SO_REUSEPORT"):
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    return port, held


def listen_unix(path: str) -> list[socket.socket]:
    """Bind a Unix socket; a stale one at the path is replaced."""
    if not hasattr(socket, "AF_UNIX"):
        raise UserError("This platform has no Unix sockets.", hint="Use --host and --port.")
    place = Path(path)
    if place.exists() and not stat.S_ISSOCK(place.stat().st_mode):
        raise UserError(f"{path} is there and is no socket.", hint="Name another path.")
    if place.exists():
        _check_stale(path)
        place.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(path)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise Unavailable(
            f"Nothing can listen on {path}.", why=os.strerror(error.errno or 0), code="no_socket"
        ) from error
    bound.setblocking(False)  # noqa: FBT003 - its only form
    return [bound]


def inherited(descriptor: int | None) -> socket.socket | None:
    """Take a bound socket that whoever started this process left open for it.

    Raises
    ------
    Unavailable
        Where the descriptor is no socket.
    """
    if descriptor is None:
        return None
    try:
        door = socket.socket(fileno=descriptor)
    except OSError as error:
        raise Unavailable(
            f"Descriptor {descriptor} is no socket.",
            why=os.strerror(error.errno or 0),
            hint="--door takes one that this process inherits.",
            code="no_socket",
        ) from error
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - its only form
    door.setblocking(False)  # noqa: FBT003 - its only form
    return door


def address_of(bound: socket.socket, host: str) -> str:
    """Give the URL under which a socket is reached from this machine."""
    if bound.family not in {socket.AF_INET, socket.AF_INET6}:
        return f"unix:{bound.getsockname()}"
    shown = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - what is shown for it
    if ":" in shown and not shown.startswith("["):
        shown = f"[{shown}]"
    return f"http://{shown}:{bound.getsockname()[1]}"


def _family(host: str, port: int) -> socket.AddressFamily:
    try:
        return socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM,
                                  flags=socket.AI_PASSIVE)[0][0]  # fmt: skip
    except (socket.gaierror, OverflowError) as error:
        raise Unavailable(
            f"{host!r} and {port} are no address of this machine.",
            why=str(error),
            hint="Use --host 127.0.0.1 or --host 0.0.0.0.",
            code="no_address",
        ) from error


def _bind(family: socket.AddressFamily, host: str, port: int, *, is_shared: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)  # noqa: FBT003 - its only form
    return bound


def _check_stale(path: str) -> None:
    """Raise where somebody still answers on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        if probe.connect_ex(path) == 0:
            raise Unavailable(
                f"Another process listens on {path}.", hint="Name another path.", code="port_taken"
            )


def _taken(host: str, port: int, error: OSError) -> Unavailable:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return Unavailable(
        f"Nothing can listen on {host}, port {port}: {reason}.",
        hint="Name another port with --port; --port 0 takes a free one.",
        code="port_taken",
    )
