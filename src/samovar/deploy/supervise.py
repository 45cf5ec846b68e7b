"""Run a server and the NGINX in front of it as one service. Goes along with ``samovar deploy``.

This file runs on the host that serves, with the standard library alone, in the folder that holds
``nginx.conf`` and ``backend.py``, which knows how the server is started, replaced and ended.

- SIGTERM, SIGINT: NGINX stops accepting and finishes what is in flight; only then the server is
  ended.
- SIGHUP: the server is replaced without losing a request. NGINX is left alone: reading its
  configuration again would close idle connections under clients that are about to use them.
- Where one of the two dies, the other is ended and the exit code is 1: whoever started this
  (systemd, a container engine, ``service.sh``) starts it again.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DRAINED_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05

_asked: list[int] = []


def start_nginx() -> subprocess.Popen[bytes]:
    """Start NGINX with this folder as its prefix."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    nginx = shutil.which("nginx", path=path)
    if nginx is None:
        sys.exit("NGINX is not installed here (on Debian: apt install nginx-light).")
    command = [nginx, "-p", ".", "-c", "nginx.conf", "-e", "stderr"]
    if os.geteuid() == 0:
        # The workers must reach the server's socket; the unit in systemd/ runs neither as root.
        command += ["-g", "user root;"]
    return subprocess.Popen(command)


def end(process: subprocess.Popen[bytes], how: signal.Signals, within_s: float) -> None:
    """Ask a process to end, and end it where it takes too long."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    """Supervise until a signal, or until one of the two dies."""
    os.chdir(HERE)
    Path("run").mkdir(exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: _asked.append(received))
    sys.path.insert(0, str(HERE))
    backend: Any = importlib.import_module("backend").Backend(sys.argv[1:])
    while not backend.is_ready():
        if backend.has_died() or _asked:
            backend.end(1.0)
            sys.exit("The server did not start; its reason is above.")
        time.sleep(_LOOK_EVERY_S)
    nginx = start_nginx()
    while not backend.has_died() and nginx.poll() is None:
        if _asked:
            if _asked.pop(0) != signal.SIGHUP:
                break
            backend.replace()
        backend.look_after()
        time.sleep(_LOOK_EVERY_S)
    died = backend.has_died() or nginx.poll() is not None
    end(nginx, signal.SIGQUIT, DRAINED_WITHIN_S)
    backend.end(DRAINED_WITHIN_S)
    return 1 if died else 0


if __name__ == "__main__":
    sys.exit(main())
