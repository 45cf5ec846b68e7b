"""Docker Swarm: a stack whose balancer asks DNS for the replicas and survives the loss of a node.

Swarm's own virtual address hides the replicas, so a dead one keeps getting its share of requests
until Swarm notices. With ``dnsrr`` the balancer sees each replica, leaves a dead one at once, and
follows DNS within a second.

References
----------
Compose file reference version 3.8, "deploy".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.deploy import nginx
from samovar.deploy.compose import READY_PROGRAM
from samovar.deploy.plan import SERVICE_PORT

if TYPE_CHECKING:
    from samovar.deploy.plan import Files, Plan

READ_S: Final = 15
"""A node without power sends no more than silence; what was asked there is asked elsewhere then."""

_STACK = """\
# {name} {version}. docker stack deploy -c stack.yml {label}
#   bundle {digest}
version: "3.8"

services:
  replica:
    image: {image}
    init: true
    stop_grace_period: 30s
    read_only: true
    cap_drop: [ALL]
    networks: [inside]
    healthcheck:
      test: ["CMD", "python3", "-c", "{ready}"]
      interval: 2s
      timeout: 10s
      retries: 3
      start_period: 120s
    deploy:
      replicas: {replicas}
      endpoint_mode: dnsrr
      placement:
        max_replicas_per_node: {per_node}
        preferences:
          - spread: node.id
      resources:
        limits: {{cpus: "{cpus}", memory: {memory}M}}
        reservations: {{cpus: "{cpus}", memory: {memory}M}}
      restart_policy: {{condition: any, delay: 1s}}
      update_config:
        order: start-first
        parallelism: 1
        delay: 2s
        monitor: 5s
        failure_action: rollback
      rollback_config: {{order: start-first, parallelism: 1, monitor: 5s}}

  balancer:
    image: {balancer}
    entrypoint: ["sh", "/etc/samovar/balance.sh"]
    read_only: true
    cap_drop: [ALL]
    user: "65532:65532"
    stop_signal: SIGQUIT
    stop_grace_period: 30s
    volumes: [{{type: tmpfs, target: /tmp}}]  # a stack ignores "tmpfs: [/tmp]"
    networks: [inside]
    ports:
      - {{target: 8080, published: {port}, mode: host}}
    configs:
      - {{source: balancer, target: /etc/samovar/nginx.conf}}
      - {{source: follow, target: /etc/samovar/balance.sh}}
    deploy:
      mode: global  # every node takes clients; any of them may be lost
      update_config: {{parallelism: 1, delay: 5s, failure_action: rollback}}

configs:
  balancer:
    file: nginx.conf
    name: {label}-nginx-{key}
  follow:
    file: balance.sh
    name: {label}-balance-{key}

networks:
  inside:
    driver: overlay
"""

_FOLLOW = """\
#!/bin/sh
# Writes the replicas that DNS names into NGINX's upstream, and reloads it where they changed.
set -u
replicas() {
  getent ahostsv4 replica | awk '{ print $1 }' | sort -u |
    sed 's/.*/server &:PORT max_fails=1 fail_timeout=2s;/'
}
until replicas >/tmp/replicas.conf && [ -s /tmp/replicas.conf ]; do sleep 0.2; done
nginx -c /etc/samovar/nginx.conf -g 'daemon off;' &
nginx=$!
trap 'kill -QUIT $nginx; wait $nginx; exit 0' QUIT TERM INT
while kill -0 $nginx 2>/dev/null; do
  sleep 1 & wait $!
  replicas >/tmp/replicas.new
  # An empty answer is DNS failing, not a service without replicas: keep the last good one.
  [ -s /tmp/replicas.new ] || continue
  cmp -s /tmp/replicas.new /tmp/replicas.conf && continue
  mv /tmp/replicas.new /tmp/replicas.conf
  kill -HUP $nginx
done
exit 1
"""


def write(plan: Plan) -> Files:
    """Write ``stack.yml``, ``nginx.conf`` and ``balance.sh``."""
    service = plan.service
    body = nginx.balancer(service.label, [], listen="8080", again=True, read_s=READ_S)
    body = body.replace("    least_conn;\n", "    least_conn;\n    include /tmp/replicas.conf;\n")
    stack = _STACK.format(
        name=service.name,
        version=service.version,
        label=service.label,
        digest=service.digest,
        key=service.digest.short,
        image=service.image,
        ready=READY_PROGRAM,
        replicas=plan.replicas,
        per_node=plan.replicas,
        cpus=plan.cpu_text,
        memory=plan.memory_mib,
        balancer=plan.balancer,
        port=plan.port,
    )
    return {
        "stack.yml": stack,
        "nginx.conf": nginx.whole(body),
        "balance.sh": _FOLLOW.replace("PORT", str(SERVICE_PORT)),
    }
