"""samovar's own server behind NGINX on a bare machine: one folder, one service.

NGINX takes the connections, deals with slow and oversized clients, and asks the server over a unix
socket that ``supervise.py`` keeps open across replacements of the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar.deploy import nginx
from samovar.deploy.service_folder import SERVICE, UNIT, resource

if TYPE_CHECKING:
    from samovar.deploy.plan import Files, Plan

_ENVIRONMENT = """\
Environment=SAMOVAR_HOME=/var/lib/samovar SAMOVAR_OFFLINE=1
StateDirectory=samovar
# Once before the first start, as the user samovar:  samovar verify {folder}/{bundle}
"""


def write(plan: Plan, *, bundle: str, app: bool, program: str = "samovar") -> Files:
    """Write NGINX's configuration, the supervisor, a unit and ``service.sh``.

    Parameters
    ----------
    plan : Plan
        What to run; ``replicas`` do not matter, a machine has one folder.
    bundle : str
        File of the saved bundle in the folder.
    app : bool
        Serve the project's own application.
    program : str
        What ``service.sh`` starts where ``SAMOVAR`` names nothing else.
    """
    service = plan.service
    folder = f"/opt/samovar/{service.label}"
    serve = f"serve ./{bundle} --workers {plan.workers}" + (" --app" if app else "")
    body = nginx.balancer(
        service.label,
        ["unix:run/samovar.sock"],
        listen=f"{plan.address}:{plan.port}",
        again=not app,
    )
    conf = nginx.whole(body, scratch="run", workers=str(plan.workers), main="daemon off;")
    unit = UNIT.format(
        name=service.name,
        label=service.label,
        what="samovar behind NGINX",
        environment=_ENVIRONMENT.format(folder=folder, bundle=bundle),
        command=f"/usr/bin/python3 {folder}/supervise.py /usr/local/bin/samovar {serve}",
        writable=f"{folder}/run",
        quota=round(plan.cpus * 100),
        memory=plan.memory_mib,
    )
    command = f'python3 supervise.py "${{SAMOVAR:-{program}}}" {serve}'
    return {
        "nginx.conf": conf,
        "supervise.py": resource("supervise.py"),
        "backend.py": resource("backend_samovar.py"),
        "service.sh": SERVICE.format(name=service.name, command=command),
        f"systemd/{service.label}.service": unit,
    }
