"""Put a folder that is a whole service in its place on this machine, start it, and prove it."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from samovar.deploy.probe import wait_until_answers
from samovar.errors import Unavailable, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.deploy.plan import Plan

    Progress = Callable[[str], None]
    Prove = Callable[[str], None]
    Prepare = Callable[[Path], None]

_READY_WITHIN_S = 90.0
_SHOWN_LINES = 20


def apply(
    plan: Plan,
    staged: Path,
    folder: Path,
    *,
    prepare: Prepare,
    prove: Prove,
    progress: Progress,
) -> list[str]:
    """Finish the staged folder, put it in the place of the one that runs, and prove it.

    What is slow comes first, so that a service that runs already is away for a moment only; where
    the new one does not answer, or answers otherwise, the old one is put back and started.

    Parameters
    ----------
    plan : Plan
        What is deployed.
    staged : Path
        Folder with everything but the environments.
    folder : Path
        Its place, on the same file system.
    prepare : callable
        Is given the staged folder, and makes the environments that it needs.
    prove : callable
        Is given the URL; raises where the service must not stay.
    progress : callable
        Is told what is going on.

    Raises
    ------
    UserError
        Where the folder is a file, or has somebody else's files, which would go with the service.
    Unavailable
        Where NGINX is missing, the port is taken, or the service does not answer; its log is told.
    """
    _need_own_folder(folder)
    _need_nginx()
    progress("Making the environment")
    prepare(staged)
    before = folder.with_name(f"{folder.name}.before")
    was_running = _runs(folder)
    _control(folder, "stop")
    _need_port(plan, folder, restart=was_running)
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    staged.rename(folder)
    try:
        progress("Starting the server and NGINX")
        endpoint = _start(plan, folder)
        prove(endpoint)
    except BaseException:
        _control(folder, "stop")
        if before.exists():
            shutil.rmtree(folder)
            before.rename(folder)
            if was_running:
                _bring_back(plan, folder)
        raise
    shutil.rmtree(before, ignore_errors=True)
    return [endpoint]


def _start(plan: Plan, folder: Path) -> str:
    _control(folder, "start")
    endpoint = f"http://{_reachable(plan.address)}:{plan.port}"
    try:
        wait_until_answers(endpoint, within_s=_READY_WITHIN_S, alive=lambda: _runs(folder))
    except Unavailable as error:
        raise Unavailable(
            error.message,
            why=_last_lines(folder / "run" / "service.log"),
            hint="Its log says why.",
            code="service_failed",
        ) from error
    return endpoint


def _bring_back(plan: Plan, folder: Path) -> None:
    """Start the old service and wait for it; the reason for going back is what gets told."""
    with suppress(Unavailable):
        _start(plan, folder)


def _control(folder: Path, verb: str) -> int:
    control = folder / "service.sh"
    if not control.exists():
        return 1
    done = subprocess.run(
        [control, verb], check=False, stdin=subprocess.DEVNULL, capture_output=True
    )
    return done.returncode


def _need_own_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder.", hint="Name another one with -o.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "supervise.py").is_file():
        raise UserError(
            f"{folder} has files that are no service of samovar's.",
            why="The whole folder is replaced when the next version is deployed.",
            hint="Name a new or an empty folder with -o.",
            code="folder_taken",
        )


def _need_nginx() -> None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    if shutil.which("nginx", path=path) is None:
        raise Unavailable(
            "NGINX is not installed here.",
            hint="On Debian: apt install nginx-light.",
            code="no_nginx",
        )


def _need_port(plan: Plan, folder: Path, *, restart: bool) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.address, plan.port))
        except OSError as error:
            if restart:
                _control(folder, "start")
            is_taken = error.errno in {errno.EADDRINUSE, errno.EACCES}
            raise Unavailable(
                f"{plan.address}:{plan.port} cannot be listened on.",
                why=error.strerror,
                hint=f"Give another one with --{'port' if is_taken else 'address'}.",
                code="port_taken" if is_taken else "no_address",
            ) from error


def _runs(folder: Path) -> bool:
    return _control(folder, "status") == 0


def _reachable(address: str) -> str:
    return "127.0.0.1" if address in {"0.0.0.0", "*"} else address  # noqa: S104 - only compared


def _last_lines(log: Path) -> str:
    if not log.exists():
        return "It wrote no log."
    return "\n".join(log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])
