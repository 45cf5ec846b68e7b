"""Ansible over real SSH: two hosts, nothing to do the second time, a bad bundle switches nobody."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from broken import broken_of
from cli import Answer, copy_example, samovar
from engines.processes import free_port
from engines.ssh import run_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.ssh import SshHost
    from engines.tools import Tool

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Two hosts that are this machine, each with a root folder and a port of its own."""

    hosts: tuple[SshHost, ...]
    roots: tuple[Path, ...]
    ports: tuple[int, ...]
    env: dict[str, str]

    def digests(self) -> list[str]:
        answers = [httpx.get(f"http://127.0.0.1:{port}/v2", trust_env=False) for port in self.ports]
        assert [answer.status_code for answer in answers] == [200, 200]
        return [
            json.loads(next((root / "services").glob("*.json")).read_text())["digest"]
            for root in self.roots
        ]

    def deploy(self, digest: str, folder: Path, *hosts: str, code: int = 0) -> Answer:
        """Write the playbook, say what is particular to each host, and run it."""
        own = folder / "host_vars"
        own.mkdir(parents=True, exist_ok=True)
        for host, root, port in zip(self.hosts, self.roots, self.ports, strict=True):
            facts = {
                "samovar_root": str(root),
                "samovar_port": port,
                "samovar_python": sys.executable,
            }
            (own / f"{host.name}.yml").write_text(json.dumps(facts))
        named = [word for host in (hosts or ("east", "west")) for word in ("--host", host)]
        return samovar(
            "deploy", "ansible", digest, "-o", folder, *named, "--apply", "--json", code=code,
            timeout_s=800, **self.env,
        )  # fmt: skip


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


def test_hosts_are_served_once_and_a_bundle_that_fails_switches_nobody(
    fleet: Fleet, tmp_path: Path
) -> None:
    project = copy_example(tmp_path / "web")
    samovar("init", "--name", "titanic", "--yes", cwd=project)
    good = samovar("pack", "--json", cwd=project).json["digest"]
    first = fleet.deploy(good, tmp_path / "playbook")
    assert first.json["applied"] is True
    assert all(first.json["changed"].values())
    assert fleet.digests() == [good, good]

    again = fleet.deploy(good, tmp_path / "playbook")
    assert again.json["changed"] == {"east": 0, "west": 0}

    proof = samovar("verify", "ssh://west", "--json", **fleet.env)
    assert proof.json["verdict"] == "IDENTICAL"

    home = Path(os.environ["SAMOVAR_HOME"])
    broken = broken_of(home, good, tmp_path / "staged")
    stopped = fleet.deploy(broken, tmp_path / "broken", code=3)
    assert "east: failed" in stopped.error["message"]
    assert "west: left" in stopped.error["message"]
    assert fleet.digests() == [good, good]

    # A host that nobody reaches is named; the one before it was done, and is not undone.
    away = fleet.deploy(good, tmp_path / "playbook", "east", "127.0.0.1:9", code=3)
    assert "east: done, 0 changed" in away.error["message"]
    assert "127.0.0.1-9: failed" in away.error["message"]
