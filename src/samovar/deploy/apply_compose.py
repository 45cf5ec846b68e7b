"""Carry out ``deploy compose``: the engine's own program starts what was written."""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

from samovar.deploy.probe import wait_until_answers
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from samovar.deploy.plan import Plan

    Progress = Callable[[str], None]

_READY_WITHIN_S = 120.0
_TAKEN = ("already allocated", "already in use")
"""The engine's words for a port that somebody else has."""
_OVERLAPS = "overlaps with other one"
"""Its words for a network whose addresses another one has."""


def apply(plan: Plan, folder: Path, progress: Progress) -> list[str]:
    """Start the replicas and the balancer; give where they answer.

    Raises
    ------
    Unavailable
        Where there is no engine, no Compose or no image, or the service does not answer.
    """
    compose = _compose()
    _run(["docker", "version", "--format", "{{.Server.Version}}"], folder, "no_engine")
    for image in (plan.service.image, plan.balancer):
        _need_image(image, folder)
    ran_before = bool(_said([*compose, "ps", "-q"], folder))
    progress(f"Starting {plan.replicas} replicas")
    endpoint = f"http://{plan.address}:{plan.port}"
    try:
        _run([*compose, "up", "-d", "--remove-orphans"], folder, "compose_failed")
        wait_until_answers(f"{endpoint}/v2/health/ready", within_s=_READY_WITHIN_S)
    except Unavailable as error:
        explained = _explained(error, plan, compose, folder)
        if not ran_before:
            # What never answered is not left half started.
            _said([*compose, "down"], folder)
        raise explained from error
    return [endpoint]


def _explained(error: Unavailable, plan: Plan, compose: Sequence[str], folder: Path) -> Unavailable:
    """Say what stands behind a start that failed, as far as the engine knows."""
    why = error.why or ""
    has_no_network = _OVERLAPS in why
    if any(words in why for words in _TAKEN) or (has_no_network and _is_taken(plan)):
        return Unavailable(
            f"{plan.address}:{plan.port} cannot be listened on.",
            why=why,
            hint="Give another one with --port.",
            code="port_taken",
        )
    if has_no_network:
        return Unavailable(
            "The network that belongs to this port is another one's already.",
            why=why,
            hint="Give another port with --port.",
            code="network_taken",
        )
    engine = _said(["docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"], folder)
    shown = ["docker", "image", "inspect", "--format", "{{.Os}}/{{.Architecture}}"]
    for image in (plan.service.image, plan.balancer):
        platform = _said([*shown, image], folder)
        if platform and engine and platform != engine:
            return Unavailable(
                f"{image} is an image for {platform}; the engine runs {engine}.",
                why=why or None,
                hint=f"Build it with 'samovar build --platform {engine} --load'.",
                code="wrong_platform",
            )
    said = _said([*compose, "logs", "--tail", "10", "--no-color"], folder)
    return Unavailable(
        error.message,
        why="\n".join(filter(None, (why, said[-2000:]))) or None,
        hint=error.hint or "Give it more memory or processors, or mend what it says above.",
        code=error.code,
    )


def _is_taken(plan: Plan) -> bool:
    """Say whether somebody listens on the service's port."""
    with socket.socket() as asked:
        return asked.connect_ex((plan.address, plan.port)) == 0


def _said(command: Sequence[str], folder: Path) -> str:
    """Give what a program says; nothing where it fails."""
    done = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _compose() -> list[str]:
    """Find Compose: the program of its own, or the engine's plugin."""
    if shutil.which("docker") is None:
        raise Unavailable("Docker is not installed here.", hint="Install Docker.", code="no_engine")
    plugin = subprocess.run(
        ["docker", "compose", "version"], check=False, capture_output=True, stdin=subprocess.DEVNULL
    )
    if plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose") is not None:
        return ["docker-compose"]
    raise Unavailable(
        "Docker Compose is not installed here.",
        hint="On Debian: apt install docker-compose.",
        code="no_compose",
    )


def _need_image(image: str, folder: Path) -> None:
    """Make sure that the engine has an image, or pull it."""
    found = subprocess.run(
        ["docker", "image", "inspect", image],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    if found.returncode != 0:
        _run(["docker", "pull", "-q", image], folder, "no_image")


def _run(command: Sequence[str], folder: Path, code: str) -> None:
    done = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise Unavailable(
            f"'{' '.join(command[:3])}' failed.",
            why=(done.stderr or done.stdout).strip()[-2000:],
            hint=_HINTS.get(code),
            code=code,
        )


_HINTS = {
    "no_engine": "Start the Docker engine, or set DOCKER_HOST.",
    "no_image": "Build it with 'samovar build TARGET --tag REF --load', or push it to a registry.",
}
