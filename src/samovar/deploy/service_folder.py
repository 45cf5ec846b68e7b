"""What a folder that is a whole service has in common: its script, its unit, its supervisor.

``supervise.py`` and a ``backend.py`` go along as they are; they run without samovar.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

SERVICE: Final = """\
#!/bin/sh
# {name} behind NGINX: service.sh start | stop | reload | status
set -eu
cd "$(dirname "$0")"

running() {{ [ -s run/service.pid ] && kill -0 "$(cat run/service.pid)" 2>/dev/null; }}

case "${{1:-}}" in
  start)
    running && exit 0
    mkdir -p run
    nohup {command} </dev/null >>run/service.log 2>&1 &
    echo $! >run/service.pid
    ;;
  stop)
    running || exit 0
    pid=$(cat run/service.pid)
    kill -TERM "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm -f run/service.pid
    ;;
  reload) running && kill -HUP "$(cat run/service.pid)" ;;
  status) if running; then echo running; else echo stopped; exit 1; fi ;;
  *) echo "usage: $0 start | stop | reload | status" >&2; exit 2 ;;
esac
"""

SANDBOX: Final = """\
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
ProtectKernelTunables=true
ProtectKernelModules=true
ProtectControlGroups=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=true
LockPersonality=true
CapabilityBoundingSet=

[Install]
WantedBy=multi-user.target
"""
"""How systemd shuts every service of ours in, and the end of its unit."""
UNIT: Final = (
    """\
# /etc/systemd/system/{label}.service, for the folder at /opt/samovar/{label}
[Unit]
Description={name}: {what}
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
User=samovar
Group=samovar
WorkingDirectory=/opt/samovar/{label}
{environment}ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
TimeoutStopSec=45
Restart=on-failure
RestartSec=1
CPUQuota={quota}%
MemoryMax={memory}M
TasksMax=256
LimitNOFILE=16384
NoNewPrivileges=true
ProtectSystem=strict
ReadWritePaths={writable}
"""
    + SANDBOX
)


def resource(name: str) -> str:
    """Give the text of a file that goes along."""
    return files("samovar.deploy").joinpath(name).read_text(encoding="utf-8")
