"""Make virtual environments from a lock: hashes checked, and nothing but what the lock names."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.env.interpreters import Interpreter, probe, python_of
from samovar.env.uv import run_uv
from samovar.errors import Unavailable, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samovar.env.lock import Lock, LockedPackage

    Progress = Callable[[str], None]

_READY: Final = ".samovar-ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Venv:
    """A virtual environment.

    Parameters
    ----------
    path : Path
        Its folder.
    interpreter : Interpreter
        Its own.
    packages : int
        How many distributions the lock put into it.
    """

    path: Path
    interpreter: Interpreter
    packages: int


def make_venv(
    lock: Lock,
    base: Interpreter,
    path: Path,
    *,
    wheels: Path | None,
    offline: bool,
    progress: Progress,
) -> Venv:
    """Make an environment in a folder that does not exist, or is an environment already.

    Parameters
    ----------
    lock : Lock
        What goes in; every file is checked against its hash.
    base : Interpreter
        What it is made from.
    path : Path
        Its folder.
    wheels : Path, optional
        Folder of the wheels that travel with the lock.
    offline : bool
        Open no connection: everything is in the cache or in ``wheels``.
    progress : callable
        Is told what is going on.

    Raises
    ------
    UserError
        Where the folder is something else.
    Unavailable
        Where a distribution cannot be had, or has none for this platform.
    """
    if path.exists() and any(path.iterdir()) and not (path / "pyvenv.cfg").is_file():
        raise UserError(
            f"{path} exists and is not a virtual environment.",
            hint="Name a folder that does not exist yet.",
            code="not_a_venv",
        )
    if path.exists() and path.samefile(sys.prefix):
        raise UserError(
            f"{path} is the environment that samovar itself runs in.",
            hint="Name another folder: 'samovar venv . PATH'.",
            code="own_environment",
        )
    from samovar.env.install import install  # not where the environment is there already

    packages = lock.packages_for(base.markers)
    _check_wheels(packages, base)
    progress(f"Making an environment of {len(packages)} packages for Python {base.version}")
    is_new = not path.exists()
    try:
        _create(path, base)
        if packages:
            install(lock, packages, path, wheels=wheels, offline=offline)
    except BaseException:
        if is_new:
            shutil.rmtree(path, ignore_errors=True)
        raise
    return Venv(path=path, interpreter=_inside(path, base), packages=len(packages))


def cached_venv(
    envs: Path,
    lock: Lock,
    base: Interpreter,
    *,
    wheels: Path | None,
    offline: bool,
    progress: Progress,
) -> Venv:
    """Give the environment for a lock, made where it is not there yet.

    It is known by what the lock installs here and by the interpreter, so that two bundles with the
    same environment share it, and two with clashing versions do not.
    """
    key = venv_key(lock, base)
    path = envs / key
    if not (path / _READY).exists():
        with waiting_lock(envs / f"{key}.lock", progress):
            if not (path / _READY).exists():
                shutil.rmtree(path, ignore_errors=True)
                make_venv(lock, base, path, wheels=wheels, offline=offline, progress=progress)
                (path / _READY).touch()
    packages = len(lock.packages_for(base.markers))
    return Venv(path=path, interpreter=_inside(path, base), packages=packages)


def ready_venv(envs: Path, key: str, base: Interpreter) -> Interpreter | None:
    """Give the interpreter of a cached environment, if it was made whole."""
    path = envs / key
    return _inside(path, base) if (path / _READY).exists() else None


@contextmanager
def waiting_lock(path: Path, progress: Progress) -> Iterator[None]:
    """Hold a lock between processes; say so where another one has it."""
    from filelock import FileLock, Timeout  # as slow to import as a start can wait

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("Waiting for another samovar that makes the same")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def venv_key(lock: Lock, base: Interpreter) -> str:
    """Give the name of the folder that caches the environment of a lock for an interpreter."""
    packages = lock.packages_for(base.markers)
    return Digest.of(
        canonical_json(
            {
                "packages": [
                    [package.name, package.version, sorted(file.sha256 for file in package.files)]
                    for package in packages
                ],
                "python": [str(base.base), base.version, base.markers["platform_machine"]],
            }
        )
    ).hex[:32]


def borrow_bytecode(envs: Path, lock: Lock, venv: Venv) -> None:
    """Link the bytecode that the cached environment of the same lock has into a new one.

    Python checks bytecode against the time and size of its source, which come from the same cache
    of wheels, so that nothing is taken on trust; a new environment starts in a third of the time.
    """
    cached = envs / venv_key(lock, venv.interpreter)
    if not (cached / _READY).exists():
        return
    inside = venv.interpreter.purelib.relative_to(venv.path)
    for root, folders, files in os.walk(cached / inside):
        if not root.endswith("__pycache__"):
            continue
        folders.clear()
        target = venv.path / inside / Path(root).relative_to(cached / inside)
        if target.parent.is_dir():
            target.mkdir(exist_ok=True)
            for name in files:
                with suppress(OSError):
                    os.link(Path(root) / name, target / name)


def keep_venv(envs: Path, lock: Lock, venv: Venv) -> None:
    """Let a new environment that proved itself become the cached one, if there is none yet."""
    from filelock import FileLock  # see above

    path = envs / venv_key(lock, venv.interpreter)
    with FileLock(envs / f"{path.name}.lock"):
        if not (path / _READY).exists():
            shutil.rmtree(path, ignore_errors=True)
            venv.path.replace(path)
            (path / _READY).touch()


def _create(path: Path, base: Interpreter) -> None:
    run_uv(
        ["venv", "-q", "--no-project", "--no-config", "--allow-existing", "--relocatable",
         "--python", str(base.base), str(path)],
        offline=True,
    )  # fmt: skip


def _check_wheels(packages: tuple[LockedPackage, ...], base: Interpreter) -> None:
    """Say at once which distribution has nothing that could be installed here."""
    missing = [package for package in packages if not package.files]
    if missing:
        names = ", ".join(f"{package.name} {package.version}" for package in missing)
        raise Unavailable(
            f"The lock has no file of {names} for {base.platform or 'this platform'}.",
            hint="Add the platform to [environment] platforms and run 'samovar lock'.",
            code="no_wheel",
        )


def _inside(path: Path, base: Interpreter) -> Interpreter:
    """Describe the environment's interpreter without starting it: it is its base, elsewhere."""
    minor = base.minor
    purelib = (
        path / "Lib" / "site-packages"
        if os.name == "nt"
        else path / "lib" / f"python{minor}" / "site-packages"
    )
    python = python_of(path)
    if not python.exists():
        return probe(python)
    return Interpreter(
        path=python,
        version=base.version,
        markers=base.markers,
        purelib=purelib,
        base=base.base,
        libc=base.libc,
    )
