"""A Docker engine of the tests' own: its own data, socket, containerd and bridge."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engines.processes import Running, need, need_root, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerEngine:
    """A running engine.

    Parameters
    ----------
    socket : Path
        Its API.
    folder : Path
        Its data and log.
    server : Running
        The daemon's process.
    """

    socket: Path
    folder: Path
    server: Running

    @property
    def host(self) -> str:
        """What DOCKER_HOST is to be."""
        return f"unix://{self.socket}"

    @property
    def env(self) -> dict[str, str]:
        """The tests' environment, with this engine and a configuration folder of its own."""
        return {
            **os.environ,
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": str(self.folder / "client"),
        }

    def docker(
        self, *arguments: str | Path, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``docker ARGUMENTS`` against this engine; output is kept as text."""
        done = subprocess.run(
            ["docker", *(str(word) for word in arguments)],
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"docker {arguments} exited {done.returncode}:\n{done.stdout}{done.stderr}")
        return done


@contextmanager
def run_engine(
    folder: Path, *, bridge: str, subnet: str, inside: Sequence[str] = ()
) -> Iterator[DockerEngine]:
    """Run one more engine.

    Parameters
    ----------
    folder : Path
        For data, socket and log; short, as a socket's path has at most 107 bytes.
    bridge : str
        Name of the network interface that is made for its containers, and removed.
    subnet : str
        The bridge's address and prefix, ``10.213.0.1/24``.
    inside : sequence of str
        What the daemon and ``ip`` are started by, ``("ip", "netns", "exec", "node1")`` for one.
    """
    need_root("A Docker engine")
    need("docker", "apt install docker.io")
    dockerd = need("dockerd", "apt install docker.io")
    ip = need("ip", "apt install iproute2")
    need("iptables", "apt install iptables")
    socket = folder / "docker.sock"
    for words in (
        ["link", "add", bridge, "type", "bridge"],
        ["addr", "add", subnet, "dev", bridge],
        ["link", "set", bridge, "up"],
    ):
        subprocess.run([*inside, ip, *words], check=True, capture_output=True)
    try:
        command = [
            *inside, dockerd,
            "--data-root", folder / "data",
            "--exec-root", folder / "exec",
            "--pidfile", folder / "pid",
            "--host", f"unix://{socket}",
            "--bridge", bridge,
            "--log-level", "warn",
        ]  # fmt: skip
        with running(command, log=folder / "log", ready=lambda: _is_up(socket)) as server:
            engine = DockerEngine(socket=socket, folder=folder, server=server)
            yield engine
            if server.process.poll() is None:
                _remove_containers(engine)
    finally:
        subprocess.run([*inside, ip, "link", "delete", bridge], check=False, capture_output=True)
        _unmount(folder)
        shutil.rmtree(folder / "data", ignore_errors=True)


def _unmount(folder: Path) -> None:
    """Unmount what a daemon that was killed left mounted: data, layers, networks of containers."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    mounted = [
        place for place in (line.split()[1] for line in lines) if place.startswith(f"{folder}/")
    ]
    for place in reversed(mounted):
        subprocess.run(["umount", place], check=False, capture_output=True)


def _is_up(socket: Path) -> bool:
    command = ["docker", "--host", f"unix://{socket}", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _remove_containers(engine: DockerEngine) -> None:
    containers = engine.docker("ps", "-aq").stdout.split()
    if containers:
        engine.docker("rm", "-f", "-v", *containers)


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    """The engine for tests that need one; published ports are reached on 127.0.0.1."""
    number = os.getpid() % 250
    folder = tmp_path_factory.mktemp("docker")
    with run_engine(
        folder, bridge=f"samovar{os.getpid() % 10**7}", subnet=f"10.213.{number}.1/24"
    ) as engine:
        yield engine


@pytest.fixture(scope="session")
def nginx_image(docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with this machine's NGINX and a shell, as no registry with one can be reached."""
    return import_nginx(docker_engine, tmp_path_factory.mktemp("nginx_image"))


def import_nginx(engine: DockerEngine, folder: Path) -> str:
    """Give an engine the image of ``nginx_image``; it has what a stack's ``balance.sh`` calls too."""
    archive = folder / "nginx.tar"
    if not archive.exists():
        _write_nginx(archive)
    path = "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    engine.docker("import", "--change", path, archive, "samovar-test/nginx:1")
    return "samovar-test/nginx:1"


def _write_nginx(archive: Path) -> None:
    nginx = need("nginx", "apt install nginx")
    busybox = need("busybox", "apt install busybox-static")
    getent = need("getent", "apt install libc-bin")
    listed = "".join(
        subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        for program in (nginx, getent)
    )
    libraries = {word for word in listed.split() if word.startswith("/")}
    with tarfile.open(archive, "w", dereference=True) as image:
        image.add(nginx, "usr/sbin/nginx")
        image.add(getent, "usr/bin/getent")
        for name in ("sh", "awk", "sort", "sed", "cmp", "mv", "sleep"):
            image.add(busybox, f"bin/{name}")
        for library in sorted(libraries):
            image.add(library, library.lstrip("/"))
        for name, text in (
            ("etc/passwd", "nobody:x:65534:65534::/:\n"),
            ("etc/group", "nogroup:x:65534:\n"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            image.addfile(entry, io.BytesIO(text.encode()))
        for name in ("tmp", "var/log/nginx", "var/lib/nginx"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o777
            image.addfile(folder)
