"""The files that deploy writes pass the checks of the programs that read them."""

from __future__ import annotations

import re
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from engines.processes import need
from samovar.core.digest import Digest
from samovar.core.reference import Reference
from samovar.deploy import behind_nginx, compose, swarm, uwsgi
from samovar.deploy.agent import unit
from samovar.deploy.agent.settings import Settings
from samovar.deploy.folder import write_files
from samovar.deploy.plan import Plan, Service

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.engine

PLAN = Plan(
    service=Service(
        name="titanic",
        version="1.0.0",
        digest=Digest.of(b"bundle"),
        image="titanic:1.0.0",
        python="3.11",
        app="server:app",
    ),
    replicas=3,
)


write_behind = partial(behind_nginx.write, bundle="sha256-00.tar", app=False)


def accepted(command: list[str | Path], cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("write", "name"), [(compose.write, "docker-compose.yml"), (swarm.write, "stack.yml")]
)
def test_docker_compose_reads_them(write, name: str, tmp_path: Path) -> None:
    program = need("docker-compose", "apt install docker-compose")
    write_files(write(PLAN), tmp_path)
    shown = accepted([program, "-f", name, "config"], tmp_path)
    assert "titanic:1.0.0" in shown


@pytest.mark.parametrize("write", [compose.write, swarm.write, uwsgi.write, write_behind])
def test_nginx_reads_its_configuration(write, tmp_path: Path) -> None:
    program = need("nginx", "apt install nginx")
    write_files(write(PLAN), tmp_path)
    (tmp_path / "run").mkdir()
    # In the container /tmp is a tmpfs of its own.
    conf = (tmp_path / "nginx.conf").read_text().replace(" /tmp/", f" {tmp_path}/run/")
    (tmp_path / "nginx.conf").write_text(conf)
    (tmp_path / "run" / "replicas.conf").write_text("server 127.0.0.1:5000;")
    shown = accepted(
        [program, "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", "stderr"], tmp_path
    )
    assert "test is successful" in shown


def test_shell_scripts_parse(tmp_path: Path) -> None:
    for write in (compose.write, swarm.write, uwsgi.write, write_behind):
        for name, text in write(PLAN).items():
            if name.endswith(".sh"):
                script = tmp_path / name
                script.write_text(text)
                assert accepted(["sh", "-n", script], tmp_path) == ""


def test_units_are_accepted_by_systemd(tmp_path: Path) -> None:
    program = need("systemd-analyze", "apt install systemd")
    following = Settings(
        reference=Reference.parse("registry.example.com/titanic:prod"),
        interval_s=30,
        folder=tmp_path,
    )
    written = {**uwsgi.write(PLAN), **unit.write(following, cpus=1, memory_mib=512)}
    written[f"systemd/{PLAN.service.label}-own.service"] = write_behind(PLAN)[
        f"systemd/{PLAN.service.label}.service"
    ]
    names = [name for name in written if name.endswith((".service", ".socket"))]
    assert len(names) == 4
    for name in names:
        # What they start is not installed on this machine.
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", written[name], flags=re.MULTILINE)
        (tmp_path / name.rpartition("/")[2]).write_text(text)
    units = [tmp_path / name.rpartition("/")[2] for name in names]
    assert accepted([program, "verify", "--man=no", *units], tmp_path) == ""
