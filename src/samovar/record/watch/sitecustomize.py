"""Note which files a training script reads and where it connects.

This file is put first on ``PYTHONPATH`` of the script, and of every Python that it starts. It
stands alone: it imports nothing of samovar. A line of the log is a list: ``["read", path]``,
``["connect", address]`` or ``["start", program]``. Programs that are not Python are named when
they start; what they read is not seen.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_LOG = os.environ.get("SAMOVAR_WATCH_LOG")
_QUIET = tuple(
    os.path.realpath(prefix) + os.sep
    for prefix in (sys.prefix, sys.base_prefix, os.path.dirname(__file__))
) + ("/proc/", "/sys/", "/dev/", "/usr/lib/", "/usr/share/", "/lib/", "/etc/")  # fmt: skip


def _install(log: str) -> None:
    handle = os.open(
        log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600
    )
    seen: set[tuple[str, str]] = set()

    def note(kind: str, what: str) -> None:
        if (kind, what) not in seen:
            seen.add((kind, what))
            os.write(handle, json.dumps([kind, what]).encode() + b"\n")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, bytes):
                path = os.fsdecode(path)
            if not isinstance(path, str) or not _reads(mode, flags):
                return
            path = os.path.abspath(path)
            if not path.startswith(_QUIET) and not path.endswith((".py", ".pyc", ".so", ".pyd")):
                note("read", path)
        elif event == "socket.connect":
            address = arguments[1]
            note(
                "connect", address if isinstance(address, str) else ":".join(map(str, address[:2]))
            )
        elif event == "subprocess.Popen":
            note("start", os.fsdecode(arguments[0] or arguments[1][0]))

    sys.addaudithook(hook)


def _reads(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return "r" in mode or "+" in mode
    return isinstance(flags, int) and (flags & 3) != os.O_WRONLY


def _run_the_environments_own() -> None:
    """Run the sitecustomize that this file stands in front of, if there is one."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    here = os.path.dirname(os.path.abspath(__file__))
    others = [entry for entry in sys.path if os.path.abspath(entry or os.getcwd()) != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


if _LOG is not None:
    try:
        _install(_LOG)
    except OSError as error:
        sys.stderr.write(f"samovar: files are not watched: {error}\n")
_run_the_environments_own()
