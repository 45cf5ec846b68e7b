"""Ansible over real SSH: two hosts, nothing to do the second time, a bad bundle switches nobody."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from engines.processes import free_port
from engines.ssh import run_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.ssh import SshHost
    from engines.tools import Tool

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

SAMOVAR = Path(sys.executable).with_name("samovar")
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "web"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Two hosts that are this machine, each with a root folder and a port of its own."""

    hosts: tuple[SshHost, ...]
    roots: tuple[Path, ...]
    ports: tuple[int, ...]
    env: dict[str, str]

    def inventory(self) -> str:
        lines = ["[all]"]
        for host, root, port in zip(self.hosts, self.roots, self.ports, strict=True):
            lines.append(
                f"{host.name} ansible_host={host.name} samovar_root={root} samovar_port={port} "
                f"samovar_python={sys.executable}"
            )
        return "\n".join([*lines, ""])

    def digests(self) -> list[str]:
        answers = [httpx.get(f"http://127.0.0.1:{port}/v2", trust_env=False) for port in self.ports]
        assert [answer.status_code for answer in answers] == [200, 200]
        return [
            json.loads(next((root / "services").glob("*.json")).read_text())["digest"]
            for root in self.roots
        ]

    def play(self, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
        (folder / "inventory.ini").write_text(self.inventory())
        return subprocess.run(
            ["ansible-playbook", "deploy.yml", *more],
            cwd=folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture
def fleet(
    deploy_tools: Tool, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> Iterator[Fleet]:
    with ExitStack() as servers:
        hosts = [
            servers.enter_context(run_sshd(tmp_path_factory.mktemp("sshd"), name=name))
            for name in ("east", "west")
        ]
        both = tmp_path / "ssh_config"
        both.write_text("".join(host.config.read_text() for host in hosts))
        programs = tmp_path / "bin"
        programs.mkdir()
        for program in ("ssh", "scp", "sftp"):
            real = shutil.which(program)
            (programs / program).write_text(f'#!/bin/sh\nexec {real} -F {both} "$@"\n')
            (programs / program).chmod(0o755)
        path = os.pathsep.join([str(programs), str(deploy_tools.bin), os.environ["PATH"]])
        fleet = Fleet(
            hosts=tuple(hosts),
            roots=(tmp_path / "east", tmp_path / "west"),
            ports=(free_port(), free_port()),
            env={**os.environ, "PATH": path, "ANSIBLE_HOME": str(tmp_path / "ansible")},
        )
        yield fleet
        for root in fleet.roots:
            for script in (root / "services").glob("*.sh"):
                subprocess.run([script, "stop"], check=True)


def pack(project: Path) -> str:
    done = subprocess.run(
        [SAMOVAR, "pack", project, "--json"], capture_output=True, text=True, check=True
    )
    return str(json.loads(done.stdout)["digest"])


def write(target: str, folder: Path) -> Path:
    hosts = ["--host", "east", "--host", "west"]
    subprocess.run(
        [SAMOVAR, "deploy", "ansible", target, "-o", folder, *hosts, "--json"], check=True
    )
    return folder


def changed(output: str) -> dict[str, int]:
    return {
        m[1]: int(m[2]) for m in re.finditer(r"^(\w+)\s*: ok=\d+\s+changed=(\d+)", output, re.M)
    }


def test_hosts_are_served_once_and_a_bad_bundle_switches_nobody(
    fleet: Fleet, tmp_path: Path
) -> None:
    project = tmp_path / "web"
    shutil.copytree(EXAMPLE, project)
    subprocess.run([SAMOVAR, "init", project, "--name", "titanic", "--yes"], check=True)
    good = pack(project)
    first = fleet.play(write(good, tmp_path / "first"))
    assert first.returncode == 0, first.stdout + first.stderr
    assert fleet.digests() == [good, good]

    again = fleet.play(tmp_path / "first")
    assert again.returncode == 0, again.stdout
    assert changed(again.stdout) == {"east": 0, "west": 0}

    proof = subprocess.run(
        [SAMOVAR, "verify", "ssh://west", "--json"], env=fleet.env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert json.loads(proof.stdout)["verdict"] == "IDENTICAL", proof.stdout + proof.stderr

    bad = write(good, tmp_path / "bad")
    damage(next((bad / "roles" / "samovar_service" / "files").glob("*.tar")))
    other = "sha256:" + "0" * 64
    stopped = fleet.play(bad, "-e", f"samovar_digest={other}")
    assert stopped.returncode != 0
    assert set(changed(stopped.stdout)) == {"east"}
    assert fleet.digests() == [good, good]


def damage(archive: Path) -> None:
    """Give the archive the name of another digest, which its content does not have."""
    archive.rename(archive.with_name("sha256-" + "0" * 64 + ".tar"))
