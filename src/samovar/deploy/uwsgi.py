"""uWSGI behind NGINX: the classic, for an application of the user's own, done well.

One folder is the whole service: NGINX takes the connections, uWSGI runs the application in the
bundle's environment behind a unix socket, and ``supervise.py`` keeps both. The folder works on
a bare machine (``service.sh``), under systemd, and as a container.

References
----------
uWSGI documentation, "Things to know", "The Master FIFO", "The Art of Graceful Reloading".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.deploy import nginx
from samovar.deploy.service_folder import SERVICE, UNIT, resource
from samovar.errors import InvalidProject

if TYPE_CHECKING:
    from samovar.deploy.plan import Files, Plan

HARAKIRI_S: Final = 60
"""Longest that one request may take; NGINX waits a little longer, to pass the answer on."""

_UWSGI_INI = """\
; {name}: {app}, run by uWSGI in the bundle's own environment.
[uwsgi]
strict = true
master = true
need-app = true
single-interpreter = true
enable-threads = true
; Each worker loads the application itself: models and thread pools do not survive a fork.
lazy-apps = true
; The application finds its files beside it, as its author did; other paths are relative to it.
chdir = %dproject
module = {module}
callable = {callable}
processes = {processes}
threads = {threads}
thunder-lock = true

; Relative, because the path of a socket may have 107 bytes only.
socket = ../run/uwsgi.sock
chmod-socket = 660
listen = 1024
buffer-size = 32768
post-buffering = 65536
vacuum = true

; A request that hangs takes its worker with it, not the service.
harakiri = {harakiri}
harakiri-verbose = true
; NGINX has drained when SIGTERM comes. A reload replaces one worker after the other.
die-on-term = true
reload-mercy = 30
worker-reload-mercy = 30
master-fifo = ../run/uwsgi.fifo

; One line a request is NGINX's to write; here only what went wrong.
disable-logging = true
log-4xx = false
log-5xx = true
auto-procname = true
procname-prefix-spaced = {label}
env = PYTHONUNBUFFERED=1
env = OMP_NUM_THREADS=1
env = OPENBLAS_NUM_THREADS=1
"""

_DOCKERFILE = """\
# {name} {version} as one image: NGINX in front of uWSGI, both ended by SIGTERM without losing a
# request. Run it read-only: docker run --read-only --tmpfs /tmp --cap-drop ALL -p 8080:{port} …
ARG BASE=python:{python}-slim-bookworm
FROM ${{BASE}}
RUN apt-get update \\
 && apt-get install -y --no-install-recommends nginx-light \\
 && rm -rf /var/lib/apt/lists/*
WORKDIR /srv
COPY requirements.txt uwsgi-requirements.txt ./
RUN python -m venv venv \\
 && venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt \\
 && venv/bin/pip install --no-cache-dir --require-hashes --target uwsgi -r uwsgi-requirements.txt \\
 && ln -s /tmp run
COPY nginx.conf uwsgi_params uwsgi.ini supervise.py backend.py ./
COPY project project
ENV PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["python", "-c", \\
  "import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/', timeout=2)"]
ENTRYPOINT ["/srv/venv/bin/python", "/srv/supervise.py"]
"""


def write(plan: Plan) -> Files:
    """Write the configuration of uWSGI and NGINX, a unit, a Dockerfile and ``service.sh``.

    Raises
    ------
    InvalidProject
        Where the bundle has no application of its own.
    """
    service = plan.service
    if service.app is None:
        raise InvalidProject(
            "uWSGI runs the project's own application, and the bundle names none.",
            hint='Set [service] app = "server:app" in samovar.toml and pack again, '
            "or see 'samovar deploy compose' for samovar's own server.",
            code="no_app",
        )
    folder = f"/opt/samovar/{service.label}"
    module, _, function = service.app.partition(":")
    values = {
        "name": service.name,
        "version": service.version,
        "label": service.label,
        "python": service.python,
        "app": service.app,
        "module": module,
        "callable": function or "application",
        "processes": plan.workers,
        "threads": 2,
        "harakiri": HARAKIRI_S,
        "port": plan.port,
        "quota": round(plan.cpus * 100),
        "memory": plan.memory_mib,
    }
    body = nginx.front(
        service.label,
        socket="run/uwsgi.sock",
        listen=f"{plan.address}:{plan.port}",
        params="uwsgi_params",
        timeout_s=HARAKIRI_S + 5,
    )
    conf = nginx.whole(body, scratch="run", workers=str(plan.workers), main="daemon off;")
    return {
        "nginx.conf": conf,
        "uwsgi_params": nginx.UWSGI_PARAMS,
        "uwsgi.ini": _UWSGI_INI.format(**values),
        "supervise.py": resource("supervise.py"),
        "backend.py": resource("backend_uwsgi.py"),
        "service.sh": SERVICE.format(name=service.name, command="venv/bin/python supervise.py"),
        "Dockerfile": _DOCKERFILE.format(**values),
        f"systemd/{service.label}.service": UNIT.format(
            **values,
            what="uWSGI behind NGINX",
            command=f"{folder}/venv/bin/python {folder}/supervise.py",
            writable=f"{folder}/run",
            environment="",
        ),
        "uwsgi-requirements.txt": resource("uwsgi-requirements.txt"),
    }
