"""Docker Compose: replicas with limits behind an NGINX that survives the loss of one.

Replicas are services of their own with fixed addresses. So one can be replaced after the other,
NGINX knows each by name, and a replica that comes back is found where it was.

References
----------
Compose specification; read by docker-compose 1.29 and by the plugin of version 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.deploy import nginx
from samovar.deploy.plan import SERVICE_PORT, Files, Plan
from samovar.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_REPLICAS: Final = 200
_FIRST_ADDRESS: Final = 11
READY_PROGRAM: Final = (
    "import urllib.request as r; "
    f"r.urlopen('http://127.0.0.1:{SERVICE_PORT}/v2/health/ready', timeout=2)"
)

_HEAD = """\
# {name} {version}, {replicas} replicas behind NGINX. Written by `samovar deploy compose`.
#   bundle {digest}
# Start: docker-compose up -d      Replace one replica after the other: ./rollout.sh

x-replica: &replica
  image: {image}
  restart: unless-stopped
  init: true
  stop_grace_period: 30s
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 256
  cpus: {cpus}
  mem_limit: {memory}m
  memswap_limit: {memory}m
  healthcheck:
    test: ["CMD", "python3", "-c", "{ready}"]
    interval: 5s
    timeout: 5s
    retries: 3
    start_period: 120s

services:
  balancer:
    image: {balancer}
    command: ["nginx", "-c", "/etc/samovar/nginx.conf", "-g", "daemon off;"]
    entrypoint: []
    restart: unless-stopped
    stop_signal: SIGQUIT  # finish what is in flight
    stop_grace_period: 30s
    user: "65532:65532"
    read_only: true
    tmpfs: ["/tmp:mode=1777,size=64m"]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    volumes: ["./nginx.conf:/etc/samovar/nginx.conf:ro"]
    ports: ["{address}:{port}:8080"]
    networks: [inside]
    depends_on:
{depends}
"""

_REPLICA = """\
  {service}:
    <<: *replica
    networks:
      inside:
        ipv4_address: {subnet}.{number}
"""

_TAIL = """\
networks:
  inside:
    ipam:
      config:
        - subnet: {subnet}.0/24
"""

_ROLLOUT = """\
#!/bin/sh
# Replaces one replica after the other; the next one only when the last one answers.
set -eu
cd "$(dirname "$0")"
compose=${{COMPOSE:-docker-compose}}
for service in {services}; do
  $compose up -d --no-deps --force-recreate "$service"
  tries=0
  until [ "$(docker inspect -f '{{{{.State.Health.Status}}}}' \\
             "$($compose ps -q "$service")")" = healthy ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 120 ] || {{ echo "$service is not healthy; the others were left" >&2; exit 1; }}
    sleep 1
  done
done
"""


def write(plan: Plan) -> Files:
    """Write ``docker-compose.yml``, ``nginx.conf`` and ``rollout.sh``.

    Parameters
    ----------
    plan : Plan
        What to run.

    Raises
    ------
    UserError
        For more replicas than one machine's network takes.
    """
    if plan.replicas > _MAX_REPLICAS:
        raise UserError(
            f"Compose is for one machine: at most {_MAX_REPLICAS} replicas.",
            hint="See 'samovar deploy swarm' and 'samovar deploy kubernetes'.",
        )
    service, subnet = plan.service, _subnet(plan.port)
    names = [f"{service.label}-{number}" for number in range(1, plan.replicas + 1)]
    head = _HEAD.format(
        name=service.name,
        version=service.version,
        digest=service.digest,
        image=service.image,
        replicas=plan.replicas,
        cpus=plan.cpu_text,
        memory=plan.memory_mib,
        ready=READY_PROGRAM,
        balancer=plan.balancer,
        address=plan.address,
        port=plan.port,
        depends="\n".join(f"      {name}: {{condition: service_healthy}}" for name in names),
    )
    blocks = "".join(
        _REPLICA.format(service=name, subnet=subnet, number=number)
        for name, number in zip(names, _addresses(), strict=False)
    )
    servers = [f"{subnet}.{n}:{SERVICE_PORT}" for _, n in zip(names, _addresses(), strict=False)]
    body = nginx.balancer(service.label, servers, listen="8080", again=True)
    return {
        "docker-compose.yml": head + blocks + "\n" + _TAIL.format(subnet=subnet),
        "nginx.conf": nginx.whole(body),
        "rollout.sh": _ROLLOUT.format(services=" ".join(names)),
    }


def _subnet(port: int) -> str:
    """Give the first three bytes of the replicas' own network.

    NGINX must know where they are before they are there. Two services of one machine have two
    ports, and so two networks.
    """
    return f"10.{160 + (port >> 8) % 64}.{port & 255}"


def _addresses() -> Iterator[int]:
    return iter(range(_FIRST_ADDRESS, _FIRST_ADDRESS + _MAX_REPLICAS))
