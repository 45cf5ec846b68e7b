"""samovar and its peers, started as their documentation says, two processes where they ask for it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


APPS = Path(__file__).parent / "apps"
SAMOVAR = str(Path(sys.executable).with_name("samovar"))
PEERS = ("fastapi", "uvicorn[standard]", "flask", "pyuwsgi")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def make_environment(folder: Path, requirements: list[str]) -> Path:
    """Make the peers' environment and give its ``bin``."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    target = ["--python", folder / "bin" / "python"]
    subprocess.run([*uv, "pip", "install", "-q", *target, *PEERS, *requirements], check=True)
    return folder / "bin"


def samovar(project: Path, _bin: Path, port: int) -> list[str]:
    """Serve the packed project."""
    return [SAMOVAR, "serve", str(project), "--port", str(port)]


def fastapi(_project: Path, folder: Path, port: int) -> list[str]:
    """FastAPI on uvicorn: two workers, uvloop, httptools."""
    return [
        str(folder / "uvicorn"), "fastapi_app:app", "--app-dir", str(APPS), "--port", str(port),
        "--workers", "2", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
        "--log-level", "warning",
    ]  # fmt: skip


def uwsgi(project: Path, folder: Path, port: int) -> list[str]:
    """Flask on uWSGI, two processes, behind NGINX: this is the uWSGI part."""
    return [
        str(folder / "pyuwsgi"), "--socket", str(project / f"uwsgi-{port}.sock"), "--master",
        "--processes", "2", "--chdir", str(APPS), "--module", "flask_app:app", "--disable-logging",
        "--die-on-term", "--listen", "1024", "--need-app", "--home", str(folder.parent),
    ]  # fmt: skip


def nginx(folder: Path, port: int, location: str) -> list[str]:
    """NGINX with one location."""
    configuration = folder / f"nginx-{port}.conf"
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration.write_text(
        f"worker_processes auto; daemon off; pid {folder}/nginx-{port}.pid; user root;"
        "error_log /dev/null; events { worker_connections 4096; }"
        f"http {{ access_log off; keepalive_requests 1000000000; {temporary}"
        f"server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }} }}"
    )
    return ["/usr/sbin/nginx", "-p", str(folder), "-c", str(configuration)]


@contextmanager
def running(command: list[str], variables: dict[str, str], log: Path) -> Iterator[int]:
    """Run a server until the block ends; gives its process id."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command, env={**os.environ, **ONE_THREAD, **variables}, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process.pid
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def await_answer(url: str, body: bytes, started: float) -> float:
    """Wait for the first 200 and give the seconds since the start."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    while time.perf_counter() - started < 120:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                json.load(answer)
                return time.perf_counter() - started
        except OSError:
            time.sleep(0.005)
    raise AssertionError(f"{url} never answered")


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_all(
    project: Path, folder: Path, peers: Path, body: bytes, answer: float, stack: ExitStack
) -> dict[str, tuple[str, list[int], float]]:
    """Start samovar and the peers over one model.

    Returns
    -------
    dict
        Name to URL, process ids, and seconds from start to first answer.
    """
    model = {"MODEL": str(project / "model.pkl")}
    found = {}
    for name in ("samovar", "FastAPI + uvicorn", "uWSGI + NGINX", "NGINX, a constant"):
        port = free_port()
        url = f"http://127.0.0.1:{port}/predict"
        log = folder / f"{name.split()[0].lower()}.log"
        if name == "samovar":
            commands = [samovar(project, peers, port)]
        elif name.startswith("FastAPI"):
            commands = [fastapi(project, peers, port)]
        elif name.startswith("uWSGI"):
            pass_on = (
                f"include /etc/nginx/uwsgi_params; uwsgi_pass unix:{project}/uwsgi-{port}.sock;"
            )
            commands = [uwsgi(project, peers, port), nginx(folder, port, pass_on)]
        else:
            constant = json.dumps({"prediction": answer})
            location = f"default_type application/json; return 200 '{constant}';"
            commands = [nginx(folder, port, location)]
        started = time.perf_counter()
        pids = [stack.enter_context(running(command, model, log)) for command in commands]
        found[name] = (url, pids, await_answer(url, body, started))
    return found


def missing() -> list[str]:
    """Name the programs that are not here."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    return [name for name in ("wrk", "nginx") if shutil.which(name, path=path) is None]
