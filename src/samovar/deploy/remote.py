"""Reach the service that ``deploy ansible`` put on a host: the system's ssh, and a tunnel."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.core.digest import Digest
from samovar.deploy.ansible import Host
from samovar.errors import InvalidReference, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_WHERE: Final = "cat ~/.config/samovar/services/*.json /opt/samovar/services/*.json 2>/dev/null"
"""The role leaves a note in the home of who deployed, whatever folder the service is in."""
_UNREACHABLE: Final = 255
_TUNNEL_WITHIN_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A service on a host.

    Parameters
    ----------
    name : str
        Of the service.
    digest : Digest
        Of its bundle.
    port : int
        Where it listens there.
    """

    name: str
    digest: Digest
    port: int


def services_on(address: str) -> list[Deployed]:
    """Ask a host which services were deployed there.

    Parameters
    ----------
    address : str
        ``ssh://[user@]host[:port]``.

    Raises
    ------
    Unavailable
        Where ssh is missing, or the host lets nobody in.
    NotFound
        Where nothing was deployed.
    """
    done = subprocess.run(
        [*_ssh(address), _WHERE],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode == _UNREACHABLE:
        raise Unavailable(
            f"{address} cannot be reached.",
            why=done.stderr.strip() or None,
            hint="Try the same with ssh; its configuration and keys are used.",
            code="host_unreachable",
        )
    found = {service.name: service for line in done.stdout.splitlines() for service in _read(line)}
    if not found:
        raise NotFound(
            f"No service was deployed on {address}.", hint="See 'samovar deploy ansible'."
        )
    return list(found.values())


@contextmanager
def tunnel(address: str, port: int) -> Iterator[str]:
    """Forward a free local port to a port of the host's loopback; gives the URL.

    Raises
    ------
    Unavailable
        Where the tunnel does not come up.
    """
    local = _free_port()
    forward = ["-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{local}:127.0.0.1:{port}"]
    command = _ssh(address)
    process = subprocess.Popen(
        [*command[:-1], *forward, command[-1]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait(process, local, address)
        yield f"http://127.0.0.1:{local}"
    finally:
        process.terminate()
        process.communicate()


def _ssh(address: str) -> list[str]:
    """Give the command up to and with the host."""
    program = shutil.which("ssh")
    if program is None:
        raise Unavailable("ssh is not installed here.", hint="Install OpenSSH's client.")
    host = Host.parse(address.removeprefix("ssh://").rstrip("/"))
    command = [program, "-o", "BatchMode=yes", "-o", "ConnectTimeout=15"]
    if host.port is not None:
        command += ["-p", str(host.port)]
    return [*command, host.name if host.user is None else f"{host.user}@{host.name}"]


def _read(line: str) -> list[Deployed]:
    """Read one note; what is none is left out."""
    with suppress(ValueError, KeyError, TypeError, InvalidReference):
        document: Any = json.loads(line)
        return [
            Deployed(
                name=str(document["name"]),
                digest=Digest.parse(document["digest"]),
                port=int(document["port"]),
            )
        ]
    return []


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[str], port: int, address: str) -> None:
    deadline = time.monotonic() + _TUNNEL_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    process.terminate()
    said = process.communicate()[1]
    raise Unavailable(
        f"No tunnel to {address} could be made.", why=said.strip() or None, code="host_unreachable"
    )
