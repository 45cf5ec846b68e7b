"""The environment that a bundle runs in: made from its lock, or an interpreter the user names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samovar.core import layout
from samovar.env.interpreters import find_interpreter, probe
from samovar.env.lock import Lock
from samovar.env.remembered import Answer, recall, remember
from samovar.env.runtime_folder import runtime_folder
from samovar.env.venv import borrow_bytecode, cached_venv, make_venv, ready_venv
from samovar.errors import EnvironmentMismatch
from samovar.store.home import is_offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.core.bundle import BundleDocument
    from samovar.env.interpreters import Interpreter
    from samovar.env.venv import Venv
    from samovar.store.home import Home

    Progress = Callable[[str], None]
    Packages = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedEnvironment:
    """A lock with what it needs to be rebuilt.

    Parameters
    ----------
    lock : Lock
        What is pinned.
    python : str
        Minor version of Python.
    wheels : Path, optional
        Folder of the wheels that travel with the lock.
    """

    lock: Lock
    python: str
    wheels: Path | None


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
    is_users : bool
        Whether the user named it: then nothing is written into it, bytecode included.
    fresh : Venv, optional
        The environment that was made for this call alone.
    """

    interpreter: Interpreter
    runtime: Path
    wanted: dict[str, Any]
    is_users: bool = False
    fresh: Venv | None = None


def prepare(
    home: Home,
    document: BundleDocument,
    lock: bytes,
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
    lock : bytes
        The bundle's ``pylock.toml``.
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
    venv = None
    if python is not None:
        interpreter = probe(python)
        packages = packages_of(Lock.from_bytes(lock), interpreter)
    elif fresh_in is not None:
        locked = locked_environment(document, Lock.from_bytes(lock), unpacked)
        venv = rebuild(locked, fresh_in / "venv", progress=progress)
        borrow_bytecode(home.envs, locked.lock, venv)
        interpreter = venv.interpreter
        packages = packages_of(locked.lock, interpreter)
    else:
        interpreter, packages = _cached(home, document, lock, unpacked, progress)
    return Prepared(
        interpreter=interpreter,
        runtime=runtime_folder(home.runtime, interpreter, offline=is_offline(), progress=progress),
        wanted=wanted(document, packages),
        is_users=python is not None,
        fresh=venv,
    )


def _cached(
    home: Home, document: BundleDocument, data: bytes, unpacked: Path, progress: Progress
) -> tuple[Interpreter, Packages]:
    """Give the cached environment's interpreter, and what is in it."""
    base = find_interpreter(document.python)
    answer = recall(home.envs, data, base)
    if answer is not None:
        interpreter = ready_venv(home.envs, answer.key, base)
        if interpreter is not None:
            return interpreter, answer.packages
    lock = Lock.from_bytes(data)
    venv = cached_venv(
        home.envs,
        lock,
        base,
        wheels=locked_environment(document, lock, unpacked).wheels,
        offline=is_offline(),
        progress=progress,
    )
    answer = Answer(key=venv.path.name, packages=packages_of(lock, base))
    remember(home.envs, data, base, answer)
    return venv.interpreter, answer.packages


def rebuild(
    locked: LockedEnvironment, path: Path, *, python: Path | None = None, progress: Progress
) -> Venv:
    """Make a virtual environment from a lock in a folder of the user's.

    Parameters
    ----------
    locked : LockedEnvironment
        What goes in.
    path : Path
        Its folder.
    python : Path, optional
        What to make it from; by default an interpreter of the right minor version is looked for.
    progress : callable
        Is told what is going on.

    Raises
    ------
    EnvironmentMismatch
        Where the named interpreter is of another minor version.
    """
    base = find_interpreter(locked.python) if python is None else probe(python)
    if base.minor != locked.python:
        raise EnvironmentMismatch(
            f"Python {locked.python} is wanted; {base.path} is Python {base.version}.",
            hint=f"Name an interpreter of Python {locked.python}, or leave --python out.",
            code="wrong_python",
        )
    return make_venv(
        locked.lock,
        base,
        path,
        wheels=locked.wheels,
        offline=is_offline(),
        progress=progress,
    )


def locked_environment(document: BundleDocument, lock: Lock, unpacked: Path) -> LockedEnvironment:
    """Give a bundle's lock with its wheels, as they lie in the unpacked bundle."""
    wheels = unpacked / layout.WHEELS
    return LockedEnvironment(
        lock=lock, python=document.python, wheels=wheels if wheels.is_dir() else None
    )


def packages_of(lock: Lock, interpreter: Interpreter) -> Packages:
    """Give name and version of what a lock installs for an interpreter."""
    return tuple(
        (package.name, package.version) for package in lock.packages_for(interpreter.markers)
    )


def wanted(document: BundleDocument, packages: Packages) -> dict[str, Any]:
    """Say what must be found before the model is loaded."""
    return {
        "python": document.python,
        "packages": [{"name": name, "version": version} for name, version in packages],
    }
