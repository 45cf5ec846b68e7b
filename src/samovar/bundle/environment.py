"""The environment that a bundle runs in: made from its lock, or an interpreter the user names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.core import bundle as layout
from samovar.env.interpreters import find_interpreter, probe
from samovar.env.runtime_folder import runtime_folder
from samovar.env.venv import cached_venv, make_venv
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.core.bundle import BundleDocument
    from samovar.env.interpreters import Interpreter
    from samovar.env.lock import Lock
    from samovar.store.home import Home

    Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An interpreter in which a bundle's verbs can run.

    Parameters
    ----------
    interpreter : Interpreter
        Of the environment.
    runtime : Path
        The runtime's folder for it.
    wanted : dict
        ``{"python": minor, "packages": [{"name","version"}]}``: what the lock wants there; the
        child checks it before it loads anything.
    fresh : bool
        Whether it was made for this call alone.
    """

    interpreter: Interpreter
    runtime: Path
    wanted: dict[str, Any]
    fresh: bool


def prepare(
    home: Home,
    document: BundleDocument,
    lock: Lock,
    *,
    unpacked: Path,
    python: Path | None = None,
    fresh_in: Path | None = None,
    progress: Progress,
) -> Prepared:
    """Make, find or take the environment for a bundle.

    Parameters
    ----------
    home : Home
        Where environments and the runtime are cached.
    document : BundleDocument
        Says which minor version of Python the model was made with.
    lock : Lock
        Of the bundle.
    unpacked : Path
        The bundle's folder; its ``wheels/`` has the local packages.
    python : Path, optional
        An interpreter that the user names; it is used as it is.
    fresh_in : Path, optional
        Make a new environment in this folder instead of using the cached one.
    progress : callable
        Is told what is going on.

    Raises
    ------
    Unavailable
        Where no interpreter of that version is here, or a distribution cannot be had.
    """
    offline = is_offline()
    if python is not None:
        interpreter = probe(python)
    else:
        base = find_interpreter(document.python)
        wheels = unpacked / layout.WHEELS
        local = wheels if wheels.is_dir() else None
        if fresh_in is not None:
            venv = make_venv(
                lock, base, fresh_in / "venv", wheels=local, offline=offline, progress=progress
            )
        else:
            venv = cached_venv(
                home.envs, lock, base, wheels=local, offline=offline, progress=progress
            )
        interpreter = venv.interpreter
    return Prepared(
        interpreter=interpreter,
        runtime=runtime_folder(home.runtime, interpreter, offline=offline, progress=progress),
        wanted=wanted(document, lock, interpreter),
        fresh=fresh_in is not None,
    )


def wanted(document: BundleDocument, lock: Lock, interpreter: Interpreter) -> dict[str, Any]:
    """Say what the lock wants in this interpreter."""
    return {
        "python": document.python,
        "packages": [
            {"name": package.name, "version": package.version}
            for package in lock.packages_for(interpreter.markers)
        ],
    }
