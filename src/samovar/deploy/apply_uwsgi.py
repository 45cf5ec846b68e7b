"""Carry out ``deploy uwsgi-nginx`` on this machine: environment, uWSGI, NGINX, first answer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

from samovar.core import bundle as layout
from samovar.deploy.probe import wait_until_answers
from samovar.env.interpreters import find_interpreter
from samovar.env.lock import Lock
from samovar.env.uv import run_uv
from samovar.env.venv import make_venv
from samovar.errors import Unavailable
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.deploy.plan import Plan

    Progress = Callable[[str], None]

_READY_WITHIN_S = 90.0
_SHOWN_LINES = 20


def apply(plan: Plan, bundle: Bundle, folder: Path, progress: Progress) -> list[str]:
    """Make the environments in the folder, start the service, and give where it answers.

    What is slow comes first, so that a service that runs already is away for a moment only.

    Raises
    ------
    Unavailable
        Where NGINX is missing, the port is taken, or the service does not answer; its log is told.
    """
    _need_nginx()
    control = folder / "service.sh"
    progress("Making the environment")
    _make_environments(bundle, folder, progress)
    subprocess.run([control, "stop"], check=True, stdin=subprocess.DEVNULL)
    for name in ("venv", "uwsgi"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / f"{name}.new").rename(folder / name)
    _need_port(plan)
    progress("Starting uWSGI and NGINX")
    subprocess.run([control, "start"], check=True, stdin=subprocess.DEVNULL)
    endpoint = f"http://{_reachable(plan.address)}:{plan.port}"
    try:
        wait_until_answers(endpoint, within_s=_READY_WITHIN_S, alive=lambda: _runs(control))
    except Unavailable as error:
        subprocess.run([control, "stop"], check=False, stdin=subprocess.DEVNULL)
        raise Unavailable(
            error.message,
            why=_last_lines(folder / "run" / "service.log"),
            hint=f"The whole log is {folder / 'run' / 'service.log'}.",
            code="service_failed",
        ) from error
    return [endpoint]


def _make_environments(bundle: Bundle, folder: Path, progress: Progress) -> None:
    lock, wheels = Lock.from_bytes(bundle.lock), folder / layout.WHEELS
    for name in ("venv.new", "uwsgi.new"):
        shutil.rmtree(folder / name, ignore_errors=True)
    venv = make_venv(
        lock,
        find_interpreter(bundle.document.python),
        folder / "venv.new",
        wheels=wheels if wheels.is_dir() else None,
        offline=is_offline(),
        progress=progress,
    )
    run_uv(
        ["pip", "install", "-q", "--no-config", "--require-hashes", "--no-deps",
         "--python", str(venv.interpreter.path), "--target", str(folder / "uwsgi.new"),
         "-r", str(folder / "uwsgi-requirements.txt")],
        offline=is_offline(),
    )  # fmt: skip


def _need_nginx() -> None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    if shutil.which("nginx", path=path) is None:
        raise Unavailable(
            "NGINX is not installed here.",
            hint="On Debian: apt install nginx-light.",
            code="no_nginx",
        )


def _need_port(plan: Plan) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.address, plan.port))
        except OSError as error:
            raise Unavailable(
                f"{plan.address}:{plan.port} cannot be listened on.",
                why=error.strerror,
                hint="Give another one with --port.",
                code="port_taken",
            ) from error


def _runs(control: Path) -> bool:
    done = subprocess.run([control, "status"], check=False, capture_output=True)
    return done.returncode == 0


def _reachable(address: str) -> str:
    return "127.0.0.1" if address in {"0.0.0.0", "*"} else address  # noqa: S104 - only compared


def _last_lines(log: Path) -> str:
    if not log.exists():
        return "It wrote no log."
    return "\n".join(log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])
