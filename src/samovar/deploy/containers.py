"""Replicas of one bundle as containers of the Docker engine."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.deploy.replicas import READY_S
from samovar.env.docker import container_log, container_state, docker
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.deploy.limits import Limits

_POLL_S: Final = 0.1
_PORT: Final = 5000
_TAIL: Final = 1000
_LABEL: Final = "samovar.run"
_OPTIONS: Final = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def start_container(
    image: str, name: str, limits: Limits, *, run: str, port: int | None = None
) -> DockerReplica:
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
    port : int, optional
        Of this machine, where it is reached; a free one where none is named.

    Raises
    ------
    Unavailable
        Where there is no engine, or the container does not become ready.
    """
    arguments = ["run", "-d", "--name", name, "--label", f"{_LABEL}={run}", *_OPTIONS,
                 "-p", f"127.0.0.1:{port or ''}:{_PORT}"]  # fmt: skip
    if limits.cpus is not None:
        arguments += ["--cpus", f"{limits.cpus:g}"]
    if limits.memory_bytes is not None:
        arguments += ["--memory", str(limits.memory_bytes)]
        # Without this the engine allows as much again of swap.
        arguments += ["--memory-swap", str(limits.memory_bytes)]
    container = _words(docker([*arguments, image]))[0]
    replica = DockerReplica(id=container, address="", limits=limits)
    try:
        published = _words(docker(["port", container, f"{_PORT}/tcp"]))
        replica.address = next(one for one in published if one.startswith("127.0.0.1:"))
        _wait_until_ready(f"http://{replica.address}", container)
    except BaseException:
        replica.remove()
        raise
    return replica


@dataclass(kw_only=True)
class DockerReplica:
    """A container of the Docker engine.

    Parameters
    ----------
    id : str
        The engine's.
    address : str
        ``host:port`` where it answers.
    limits : Limits
        What it may use.
    number : int
        Which of all that its run ever started.
    """

    id: str
    address: str
    limits: Limits
    number: int = 0

    def ended(self) -> str | None:
        """Say how it ended; None while it runs."""
        state = container_state(self.id)
        return None if state == "running" else f"state {state or 'removed'}"

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints."""
        return {"id": self.id, "limits": self.limits.to_json()}

    def state(self) -> dict[str, Any]:
        """Give what the run's state says of it."""
        return {**self.to_json(), "number": self.number, "private": f"http://{self.address}"}

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


def remove_all(replicas: Sequence[DockerReplica]) -> None:
    """Remove replicas at once, each whole."""
    from concurrent.futures import ThreadPoolExecutor

    if replicas:
        with ThreadPoolExecutor(len(replicas)) as pool:
            list(pool.map(lambda replica: replica.remove(), replicas))
