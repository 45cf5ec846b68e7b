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
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from samovar.deploy.limits import ControlGroup, Limits, not_enforced
from samovar.env.docker import container_log, container_state, docker
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from samovar.bundle.serve import Server

READY_S: Final = 180.0
_END_S: Final = 30.0
_POLL_S: Final = 0.1
_PORT: Final = 5000
_TAIL: Final = 1000
_LABEL: Final = "samovar.run"
_OPTIONS: Final = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


class Replica(Protocol):
    """One replica that answers."""

    @property
    def address(self) -> str:
        """``host:port``."""

    def ended(self) -> str | None:
        """Say how it ended; None while it runs."""

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

    def ended(self) -> str | None:
        """Say how it ended; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints; ``not_enforced`` names what the system refused."""
        limits = self.limits.to_json()
        missing = not_enforced(self.limits, self.group.enforced)
        return {"id": str(self.process.pid), "limits": {**limits, "not_enforced": missing}}

    def remove(self) -> None:
        """Let the server drain, and end it where it does not."""
        end(self.process)
        self.group.remove()


def start_process(
    server: Server, name: str, limits: Limits, *, log: Path, held: Sequence[int] = ()
) -> ProcessReplica:
    """Start a prepared server within its limits and wait until it is ready.

    Parameters
    ----------
    server : Server
        Prints its ready line as JSON.
    name : str
        Of its control group; unique on the machine.
    limits : Limits
        What it may use.
    log : Path
        Where its stderr goes.
    held : sequence of int
        Open files that it inherits: locks that say that it lives.

    Raises
    ------
    Unavailable
        Where it ends before it is ready.
    """
    group = ControlGroup(name, limits)
    group.make()
    with log.open("ab") as words:
        process = subprocess.Popen(
            server.arguments,
            env=server.variables,
            cwd=server.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
            encoding="utf-8",
            start_new_session=True,
            pass_fds=held if os.name == "posix" else (),
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
            f"A replica ended with exit code {code} before it was ready.",
            why=log.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip() or None,
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


def start_container(image: str, name: str, limits: Limits, *, run: str) -> DockerReplica:
    """Start a container of an image and wait until it answers.

    Parameters
    ----------
    image : str
        Its ID.
    name : str
        Of the container; unique in the engine.
    limits : Limits
        What it may use.
    run : str
        ID of the run, a label of the container.

    Raises
    ------
    Unavailable
        Where there is no engine, or the container does not become ready.
    """
    arguments = ["run", "-d", "--name", name, "--label", f"{_LABEL}={run}", *_OPTIONS,
                 "-p", f"127.0.0.1::{_PORT}"]  # fmt: skip
    if limits.cpus is not None:
        arguments += ["--cpus", f"{limits.cpus:g}"]
    if limits.memory_bytes is not None:
        arguments += ["--memory", str(limits.memory_bytes)]
    container = _words(docker([*arguments, image]))[0]
    replica = DockerReplica(id=container, host_port="", limits=limits)
    try:
        published = _words(docker(["port", container, f"{_PORT}/tcp"]))
        replica.host_port = next(one for one in published if one.startswith("127.0.0.1:"))
        _wait_until_ready(f"http://{replica.host_port}", container)
    except BaseException:
        replica.remove()
        raise
    return replica


@dataclass(kw_only=True)
class DockerReplica:
    """A container of the Docker engine."""

    id: str
    host_port: str
    limits: Limits

    @property
    def address(self) -> str:
        """``host:port``."""
        return self.host_port

    def ended(self) -> str | None:
        """Say how it ended; None while it runs."""
        state = container_state(self.id)
        return None if state == "running" else f"state {state or 'removed'}"

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints."""
        return {"id": self.id, "limits": self.limits.to_json()}

    def remove(self) -> None:
        """Stop and remove the container, if it is still there."""
        for arguments in (["stop", "-t", "20", self.id], ["rm", "-f", "-v", self.id]):
            with suppress(Unavailable):
                docker(arguments)


def _wait_until_ready(url: str, container: str) -> None:
    import httpx

    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/v2/health/ready", timeout=2.0, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        (state,) = _words(docker(["inspect", "-f", "{{.State.Status}}", container]))
        if state not in {"running", "created"}:
            break
        time.sleep(_POLL_S)
    said = container_log(container, tail=20).decode("utf-8", "replace")
    raise Unavailable(
        "A container did not become ready.",
        why=said.strip()[-_TAIL:] or None,
        hint="Give it more memory, or see 'docker run' of the same image.",
        code="replica_failed",
    )


def _words(said: bytes) -> list[str]:
    return said.decode("utf-8", "replace").split()


def remove_all(replicas: Sequence[Replica]) -> None:
    """Remove replicas at once, each whole."""
    from concurrent.futures import ThreadPoolExecutor

    if replicas:
        with ThreadPoolExecutor(len(replicas)) as pool:
            list(pool.map(lambda replica: replica.remove(), replicas))
