"""Replicas of one bundle on this machine: as processes, or as containers of the Docker engine.

Each kind starts, says where it answers, and is removed whole. What balances between them is NGINX
(``deploy/balance.py``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from samovar.deploy.limits import ControlGroup, Limits, not_enforced
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.bundle.serve import Server

READY_S: Final = 60.0
_END_S: Final = 30.0
_POLL_S: Final = 0.1
_PORT: Final = 5000


class Replica(Protocol):
    """One replica that answers."""

    @property
    def address(self) -> str:
        """``host:port``."""

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints."""

    def remove(self) -> None:
        """End it, letting it answer what it accepted, and leave nothing behind."""


@dataclass(kw_only=True)
class ProcessReplica:
    """A server as a process of this machine.

    Parameters
    ----------
    process : Popen
        The server.
    url : str
        Where it answers.
    group : ControlGroup
        Its limits.
    limits : Limits
        What was asked for.
    """

    process: subprocess.Popen[str]
    url: str
    group: ControlGroup
    limits: Limits

    @property
    def address(self) -> str:
        """``host:port``."""
        return self.url.removeprefix("http://")

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints; ``not_enforced`` names what the system refused."""
        limits = self.limits.to_json()
        missing = not_enforced(self.limits, self.group.enforced)
        return {"id": str(self.process.pid), "limits": {**limits, "not_enforced": missing}}

    def remove(self) -> None:
        """Let the server drain, and end it where it does not."""
        end(self.process)
        self.group.remove()


def start_process(server: Server, name: str, limits: Limits) -> ProcessReplica:
    """Start a prepared server within its limits and wait until it is ready.

    Parameters
    ----------
    server : Server
        Prints its ready line as JSON.
    name : str
        Of its control group; unique on the machine.
    limits : Limits
        What it may use.

    Raises
    ------
    Unavailable
        Where it ends before it is ready.
    """
    group = ControlGroup(name, limits)
    group.make()
    process = subprocess.Popen(
        server.arguments,
        env=server.variables,
        cwd=server.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        preexec_fn=group.enter if os.name == "posix" else None,  # noqa: PLW1509 - writes one file
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        url = str(json.loads(line)["url"])
    except (ValueError, KeyError) as error:
        code = end(process)
        group.remove()
        raise Unavailable(
            "A replica ended before it was ready.",
            why=f"Its exit code is {code}; its own words are above.",
            hint="Give it more memory, or see 'samovar serve' for the same bundle.",
            code="replica_failed",
        ) from error
    return ProcessReplica(process=process, url=url, group=group, limits=limits)


def end(process: subprocess.Popen[Any]) -> int:
    """Ask a process to end, wait, and kill it where it does not; give its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
    return process.returncode


@dataclass(kw_only=True)
class Docker:
    """The Docker engine, by its own command line.

    Parameters
    ----------
    program : str
        ``docker``.
    """

    program: str = "docker"
    _options: tuple[str, ...] = field(
        default=("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        repr=False,
    )

    def start(self, image: str, name: str, limits: Limits) -> DockerReplica:
        """Start a container of an image and wait until it answers.

        Raises
        ------
        Unavailable
            Where there is no engine, or the container does not become ready.
        """
        arguments = ["run", "-d", "--name", name, "--label", "samovar.run=1", *self._options,
                     "-p", f"127.0.0.1::{_PORT}"]  # fmt: skip
        if limits.cpus is not None:
            arguments += ["--cpus", f"{limits.cpus:g}"]
        if limits.memory_bytes is not None:
            arguments += ["--memory", str(limits.memory_bytes)]
        container = self.ask([*arguments, image]).strip()
        replica = DockerReplica(engine=self, id=container, host_port="", limits=limits)
        try:
            published = self.ask(["port", container, f"{_PORT}/tcp"]).split()
            replica.host_port = next(one for one in published if one.startswith("127.0.0.1:"))
            _wait_until_ready(f"http://{replica.host_port}", self, container)
        except BaseException:
            replica.remove()
            raise
        return replica

    def ask(self, arguments: Sequence[str]) -> str:
        """Run one docker command and give what it printed.

        Raises
        ------
        Unavailable
            In the engine's own words.
        """
        try:
            ended = subprocess.run(
                [self.program, *arguments],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except FileNotFoundError as error:
            raise Unavailable(
                "There is no docker command here.",
                hint="Install Docker, or use --isolation process.",
                code="no_engine",
            ) from error
        if ended.returncode != 0:
            raise Unavailable(
                f"The Docker engine refused: docker {arguments[0]}.",
                why=ended.stderr.strip()[-1000:],
                hint="Is the engine running, and may you use it? See 'docker info'.",
                code="engine",
            )
        return ended.stdout


@dataclass(kw_only=True)
class DockerReplica:
    """A container of the Docker engine."""

    engine: Docker
    id: str
    host_port: str
    limits: Limits

    @property
    def address(self) -> str:
        """``host:port``."""
        return self.host_port

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints."""
        return {"id": self.id, "limits": self.limits.to_json()}

    def remove(self) -> None:
        """Stop and remove the container, if it is still there."""
        for arguments in (["stop", "-t", "20", self.id], ["rm", "-f", "-v", self.id]):
            subprocess.run([self.engine.program, *arguments], capture_output=True, check=False)


def _wait_until_ready(url: str, engine: Docker, container: str) -> None:
    import httpx

    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/v2/health/ready", timeout=2.0, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        state = engine.ask(["inspect", "-f", "{{.State.Status}}", container]).strip()
        if state not in {"running", "created"}:
            break
        time.sleep(_POLL_S)
    said = subprocess.run(
        [engine.program, "logs", "--tail", "20", container],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    raise Unavailable(
        "A container did not become ready.",
        why=(said.stdout + said.stderr).strip()[-1000:] or None,
        hint="Give it more memory, or see 'docker run' of the same image.",
        code="replica_failed",
    )


def remove_all(replicas: Sequence[Replica]) -> None:
    """Remove replicas at once, each whole."""
    from concurrent.futures import ThreadPoolExecutor

    if replicas:
        with ThreadPoolExecutor(len(replicas)) as pool:
            list(pool.map(lambda replica: replica.remove(), replicas))


def group_name(number: int) -> str:
    """Give a name that no other run on this machine has."""
    return f"{os.getpid()}-{number}"
