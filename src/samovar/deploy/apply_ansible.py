"""Carry out ``deploy ansible``: what the role needs beside it, and Ansible itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from samovar.deploy.ansible import Host
from samovar.deploy.folder import write_archive
from samovar.deploy.own_wheel import wheel_name, write_wheel
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.bundle.opened import Bundle
    from samovar.deploy.plan import Plan
    from samovar.store.layout import Store

    Progress = Callable[[str], None]

_FILES = Path("roles", "samovar_service", "files")
_RECAP = re.compile(r"^(\S+)\s*: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.M)
_SHOWN = 3000


def write_payload(store: Store, bundle: Bundle, folder: Path) -> list[str]:
    """Put samovar's wheel and the saved bundle beside the role; give their paths."""
    files = folder / _FILES
    files.mkdir(parents=True, exist_ok=True)
    write_wheel(files / wheel_name())
    archive = write_archive(store, bundle, files)
    return [(_FILES / wheel_name()).as_posix(), (_FILES / archive).as_posix()]


def apply(plan: Plan, folder: Path, progress: Progress) -> tuple[list[str], dict[str, int]]:
    """Run the playbook; give where the service answers, and how many tasks changed each host.

    Raises
    ------
    Unavailable
        Where Ansible is missing, or a host fails: each host's part of the recap is told.
    """
    program = _program()
    progress(f"Deploying to {len(plan.hosts)} hosts")
    done = subprocess.run(
        [program, "deploy.yml"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    recap = {
        match[1]: (int(match[2]), int(match[3]) + int(match[4]))
        for match in _RECAP.finditer(done.stdout)
    }
    hosts = [Host.parse(text) for text in plan.hosts]
    if done.returncode != 0:
        raise Unavailable(
            "The deployment stopped; hosts after the one that failed were left as they were.",
            why="\n".join([*_by_host(hosts, recap), (done.stdout + done.stderr)[-_SHOWN:].strip()]),
            hint=f"Mend it and run again, or 'ansible-playbook deploy.yml' in {folder}.",
            code="deploy_failed",
        )
    endpoints = [f"http://{host.name}:{plan.port}" for host in hosts]
    return endpoints, {host.alias: recap.get(host.alias, (0, 0))[0] for host in hosts}


def _by_host(hosts: list[Host], recap: dict[str, tuple[int, int]]) -> list[str]:
    lines = []
    for host in hosts:
        changed, failed = recap.get(host.alias, (0, 0))
        state = (
            "failed" if failed else f"done, {changed} changed" if host.alias in recap else "left"
        )
        lines.append(f"{host.alias}: {state}")
    return lines


def _program() -> str:
    beside = Path(sys.executable).with_name("ansible-playbook")
    found = shutil.which("ansible-playbook") or (str(beside) if beside.exists() else None)
    if found is None:
        raise Unavailable(
            "Ansible is not installed here.",
            hint="uv tool install ansible-core",
            code="no_ansible",
        )
    return found
