"""One address for several replicas: NGINX with passive health checks, started and ended by us."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final

from samovar.deploy import nginx
from samovar.deploy.doors.door import bind
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SBIN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/homebrew/bin")
_READY_S: Final = 10.0
_END_S: Final = 30.0


class Balancer:
    """NGINX in front of replicas.

    Parameters
    ----------
    folder : Path
        Its own, for its configuration and what it writes.
    servers : list of str
        ``host:port`` of each replica.
    port : int
        To listen on; 0 takes a free one.
    again : bool
        Whether predictions may be asked again of another replica.
    spare : int
        How many servers are not there as a rule: that they refuse is then no error to be told.
    """

    def __init__(
        self, folder: Path, servers: list[str], *, port: int, again: bool, spare: int = 0
    ) -> None:
        self._folder = folder
        self.port = port or _free_port()
        _check_port(self.port)
        body = nginx.balancer(
            "replicas", servers, listen=f"127.0.0.1:{self.port}", again=again, spare=spare
        )
        text = nginx.whole(
            body,
            scratch=str(folder),
            access_log="off",
            main="daemon off;\nmaster_process on;\n",
            level="crit" if spare else "warn",
        )
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The one address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process, once it was started."""
        return None if self._process is None else self._process.pid

    def start(self, *, held: Sequence[int] = ()) -> None:
        """Start it and wait until it accepts connections.

        Parameters
        ----------
        held : sequence of int
            Open files that it inherits: locks that say that it lives.

        Raises
        ------
        Unavailable
            Where NGINX is not installed, or does not start.
        """
        self._process = subprocess.Popen(
            [_program(), "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=held if os.name == "posix" else (),
        )
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        raise Unavailable(
            "NGINX does not start.",
            why="Its own words are above.",
            hint=f"See 'nginx -t -c {self._folder / 'nginx.conf'}'.",
            code="balancer",
        )

    def stop(self) -> None:
        """Let it answer what it accepted, and end it; kill it where it takes too long."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _program() -> str:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SBIN])
    found = shutil.which("nginx", path=path)
    if found is None:
        raise Unavailable(
            "Several replicas need a balancer, and NGINX is not installed.",
            hint="Install nginx (on Debian: apt install nginx), or run one replica.",
            code="no_balancer",
        )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _check_port(port: int) -> None:
    try:
        bind("127.0.0.1", port).close()
    except OSError as error:
        raise Unavailable(
            f"Nothing can listen on 127.0.0.1, port {port}: {error.strerror}.",
            hint="Name another port with --port; --port 0 takes a free one.",
            code="port_taken",
        ) from error
