"""An agent for systemd: a socket unit that keeps the door, a service unit, and its configuration.

References
----------
systemd.socket(5), systemd.service(5), systemd.exec(5), systemd.resource-control(5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar.deploy.service_folder import SANDBOX
from samovar.errors import UserError

if TYPE_CHECKING:
    from samovar.deploy.agent.settings import Settings
    from samovar.deploy.plan import Files

_SOCKET = """\
# /etc/systemd/system/samovar-agent-{label}.socket
# systemd keeps the door: while the agent is started again, connections wait instead of failing.
[Unit]
Description=Door of {reference}

[Socket]
ListenStream={listen}
Backlog=2048
NoDelay=true

[Install]
WantedBy=sockets.target
"""

_SERVICE = (
    """\
# /etc/systemd/system/samovar-agent-{label}.service
#   install -m 0644 samovar-agent-{label}.* /etc/systemd/system/
#   install -d /etc/samovar && install -m 0600 agent-{label}.env /etc/samovar/
#   useradd --system --home-dir /var/lib/samovar --shell /usr/sbin/nologin samovar
#   systemctl daemon-reload
#   systemctl enable --now samovar-agent-{label}.socket samovar-agent-{label}.service
[Unit]
Description=Serves {reference} as the registry has it, once proven here
Wants=network-online.target
After=network-online.target samovar-agent-{label}.socket
Requires=samovar-agent-{label}.socket

[Service]
Type=exec
User=samovar
Group=samovar
EnvironmentFile=/etc/samovar/agent-{label}.env
ExecStart=/usr/local/bin/samovar deploy agent ${{REFERENCE}} --interval ${{INTERVAL}} $OPTIONS
# Where the agent dies, its servers get SIGTERM and finish what is in flight; then it starts again.
KillMode=control-group
TimeoutStopSec=60
Restart=always
RestartSec=1
StateDirectory=samovar
CPUQuota={quota}%
# While it switches, the old and the new bundle are in memory together.
MemoryMax={memory}M
TasksMax=512
LimitNOFILE=16384
NoNewPrivileges=true
ProtectSystem=strict
"""
    + SANDBOX
)

_ENVIRONMENT = """\
# /etc/samovar/agent-{label}.env
# What is followed: a tag of a registry. The registry is asked every INTERVAL seconds.
REFERENCE={reference}
INTERVAL={interval:g}
OPTIONS={options}

SAMOVAR_HOME=/var/lib/samovar
UV_CACHE_DIR=/var/lib/samovar/uv
# Credentials, as Docker keeps them (config.json), for a registry that asks for them.
DOCKER_CONFIG=/var/lib/samovar/docker
# Serve nothing that lacks the attestations that [policy] in this file asks for.
# SAMOVAR_POLICY=/etc/samovar/policy.toml
"""


def write(settings: Settings, *, cpus: float, memory_mib: int) -> Files:
    """Write the units and the configuration.

    Parameters
    ----------
    settings : Settings
        What the agent is told.
    cpus : float
        Processors that agent and servers may use.
    memory_mib : int
        Memory of one server.

    Raises
    ------
    UserError
        Where no port is named: a unit needs one.
    """
    if settings.port == 0:
        raise UserError("A unit needs a port.", hint="Name one with --port.")
    host = f"[{settings.address}]" if ":" in settings.address else settings.address
    values = {
        "label": settings.label,
        "reference": settings.reference,
        "interval": settings.interval_s,
        "listen": f"{host}:{settings.port}",
        "options": " ".join(_options(settings)),
        "quota": round(cpus * 100),
        "memory": 2 * memory_mib + 256,
    }
    name = f"samovar-agent-{settings.label}"
    return {
        f"{name}.socket": _SOCKET.format(**values),
        f"{name}.service": _SERVICE.format(**values),
        f"agent-{settings.label}.env": _ENVIRONMENT.format(**values),
    }


def _options(settings: Settings) -> list[str]:
    words = ["--workers", settings.workers]
    if settings.app:
        words.append("--app")
    if settings.plain_http:
        words.append("--plain-http")
    if settings.status_port is not None:
        words += ["--status-port", str(settings.status_port)]
    return words
