"""NGINX and uWSGI, each started with what a test writes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

from engines.processes import Running, answers, free_port, need, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class StartNginx(Protocol):
    """What the fixture ``nginx`` hands out."""

    def __call__(self, http: str, *, port: int, main: str = "") -> Running:
        """Start NGINX with the text of its ``http`` block; ready when ``port`` accepts."""
        ...


class StartUwsgi(Protocol):
    """What the fixture ``uwsgi`` hands out."""

    def __call__(
        self, arguments: Sequence[str | Path], *, port: int, cwd: Path | None = None
    ) -> Running:
        """Start uWSGI with these arguments; ready when ``port`` accepts."""
        ...


@pytest.fixture
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartNginx]:
    """Start NGINX servers that end with the test."""
    program = need("nginx", "apt install nginx")

    with ExitStack() as servers:

        def start(http: str, *, port: int, main: str = "") -> Running:
            folder = tmp_path_factory.mktemp("nginx")
            text = nginx_configuration(folder, http, main)
            (folder / "nginx.conf").write_text(text)
            command = [program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
            return servers.enter_context(
                running(command, log=folder / "log", ready=lambda: answers(port))
            )

        yield start


def nginx_configuration(folder: Path, http: str, main: str = "") -> str:
    """Give a whole nginx.conf that writes below the folder only."""
    paths = "".join(
        f"  {kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "" if folder.stat().st_uid else "user root;\n"
    return (
        f"{user}daemon off;\npid {folder / 'pid'};\nerror_log stderr warn;\n{main}\n"
        f"events {{ worker_connections 1024; }}\nhttp {{\n  access_log off;\n{paths}{http}\n}}\n"
    )


@pytest.fixture
def uwsgi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartUwsgi]:
    """Start uWSGI servers (Debian's, with its plugin python3) that end with the test."""
    program = need("uwsgi", "apt install uwsgi-core uwsgi-plugin-python3")

    with ExitStack() as servers:

        def start(
            arguments: Sequence[str | Path], *, port: int, cwd: Path | None = None
        ) -> Running:
            folder = tmp_path_factory.mktemp("uwsgi")
            command = [program, "--die-on-term", "--master", *arguments]
            return servers.enter_context(
                running(command, log=folder / "log", ready=lambda: answers(port), cwd=cwd)
            )

        yield start


@pytest.fixture
def port() -> int:
    """A port of loopback that nobody listens on."""
    return free_port()
