"""Ansible: a role and a playbook that bring a bundle to hosts with SSH, one after the other.

Each host gets samovar itself, the bundle by its digest, and replays the receipt before anything is
switched; the first host that answers otherwise stops the rollout and keeps its old service.

References
----------
Ansible documentation: "Roles", "Controlling playbook execution: strategies and more" (serial).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from samovar.deploy.plan import SERVICE_PORT
from samovar.errors import UserError

if TYPE_CHECKING:
    from samovar.deploy.plan import Files, Plan

_HOST = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
)

_PLAYBOOK = """\
# {name}: ansible-playbook deploy.yml
# Back to an older bundle that the hosts still have: -e samovar_digest=sha256:...
- name: "{name} on every host, one after the other"
  hosts: all
  serial: 1
  any_errors_fatal: true
  gather_facts: true
  become: "{{{{ samovar_become }}}}"
  roles:
    - samovar_service
"""

_VARIABLES = """\
# What is deployed.
samovar_service: {label}
samovar_digest: "{digest}"

# Where, and with which limits.
samovar_address: {address}
samovar_port: {port}
samovar_cpu_percent: {percent}
samovar_memory_mib: {memory}
samovar_root: /opt/samovar
samovar_user: "{{{{ ansible_facts.user_id }}}}"
samovar_become: false
samovar_python: python3

# samovar itself, as it was when this was written.
samovar_version: "{version}"
samovar_wheel: {wheel}
samovar: "{{{{ samovar_root }}}}/tool/{{{{ samovar_version }}}}/bin/samovar"
samovar_environment:
  SAMOVAR_HOME: "{{{{ samovar_root }}}}/home"
"""

_CONFIGURATION = """\
[defaults]
inventory = inventory.ini
roles_path = roles
interpreter_python = python3
retry_files_enabled = false
nocows = true
forks = 20
timeout = 15

[ssh_connection]
pipelining = true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine that is reached by SSH."""

    name: str
    user: str | None
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Host:
        """Read ``[user@]host[:port]``.

        Raises
        ------
        UserError
            Where it is something else.
        """
        match = _HOST.fullmatch(text)
        if match is None:
            raise UserError(f"{text!r} is not a host.", hint="Write [user@]host[:port].")
        return cls(
            name=match["name"].strip("[]"),
            user=match["user"],
            port=int(match["port"]) if match["port"] else None,
        )

    @property
    def alias(self) -> str:
        """What Ansible calls it."""
        return self.name if self.port is None else f"{self.name}-{self.port}"

    @property
    def line(self) -> str:
        """The host's line in an inventory; two ports of one address are two hosts."""
        words = [self.alias, f"ansible_host={self.name}"]
        if self.user is not None:
            words.append(f"ansible_user={self.user}")
        if self.port is not None:
            words.append(f"ansible_port={self.port}")
        return " ".join(words)


def write(plan: Plan, *, version: str, wheel: str) -> Files:
    """Write the inventory, the playbook and the role.

    Parameters
    ----------
    plan : Plan
        What to run, and on which hosts.
    version : str
        Of samovar.
    wheel : str
        File name of samovar's wheel, which lies in the role's ``files/``.

    Raises
    ------
    UserError
        Where no host is named.
    """
    if not plan.hosts:
        raise UserError("No host is named.", hint="Give --host [user@]host[:port], once for each.")
    service = plan.service
    hosts = [Host.parse(text).line for text in plan.hosts]
    variables = _VARIABLES.format(
        label=service.label,
        digest=service.digest,
        address=plan.address,
        port=plan.port or SERVICE_PORT,
        percent=round(plan.cpus * 100),
        memory=plan.memory_mib,
        version=version,
        wheel=wheel,
    )
    role = "roles/samovar_service"
    return {
        "ansible.cfg": _CONFIGURATION,
        "inventory.ini": "\n".join(["[all]", *hosts, ""]),
        "deploy.yml": _PLAYBOOK.format(name=service.name),
        "group_vars/all.yml": variables,
        f"{role}/tasks/main.yml": _resource("role/tasks.yml"),
        f"{role}/templates/service.sh.j2": _resource("role/service.sh.j2"),
        f"{role}/templates/unit.j2": _resource("role/unit.j2"),
        f"{role}/files/samovar-requirements.txt": _resource("samovar-requirements.txt"),
    }


def _resource(name: str) -> str:
    return files("samovar.deploy").joinpath(name).read_text(encoding="utf-8")
