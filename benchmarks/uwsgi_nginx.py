"""Requests a second of ``deploy uwsgi-nginx`` against the same wired by hand, with wrk.

By hand is what a tutorial gives: an uWSGI with a master and as many processes, an NGINX with
``uwsgi_pass``. Both serve ``GET /`` of the example's own application from the same environment, one
after the other, several times; the median is printed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
SAMOVAR = str(Path(sys.executable).with_name("samovar"))
PROCESSES, SECONDS, ROUNDS = 2, 4, 3
SBIN = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
BY_HAND = """
user {user}; worker_processes auto; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/sc;
  server {{ listen 127.0.0.1:{port}; location / {{ include {params}; uwsgi_pass unix:{folder}/socket; }} }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rate(port: int) -> float:
    """Load the service for some seconds; give requests a second."""
    command = ["wrk", "-t1", "-c64", f"-d{SECONDS}s", f"http://127.0.0.1:{port}/"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec:\s*([\d.]+)", shown)
    assert found is not None, shown
    assert "Non-2xx" not in shown, shown
    return float(found[1])


@contextmanager
def by_hand(service: Path, folder: Path) -> Iterator[int]:
    """Run what a tutorial gives, with the deployed service's environment and project."""
    port = free_port()
    program = "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])"
    uwsgi = subprocess.Popen(
        [service / "venv/bin/python", "-c", program, "--master", "--module", "server",
         "--callable", "app", "--processes", str(PROCESSES), "--socket", folder / "socket",
         "--die-on-term", "--logto", folder / "uwsgi.log"],
        cwd=service / "project",
        env={**os.environ, "PYTHONPATH": str(service / "uwsgi")},
    )  # fmt: skip
    conf = folder / "nginx.conf"
    user = "root" if os.geteuid() == 0 else "nobody"
    conf.write_text(
        BY_HAND.format(folder=folder, port=port, params=service / "uwsgi_params", user=user)
    )
    nginx = subprocess.Popen([shutil.which("nginx", path=SBIN) or "nginx", "-c", conf])
    try:
        wait(port)
        yield port
    finally:
        for process in (nginx, uwsgi):
            process.send_signal(signal.SIGTERM)
            process.wait()


def wait(port: int) -> None:
    for _ in range(600):
        done = subprocess.run(
            ["curl", "-sf", f"http://127.0.0.1:{port}/"], check=False, capture_output=True
        )
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise SystemExit("the service by hand does not answer")


def main() -> None:
    """Print both rates and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {**os.environ, "SAMOVAR_HOME": str(folder / "home")}
        project, service, port = folder / "web", folder / "service", free_port()
        shutil.copytree(ROOT / "examples" / "web", project)
        for words in (
            ["init", str(project), "--name", "titanic", "--yes"],
            ["deploy", "uwsgi-nginx", str(project), "-o", str(service), "--cpus", str(PROCESSES),
             "--port", str(port), "--apply"],
        ):  # fmt: skip
            subprocess.run([SAMOVAR, *words, "--json"], env=env, check=True, capture_output=True)
        ours, theirs = [], []
        hand = folder / "hand"
        hand.mkdir()
        try:
            with by_hand(service, hand) as hand_port:
                for _ in range(ROUNDS):
                    ours.append(rate(port))
                    theirs.append(rate(hand_port))
        finally:
            subprocess.run([service / "service.sh", "stop"], check=True)
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"deploy uwsgi-nginx  {mine:8.0f} requests a second")
    print(f"wired by hand       {other:8.0f} requests a second")
    print(f"ratio               {mine / other:8.2f}")


if __name__ == "__main__":
    main()
