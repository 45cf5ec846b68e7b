"""Run uWSGI and the NGINX in front of it as one service. Goes along with ``deploy uwsgi-nginx``.

This file runs on the host that serves, with the standard library alone, in the folder that holds
``nginx.conf`` and ``uwsgi.ini``.

- SIGTERM, SIGINT: NGINX stops accepting and finishes what is in flight; only then uWSGI is ended.
- SIGHUP: uWSGI replaces one worker after the other. NGINX is left alone: reading its configuration
  again would close idle connections under clients that are about to use them.
- Where one of the two dies, the other is ended and the exit code is 1: whoever started this
  (systemd, a container engine, ``service.sh``) starts it again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOCKET = Path("run/uwsgi.sock")
FIFO = Path("run/uwsgi.fifo")
READY_WITHIN_S = 120.0
DRAINED_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05

_asked: list[int] = []


def start_uwsgi() -> subprocess.Popen[bytes]:
    """Start uWSGI in this interpreter's environment."""
    program = "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])"
    env = {**os.environ, "PYTHONPATH": str(HERE / "uwsgi")}
    return subprocess.Popen([sys.executable, "-c", program, "--ini", "uwsgi.ini"], env=env)


def start_nginx() -> subprocess.Popen[bytes]:
    """Start NGINX with this folder as its prefix."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    nginx = shutil.which("nginx", path=path)
    if nginx is None:
        sys.exit("NGINX is not installed here (on Debian: apt install nginx-light).")
    command = [nginx, "-p", ".", "-c", "nginx.conf", "-e", "stderr"]
    if os.geteuid() == 0:
        # The workers must reach uWSGI's socket; the unit in systemd/ runs neither as root.
        command += ["-g", "user root;"]
    return subprocess.Popen(command)


def wait_for_socket(uwsgi: subprocess.Popen[bytes]) -> None:
    """Wait until uWSGI listens, or exit where it ended instead."""
    deadline = time.monotonic() + READY_WITHIN_S
    while not SOCKET.exists():
        if uwsgi.poll() is not None or time.monotonic() > deadline or _asked:
            end(uwsgi, signal.SIGKILL, 1.0)
            sys.exit("uWSGI did not start; its reason is above.")
        time.sleep(_LOOK_EVERY_S)


def end(process: subprocess.Popen[bytes], how: signal.Signals, within_s: float) -> None:
    """Ask a process to end, and end it where it takes too long."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def replace_workers() -> None:
    """Ask uWSGI for a chain reload."""
    with FIFO.open("wb", buffering=0) as fifo:
        fifo.write(b"c")


def main() -> int:
    """Supervise until a signal, or until one of the two dies."""
    os.chdir(HERE)
    Path("run").mkdir(exist_ok=True)
    SOCKET.unlink(missing_ok=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: _asked.append(received))
    uwsgi = start_uwsgi()
    wait_for_socket(uwsgi)
    nginx = start_nginx()
    while uwsgi.poll() is None and nginx.poll() is None:
        if _asked:
            if _asked.pop(0) != signal.SIGHUP:
                break
            replace_workers()
        time.sleep(_LOOK_EVERY_S)
    died = uwsgi.poll() is not None or nginx.poll() is not None
    end(nginx, signal.SIGQUIT, DRAINED_WITHIN_S)
    end(uwsgi, signal.SIGTERM, DRAINED_WITHIN_S)
    return 1 if died else 0


if __name__ == "__main__":
    sys.exit(main())
