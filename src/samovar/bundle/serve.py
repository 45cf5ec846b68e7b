"""Serve a bundle: prepare its environment here, then become its server."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.bundle.child import child_variables, command, write_job
from samovar.bundle.environment import prepare
from samovar.bundle.opened import Bundle, unpack_bundle
from samovar.bundle.verify import check_model, replay_level
from samovar.core import layout
from samovar.env.runtime_folder import grpc_folder
from samovar.errors import InvalidProject, UserError
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.store.home import Home
    from samovar.store.layout import Store

    Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How to serve.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        0 takes a free one.
    workers : int or None
        Processes; None lets the runtime choose from what a call costs.
    app : bool
        Serve the project's own application instead of the model.
    max_body_bytes : int
        Larger request bodies get 413.
    max_queue : int
        At most so many requests wait; further ones get 503.
    as_json : bool
        Print the line that says it is ready as JSON.
    unix_socket : str, optional
        Listen on this socket instead of host and port.
    access_log : bool
        Write a JSON line for each request on stderr.
    grpc_port : int, optional
        Answer over gRPC on this port too; 0 takes a free one.
    native_numerics : bool
        Do not pin the arithmetic (docs/decisions/0003-receipt.md).
    door : int, optional
        Descriptor of a second listening socket (docs/decisions/0013-agent.md).
    lifeline : int, optional
        Descriptor of a pipe; when its other end closes, the server ends as at SIGTERM.
    aside : str, optional
        A file that says which server beside this one is a shadow or a canary (docs/decisions/
        0014-switch.md); it may come and go.
    """

    host: str = "127.0.0.1"
    port: int = 5000
    workers: int | None = None
    app: bool = False
    max_body_bytes: int = 16 * 1024 * 1024
    max_queue: int = 1024
    as_json: bool = False
    unix_socket: str | None = None
    access_log: bool = False
    grpc_port: int | None = None
    native_numerics: bool = False
    door: int | None = None
    lifeline: int | None = None
    aside: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that is ready to be started.

    Parameters
    ----------
    arguments : tuple of str
        Its command.
    variables : dict of str to str
        Its whole environment.
    folder : Path, optional
        Where it is to run; None keeps the current folder.
    """

    arguments: tuple[str, ...]
    variables: dict[str, str]
    folder: Path | None


def prepare_server(
    home: Home,
    store: Store,
    bundle: Bundle,
    *,
    name: str,
    python: Path | None,
    options: ServeOptions,
    progress: Progress,
    owner: int | None = None,
) -> Server:
    """Unpack and audit a bundle and make its environment.

    Parameters
    ----------
    owner : int, optional
        The process that will start the server, where it is not this one.

    Raises
    ------
    Refused
        Where the audit refuses the model.
    InvalidProject
        Where the project's own application is asked for and the bundle names none.
    """
    if options.app and bundle.document.app is None:
        raise InvalidProject(
            "The bundle names no application of its own.",
            hint='Set [service] app = "server:app" in samovar.toml and pack again, '
            "or serve without --app.",
            code="no_app",
        )
    if options.app and options.grpc_port is not None:
        raise UserError(
            "An application of the project's own has no gRPC.",
            hint="Leave out --app or --grpc-port.",
        )
    workspace = home.new_workspace(owner)
    try:
        unpacked = unpack_bundle(store, bundle, workspace / "bundle")
        if not options.app:
            check_model(bundle, unpacked)
        prepared = prepare(
            home,
            bundle.document,
            bundle.lock,
            unpacked=unpacked,
            python=python,
            progress=progress,
        )
        job = _job(bundle, unpacked, workspace, name, prepared.wanted, options)
        if options.grpc_port is not None:
            packages = grpc_folder(
                home.runtime, prepared.interpreter, offline=is_offline(), progress=progress
            )
            job["grpc"] = {"port": options.grpc_port, "packages": str(packages)}
        arguments = command(prepared.interpreter.path, prepared.runtime, write_job(workspace, job))
    except BaseException:
        shutil.rmtree(workspace, ignore_errors=True)
        raise
    if options.app:
        # The application finds models/model.pkl relative to its own folder, as its author did.
        return Server(
            arguments=tuple(arguments),
            variables=child_variables("native", pinned=False, write_bytecode=not prepared.is_users),
            folder=unpacked / layout.PROJECT,
        )
    level = "native" if options.native_numerics else replay_level(bundle.receipt)
    return Server(
        arguments=tuple(arguments),
        variables=child_variables(level, write_bytecode=not prepared.is_users),
        folder=None,
    )


def become(server: Server) -> int:
    """Replace this process by the server, so that signals arrive where they are handled.

    Returns
    -------
    int
        The server's exit code, where the platform cannot replace a process.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if server.folder is not None:
        os.chdir(server.folder)
    if os.name == "posix":
        os.execve(server.arguments[0], server.arguments, server.variables)  # noqa: S606 - no shell
    import subprocess

    with subprocess.Popen(server.arguments, env=server.variables) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # the server got it too, and drains


def _job(
    bundle: Bundle,
    unpacked: Path,
    workspace: Path,
    name: str,
    wanted: dict[str, Any],
    options: ServeOptions,
) -> dict[str, Any]:
    return {
        "verb": "serve",
        "bundle": str(unpacked),
        "wanted": wanted,
        "name": name,
        "digest": str(bundle.digest),
        "app": bundle.document.app if options.app else None,
        "host": options.host,
        "port": options.port,
        "unix_socket": options.unix_socket,
        "workers": options.workers,
        "max_body_bytes": options.max_body_bytes,
        "max_queue": options.max_queue,
        "access_log": options.access_log,
        "door": options.door,
        "lifeline": options.lifeline,
        "aside": options.aside,
        "ready": "json" if options.as_json else "text",
        "cleanup": [str(workspace)],
    }
