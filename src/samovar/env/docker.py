"""The Docker engine by its own command line, which knows contexts, TLS and hosts over ssh."""

from __future__ import annotations

import subprocess
from typing import IO, TYPE_CHECKING, Final

from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TAIL: Final = 1000


def docker(
    arguments: Sequence[str | Path],
    *,
    stdin: bytes | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
    quiet: bool = True,
    host: str | None = None,
) -> bytes:
    """Run one docker command and give what it printed.

    Parameters
    ----------
    arguments : sequence of str or Path
        After the program's name.
    stdin : bytes, optional
        What it reads.
    stdout : file object, optional
        Where its output goes instead; then nothing is given back.
    quiet : bool
        Keep its stderr for the error; False shows it to the user as it comes.
    host : str, optional
        Which engine; by default the one that the environment or Docker's context names.

    Raises
    ------
    Unavailable
        Where there is no docker command, or in the engine's own words.
    """
    try:
        ended = subprocess.run(
            ["docker", *_host(host), *map(str, arguments)],
            input=b"" if stdin is None else stdin,
            stdout=stdout,
            stderr=subprocess.PIPE if quiet else None,
            check=False,
        )
    except FileNotFoundError as error:
        raise Unavailable(
            "There is no docker command here.",
            hint="Install Docker, or do without it: --isolation says what else there is.",
            code="no_engine",
        ) from error
    if ended.returncode != 0:
        said = (ended.stderr or b"").decode("utf-8", "replace").strip()[-_TAIL:]
        raise Unavailable(
            f"The Docker engine refused: docker {arguments[0]}.",
            why=said or f"Its exit code is {ended.returncode}.",
            hint="Is the engine running, and may you use it? See 'docker info'.",
            code="engine",
        )
    return ended.stdout or b""


def container_state(container: str, *, host: str | None = None) -> str | None:
    """Give what the engine says of a container (``running``, ``exited``); None where it is gone."""
    try:
        found = docker(["inspect", "-f", "{{.State.Status}}", container], host=host)
    except Unavailable:
        return None
    return found.decode("ascii", "replace").strip()


def container_log(container: str, *, host: str | None = None, tail: int | None = None) -> bytes:
    """Give what a container wrote on both of its streams, or its last lines."""
    lines = [] if tail is None else ["--tail", str(tail)]
    ended = subprocess.run(
        ["docker", *_host(host), "logs", *lines, container],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return ended.stdout


def _host(host: str | None) -> list[str]:
    return [] if host is None else ["--host", host]


def image_id(name: str) -> str | None:
    """Give the ID of the engine's image of a name; None without engine, or without such an image.

    Parameters
    ----------
    name : str
        A name, a digest or an ID, as Docker takes it.
    """
    try:
        found = docker(["image", "inspect", "--format", "{{.Id}}", "--", name])
    except Unavailable:
        return None
    return found.decode("ascii", "replace").strip() or None
