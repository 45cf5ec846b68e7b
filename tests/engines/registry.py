"""The reference implementation of an OCI registry, from Debian, on loopback."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from engines.processes import Running, answers, free_port, need, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "ada", "s3cret word"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A running registry.

    Parameters
    ----------
    host : str
        ``127.0.0.1:PORT``, the first part of its references.
    folder : Path
        Where it keeps blobs.
    server : Running
        Its process.
    user, password : str, optional
        Set where it asks for them.
    """

    host: str
    folder: Path
    server: Running
    user: str | None = None
    password: str | None = None

    @property
    def url(self) -> str:
        """Base URL, without the final slash."""
        return f"http://{self.host}"


@contextmanager
def run_registry(folder: Path, *, auth: dict[str, object] | None = None) -> Iterator[Registry]:
    """Run one more registry, with what ``auth`` says in its configuration."""
    program = need("docker-registry", "apt install docker-registry")
    port = free_port()
    blobs = folder / "blobs"
    blobs.mkdir(parents=True)
    document: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(blobs)},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if auth is not None:
        document["auth"] = auth
    # JSON is YAML, which the registry reads.
    (folder / "config.yml").write_text(json.dumps(document))
    with running(
        [program, "serve", folder / "config.yml"],
        log=folder / "log",
        ready=lambda: answers(port),
    ) as server:
        yield Registry(host=f"127.0.0.1:{port}", folder=blobs, server=server)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for nothing."""
    with run_registry(tmp_path_factory.mktemp("registry")) as running_registry:
        yield running_registry


@pytest.fixture(scope="session")
def registry_htpasswd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for a user's name and password."""
    htpasswd = need("htpasswd", "apt install apache2-utils")
    folder = tmp_path_factory.mktemp("registry_htpasswd")
    users = folder / "users"
    subprocess.run([htpasswd, "-Bbc", str(users), USER, PASSWORD], check=True, capture_output=True)
    auth = {"htpasswd": {"realm": "samovar tests", "path": str(users)}}
    with run_registry(folder, auth=auth) as bare:
        yield Registry(
            host=bare.host, folder=bare.folder, server=bare.server, user=USER, password=PASSWORD
        )
