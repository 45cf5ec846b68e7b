"""A service that ``deploy --apply`` put behind a real NGINX on this machine, as tests see it."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli import Answer, samovar
from engines.processes import wait_until
from running import ROW, Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The service.

    Parameters
    ----------
    way : tuple of str
        After ``deploy``: its name, and its options.
    folder, home : Path
        Of the service, and of samovar.
    port : int
        NGINX'.
    """

    way: tuple[str, ...]
    folder: Path
    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def apply(self, target: str | Path, code: int = 0, folder: Path | None = None) -> Answer:
        """Deploy a bundle or project here, or at the same port into another folder."""
        name, *options = self.way
        return samovar(
            "deploy", name, target, "-o", folder or self.folder, "--port", str(self.port),
            *options, "--apply", "--json", code=code, SAMOVAR_HOME=self.home,
        )  # fmt: skip

    def control(self, verb: str) -> int:
        env = {**os.environ, "SAMOVAR_HOME": str(self.home)}
        return subprocess.run([self.folder / "service.sh", verb], check=False, env=env).returncode

    def ask(self) -> httpx.Response:
        return httpx.post(f"{self.url}/predict", json=ROW, trust_env=False, timeout=60)

    def is_up(self) -> bool:
        try:
            return self.ask().status_code == 200
        except httpx.TransportError:
            return False

    def servers(self) -> set[int]:
        """Give the processes that the supervisor keeps, NGINX left out."""
        supervisor = int((self.folder / "run" / "service.pid").read_text())
        return {pid for pid in children(supervisor) if b"nginx" not in command_of(pid)}

    def workers(self) -> set[int]:
        """Give the processes below those."""
        return {worker for server in self.servers() for worker in children(server)}


def check_index(deployed: Deployed) -> None:
    """The project's own page comes through NGINX."""
    index = httpx.get(deployed.url, trust_env=False)
    assert "самовар" in index.text
    assert index.headers["server"] == "nginx"
    assert deployed.ask().json() == {"prediction": 1}


def check_reload(deployed: Deployed, *, of_workers: bool) -> None:
    """All servers, or all their workers, are replaced under load, and no request is lost."""
    processes = deployed.workers if of_workers else deployed.servers
    before = processes()
    with Load(deployed.url, clients=3) as load:
        assert deployed.control("reload") == 0
        wait_until(lambda: not before & processes(), within_s=120)
    assert set(load.answers) == {200}


def check_death(deployed: Deployed) -> None:
    """Where the server dies the service ends, and it can be started again."""
    (server,) = deployed.servers()
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: deployed.control("status") == 1, within_s=60)
    assert deployed.control("start") == 0
    wait_until(deployed.is_up, within_s=90)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
